"""Password rules and argon2id hashing; an absent hash costs as much to refuse as a wrong one."""

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from review.errors import AccessError

MIN_CHARACTERS = 12
MAX_CHARACTERS = 256

# RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes.
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_SLOTS = threading.BoundedSemaphore(2)  # 64 MiB each: many at once would exhaust the machine


def hash_password(password: str, *, name: str) -> str:
    """Return the argon2id hash of a new password for the account `name`.

    Raises:
        AccessError: If the password is too short, too long or holds the account's name.
    """
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise AccessError(
            f"The password has {len(password)} characters; "
            f"allowed are {MIN_CHARACTERS} to {MAX_CHARACTERS}."
        )
    if name in _normal(password).casefold():
        raise AccessError("The password holds the account's name; choose another.")
    with _SLOTS:
        return _HASHER.hash(_normal(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Say whether the password fits, in the same time whether or not there is a hash."""
    with _SLOTS:
        try:
            _HASHER.verify(password_hash or _decoy(), _normal(password)[:MAX_CHARACTERS])
        except (VerifyMismatchError, InvalidHashError):
            return False
    return password_hash is not None


def _normal(password: str) -> str:
    # The same password typed on two keyboards may differ in its code points (NIST SP 800-63B).
    return unicodedata.normalize("NFKC", password)


@cache
def _decoy() -> str:
    return _HASHER.hash(secrets.token_hex())
