"""Tokens of sessions and links: 256 random bits, of which only the hash is stored."""

import hashlib


def token_sha256(token: str) -> str:
    """Return the hash under which a session or link token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()
