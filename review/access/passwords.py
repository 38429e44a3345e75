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
MAX_LOOKED_AT = 64
MIN_GUESSES = 10**9
OURS = ("second look", "secondlook", "radiology", "radiologist")

# RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes.
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_SLOTS = threading.BoundedSemaphore(2)  # 64 MiB each: many at once would exhaust the machine


def hash_password(password: str, *, name: str) -> str:
    """Return the argon2id hash of a new password for the account `name`.

    Raises:
        AccessError: If the password is too short, too long, holds the account's name or is among
            those that are guessed first.
    """
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise AccessError(
            f"The password has {len(password)} characters; "
            f"allowed are {MIN_CHARACTERS} to {MAX_CHARACTERS}."
        )
    if name in _normal(password).casefold():
        raise AccessError("The password holds the account's name; choose another.")
    if _n_guesses(password, name) < MIN_GUESSES:
        raise AccessError(
            "The password is among those that are guessed first: common ones, names, dates, "
            "repetitions and rows of keys. Several words that do not belong together are best."
        )
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


def _n_guesses(password: str, name: str) -> int:
    """Return after how many guesses a password falls, by the lists that guessers begin with.

    Instead of rules of composition: NIST SP 800-63B, section 5.1.1.2.
    """
    from zxcvbn import zxcvbn  # has long lists of words: loaded when somebody chooses a password

    # What is strong at its beginning is strong; the whole of a long one would take a second.
    found = zxcvbn(password[:MAX_LOOKED_AT], user_inputs=[name, *OURS])
    return int(found["guesses"])


def _normal(password: str) -> str:
    # The same password typed on two keyboards may differ in its code points (NIST SP 800-63B).
    return unicodedata.normalize("NFKC", password)


@cache
def _decoy() -> str:
    return _HASHER.hash(secrets.token_hex())
