"""Signed checkpoints: every chain's head at a time, by a key that the data folder does not hold.

Whoever can write into the database can rewrite every row, every hash and all heads; the chains
alone then look right. They cannot sign what a checkpoint signed.
"""

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy.orm import Session

from db.hashing import canonical
from db.types import now
from db.verdicts import GENESIS
from review.audit.walk import CHAINS, UNREADABLE, Expected
from review.errors import ReviewError, SettingsError
from review.policy import Action, Actor, insist
from review.settings import Settings
from review.workspace import Workspace

KEY_VARIABLE = "SECOND_LOOK_CHECKPOINT_KEY"
FILE_VARIABLE = "SECOND_LOOK_CHECKPOINT_FILE"
FILE_NAME = "checkpoints.jsonl"
# Which chains a checkpoint tells of, by its format.
FORMATS = {1: ("verdicts", "audit"), 2: ("verdicts", "audit", "accesses")}
FORMAT = 2
MAKE_KEY = "openssl genpkey -algorithm ed25519 -out FILE"


@dataclass(frozen=True)
class Checkpoints:
    """What a file of checkpoints says.

    Attributes:
        n: How many there are.
        expected: The heads that those with a right signature noted.
        fingerprints: Of the keys that made those signatures.
        problems: What is wrong with the others, in words.
    """

    n: int
    expected: tuple[Expected, ...]
    fingerprints: frozenset[str]
    problems: tuple[str, ...]


def sign(ws: Workspace, *, by: Actor) -> dict[str, Any]:
    """Sign all heads as they stand, append that to the file, and return it.

    Raises:
        SettingsError: If there is no key, or the file cannot be written.
        AccessError: If the actor may not.
        ReviewError: If a head was altered beyond reading.
    """
    key, path = _signing_key(ws.settings), file_of(ws.settings)
    if key is None:
        raise SettingsError(
            f"{KEY_VARIABLE} is not set: a PEM file outside {ws.settings.home}, or the PEM itself, "
            f"as `{MAKE_KEY}` makes it"
        )
    try:
        with ws.read() as session:
            insist(session, by, Action.VERIFY)
            content = {"format": FORMAT, "at": now().isoformat(), **heads(session)}
    except UNREADABLE as exc:
        raise ReviewError("the head of a chain cannot be read: verify says more") from exc
    try:
        return _append(path, content, key)
    except OSError as exc:
        raise SettingsError(f"cannot write {path} ({exc.strerror}): nothing was signed") from exc


def heads(session: Session) -> dict[str, Any]:
    """Return the heads of all chains, by name."""
    found = {name: chain.head(session) for name, chain in CHAINS.items()}
    return {
        name: {"n_rows": n_rows, "row_sha256": row_sha256}
        for name, (n_rows, row_sha256) in found.items()
    }


def read(settings: Settings, *, trusted: Collection[str] = ()) -> Checkpoints:
    """Check every checkpoint's signature.

    Args:
        settings: The installation's.
        trusted: Fingerprints of the keys that may have signed. Where none is given, that of the
            key in the environment; without one, every key is taken and the report says which.

    Raises:
        SettingsError: If the file cannot be read or the key in the environment is none.
    """
    path, key = file_of(settings), _signing_key(settings)
    if not trusted and key is not None:
        trusted = {fingerprint(key.public_key())}
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, ValueError) as exc:
        raise SettingsError(f"{path} cannot be read: {exc}") from exc
    expected: list[Expected] = []
    fingerprints, problems, previous = set[str](), list[str](), GENESIS
    for number, line in enumerate(lines, start=1):
        try:
            signed, by = _checked(line)
        except (*UNREADABLE, InvalidSignature):
            problems.append(f"checkpoint {number}: its signature does not fit its content")
        else:
            fingerprints.add(by)
            if trusted and by not in trusted:
                problems.append(f"checkpoint {number}: it was signed with another key, {by}")
            else:
                expected += _noted(signed, number)
            if signed["previous_sha256"] != previous:
                problems.append(
                    f"checkpoint {number}: one before it is missing, inserted or altered"
                )
        previous = _sha256(line)
    return Checkpoints(len(lines), tuple(expected), frozenset(fingerprints), tuple(problems))


def file_of(settings: Settings) -> Path:
    """Return the file that checkpoints are appended to."""
    elsewhere = os.environ.get(FILE_VARIABLE)
    return Path(elsewhere).expanduser() if elsewhere else settings.home / FILE_NAME


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _signing_key(settings: Settings) -> Ed25519PrivateKey | None:
    value = os.environ.get(KEY_VARIABLE, "").strip()
    if not value:
        return None
    if value.startswith("-----BEGIN"):
        pem = value.encode()
    else:
        path = Path(value).expanduser()
        # Whoever writes into the data folder could read the key there, and sign with it.
        if path.resolve().is_relative_to(settings.home.resolve()):
            raise SettingsError(f"{KEY_VARIABLE} is {path}: a place outside {settings.home} only")
        try:
            pem = path.read_bytes()
        except OSError as exc:
            raise SettingsError(f"{KEY_VARIABLE}: {path} cannot be read: {exc.strerror}") from exc
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as exc:
        raise SettingsError(f"{KEY_VARIABLE} holds no key; make one: {MAKE_KEY}") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{KEY_VARIABLE} holds no Ed25519 key; make one: {MAKE_KEY}")
    return key


def _append(path: Path, content: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        lines = file.read().decode().splitlines()
        content["previous_sha256"] = _sha256(lines[-1]) if lines else GENESIS
        content["public_key"] = key.public_key().public_bytes_raw().hex()
        content["signature"] = key.sign(canonical(content).encode()).hex()
        file.write(canonical(content).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return content


def _checked(line: str) -> tuple[dict[str, Any], str]:
    """Return what a line holds, and the fingerprint of the key that signed it."""
    content = loads(line)
    signature = bytes.fromhex(content.pop("signature"))
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(content["public_key"]))
    key.verify(signature, canonical(content).encode())
    names = FORMATS[content["format"]]
    numbers = [content[name]["n_rows"] for name in names]
    texts = [content[name]["row_sha256"] for name in names] + [content["previous_sha256"]]
    whole = all(type(n) is int for n in numbers) and all(isinstance(t, str) for t in texts)
    # Whoever has a key of their own can sign anything.
    if not whole or "at" not in content:
        raise ValueError("no checkpoint of this format")
    return content, fingerprint(key)


def _noted(signed: dict[str, Any], number: int) -> Iterator[Expected]:
    for name in FORMATS[signed["format"]]:
        head, source = signed[name], f"checkpoint {number} of {signed['at']}"
        yield Expected(name, head["n_rows"], head["row_sha256"], source)


def _sha256(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
