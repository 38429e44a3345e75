"""Where a request comes from: the session and address, or whoever runs the command.

The gate, the pages' guard and the command line say it once; what is recorded further down asks
here, so that no use case needs to be told.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

SESSION_DIGITS = 12


@dataclass(frozen=True)
class Whence:
    """Where a request comes from.

    Attributes:
        session_sha256: Hash of the session's token, as the database has it.
        address: The network address, as `ui.http.addresses.client_address` reads it.
        operator: Who runs the command, in words, also where it acts as an account.
        browser: What the browser says it is, in our words (`ui.http.browsers`).
    """

    session_sha256: str | None = None
    address: str | None = None
    operator: str | None = None
    browser: str | None = None

    @property
    def session(self) -> str | None:
        """What names the session in the record: too little of its hash to be anything else."""
        return self.session_sha256[:SESSION_DIGITS] if self.session_sha256 else None


_here: ContextVar[Whence] = ContextVar("whence", default=Whence())  # noqa: B039 - frozen


def here() -> Whence:
    """Return where the present request comes from."""
    return _here.get()


def come_from(whence: Whence) -> None:
    """Say where what follows in this thread or task comes from."""
    _here.set(whence)


@contextmanager
def coming_from(whence: Whence) -> Iterator[None]:
    """Say where what happens in the block comes from."""
    before = _here.set(whence)
    try:
        yield
    finally:
        _here.reset(before)
