"""Sealing what only this site may read again: it goes to the browser and back, or into a column."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from review.errors import AccessError

N_NONCE = 12


def seal(key: bytes, text: str, *, purpose: str) -> str:
    """Encrypt a text with a key of its own (HKDF, AES-256-GCM); the result is URL-safe.

    Args:
        key: The site's key.
        text: What to seal.
        purpose: What it is for, and whose it is: under another it does not open.
    """
    nonce = os.urandom(N_NONCE)
    sealed = nonce + _cipher(key).encrypt(nonce, text.encode(), purpose.encode())
    return base64.urlsafe_b64encode(sealed).decode()


def unseal(key: bytes, sealed: str, *, purpose: str) -> str:
    """Return what was sealed.

    Raises:
        AccessError: If it was not sealed so, with this key and for this purpose.
    """
    try:
        data = base64.urlsafe_b64decode(sealed)
        return _cipher(key).decrypt(data[:N_NONCE], data[N_NONCE:], purpose.encode()).decode()
    except (InvalidTag, ValueError) as exc:
        raise AccessError("This was not made with the site's present key.") from exc


def _cipher(key: bytes) -> AESGCM:
    # The site's key also makes hashes: no output of the one may tell of the other.
    return AESGCM(HKDF(SHA256(), length=32, salt=None, info=b"second-look sealed").derive(key))
