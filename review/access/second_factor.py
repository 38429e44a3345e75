"""The second factor of those who come in by a password or a link: one-time codes (RFC 6238).

Who comes by an OpenID provider is asked for one there, not here. A link stands in for the password
alone: whoever has lost the second factor too needs a recovery code, or an administrator to remove
it.
"""

import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import access
from db.tables import Account, RecoveryCode, SecondFactor
from db.types import AccessKind, Role, now
from review.access import codes, ways
from review.access.accounts import AccountView
from review.access.own_password import insist_on_password
from review.access.sealed import seal, unseal
from review.access.tokens import token_sha256
from review.errors import AccessError, CodesLockedError, SettingsError
from review.policy import Action, Actor, insist, roles
from review.trail import tell
from review.workspace import Workspace

VARIABLE = "SECOND_LOOK_SECOND_FACTOR"
REQUIRED_OF = {
    "": frozenset[Role](),
    "administrators": frozenset(roles(Action.MANAGE_ACCOUNTS)),
    "everyone": frozenset(Role),
}
OFFER = timedelta(minutes=15)
# At most so many wrong codes within so long: one guess in 333,333 is right.
LIMITS = ((5, timedelta(minutes=15)), (20, timedelta(days=1)))
CODE, RECOVERY_CODE = "code", "recovery code"  # what was given
WRONG = "The code does not fit, or was used already. Codes change every 30 seconds."


@dataclass(frozen=True)
class Offer:
    """A secret that is nobody's yet.

    Attributes:
        secret: In base32, for those who type it.
        address: The same as an authenticator reads it from a QR code.
        sealed: The same for the form to bring back.
    """

    secret: str
    address: str
    sealed: str


@dataclass(frozen=True)
class Standing:
    """An account's second factor.

    Attributes:
        since: When it was set up.
        n_recovery_codes: How many are left.
        n_failures: How many codes were wrong within the last day.
    """

    since: datetime
    n_recovery_codes: int
    n_failures: int


def required_of() -> frozenset[Role]:
    """Return the roles that may not come in without a second factor, as the site's setting says.

    Raises:
        SettingsError: If the setting holds nonsense.
    """
    value = os.environ.get(VARIABLE, "").strip().lower()
    if value not in REQUIRED_OF:
        allowed = " or ".join(filter(None, REQUIRED_OF))
        raise SettingsError(f"{VARIABLE} is {value!r}: allowed is {allowed}, or nothing")
    return REQUIRED_OF[value]


def standing(ws: Workspace, account_id: int) -> Standing | None:
    """Return an account's second factor as its holder may see it; None if there is none."""
    with ws.read() as session:
        insist(session, account_id, Action.OWN_SECOND_FACTOR)
        factor = access.second_factor(session, account_id)
        if factor is None:
            return None
        n_left = access.recovery_codes_left(session, factor.id)
        return Standing(factor.created_at, n_left, len(_failures(factor, LIMITS[-1][1])))


def offer(ws: Workspace, account: AccountView) -> Offer:
    """Return a new secret for an account; it counts once `set_up` has seen a code of it."""
    secret = codes.new_secret()
    content = {"secret": secret, "until": (now() + OFFER).isoformat()}
    purpose = _offered_to(account.id)
    sealed = seal(ws.settings.identity_key, json.dumps(content), purpose=purpose)
    return Offer(secret, codes.address(secret, account.name), sealed)


def offered(ws: Workspace, account: AccountView, sealed: str) -> Offer:
    """Return the offer that a form brought back; see `offered_secret`."""
    secret = offered_secret(ws, account.id, sealed)
    return Offer(secret, codes.address(secret, account.name), sealed)


def offered_secret(ws: Workspace, account_id: int, sealed: str) -> str:
    """Return the secret that was offered to an account.

    Raises:
        AccessError: If that is too long ago, or it was offered to another.
    """
    content = json.loads(unseal(ws.settings.identity_key, sealed, purpose=_offered_to(account_id)))
    if now() >= datetime.fromisoformat(content["until"]):
        raise AccessError("This QR code is too old. Take the new one.")
    return str(content["secret"])


def set_up(
    ws: Workspace, account_id: int, sealed: str, code: str, *, password: str
) -> tuple[str, ...]:
    """Let an offered secret be the account's second factor; return its recovery codes.

    Args:
        ws: The workspace.
        account_id: Who asks, signed in.
        sealed: The offer.
        code: A code that the authenticator has made of it.
        password: The account's; ignored where it has none.

    Raises:
        AccessError: If the password or the code does not fit, the offer is too old, or the account
            has a second factor.
    """
    insist_on_password(ws, account_id, password, to=Action.OWN_SECOND_FACTOR)
    with ws.begin() as session:
        insist(session, account_id, Action.OWN_SECOND_FACTOR)
        return add(ws, session, account_id, sealed, code)


def add(
    ws: Workspace, session: Session, account_id: int, sealed: str, code: str
) -> tuple[str, ...]:
    """Let an offered secret be a second factor, in a session of the database; see `set_up`."""
    secret = offered_secret(ws, account_id, sealed)
    # Of two tabs, one sets it up.
    account = session.get_one(Account, account_id, with_for_update=True)
    ways.insist_on_local(session, account)
    if access.second_factor(session, account_id):
        raise AccessError("You have a second factor; turn it off before you set up another.")
    step = codes.step_of(secret, codes.plain(code), now())
    if step is None:
        raise AccessError(f"{WRONG} If none fits, set the clock of your phone.")
    held = seal(ws.settings.identity_key, secret, purpose=_held_by(account_id))
    factor = SecondFactor(account_id=account_id, secret=held, last_step=step)
    session.add(factor)
    session.flush()
    return _new_codes(session, factor)


def turn_off(ws: Workspace, account_id: int, code: str, *, password: str) -> None:
    """Remove one's own second factor.

    Raises:
        AccessError: If the password or the code does not fit.
    """
    insist_on_password(ws, account_id, password, to=Action.OWN_SECOND_FACTOR)
    with ws.begin() as session:
        factor = _confirmed(ws, session, account_id, code)
        if factor is not None:
            _remove(session, factor)
    if factor is None:
        raise AccessError(WRONG)


def renew_codes(ws: Workspace, account_id: int, code: str, *, password: str) -> tuple[str, ...]:
    """Return new recovery codes; those from before are void.

    Raises:
        AccessError: If the password or the code does not fit.
    """
    insist_on_password(ws, account_id, password, to=Action.OWN_SECOND_FACTOR)
    with ws.begin() as session:
        factor = _confirmed(ws, session, account_id, code)
        if factor is not None:
            access.void_recovery_codes(session, factor.id, at=now())
            tell(session, AccessKind.RECOVERY_CODES_MADE, account_id)
            return _new_codes(session, factor)
    raise AccessError(WRONG)


def remove(ws: Workspace, account_id: int, *, by: Actor) -> None:
    """Remove the second factor of somebody who has lost it; their sessions end.

    Raises:
        AccessError: If there is none, or it is one's own.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        if by == account_id:
            raise AccessError("Your own second factor is turned off under Your account.")
        factor = access.second_factor(session, account_id, lock=True)
        if factor is None:
            raise AccessError(f"{access.account(session, account_id).name} has no second factor.")
        _remove(session, factor)
        ways.end_sessions(session, account_id, by, "the second factor was removed")


def accepted(ws: Workspace, session: Session, factor: SecondFactor, typed: str) -> str | None:
    """Return as what a code was taken, `CODE` or `RECOVERY_CODE`, and use it up; None if wrong.

    Args:
        ws: The workspace.
        session: Open session that has the factor locked; the caller commits, also if it was wrong.
        factor: The account's.
        typed: What was typed.

    Raises:
        CodesLockedError: If too many were wrong of late; then none is looked at.
    """
    for limit, window in LIMITS:
        if len(failures := _failures(factor, window)) >= limit:
            raise CodesLockedError(failures[-limit] + window)
    if way := _used_up(ws, session, factor, codes.plain(typed)):
        return way
    factor.failures = [*map(datetime.isoformat, _failures(factor, LIMITS[-1][1])), str(now())]
    return None


def _used_up(ws: Workspace, session: Session, factor: SecondFactor, code: str) -> str | None:
    if not codes.is_one_time(code):
        spent = access.spend_recovery_code(session, factor.id, token_sha256(code), at=now())
        return RECOVERY_CODE if spent else None
    try:
        purpose = _held_by(factor.account_id)
        secret = unseal(ws.settings.identity_key, factor.secret or "", purpose=purpose)
    except AccessError as exc:
        raise AccessError(
            "The second factor was set up under another key of this site: use a recovery code, or "
            "let an administrator remove it."
        ) from exc
    step = codes.step_of(secret, code, now())
    if step is None or step <= (factor.last_step or 0):
        return None
    factor.last_step = step
    return CODE


def _confirmed(ws: Workspace, session: Session, account_id: int, code: str) -> SecondFactor | None:
    """Return an account's second factor if the code is one of it."""
    insist(session, account_id, Action.OWN_SECOND_FACTOR)
    factor = access.second_factor(session, account_id, lock=True)
    if factor is None:
        raise AccessError("You have no second factor.")
    if accepted(ws, session, factor, code):
        return factor
    tell(session, AccessKind.REFUSED, account_id, why="the second factor's code did not fit")
    return None


def _remove(session: Session, factor: SecondFactor) -> None:
    factor.secret, factor.removed_at = None, now()
    access.void_recovery_codes(session, factor.id, at=now())


def _new_codes(session: Session, factor: SecondFactor) -> tuple[str, ...]:
    made = codes.new_recovery_codes()
    hashes = [token_sha256(codes.plain(code)) for code in made]
    session.add_all(RecoveryCode(code_sha256=each, factor_id=factor.id) for each in hashes)
    return made


def _failures(factor: SecondFactor, window: timedelta) -> list[datetime]:
    times = map(datetime.fromisoformat, factor.failures)
    return [at for at in times if at > now() - window]


def _held_by(account_id: int) -> str:
    return f"second factor of account {account_id}"


def _offered_to(account_id: int) -> str:
    return f"second factor offered to account {account_id}"
