"""The OpenID provider over the network: what it announces, its keys, and what it says of a person.

OpenID Connect Core 1.0 with the authorization code flow, PKCE (RFC 7636), Discovery 1.0 and the
issuer in the answer (RFC 9207). Nothing here is asked unless the site has set an issuer.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from review.access.openid_settings import OpenIdSettings, is_safe
from review.errors import OpenIdError

TIMEOUT_SECONDS = 5.0
KEEP_SECONDS = 3600.0
SKEW_SECONDS = 120
# Signatures alone that only the provider can make: with an HMAC, the client's secret would do.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
ALGORITHMS += ["ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
ASKED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")
Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What one sign-in is told apart by: kept by the browser, sealed, until the answer comes."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class OpenIdProvider:
    """One site's provider; what it announces is kept for an hour.

    Args:
        settings: What the site says of it.
        clock: Seconds that only go on.
    """

    def __init__(
        self, settings: OpenIdSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Json]] = {}

    def address_to_ask(self, asked: Asked) -> str:
        """Return where to send the browser.

        Raises:
            OpenIdError: If the provider cannot be reached, or announces nonsense.
        """
        endpoint = self._metadata()["authorization_endpoint"]
        with self._client(asked) as client:
            address, _ = client.create_authorization_url(
                endpoint, state=asked.state, nonce=asked.nonce, code_verifier=asked.verifier
            )
        return str(address)

    def address_to_leave(self, back: str) -> str | None:
        """Return where to send the browser to sign out there, too; None if that is not announced.

        Args:
            back: Where it is to come back to.
        """
        endpoint = self._metadata().get("end_session_endpoint")
        if endpoint is None:
            return None
        sent = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back}
        return str(requests.Request("GET", endpoint, params=sent).prepare().url)

    def person(self, asked: Asked, code: str, issuer: str | None) -> Json:
        """Redeem a code; return the claims of the person who signed in.

        Args:
            asked: What was asked.
            code: What the provider answered.
            issuer: Who it says it is, in the answer.

        Raises:
            OpenIdError: If the answer is another's, the code is no good, or the ID token is not for
                us, not of this sign-in, out of its time or wrongly signed.
        """
        self.insist_on_issuer(issuer)
        metadata = self._metadata()
        with self._client(asked) as client:
            token = _asked_of_provider(
                lambda: client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=asked.verifier,
                    allow_redirects=False,
                )
            )
            claims = self._checked(str(token.get("id_token", "")), asked.nonce, token)
            if self._needs_more(claims) and "userinfo_endpoint" in metadata:
                endpoint = metadata["userinfo_endpoint"]
                more: Json = _asked_of_provider(
                    lambda: _json(client.get(endpoint, allow_redirects=False))
                )
                if more.get("sub") != claims["sub"]:
                    raise OpenIdError("The provider told of another person than who signed in.")
                return more | claims
        return claims

    def insist_on_issuer(self, issuer: str | None) -> None:
        """Refuse an answer that says, or does not say, that it is this provider's.

        Raises:
            OpenIdError: If it is another's.
        """
        promised = self._metadata().get("authorization_response_iss_parameter_supported")
        if issuer != self.settings.issuer and (issuer is not None or promised):
            raise OpenIdError("The answer came from another provider than was asked.")

    def _client(self, asked: Asked) -> OAuth2Session:
        settings = self.settings
        methods = self._metadata().get("token_endpoint_auth_methods_supported", ())
        posts = settings.client_secret and methods and "client_secret_basic" not in methods
        return OAuth2Session(
            settings.client_id,
            settings.client_secret,
            token_endpoint_auth_method="client_secret_post" if posts else None,
            scope=settings.scopes,
            redirect_uri=asked.redirect_uri,
            code_challenge_method="S256",
            default_timeout=TIMEOUT_SECONDS,
        )

    def _needs_more(self, claims: Mapping[str, Any]) -> bool:
        return claim(claims, self.settings.role_claim) is None or "name" not in claims

    def _checked(self, id_token: str, nonce: str, token: Mapping[str, Any]) -> Json:
        """Return the claims of an ID token (Core 1.0, section 3.1.3.7)."""
        settings = self.settings
        try:
            found = self._decoded(id_token)
            claims = CodeIDToken(
                found.claims,
                found.header,
                options={
                    "iss": {"essential": True, "value": settings.issuer},
                    "sub": {"essential": True},
                    "aud": {"essential": True, "value": settings.client_id},
                },
                params={
                    "nonce": nonce,
                    "client_id": settings.client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(leeway=SKEW_SECONDS)
        except ExpiredTokenError as exc:
            raise OpenIdError(_CLOCKS) from exc
        except (JoseError, AuthlibBaseError, ValueError, TypeError) as exc:
            name = getattr(exc, "claim", None)
            if name in {"iat", "nbf", "exp"}:
                raise OpenIdError(_CLOCKS) from exc
            what = f" ({name})" if name else ""
            raise OpenIdError(f"The provider's ID token was not accepted{what}.") from exc
        return dict(claims)

    def _decoded(self, id_token: str) -> jwt.Token:
        """Decode with the provider's keys; those of a provider that has new ones are asked anew."""
        try:
            return jwt.decode(id_token, self._keys(), ALGORITHMS)
        except InvalidKeyIdError:
            with self._lock:
                self._kept.pop("keys", None)
            return jwt.decode(id_token, self._keys(), ALGORITHMS)

    def _keys(self) -> KeySet:
        found = self._fetched("keys", lambda: self._metadata()["jwks_uri"])
        # A key that this library does not know must not keep it from those that it does.
        keys = [key for key in found.get("keys", ()) if key.get("kty") in {"RSA", "EC", "OKP"}]
        return KeySet.import_key_set({"keys": [k for k in keys if k.get("use", "sig") == "sig"]})

    def _metadata(self) -> Json:
        issuer = self.settings.issuer
        address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._fetched("metadata", lambda: address)
        if found.get("issuer") != issuer:
            raise OpenIdError(
                f"{address} is of the issuer {found.get('issuer')!r}, not {issuer!r}: an "
                "administrator of this server has to set it so."
            )
        for name in (*ASKED, *(name for name in OPTIONAL if name in found)):
            if not is_safe(str(found.get(name, ""))):
                raise OpenIdError(f"The provider announces no safe {name}.")
        return found

    def _fetched(self, name: str, address: Callable[[], str]) -> Json:
        with self._lock:
            at, found = self._kept.get(name, (0.0, {}))
        if found and self._clock() - at < KEEP_SECONDS:
            return found
        where = address()
        fetched: Json = _asked_of_provider(
            lambda: _json(requests.get(where, timeout=TIMEOUT_SECONDS, allow_redirects=False))
        )
        with self._lock:
            self._kept[name] = (self._clock(), fetched)
        return fetched


_CLOCKS = (
    "The provider's ID token is out of its time. If the clocks of this server and of the provider "
    "differ, an administrator has to set them."
)


@cache
def provider(settings: OpenIdSettings) -> OpenIdProvider:
    """Return the one provider of these settings."""
    return OpenIdProvider(settings)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim; dots lead into nested ones unless one is called so. None if it is not there.

    Example:
        >>> claim({"realm_access": {"roles": ["readers"]}}, "realm_access.roles")
        ['readers']
    """
    if name in claims:
        return claims[name]
    first, _, rest = name.partition(".")
    nested = claims.get(first)
    return claim(nested, rest) if rest and isinstance(nested, Mapping) else None


def _json(response: requests.Response) -> Json:
    response.raise_for_status()
    found = response.json()
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _asked_of_provider(ask: Callable[[], Any]) -> Any:
    """Return what the provider answers.

    Raises:
        OpenIdError: If it does not, or not in its form.
    """
    try:
        return ask()
    except (requests.ConnectionError, requests.Timeout) as exc:
        raise OpenIdError("The OpenID provider cannot be reached. Try again later.") from exc
    except AuthlibBaseError as exc:
        raise OpenIdError(f"The OpenID provider refused: {exc.error or 'no reason'}.") from exc
    except (requests.RequestException, ValueError) as exc:
        raise OpenIdError("The OpenID provider answered what cannot be read.") from exc
