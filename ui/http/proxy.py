"""Whether the proxy in front is set up as the site's public address says.

A wrong one is no error: the pages work. But readers' addresses on record are the proxy's, or
whatever a request claims, and passwords may cross the network unencrypted.
"""

import ipaddress
import logging
import os
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from review.settings import PUBLIC_URL_VARIABLE, Settings

ALLOWED_VARIABLE = "FORWARDED_ALLOW_IPS"
PROTO = "x-forwarded-proto"
SILENT, NOT_BELIEVED = "says nothing", "is not believed"

_log = logging.getLogger(__name__)
_troubles: set[str] = set()  # what was found since a request last came as it should
_told: set[str] = set()


def doubts(settings: Settings) -> list[str]:
    """Return in words what is wrong with the settings of a start, as far as they tell."""
    found = []
    host = urlsplit(settings.public_url or "http://localhost").hostname or ""
    if not settings.is_https and not _is_loopback(host):
        found.append(
            f"{PUBLIC_URL_VARIABLE} is {settings.public_url}: passwords and images cross the "
            "network unencrypted. Put a proxy that speaks TLS in front, and set it to https://"
        )
    for allowed in filter(None, map(str.strip, os.environ.get(ALLOWED_VARIABLE, "").split(","))):
        if allowed == "*":
            found.append(
                f"{ALLOWED_VARIABLE} is *: whoever reaches this port can claim any address. Name "
                "the proxy's"
            )
        elif not _is_network(allowed):
            found.append(
                f"{ALLOWED_VARIABLE} holds {allowed!r}, which is no address or network: name the "
                "proxy's by number"
            )
    return found


def heed(scope: Scope, settings: Settings) -> None:
    """Look at a request to the public address: the log says once how its proxy is not set up."""
    headers = Headers(scope=scope)
    if not settings.is_https or headers.get("host") != urlsplit(settings.public_url).netloc:
        return
    if scope["scheme"] in {"https", "wss"}:
        _troubles.clear()
        return
    trouble = NOT_BELIEVED if PROTO in headers else SILENT
    _troubles.add(trouble)
    if trouble not in _told:
        _told.add(trouble)
        _log.warning("%s", _words(trouble, (scope.get("client") or ("unknown",))[0]))


def standing(settings: Settings) -> str | None:
    """Return in a word or three what the last requests told of the proxy; None without https."""
    return "; ".join(sorted(_troubles)) or "ok" if settings.is_https else None


def _words(trouble: str, peer: str) -> str:
    if trouble == NOT_BELIEVED:
        return (
            f"a request to {PUBLIC_URL_VARIABLE} came from {peer}, whose X-Forwarded-Proto is not "
            f"believed: if that is your proxy, set {ALLOWED_VARIABLE} to its address"
        )
    return (
        f"a request to {PUBLIC_URL_VARIABLE} came from {peer} without X-Forwarded-Proto: let your "
        "proxy send X-Forwarded-Proto and X-Forwarded-For"
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
