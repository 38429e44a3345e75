"""The link that a start of the server prints: while it is the only way in for an administrator."""

from db import access
from review.access import accounts, ways
from review.policy import Action, Actor, insist
from review.workspace import Workspace


def start_link(ws: Workspace, *, by: Actor, asked_for: bool = False) -> str | None:
    """Return the token of a link for the first administrator, where a start should print one.

    Args:
        ws: The workspace.
        by: Whoever runs the server.
        asked_for: Whether to make one although an administrator can sign in without.
    """
    administrator = accounts.ensure_administrator(ws, by=by)
    if _administrator_can_enter(ws, by=by) and not asked_for:
        return None
    return accounts.issue_link(ws, administrator.id, by=by)


def _administrator_can_enter(ws: Workspace, *, by: Actor) -> bool:
    with ws.read() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        administrators = access.local_administrators(session)
        by_password = any(account.password_hash is not None for account in administrators)
        return by_password and not ways.passwords_are_off()
