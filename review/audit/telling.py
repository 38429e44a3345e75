"""Accesses and audit events in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.accesses import REFUSALS
from db.tables import Access, Account, AuditEvent, TriageEvent
from db.types import AccessKind, AuditKind
from review.audit.words import words
from review.policy import OPERATOR
from review.words import METHOD_NAMES, TEXT_STEP_NAMES, TRIAGE_ACTION_NAMES

KIND_NAMES: dict[AccessKind | AuditKind, str] = {
    AccessKind.SIGNED_IN: "Signed in",
    AccessKind.SIGN_IN_FAILED: "Signing in failed",
    AccessKind.SIGNED_OUT: "Signed out",
    AccessKind.SESSION_ENDED: "Session ended",
    AccessKind.CASE_OPENED: "Case opened",
    AccessKind.CASE_SENT_AHEAD: "Case sent ahead",
    AccessKind.PIXELS_FETCHED: "Image fetched",
    AccessKind.MAP_FETCHED: "Map fetched",
    AccessKind.MAPS_COMPARED: "Maps compared",
    AccessKind.EXPORT_ASKED: "Export asked for",
    AccessKind.EXPORT_DOWNLOADED: "Export downloaded",
    AccessKind.REFUSED: "Refused",
    AccessKind.COMMAND_RUN: "Command run",
    AccessKind.RECOVERY_CODES_MADE: "Recovery codes made",
    AccessKind.AUDIT_SEEN: "Audit looked at",
    AccessKind.AUDIT_DOWNLOADED: "Audit downloaded",
    AuditKind.UPGRADED: "Record upgraded",
    AuditKind.FOUND: "Found at the upgrade",
    AuditKind.ACCOUNT_ADDED: "Account added",
    AuditKind.ACCOUNT_CHANGED: "Account changed",
    AuditKind.LINK_ISSUED: "Sign-in link made",
    AuditKind.TRIAGE_STEP: "Triage step",
    AuditKind.TEXT_STEP: "Step with text in a picture",
    AuditKind.SETTING_CHANGED: "Setting changed",
    AuditKind.MODEL_IMPORTED: "Model imported",
    AuditKind.MODEL_CHANGED: "Model changed",
    AuditKind.EXPORTED: "Export made",
    AuditKind.EXPORT_REMOVED: "Export's file removed",
    AuditKind.FILE_REPLACED: "Damaged file replaced",
    AuditKind.RESTORED: "Record restored",
    AuditKind.SECOND_FACTOR_SET: "Second factor set up",
    AuditKind.SECOND_FACTOR_REMOVED: "Second factor removed",
    AuditKind.OPENID_LINKED: "Linked to OpenID",
    AuditKind.OPENID_UNLINKED: "Unlinked from OpenID",
}
STRANGER = "Somebody unknown"
SITE = "The site itself"


@dataclass(frozen=True)
class AuditLine:
    """One thing that was done, in words.

    Attributes:
        at: When, in UTC.
        who: Whoever did it, as people call them.
        account: The name by which they sign in; empty where it was no account.
        what: What was done.
        case_id: The case that it is about, if any.
        details: What else there is to say.
        address: Where from; empty where that is not known.
        session: The beginning of the session's hash; empty where there was none.
        refused: Whether it was refused, or failed.
    """

    at: datetime
    who: str
    account: str
    what: str
    case_id: int | None
    details: str
    address: str
    session: str
    refused: bool


class Names:
    """What accounts are called, each asked for once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[Any, tuple[str, str]] = {}

    def of(self, account_id: Any) -> tuple[str, str]:
        """Return how people call an account, and the name by which it signs in."""
        if account_id not in self._found:
            account = self._session.get(Account, account_id) if account_id is not None else None
            self._found[account_id] = (
                (account.display_name, account.name) if account else (f"account {account_id}", "")
            )
        return self._found[account_id]


def told_of_access(_session: Session, row: Access, names: Names) -> AuditLine:
    """Return an access in words."""
    content = row.content
    nobody = (content.get("by") or STRANGER, "")
    who, account = nobody if row.account_id is None else names.of(row.account_id)
    details = _DETAILS.get(row.kind, _no_details)(content, names)
    if row.account_id is not None and content.get("by"):
        details = _joined(details, f"by {content['by']}")
    return AuditLine(
        at=row.created_at,
        who=f"Somebody, as {who}" if row.kind is AccessKind.SIGN_IN_FAILED and account else who,
        account=account,
        what=_kind(row.kind),
        case_id=row.case_id,
        details=details,
        address=row.address or "",
        session=row.session or "",
        refused=row.kind in REFUSALS,
    )


def told_of_event(session: Session, row: AuditEvent, names: Names) -> AuditLine:
    """Return an event of the audit chain in words."""
    content = row.content
    nobody = (content.get("by") or SITE, "")
    who, account = nobody if row.actor_id is None else names.of(row.actor_id)
    case_id, details = _event_details(session, row, names)
    if row.actor_id is not None and content.get("by"):
        details = _joined(details, f"by {content['by']}")
    return AuditLine(
        at=row.created_at,
        who=who,
        account=account,
        what=_kind(row.kind),
        case_id=case_id,
        details=details,
        address=content.get("address") or "",
        session=content.get("session") or "",
        refused=False,
    )


def _kind(kind: AccessKind | AuditKind) -> str:
    # A newer version may have kinds of its own.
    return KIND_NAMES.get(kind, str(kind).replace("_", " ").capitalize())


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _no_details(_content: Mapping[str, Any], _names: Names) -> str:
    return ""


def _way(content: Mapping[str, Any], _names: Names) -> str:
    of = content.get("by_link_of") or {}
    operator = of.get("operating_system_user")
    maker = f"{OPERATOR} {operator}" if operator else of.get("name")
    unknown = content.get("name") or content.get("link")
    return _joined(
        f"by {content.get('way')}",
        f"the {'name' if content.get('name') else 'link'} is unknown" if unknown else None,
        f"made by {maker}" if maker else None,
        f"at {content['issuer']}" if content.get("issuer") else None,
        f"with a second factor ({content['second_factor']})"
        if content.get("second_factor")
        else None,
        f"subject {content['subject']}" if content.get("subject") else None,
        content.get("why"),
    )


def _ended(content: Mapping[str, Any], names: Names) -> str:
    of = content.get("of_account")
    whose = f"session {content.get('of_session')} of {names.of(of)[0]}" if of else None
    return _joined(content.get("why"), whose)


def _map(content: Mapping[str, Any], _names: Names) -> str:
    method = str(content.get("method"))
    return f"map {content.get('explanation')}, {METHOD_NAMES.get(method, method)}"


def _maps(content: Mapping[str, Any], _names: Names) -> str:
    return "maps " + " and ".join(map(str, content.get("explanations", ())))


def _export(content: Mapping[str, Any], _names: Names) -> str:
    return f"export {content.get('export')}"


def _refusal(content: Mapping[str, Any], _names: Names) -> str:
    action = content.get("action")
    return f"may not {action}" if action else str(content.get("why", ""))


def _command(content: Mapping[str, Any], _names: Names) -> str:
    return str(content.get("command", ""))


_DETAILS: Mapping[AccessKind, Callable[[Mapping[str, Any], Names], str]] = {
    AccessKind.SIGNED_IN: _way,
    AccessKind.SIGN_IN_FAILED: _way,
    AccessKind.SESSION_ENDED: _ended,
    AccessKind.MAP_FETCHED: _map,
    AccessKind.MAPS_COMPARED: _maps,
    AccessKind.EXPORT_ASKED: _export,
    AccessKind.EXPORT_DOWNLOADED: _export,
    AccessKind.REFUSED: _refusal,
    AccessKind.COMMAND_RUN: _command,
}


def _event_details(session: Session, row: AuditEvent, names: Names) -> tuple[int | None, str]:
    """Return the case that an event is about, and what changed or which row it was."""
    state = row.content.get("state") or {}
    if row.subject == "triage_events":
        step = session.get(TriageEvent, int(row.subject_id))
        return (step.case_id, TRIAGE_ACTION_NAMES[step.action]) if step else (None, "")
    if row.subject == "text_events":
        return state.get("case_id"), _text_step(state)
    if row.subject == "artifact_files":
        return state.get("case_id"), f"{state.get('what')} {row.subject_id[:16]}"
    if row.subject == "sign_in_tokens":
        return None, f"for {names.of(state.get('account_id'))[0]}"
    if row.subject in ("second_factors", "openid_identities"):
        whose = f"of {names.of(state.get('account_id'))[0]}"
        at = f"{state['subject']} at {state['issuer']}" if "issuer" in state else None
        return None, _joined(whose, at)
    if row.subject == "accounts":
        return None, _joined(state.get("name"), _changes(session, row, state))
    if row.subject == "models":
        name = f"{state.get('name')} {state.get('version')}"
        return None, _joined(name, _changes(session, row, state))
    if row.subject == "settings":
        return None, f"{row.subject_id.replace('_', ' ')}: {words(state.get('value'))}"
    return None, f"{row.subject.removesuffix('s')} {row.subject_id}".strip()


def _text_step(state: Mapping[str, Any]) -> str:
    step, n_masks = str(state.get("step")), len(state.get("masks") or ())
    parts = f"{n_masks} part{'s' * (n_masks > 1)} of the picture" if n_masks else None
    return _joined(TEXT_STEP_NAMES.get(step, step), parts)


def _changes(session: Session, row: AuditEvent, state: Mapping[str, Any]) -> str:
    """Return which columns an event changed, with their values unless they are hashed."""
    before = session.scalar(
        select(AuditEvent.content)
        .where(AuditEvent.subject == row.subject, AuditEvent.subject_id == row.subject_id)
        .where(AuditEvent.id < row.id)
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )
    if before is None:
        return str(state.get("role") or "")
    changed = [name for name in state if state[name] != before["state"].get(name)]
    return _joined(*(_change(name, state[name]) for name in changed))


def _change(name: str, value: Any) -> str:
    if name.endswith("_sha256"):
        return f"{name.removesuffix('_sha256')} {'changed' if value else 'removed'}"
    if isinstance(value, bool):
        return f"{'' if value else 'not '}{name}"
    return f"{name.replace('_', ' ')} {value}"
