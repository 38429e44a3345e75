"""Errors that the use cases raise; each message is fit to show to the person who caused it.

Any error that is not of `EXPECTED` is an incident: it gets a number to tell an administrator.
"""

import logging
import math
import secrets
from datetime import datetime

from db.errors import RecordError
from imaging.errors import ImagingError
from xai_core.errors import XaiError


class ReviewError(Exception):
    """Base of every error a use case raises on purpose."""


class SettingsError(ReviewError):
    """The environment or a setting holds a value that is not allowed."""


class InUseError(ReviewError):
    """Somebody has the home open, or has it alone."""


class BackupError(ReviewError):
    """A backup could not be made, or is not whole; or a home could not be made of it."""


class AccessError(ReviewError):
    """Signing in failed, the session ended, or the role does not allow this."""


class StaleCaseError(ReviewError):
    """A verdict was sent for a case, or for evidence, other than what is now shown."""


class VerdictError(ReviewError):
    """A verdict is incomplete, contradicts itself or is not of the types that it has."""


class ActionError(ReviewError):
    """The browser sent an action that this version does not know, or not in its form."""


class SignInLockedError(AccessError):
    """Too many attempts to sign in failed; says how long to wait.

    Attributes:
        seconds: Whole seconds until the next attempt is allowed.
    """

    def __init__(self, seconds: int) -> None:
        wait = f"{seconds} s" if seconds < 90 else f"{math.ceil(seconds / 60)} min"
        super().__init__(f"Too many attempts failed. Try again in {wait}.")
        self.seconds = seconds


class CodesLockedError(AccessError):
    """Too many codes of a second factor were wrong; says until when none is looked at."""

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"Too many wrong codes. Try again after {until:%Y-%m-%d %H:%M} UTC, or ask an "
            "administrator."
        )


class SecondFactorNeededError(AccessError):
    """The password or the link was right, and the second factor is still to be shown.

    It is an error so that nobody takes its token for a session's.

    Attributes:
        token: What the browser keeps until then; good for no more than the second step.
    """

    def __init__(self, token: str) -> None:
        super().__init__("Now the second factor.")
        self.token = token


class SecondStepError(AccessError):
    """A sign-in that waited for its second factor is there no more."""


class OpenIdError(AccessError):
    """Signing in by the OpenID provider failed; says whose doing it seems."""


class HeldError(AccessError):
    """A case is held back until somebody has looked at its picture for text."""


class LinkError(AccessError):
    """A sign-in link is unknown, was used, or has expired."""


EXPECTED = (ReviewError, RecordError, ImagingError, XaiError)


def incident(log: logging.Logger, what: str, exc: BaseException | None = None) -> str:
    """Log an unexpected error under a number, and return the number.

    Args:
        log: Where whoever looks for the number looks first.
        what: What went wrong, or where.
        exc: The error whose traceback to log; None where that was done.
    """
    number = secrets.token_hex(4)
    log.error("incident %s: %s", number, what, exc_info=exc)
    return number
