"""Drafts: one a reader and prediction, written over as the reader types."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.inserting import insert_if_new
from db.selecting import count
from db.tables import Draft
from db.types import now

TICK = timedelta(microseconds=1)  # what the databases keep of a time


def find(session: Session, account_id: int, prediction_id: int) -> Draft | None:
    """Return an account's draft on a prediction, or None."""
    return session.get(Draft, (account_id, prediction_id))


def n_of(session: Session, account_id: int) -> int:
    """Return how many drafts an account has."""
    return count(session, select(Draft.prediction_id).where(Draft.account_id == account_id))


def put(
    session: Session,
    account_id: int,
    prediction_id: int,
    *,
    content: Mapping[str, Any],
    base_at: datetime | None,
) -> Draft | None:
    """Write a draft; None is that it was written since by somebody who did not know this one.

    Args:
        session: An open session.
        account_id: Whose it is.
        prediction_id: On what.
        content: What was entered.
        base_at: When the draft that this one follows was written; None where there was none.
    """
    key = {"account_id": account_id, "prediction_id": prediction_id}
    row = {**key, "content": dict(content), "updated_at": now()}
    insert_if_new(session, Draft, row)
    draft = session.get_one(Draft, tuple(key.values()), with_for_update=True)
    if draft.updated_at == row["updated_at"]:
        return draft
    if draft.updated_at != base_at:
        return None
    draft.content = dict(content)
    draft.updated_at = max(now(), draft.updated_at + TICK)
    session.flush()
    return draft


def purge(session: Session, account_id: int, prediction_id: int) -> None:
    """Delete an account's draft on a prediction, if there is one."""
    session.execute(
        delete(Draft).where(Draft.account_id == account_id, Draft.prediction_id == prediction_id)
    )
