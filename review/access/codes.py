"""Codes that stand for a second factor: one-time codes of a secret (RFC 6238), recovery codes."""

import base64
import hmac
import secrets
from datetime import datetime

import pyotp

SITE = "Second Look"
PERIOD_SECONDS = 30
DRIFT_STEPS = 1
DIGITS = 6
N_RECOVERY_CODES = 10
N_RECOVERY_BYTES = 10  # as many as no hash can be searched for


def new_secret() -> str:
    """Return 160 random bits in base32, as authenticators take them."""
    return pyotp.random_base32()


def address(secret: str, name: str) -> str:
    """Return the `otpauth:` address that an authenticator reads from a QR code."""
    return pyotp.TOTP(secret, interval=PERIOD_SECONDS).provisioning_uri(name=name, issuer_name=SITE)


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """Return the newest step, within the drift of clocks, whose code this is; None if it is none.

    Args:
        secret: In base32.
        code: As `plain` returns it.
        at: The present time.
    """
    totp = pyotp.TOTP(secret, interval=PERIOD_SECONDS)
    present = int(at.timestamp()) // PERIOD_SECONDS
    for step in range(present + DRIFT_STEPS, present - DRIFT_STEPS - 1, -1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def is_one_time(code: str) -> bool:
    """Return whether a typed code has the form of a one-time code, not of a recovery code."""
    return len(code) == DIGITS and code.isdecimal()


def plain(typed: str) -> str:
    """Return a code without the spaces and hyphens that people type."""
    return "".join(character for character in typed if character.isalnum()).lower()


def new_recovery_codes() -> tuple[str, ...]:
    """Return `N_RECOVERY_CODES` codes of 80 random bits, in groups to be typed."""
    return tuple(
        grouped(base64.b32encode(secrets.token_bytes(N_RECOVERY_BYTES)).decode().lower(), "-")
        for _ in range(N_RECOVERY_CODES)
    )


def grouped(text: str, between: str = " ") -> str:
    """Return a text in groups of four."""
    return between.join(text[first : first + 4] for first in range(0, len(text), 4))
