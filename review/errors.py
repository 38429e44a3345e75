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
