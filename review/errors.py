"""Errors that the use cases raise; each message is fit to show to the person who caused it."""


class ReviewError(Exception):
    """Base of every error a use case raises on purpose."""


class SettingsError(ReviewError):
    """The environment or a setting holds a value that is not allowed."""


class AccessError(ReviewError):
    """Signing in failed, the session ended, or the role does not allow this."""


class StaleCaseError(ReviewError):
    """A verdict was sent for a case, or for evidence, other than what is now shown."""


class VerdictError(ReviewError):
    """A verdict is incomplete or contradicts itself."""


class SignInLockedError(AccessError):
    """Too many attempts to sign in failed; says how long to wait.

    Attributes:
        minutes: Whole minutes until the next attempt is allowed.
    """

    def __init__(self, minutes: int) -> None:
        super().__init__(f"Too many attempts. Try again in {minutes} min.")
        self.minutes = minutes


class LinkError(AccessError):
    """A sign-in link is unknown, was used, or has expired."""
