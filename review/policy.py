"""Who may do what: one table, asked inside every use case that reads or changes something.

Pages and routes ask it for what to show; that hides what would be refused, and protects nothing.
"""

import os
import pwd
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from sqlalchemy.orm import Session

from db import audit
from db.tables import Account
from db.types import Role
from review.errors import AccessError
from review.whence import here


class Action(StrEnum):
    """What can be asked for, in the words of a refusal: "... may not sign verdicts"."""

    READ = "read cases, maps and models"
    UPLOAD = "bring images in"
    UPLOAD_MUCH = "have more on its way in than a reader's share"
    EXPLAIN = "ask for maps and checks, cancel or retry them"
    CANCEL_OTHERS = "cancel what another account has asked for"
    SIGN = "sign or withdraw verdicts"
    KNOW_VERDICTS = "know others' verdicts before giving one"
    SEE_TRIAGE = "see what was flagged"
    TRIAGE = "assign, comment, close or reopen a flagged case"
    EXPORT = "export the feedback"
    MANAGE_MODELS = "import models or switch them on and off"
    MANAGE_ACCOUNTS = "manage accounts"
    CHECK_TEXT = "look at pictures for text, mask it or let them pass"
    MANAGE_SETTINGS = "change this site's settings"
    VERIFY = "verify the record or sign checkpoints of it"
    SEE_AUDIT = "see the audit and take it out"
    KEEP_AUDIT = "say how long accesses are kept"
    BACK_UP = "back the site up"
    OWN_PASSWORD = "choose a password of their own"  # noqa: S105 - words
    OWN_SESSIONS = "see and end their own sessions"
    OWN_SECOND_FACTOR = "set up a second factor of their own, or turn it off"


OPERATOR = "the operating system's user"


@dataclass(frozen=True)
class OperatingSystemUser:
    """Who runs a command, or the server: no account, for whoever reads the database has it all.

    Attributes:
        name: The name by which they logged in to the machine.
    """

    name: str

    @classmethod
    def current(cls) -> "OperatingSystemUser":
        """Return the one who runs this process; in a container they need not have a name."""
        try:
            return cls(pwd.getpwuid(os.geteuid()).pw_name)
        except KeyError:
            return cls(f"uid {os.geteuid()}")

    def __str__(self) -> str:
        return f"{OPERATOR} {self.name}"


class Holder(Protocol):
    """An account, as a row or as screens see it."""

    @property
    def role(self) -> Role:
        """As what it comes in."""

    @property
    def active(self) -> bool:
        """Whether it may come in."""


Actor = int | OperatingSystemUser  # who asks: an account by its id, or whoever runs the process


class RefusedError(AccessError):
    """Somebody may not do what they asked for; `Workspace` puts that on record.

    Attributes:
        by: Who asked; None is an account that there is not.
        action: What they asked for.
    """

    def __init__(self, message: str, by: Actor | None, action: Action) -> None:
        super().__init__(message)
        self.by = by
        self.action = action


YES, NO = True, False
# What is signed names a person, so it needs an account.
# fmt: off
TABLE: Final = {
    #                        reader  engineer  administrator  operating system's user
    Action.READ:            (YES,    YES,      YES,           YES),
    Action.UPLOAD:          (YES,    YES,      YES,           YES),
    Action.UPLOAD_MUCH:     (NO,     YES,      YES,           YES),
    Action.EXPLAIN:         (YES,    YES,      YES,           YES),
    Action.CANCEL_OTHERS:   (NO,     YES,      YES,           YES),
    Action.SIGN:            (YES,    NO,       YES,           NO),
    Action.KNOW_VERDICTS:   (NO,     YES,      YES,           YES),
    Action.SEE_TRIAGE:      (NO,     YES,      YES,           YES),
    Action.TRIAGE:          (NO,     YES,      YES,           NO),
    Action.EXPORT:          (NO,     YES,      YES,           YES),
    Action.MANAGE_MODELS:   (NO,     YES,      YES,           YES),
    Action.MANAGE_ACCOUNTS: (NO,     NO,       YES,           YES),
    Action.CHECK_TEXT:      (NO,     YES,      YES,           NO),
    Action.MANAGE_SETTINGS: (NO,     NO,       YES,           YES),
    Action.VERIFY:          (NO,     NO,       YES,           YES),
    # Else whoever gets at an administrator's account could let the traces of it expire.
    Action.SEE_AUDIT:       (NO,     NO,       YES,           YES),
    Action.KEEP_AUDIT:      (NO,     NO,       NO,            YES),
    Action.BACK_UP:         (NO,     NO,       YES,           YES),
    Action.OWN_PASSWORD:    (YES,    YES,      YES,           NO),
    Action.OWN_SESSIONS:    (YES,    YES,      YES,           NO),
    Action.OWN_SECOND_FACTOR: (YES,  YES,      YES,           NO),
}
# fmt: on


def may(account: Holder | OperatingSystemUser, action: Action) -> bool:
    """Return whether an account, or whoever runs the process, may do something."""
    if isinstance(account, OperatingSystemUser):
        return TABLE[action][-1]
    return account.active and account.role in roles(action)


def roles(action: Action) -> tuple[Role, ...]:
    """Return the roles that may do something."""
    return tuple(role for role, yes in zip(Role, TABLE[action], strict=False) if yes)


def who(action: Action) -> str:
    """Return in words who may do something, as "engineers and administrators"."""
    names = [f"{role}s" for role in roles(action)] or [f"only {OPERATOR}"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def insist(session: Session, by: Actor, action: Action) -> None:
    """Refuse an actor who may not do something; an account is read anew, as it now stands.

    What the session changes from here on is told by the audit chain as the actor's.

    Raises:
        RefusedError: With what was asked for and who may do it.
    """
    actor = session.get(Account, by, populate_existing=True) if isinstance(by, int) else by
    if actor is None or not may(actor, action):
        raise RefusedError(
            f"{_words(actor)} may not {action}; {who(action)} may.",
            None if actor is None else by,
            action,
        )
    whence = here()
    words = whence.operator if isinstance(by, int) else str(by)
    known = {"by": words, "session": whence.session, "address": whence.address}
    audit.acting(session, account_id(by), **known)


def _words(actor: Account | OperatingSystemUser | None) -> str:
    if isinstance(actor, OperatingSystemUser):
        return str(actor)
    if actor is None or not actor.active:
        return "an account that is unknown or closed"
    return f"the {actor.role} {actor.name}"


def account_id(by: Actor) -> int | None:
    """Return what a row keeps of who made it; None for whoever runs the process."""
    return by if isinstance(by, int) else None


def named(session: Session, by: Actor) -> dict[str, str]:
    """Return who did something, as a file that leaves the site says it."""
    if isinstance(by, OperatingSystemUser):
        return {"operating_system_user": by.name}
    return {"account": session.get_one(Account, by).name}
