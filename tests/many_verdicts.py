"""A chain of many verdicts, signed faster than readers sign."""

from datetime import timedelta

from sqlalchemy import insert
from sqlalchemy.orm import Session

from db import verdicts
from db.tables import Account, Prediction, Setting, Verdict
from db.types import Exposure, Opinion, now


def sign_many(session: Session, of: Prediction, by: Account, n: int) -> None:
    """Sign `n` verdicts of one reader at the end of the chain, each superseding the one before."""
    n_before, previous = verdicts.head(session)
    began, rows = now(), []
    for number in range(n_before + 1, n_before + n + 1):
        verdict = Verdict(
            id=number,
            request_id=f"many {number}",
            case_id=of.case_id,
            prediction_id=of.id,
            reader_id=by.id,
            supersedes_id=number - 1 if number > n_before + 1 else None,
            opinion=Opinion.ACCEPT,
            reasons=[],
            corrected_label=None,
            plausibility={},
            comment="",
            boxes=[],
            exposure=Exposure.EXPLANATION,
            active_seconds=5.0,
            evidence={},
            created_at=began + timedelta(microseconds=number),
            previous_sha256=previous,
            hash_version=verdicts.HASH_VERSION,
        )
        previous = verdict.row_sha256 = verdicts.row_sha256(verdict)
        rows.append({column.name: getattr(verdict, column.name) for column in Verdict.__table__.c})
    session.execute(insert(Verdict.__table__), rows)
    head = {"n_rows": n_before + n, "row_sha256": previous}
    session.merge(Setting(key=verdicts.HEAD_KEY, value=head))
