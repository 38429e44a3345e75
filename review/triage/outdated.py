"""Flags that an older version raised by other rules, brought up to date once."""

from collections.abc import Sequence

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from db.tables import Setting, TriageFlag, Verdict
from review.state.flags import refresh_flags
from review.workspace import Workspace

KEY = "flag_rules"
RULES = 2  # raised when a rule changes; 1 judged opinions where 2 asks for the consensus
BATCH = 50


def refresh_outdated(ws: Workspace) -> None:
    """Recompute the flags of every case that has a verdict or a flag, unless these rules did so.

    In short transactions, so that readers can sign meanwhile; what was interrupted begins anew.
    """
    with ws.read() as session:
        if _by(session) >= RULES:
            return
        case_ids = _concerned(session)
    for start in range(0, len(case_ids), BATCH):
        with ws.begin() as session:
            for case_id in case_ids[start : start + BATCH]:
                refresh_flags(session, case_id)
    if case_ids:
        with ws.begin() as session:
            if _by(session) < RULES:  # another worker may have been first
                session.merge(Setting(key=KEY, value={"version": RULES}))


def _by(session: Session) -> int:
    """Return the version of the rules by which flags were computed last."""
    setting = session.get(Setting, KEY)
    return int(setting.value["version"]) if setting else 1


def _concerned(session: Session) -> Sequence[int]:
    every = union(select(Verdict.case_id), select(TriageFlag.case_id)).subquery()
    return session.scalars(select(every.c.case_id).order_by(every.c.case_id)).all()
