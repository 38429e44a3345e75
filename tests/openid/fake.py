"""A provider that lies as it is told, for what a right one never sends (see `real`)."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from review.access.openid_settings import PREFIX

CLIENT_ID, CLIENT_SECRET = "second-look", "only between these two, and long enough"


@dataclass
class FakeProvider:
    """What it announces and says; a test changes it.

    Attributes:
        issuer: Its address.
        keys: The keys that it announces; it signs with the last.
        announced: What its metadata say otherwise.
        claims: What its ID token says otherwise; a None leaves a claim out.
        header: What the ID token's header says otherwise.
        person: What its userinfo endpoint says; None for no such endpoint.
        asked: The paths that it was asked for.
        nonce: Of the present sign-in.
    """

    issuer: str
    keys: list[RSAKey]
    announced: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    person: dict[str, Any] | None = None
    asked: list[str] = field(default_factory=list)
    nonce: str = ""

    def environment(self) -> dict[str, str]:
        """Return what a site's environment says of it."""
        values = {"ISSUER": self.issuer, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
        values |= {"ROLES": "radiology=reader,ai-lab=engineer,it=administrator"}
        return {PREFIX + name: value for name, value in values.items()}

    def answer(self, path: str) -> dict[str, Any]:
        """Return what it says at a path."""
        self.asked.append(path)
        if path == "/token":
            return {"access_token": "a", "token_type": "Bearer", "id_token": self._id_token()}
        if path == "/keys":
            return {"keys": [key.as_dict(private=False) for key in self.keys]}
        if path == "/person":
            return self.person or {}
        metadata = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/ask",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        if self.person is not None:
            metadata["userinfo_endpoint"] = f"{self.issuer}/person"
        return metadata | self.announced

    def _id_token(self) -> str:
        at = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "ada-17", "nonce": self.nonce}
        claims |= {"iat": at, "exp": at + 300, "groups": ["radiology"], "name": "Ada"} | self.claims
        said = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": self.keys[-1].kid} | self.header
        shared = OctKey.import_key(CLIENT_SECRET)
        key = shared if header["alg"] == "HS256" else self.keys[-1]
        if header["alg"] == "none":
            signed = jwt.encode({**header, "alg": "RS256"}, said, key)
            _, payload, _ = signed.split(".")
            return f"eyJhbGciOiJub25lIn0.{payload}."
        return jwt.encode(header, said, key)


def new_key() -> RSAKey:
    """Return a key with an id of its own."""
    return RSAKey.generate_key(2048, auto_kid=True)


@contextmanager
def running() -> Iterator[FakeProvider]:
    """Run a provider on loopback until the block ends."""
    provider = FakeProvider("", [new_key()])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.dumps(provider.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
