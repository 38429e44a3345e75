"""Accounts: who may come in, and as what.

An account is never removed, for its verdicts stay: it is made inactive.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from db import access
from db.tables import Account
from db.types import Role
from review.access import links, ways
from review.access.own_password import insist_on_password
from review.access.passwords import hash_password
from review.access.tokens import token_sha256
from review.errors import AccessError
from review.policy import Action, Actor, insist
from review.workspace import Workspace

MAX_NAME = 64
MAX_DISPLAY_NAME = 128
_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_NAME - 1}}}")


@dataclass(frozen=True)
class AccountView:
    """An account as the screens and the command line see it.

    Attributes:
        last_seen_at: When it was last active in the browser; None outside `list_accounts`.
    """

    id: int
    name: str
    display_name: str
    role: Role
    active: bool
    demo: bool
    has_password: bool
    created_at: datetime
    last_seen_at: datetime | None = None


def create_account(
    ws: Workspace,
    name: str,
    *,
    by: Actor,
    role: Role,
    display_name: str | None = None,
    password: str | None = None,
    demo: bool = False,
) -> AccountView:
    """Add an account; without a password it signs in by a one-time link.

    Args:
        ws: The workspace.
        name: What the person types to sign in; upper case is folded to lower case.
        by: Who adds it.
        role: What the account may do.
        display_name: What colleagues see; the name when empty.
        password: First password, or None.
        demo: Whether it is one of the demonstration's readers, who cannot sign in.

    Raises:
        AccessError: If the name is taken or malformed, or the password too weak.
    """
    name = _checked_name(name)
    hashed = hash_password(password, name=name) if password else None
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        if access.account_named(session, name):
            raise AccessError(f"The name {name} is taken; choose another.")
        account = Account(
            name=name,
            display_name=(display_name or "").strip()[:MAX_DISPLAY_NAME] or name,
            role=Role(role),
            password_hash=hashed,
            active=True,
            demo=demo,
        )
        session.add(account)
        session.flush()
        return view(account)


def list_accounts(ws: Workspace, *, by: Actor) -> list[AccountView]:
    """Return every account, by name, with when it was last seen."""
    with ws.read() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        seen = access.last_seen(session)
        return [view(account, seen.get(account.id)) for account in access.accounts(session)]


def account_named(ws: Workspace, name: str, *, by: Actor) -> AccountView:
    """Return the account of this name.

    Raises:
        AccessError: If there is none.
    """
    with ws.read() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        if account := access.account_named(session, name.strip().lower()):
            return view(account)
    raise AccessError(f"There is no account named {name}.")


def acting_as(ws: Workspace, name: str) -> int:
    """Return the account that a command acts as: whoever may run commands may act as anyone.

    Raises:
        AccessError: If there is none of this name, or it is closed or a demonstration's.
    """
    with ws.read() as session:
        account = access.account_named(session, name.strip().lower())
        if account and account.active and not account.demo:
            return account.id
    raise AccessError(f"No one can act as {name}: there is no such account, or it is closed.")


def ensure_administrator(ws: Workspace, *, by: Actor) -> AccountView:
    """Return the first administrator who may sign in, adding `admin` on a fresh installation."""
    with ws.read() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        if found := access.local_administrators(session):
            return view(found[0])
    return create_account(ws, "admin", by=by, role=Role.ADMINISTRATOR, display_name="Administrator")


def set_password(ws: Workspace, account_id: int, password: str, *, by: Actor) -> None:
    """Replace a password; ends the account's sessions and voids its links.

    Raises:
        AccessError: If the password is too weak.
    """
    with ws.read() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        name = access.account(session, account_id).name
    hashed = hash_password(password, name=name)
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        _replace_password(session, account_id, hashed, by=by)


def change_password(
    ws: Workspace, account_id: int, password: str, *, current: str, session_token: str | None
) -> None:
    """Let the holder of an account replace its password; only this session stays signed in.

    Args:
        ws: The workspace.
        account_id: Who asks, and whose password.
        password: The new one.
        current: The present one; ignored where there is none yet.
        session_token: The session that asks.

    Raises:
        AccessError: If the present password does not fit or the new one is too weak.
        SignInLockedError: If it was guessed at too often; see `attempts`.
    """
    account = insist_on_password(ws, account_id, current, to=Action.OWN_PASSWORD)
    hashed = hash_password(password, name=account.name)
    keep = token_sha256(session_token) if session_token else None
    with ws.begin() as session:
        insist(session, account_id, Action.OWN_PASSWORD)
        _replace_password(session, account_id, hashed, by=account_id, keep_sha256=keep)


def reset_password(ws: Workspace, account_id: int, *, by: Actor) -> str:
    """Forget a password, end the account's sessions, and return the token of a new link.

    Raises:
        AccessError: If the account is inactive or a demonstration's.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        account = access.account(session, account_id)
        ways.insist_on_local(session, account)
        account.password_hash = None
        ways.end_sessions(session, account_id, by, "the password was reset")
        return links.issue(session, account, by=by)


def set_role(ws: Workspace, account_id: int, role: Role, *, by: Actor) -> AccountView:
    """Change what an account may do, from its next request on.

    Raises:
        AccessError: If this would leave no administrator.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        account = access.account(session, account_id)
        ways.insist_on_local(session, account)
        if role != Role.ADMINISTRATOR:
            ways.refuse_last_administrator(session, account)
        account.role = Role(role)
        return view(account)


def deactivate(ws: Workspace, account_id: int, *, by: Actor) -> AccountView:
    """Close an account: its sessions and links end now, what it recorded stays.

    Raises:
        AccessError: If this would leave no administrator.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        account = access.account(session, account_id)
        ways.refuse_last_administrator(session, account)
        account.active = False
        ways.end_sessions(session, account_id, by, "the account was closed")
        return view(account)


def activate(ws: Workspace, account_id: int, *, by: Actor) -> AccountView:
    """Open a closed account again; it signs in with its password or a new link."""
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        account = access.account(session, account_id)
        account.active = True
        return view(account)


def end_sessions(ws: Workspace, account_id: int, *, by: Actor) -> None:
    """Sign an account out everywhere, and void its links that were not used."""
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        ways.end_sessions(session, account_id, by, "an administrator ended it")


def issue_link(ws: Workspace, account_id: int, *, by: Actor) -> str:
    """Return the token of a new sign-in link, good for one use within `links.LINK`.

    Raises:
        AccessError: If the account is inactive or a demonstration's.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        return links.issue(session, access.account(session, account_id), by=by)


def _replace_password(
    session: Session, account_id: int, hashed: str, *, by: Actor, keep_sha256: str | None = None
) -> None:
    account = access.account(session, account_id)
    ways.insist_on_local(session, account)
    account.password_hash = hashed
    ways.end_sessions(session, account_id, by, "the password was changed", keep_sha256=keep_sha256)


def _checked_name(name: str) -> str:
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise AccessError(
            f"The name {name!r} is not allowed: 1 to {MAX_NAME} of a-z, 0-9, dot, hyphen and "
            "underscore, beginning with a letter or a digit."
        )
    return name


def view(account: Account, last_seen_at: datetime | None = None) -> AccountView:
    """Return what the screens may know of an account: everything but its password."""
    return AccountView(
        id=account.id,
        name=account.name,
        display_name=account.display_name,
        role=account.role,
        active=account.active,
        demo=account.demo,
        has_password=account.password_hash is not None,
        created_at=account.created_at,
        last_seen_at=last_seen_at,
    )
