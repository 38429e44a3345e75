"""What a site says of its OpenID provider; without an issuer there is none."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from db.types import Role
from review.errors import SettingsError

PREFIX = "SECOND_LOOK_OPENID_"
SCOPES = "openid profile"
ROLE_CLAIM = "groups"
MAX_ISSUER = 255


@dataclass(frozen=True)
class OpenIdSettings:
    """A site's OpenID provider.

    Attributes:
        issuer: Its issuer identifier, exactly as it says it.
        client_id: What Second Look is called there.
        client_secret: What it shows for itself; None for a public client.
        scopes: What it asks for, separated by spaces.
        role_claim: The claim that tells roles; dots lead into nested ones.
        roles: Which of its values is which role.
        label: What the button says after "Sign in with".
        only: Whether passwords are off, and links for all but administrators.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    scopes: str
    role_claim: str
    roles: Mapping[str, Role]
    label: str
    only: bool

    def __hash__(self) -> int:
        return hash((self.issuer, self.client_id))


def load() -> OpenIdSettings | None:
    """Read the environment; None where it names no issuer.

    Raises:
        SettingsError: If a variable is missing or holds nonsense.
    """
    issuer = _value("ISSUER")
    if not issuer:
        return None
    if not is_safe(issuer) or len(issuer) > MAX_ISSUER or set("?#") & set(issuer):
        raise SettingsError(
            f"{PREFIX}ISSUER is {issuer!r}: allowed is https:// and a host, with a path where the "
            "provider has one; http:// on loopback alone"
        )
    client_id = _value("CLIENT_ID")
    if not client_id:
        raise SettingsError(f"{PREFIX}CLIENT_ID is missing: what the provider calls Second Look")
    return OpenIdSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=_secret(),
        scopes=_value("SCOPES") or SCOPES,
        role_claim=_value("ROLE_CLAIM") or ROLE_CLAIM,
        roles=_roles(_value("ROLES")),
        label=_value("LABEL") or urlsplit(issuer).hostname or issuer,
        only=_yes("ONLY"),
    )


def is_safe(address: str) -> bool:
    """Return whether nobody on the way can read or change what an address answers."""
    parts = urlsplit(address)
    if not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _value(name: str) -> str:
    return os.environ.get(PREFIX + name, "").strip()


def _yes(name: str) -> bool:
    value = _value(name).lower()
    if value not in {"", "0", "no", "false", "1", "yes", "true"}:
        raise SettingsError(f"{PREFIX}{name} is {value!r}: allowed is yes or no")
    return value in {"1", "yes", "true"}


def _secret() -> str | None:
    path = _value("CLIENT_SECRET_FILE")
    if not path:
        return _value("CLIENT_SECRET") or None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as exc:
        raise SettingsError(f"{PREFIX}CLIENT_SECRET_FILE: {path} cannot be read") from exc


def _roles(value: str) -> Mapping[str, Role]:
    """Read `VALUE=ROLE, VALUE=ROLE`; a value may itself hold `=`, as distinguished names do."""
    found = {}
    for pair in filter(None, map(str.strip, value.split(";" if ";" in value else ","))):
        name, _, role = (part.strip() for part in pair.rpartition("="))
        if not name or role not in set(Role):
            allowed = ", ".join(Role)
            raise SettingsError(
                f"{PREFIX}ROLES holds {pair!r}: allowed is VALUE=ROLE, separated by commas (or "
                f"semicolons), with a ROLE of {allowed}"
            )
        found[name] = Role(role)
    if not found:
        raise SettingsError(
            f"{PREFIX}ROLES is missing: which value of the claim is which role, as "
            "radiology=reader,ai-lab=engineer"
        )
    return MappingProxyType(found)
