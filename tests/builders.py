"""Rows for tests, with every field filled sensibly and nothing computed."""

import hashlib
import itertools
from typing import Any

from sqlalchemy.orm import Session

from db import jobs, verdicts
from db.artifacts import ArtifactStore
from db.tables import Account, Artifact, Case, Explanation, Job, Model, Prediction, Source, Verdict
from db.types import CaseStatus, Exposure, JobKind, Opinion, Origin, Role
from review.policy import OperatingSystemUser
from xai_core.model.answer import read_answer, thresholds_of

OPERATOR = OperatingSystemUser("operator")  # who runs the commands
CLASSES = ["normal", "nodule", "effusion", "cardiomegaly"]
_numbers = itertools.count(1)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def account(session: Session, role: Role = Role.READER, **fields: Any) -> Account:
    name = fields.pop("name", f"{role.value}{next(_numbers)}")
    row = Account(name=name, display_name=fields.pop("display_name", name), role=role, **fields)
    return _add(session, row)


def artifact(
    session: Session, store: ArtifactStore | None = None, data: bytes | None = None
) -> str:
    """Keep bytes; without a store only the row, for tests that never read them."""
    data = data if data is not None else f"artifact {next(_numbers)}".encode()
    if store is not None:
        return store.put(session, data, media_type="application/octet-stream")
    digest = hashlib.sha256(data).hexdigest()
    if session.get(Artifact, digest) is None:
        row = Artifact(sha256=digest, media_type="application/octet-stream", n_bytes=len(data))
        _add(session, row)
    return digest


def case(session: Session, **fields: Any) -> Case:
    defaults: dict[str, Any] = {
        "source_sha256": sha256(f"source {next(_numbers)}"),
        "source_format": "PNG",
        "width_px": 64,
        "height_px": 48,
        "n_channels": 1,
        "bits": 8,
        "window_low": 0.0,
        "window_high": 255.0,
        "origin": Origin.UPLOAD,
        "status": CaseStatus.READY,
    }
    if "image_sha256" not in fields:
        fields["image_sha256"] = artifact(session)
    return _add(session, Case(**(defaults | fields)))


def source(session: Session, of: Case, **fields: Any) -> Source:
    """Add the frame that a case shows."""
    fields = {"source_sha256": of.source_sha256} | fields
    return _add(session, Source(case_id=of.id, **fields))


def model(session: Session, **fields: Any) -> Model:
    name = fields.pop("name", f"model{next(_numbers)}")
    defaults: dict[str, Any] = {
        "version": "1",
        "architecture": "torchvision/squeezenet1_1",
        "card": {"name": name, "version": "1", "classes": CLASSES, "scores": "softmax"},
    }
    if "weights_sha256" not in fields:
        fields["weights_sha256"] = artifact(session)
    return _add(session, Model(name=name, **(defaults | fields)))


def prediction(session: Session, of: Case, by: Model, **fields: Any) -> Prediction:
    defaults: dict[str, Any] = {
        "target": 1,
        "label": "nodule",
        "score": 0.9,
        "scores": [0.05, 0.9, 0.03, 0.02],
        "geometry": {"x": 0.0, "y": 0.0, "width": of.width_px, "height": of.height_px},
        "software": {"torch": "2"},
    }
    fields = defaults | fields
    fields = {"answer": fields["label"], "certainty": fields["score"]} | fields
    return _add(session, Prediction(case_id=of.id, model_id=by.id, **fields))


def findings_model(session: Session, classes: list[str], **fields: Any) -> Model:
    """Add a model that asks each class for itself."""
    name = f"findings{next(_numbers)}"
    stated = {"name": name, "version": "1", "classes": classes, "scores": "sigmoid"}
    return model(session, **({"name": name, "card": stated} | fields))


def predicted(session: Session, of: Case, by: Model, scores: list[float]) -> Prediction:
    """Add a prediction of these scores, read by the model's card."""
    classes = by.card["classes"]
    answer = read_answer(scores, classes=classes, thresholds=thresholds_of(by.card))
    return prediction(
        session,
        of,
        by,
        target=answer.target,
        label=classes[answer.target],
        score=scores[answer.target],
        scores=scores,
        answer=answer.label,
        certainty=answer.certainty,
    )


def explanation(session: Session, of: Prediction, **fields: Any) -> Explanation:
    defaults: dict[str, Any] = {
        "key": sha256(f"explanation {next(_numbers)}"),
        "method": "integrated_gradients",
        "target": of.target,
        "params": {"n_steps": 50, "baseline": "black"},
        "recipe": None,
        "channels_share": False,
        "width_px": 32,
        "height_px": 32,
        "convergence_delta": 0.01,
        "relative_delta": 0.01,
        "trust": {
            "flat": False,
            "nan": False,
            "corner_share": 0.05,
            "border_share": 0.1,
            "agreement": None,
            "relative_delta": 0.01,
            "badge": "good",
            "reasons": [],
        },
        "seconds": 0.5,
        "device": "cpu",
        "software": {"torch": "2"},
    }
    if "artifact_sha256" not in fields:
        fields["artifact_sha256"] = artifact(session)
    return _add(session, Explanation(prediction_id=of.id, **(defaults | fields)))


def job(session: Session, **fields: Any) -> Job:
    defaults: dict[str, Any] = {"key": sha256(f"job {next(_numbers)}"), "kind": JobKind.EXPLAIN}
    return jobs.enqueue(session, **(defaults | {"payload": {}} | fields))


def verdict(session: Session, of: Prediction, by: Account, **fields: Any) -> Verdict:
    """Sign directly on the chain, without the checks of a reader's verdict."""
    earlier = verdicts.latest(session, prediction_id=of.id, reader_id=by.id)
    defaults: dict[str, Any] = {
        "request_id": f"request {next(_numbers)}",
        "opinion": Opinion.ACCEPT,
        "reasons": [],
        "findings": {},
        "plausibility": {},
        "comment": "",
        "boxes": [],
        "exposure": Exposure.EXPLANATION,
        "active_seconds": 5.0,
        "evidence": {},
        "supersedes_id": earlier.id if earlier else None,
    }
    signed = Verdict(
        case_id=of.case_id, prediction_id=of.id, reader_id=by.id, **(defaults | fields)
    )
    return verdicts.append(session, signed)


def _add(session: Session, row: Any) -> Any:
    session.add(row)
    session.flush()
    return row
