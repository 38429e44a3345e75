"""The rows of an exported dataset, read from the record in batches."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.selecting import batches
from db.tables import (
    Account,
    Case,
    Explanation,
    Model,
    Prediction,
    TriageEvent,
    TriageFlag,
    Verdict,
)
from db.verdicts import is_current
from review.state import consensus
from review.state.acquired import acquired
from review.state.shown import drawn
from review.state.triage import TURNS, is_open, last_event, newest_flag
from xai_core.model.answer import thresholds_of

Row = dict[str, Any]


def verdict_rows(session: Session, prediction_ids: Sequence[int]) -> Iterator[Row]:
    """Yield every verdict on these predictions: superseded ones and withdrawals too."""
    for ids in batches(prediction_ids):
        found = session.execute(
            select(Verdict, Prediction, Model, Account.name, is_current())
            .join(Prediction, Prediction.id == Verdict.prediction_id)
            .join(Model, Model.id == Prediction.model_id)
            .join(Account, Account.id == Verdict.reader_id)
            .where(Verdict.prediction_id.in_(ids))
            .order_by(Verdict.id)
        ).all()
        superseded_by = {v.supersedes_id: v.id for v, *_ in found if v.supersedes_id}
        for verdict, prediction, model, reader, current in found:
            judged = consensus.read(verdict, prediction, model.card)
            yield {
                "verdict_id": verdict.id,
                **_prediction_columns(prediction),
                **_model_columns(model),
                "reader_id": verdict.reader_id,
                "reader": reader,
                "opinion": verdict.opinion.value,
                "current": current,
                "supersedes_id": verdict.supersedes_id,
                "superseded_by_id": superseded_by.get(verdict.id),
                "final_label": consensus.consensus([judged]).label,
                "calls": judged.votes,
                "corrected_label": verdict.corrected_label,
                "reasoning": consensus.reasoning_of(verdict),
                "reasons": verdict.reasons,
                "plausibility": verdict.plausibility,
                "comment": verdict.comment,
                "boxes": verdict.boxes,
                "exposure": verdict.exposure.value,
                "active_seconds": verdict.active_seconds,
                "created_at": verdict.created_at,
                "evidence": verdict.evidence,
                "previous_sha256": verdict.previous_sha256,
                "row_sha256": verdict.row_sha256,
            }


def case_rows(
    session: Session, prediction_ids: Sequence[int], *, images: bool, identity_key: bytes
) -> Iterator[Row]:
    """Yield the cases of these predictions, each once.

    Its label follows from all its current verdicts, those on other predictions too.
    """
    case_ids: set[int] = set()
    for ids in batches(prediction_ids):
        case_ids.update(session.scalars(select(Prediction.case_id).where(Prediction.id.in_(ids))))
    for some in batches(sorted(case_ids)):
        agreed = consensus.of_cases(session, some)
        dispositions = _dispositions(session, some)
        cases = session.scalars(select(Case).where(Case.id.in_(some)).order_by(Case.id))
        for case in cases:
            together = agreed[case.id]
            mask = case.reference_mask_sha256
            yield {
                "case_id": case.id,
                "image_file": f"images/case_{case.id:06d}.png" if images else None,
                "image_sha256": case.image_sha256,
                "source_key": source_key(case.source_sha256, identity_key),
                "source_format": case.source_format,
                "width_px": case.width_px,
                "height_px": case.height_px,
                "bits": case.bits,
                "window_low": case.window_low,
                "window_high": case.window_high,
                "drawn": drawn(case),
                **acquired(case),
                "burnt_in_text": case.acquisition.get("burnt_in_text"),
                "deidentification": case.acquisition.get("deidentification"),
                "patient_key": case.patient_key,
                "synthetic": case.synthetic,
                "reference_label": case.reference_label,
                "mask_file": f"masks/{mask}.png" if mask and images else None,
                "final_label": together.label,
                "consensus": together.findings,
                "n_current_verdicts": together.n_verdicts,
                "disposition": dispositions.get(case.id),
                "created_at": case.created_at,
            }


def prediction_rows(session: Session, prediction_ids: Sequence[int]) -> Iterator[Row]:
    """Yield these predictions with their scores by class name and their triage flags."""
    for ids in batches(prediction_ids):
        flags: dict[int, list[str]] = {}
        for prediction_id, reason in session.execute(
            select(TriageFlag.prediction_id, TriageFlag.reason)
            .where(TriageFlag.prediction_id.in_(ids))
            .order_by(TriageFlag.reason)
        ):
            flags.setdefault(prediction_id, []).append(reason)
        for prediction, model in session.execute(
            select(Prediction, Model)
            .join(Model, Model.id == Prediction.model_id)
            .where(Prediction.id.in_(ids))
            .order_by(Prediction.id)
        ):
            classes, thresholds = model.card["classes"], thresholds_of(model.card)
            yield {
                **_prediction_columns(prediction),
                **_model_columns(model),
                "scores": dict(zip(classes, prediction.scores, strict=True)),
                "thresholds": thresholds and dict(zip(classes, thresholds, strict=True)),
                "geometry": prediction.geometry,
                "flags": flags.get(prediction.id, []),
                "software": prediction.software,
                "created_at": prediction.created_at,
            }


def explanation_rows(
    session: Session, prediction_ids: Sequence[int], *, maps: bool
) -> Iterator[Row]:
    """Yield every explanation of these predictions."""
    for ids in batches(prediction_ids):
        for explanation, prediction, model in session.execute(
            select(Explanation, Prediction, Model)
            .join(Prediction, Prediction.id == Explanation.prediction_id)
            .join(Model, Model.id == Prediction.model_id)
            .where(Explanation.prediction_id.in_(ids))
            .order_by(Explanation.id)
        ):
            yield {
                "explanation_id": explanation.id,
                "case_id": prediction.case_id,
                "prediction_id": prediction.id,
                **_model_columns(model),
                "method": explanation.method,
                "target": explanation.target,
                "target_label": model.card["classes"][explanation.target],
                "map_file": f"maps/explanation_{explanation.id:06d}.npy" if maps else None,
                "artifact_sha256": explanation.artifact_sha256,
                "params": explanation.params,
                "convergence_delta": explanation.convergence_delta,
                "relative_delta": explanation.relative_delta,
                "trust": explanation.trust,
                "seconds": explanation.seconds,
                "device": explanation.device,
                "software": explanation.software,
                "created_at": explanation.created_at,
            }


def source_key(source_sha256: str, identity_key: bytes) -> str:
    """Return the received file's hash, keyed: who holds the file alone cannot find it again."""
    content = f"source_sha256\x1f{source_sha256}".encode()
    return hmac.new(identity_key, content, hashlib.sha256).hexdigest()


def _dispositions(session: Session, case_ids: Sequence[int]) -> dict[int, str]:
    """Return how the cases were closed that are not open in triage."""
    case_id = TriageEvent.case_id.expression
    closed = session.execute(
        select(TriageEvent.case_id, TriageEvent.disposition)
        .where(TriageEvent.case_id.in_(case_ids))
        .where(TriageEvent.id == last_event(case_id, *TURNS))
        .where(~is_open(TriageEvent, newest_flag(case_id)))
    )
    return {case_id: value.value for case_id, value in closed if value is not None}


def _prediction_columns(prediction: Prediction) -> Row:
    return {
        "case_id": prediction.case_id,
        "prediction_id": prediction.id,
        "answer": prediction.answer,
        "certainty": prediction.certainty,
        "predicted_label": prediction.label,
        "predicted_score": prediction.score,
    }


def _model_columns(model: Model) -> Row:
    return {
        "model": model.name,
        "model_version": model.version,
        "weights_sha256": model.weights_sha256,
    }
