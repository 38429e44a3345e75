"""Verdicts of the demo readers, signed as soon as the demo cases are explained.

They go through the same door as a person's verdicts. Which opinion a reader has follows from the
prediction and the reference label, so that the plan fits whatever the demo models say.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import RecordError
from db.tables import Account, Case, Model, Prediction, Verdict
from db.types import Opinion, Origin, Plausibility, Reasoning
from imaging.encode import from_png
from imaging.image import Pixels
from review.cases import reading
from review.errors import ReviewError
from review.verdicts import sign
from review.verdicts.draft import Side
from review.verdicts.sign import VerdictDraft
from review.workspace import Workspace

FIRST, SECOND = "demo-reader-1", "demo-reader-2"
READERS = {FIRST: "Demo reader 1", SECOND: "Demo reader 2"}
SOUND, SHORTCUT = "phantom-a", "phantom-b"

_log = logging.getLogger(__name__)


class Manner(StrEnum):
    """How a demo reader judges."""

    JUDGE = "judge"
    LOCALISE = "localise"
    DISTRUST = "distrust"
    ERR = "err"
    WITHDRAW = "withdraw"


@dataclass(frozen=True)
class Planned:
    """One planned verdict: on the n-th demo case, counted from 1, by one model and reader."""

    n: int
    model: str
    reader: str
    manner: Manner = Manner.JUDGE

    @property
    def request_id(self) -> str:
        """What makes the verdict signed once."""
        return f"demo-{self.n}-{self.model}-{self.reader}"

    @property
    def last_request_id(self) -> str:
        """What is on record when all of it is done."""
        return self.request_id + ("-undo" if self.manner is Manner.WITHDRAW else "")


PLAN = (
    Planned(1, SOUND, FIRST),
    Planned(1, SHORTCUT, FIRST),
    Planned(1, SHORTCUT, SECOND, Manner.ERR),
    Planned(2, SOUND, FIRST),
    Planned(3, SOUND, FIRST, Manner.LOCALISE),
    Planned(3, SHORTCUT, SECOND),
    Planned(4, SHORTCUT, FIRST),
    Planned(5, SOUND, SECOND),
    Planned(6, SHORTCUT, FIRST, Manner.DISTRUST),
    Planned(7, SHORTCUT, FIRST),
    Planned(8, SOUND, SECOND),
    Planned(9, SOUND, FIRST, Manner.WITHDRAW),
    Planned(10, SHORTCUT, SECOND, Manner.DISTRUST),
    Planned(11, SHORTCUT, SECOND, Manner.DISTRUST),
)


@dataclass(frozen=True)
class _Due:
    """A planned verdict that can be signed now, and what is known of its case."""

    planned: Planned
    case_id: int
    model_id: int
    reader_id: int
    reference_label: str
    mask_sha256: str | None


def apply_pending(ws: Workspace) -> None:
    """Sign the planned verdicts whose cases are explained by now."""
    with ws.read() as session:
        due = list(_due(session))
    for one in due:
        try:
            _sign(ws, one)
        except (ReviewError, RecordError) as exc:
            _log.warning("demo verdict %s was not signed: %s", one.planned.request_id, exc)


def _due(session: Session) -> Iterator[_Due]:
    accounts = select(Account.name, Account.id).where(
        Account.demo, Account.active, Account.name.in_(READERS)
    )
    readers = {name: account_id for name, account_id in session.execute(accounts)}
    wanted = {planned.last_request_id: planned for planned in PLAN if planned.reader in readers}
    signed = set(session.scalars(select(Verdict.request_id).where(Verdict.request_id.in_(wanted))))
    pending = [planned for key, planned in wanted.items() if key not in signed]
    if not pending:
        return
    cases = session.scalars(select(Case).where(Case.origin == Origin.DEMO).order_by(Case.id)).all()
    rows = select(Prediction.case_id, Model.name, Model.id).join(
        Model, Model.id == Prediction.model_id
    )
    models = {
        (case_id, name): model_id
        for case_id, name, model_id in session.execute(
            rows.where(Prediction.case_id.in_([case.id for case in cases]))
        )
    }
    for planned in pending:
        case = cases[planned.n - 1] if planned.n <= len(cases) else None
        if case and (model_id := models.get((case.id, planned.model))):
            label, mask_sha256 = case.reference_label or "", case.reference_mask_sha256
            yield _Due(planned, case.id, model_id, readers[planned.reader], label, mask_sha256)


def _sign(ws: Workspace, due: _Due) -> None:
    view = reading.open_case(ws, due.case_id, reader_id=due.reader_id, model_id=due.model_id)
    maps = [map_.explanation_id for map_ in view.maps if map_]
    if view.prediction is None or len(maps) < len(view.maps):
        return
    draft = VerdictDraft(
        request_id=due.planned.request_id,
        case_id=due.case_id,
        prediction_id=view.prediction.id,
        opinion=Opinion.ACCEPT,
        evidence_token=view.evidence_token,
        explanation_ids=tuple(maps),
        plausibility=dict.fromkeys(maps, Plausibility.PLAUSIBLE),
        active_seconds=20.0 + 3 * due.planned.n,
    )
    verdict = sign.record(ws, due.reader_id, _judged(ws, due, draft, view.prediction.label))
    if due.planned.manner is Manner.WITHDRAW:
        sign.withdraw(ws, due.reader_id, verdict.id, due.planned.last_request_id)


def _judged(ws: Workspace, due: _Due, draft: VerdictDraft, label: str) -> VerdictDraft:
    """Return the draft with the opinion that this reader has of a predicted label."""
    if due.planned.manner is Manner.ERR:
        seen = "nodule" if due.reference_label == "normal" else "normal"
        said = replace(draft, comment=f"To me this is: {seen}.")
        return said if label == seen else _rejected(said, label, seen)
    manner, wrong = due.planned.manner, label != due.reference_label
    corrected = due.reference_label if wrong else None
    if manner is Manner.DISTRUST:
        distrusted = _unsound(draft, "The maps lie on the letters of the marker, not on the lung.")
        return _rejected(distrusted, label, due.reference_label) if wrong else distrusted
    if manner is Manner.LOCALISE and due.mask_sha256:
        box = _box(from_png(ws.artifacts.read(due.mask_sha256)))
        return replace(
            draft,
            opinion=Opinion.MODIFY,
            corrected_label=corrected,
            boxes=(box,),
            comment="Right finding; the box shows all of it." if not wrong else "See the box.",
        )
    if not wrong:
        return draft
    if label == "nodule":
        draft = _unsound(draft, "No nodule; the maps lie on a marker.")
    else:
        draft = replace(draft, comment=f"The finding is {due.reference_label}.")
    return _rejected(draft, label, due.reference_label)


def _unsound(draft: VerdictDraft, comment: str) -> VerdictDraft:
    """Return the draft with the model's reason rejected, whatever becomes of its answer."""
    return replace(
        draft,
        reasoning=Reasoning.UNSOUND,
        reasons=("looks_at_marker",),
        plausibility=dict.fromkeys(draft.plausibility, Plausibility.IMPLAUSIBLE),
        comment=comment,
    )


def _rejected(draft: VerdictDraft, label: str, right: str) -> VerdictDraft:
    """Return the draft with the answer rejected, and the right class given."""
    reason = "missed_finding" if label == "normal" else "wrong_finding"
    return replace(
        draft,
        opinion=Opinion.REJECT,
        reasons=(reason, *draft.reasons),
        corrected_label=right,
        plausibility=dict.fromkeys(draft.plausibility, Plausibility.IMPLAUSIBLE),
    )


def _box(mask: Pixels) -> dict[Side, float]:
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    return {
        "x": x,
        "y": y,
        "width": int(columns.max()) - x + 1,
        "height": int(rows.max()) - y + 1,
    }
