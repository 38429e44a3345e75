"""Addresses: the Host a request may name, where it came from, where it may go."""

import ipaddress
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

UNKNOWN = "unknown"


def host_allowed(host: str | None, public_url: str | None) -> bool:
    """Say whether the server answers to this Host header.

    A page of another site can point a name of its own at this server (DNS rebinding), so names
    are refused unless they are `localhost` or the site's own. Addresses cannot be rebound.
    """
    try:
        name = urlsplit(f"//{host or ''}").hostname or ""
        if name == "localhost" or (public_url and name == urlsplit(public_url).hostname):
            return True
        ipaddress.ip_address(name)
    except ValueError:  # neither a name of ours nor an address
        return False
    return True


def same_origin(headers: Headers, public_url: str | None, *, proven: bool = False) -> bool:
    """Say whether a request that changes something was sent by one of our own pages.

    Browsers send Origin with every such request; a client that sends none is no browser, and
    carries no cookie of somebody else's.

    Args:
        headers: The request's.
        public_url: The site's address.
        proven: Whether silence is no proof: for what needs no cookie, as signing in does, where a
            browser that leaves Origin out could be led by another site.
    """
    origin = headers.get("origin")
    if origin is None:
        site = headers.get("sec-fetch-site", "unknown")
        return site == "same-origin" or (not proven and site in {"none", "unknown"})
    host = headers.get("host")
    if public_url and host == urlsplit(public_url).netloc:
        return origin == public_url  # its scheme, too: who forges http must not reach https
    return origin == public_url or origin.partition("://")[2] == host


def client_address(scope: Scope) -> str:
    """Return the network address that a request came from, for the record.

    Behind a proxy that `FORWARDED_ALLOW_IPS` names it is what that proxy says; such a header may
    hold anything, so what is no address is not kept.
    """
    host = (scope.get("client") or ("",))[0]
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return UNKNOWN


def local_path(target: str | None) -> str:
    r"""Return the target if it is a path on this server, else the worklist's.

    Browsers read `//host`, `/\host` and `/<tab>/host` as other servers.
    """
    target = target or "/"
    printable = all("!" <= character <= "~" and character != "\\" for character in target)
    if not printable or not target.startswith("/") or target.startswith(("//", "/sign-")):
        return "/"
    return target


def sign_in_address(path: str, query: bytes) -> str:
    """Return the sign-in page's address that leads back to a path afterwards."""
    here = quote(path) + (f"?{query.decode('latin-1')}" if query else "")
    return sign_in_path("/sign-in", local_path(here))


def sign_in_path(path: str, next_path: str) -> str:
    """Return the address of one of the pages of signing in that leads on to a path."""
    return path if next_path == "/" else f"{path}?next={quote(next_path, safe='/')}"
