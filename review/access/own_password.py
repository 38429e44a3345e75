"""Asking who is signed in for their password again, before how they come in is changed."""

from db import access
from db.tables import Account, SignInAttempt
from db.types import AccessKind
from review.access import attempts
from review.access.passwords import matches
from review.errors import AccessError
from review.policy import Action, insist
from review.workspace import Workspace


def insist_on_password(ws: Workspace, account_id: int, current: str, *, to: Action) -> Account:
    """Return an account whose holder shows, by its password, that it is they who want something.

    Raises:
        AccessError: If the account has a password and this is another.
        SignInLockedError: If it was guessed at too often; see `attempts`.
    """
    with ws.read() as session:
        insist(session, account_id, to)
        account = access.account(session, account_id)
    if account.password_hash is None:
        return account
    with ws.begin() as session:
        key = attempts.name_key(account.name, ws.settings.identity_key)
        attempt_id = attempts.reserve(session, key).id
    if not matches(account.password_hash, current):
        ws.trail.note_at_once(AccessKind.REFUSED, account_id, why="current password did not fit")
        raise AccessError("The current password does not fit.")
    with ws.begin() as session:
        session.get_one(SignInAttempt, attempt_id).succeeded = True
    return account
