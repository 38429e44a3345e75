"""A record of schema 0003, the last before findings were judged apart, and many verdicts in it."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import column, create_engine, event, func, insert, select, table
from sqlalchemy.orm import Session, sessionmaker

from db import audit
from db import verdicts as chain
from db.audit import record_flushed
from db.engine import engine_at
from db.migrate import upgrade
from db.tables import Base, Case, Model, Prediction, Setting, Verdict
from db.types import AuditKind, Exposure, Opinion, now
from review.cases import reading, worklist
from review.cases.worklist import WorklistQuery
from review.state import consensus
from review.state.flags import refresh_flags
from review.verdicts import sign
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from tests.db import keep_schema
from tests.review.verdicts import tampered

ADA, GRACE = 1, 2  # readers of the kept database
N_EACH = 25
CHEST = ["pneumonia", "effusion"]


def as_it_was(of: type[Base], *added: str) -> Any:
    columns = (column(c.name, c.type) for c in of.__table__.columns if c.name not in added)
    return table(of.__tablename__, *columns)


PREDICTIONS = as_it_was(Prediction, "answer", "certainty")
VERDICTS = as_it_was(Verdict, "findings", "reasoning")
MODELS = as_it_was(Model, "suspended")
CASES = as_it_was(Case, "stack_key")

# What was signed of which prediction, and what the new rules make of it: each `N_EACH` times.
NO, YES, SOFTMAX = [0.007, 0.002], [0.9, 0.1], None
SIGNED: dict[str, tuple[Any, tuple[dict[str, Any], ...], str | None]] = {
    "sure of no, accepted": (NO, ({},), "no finding"),
    "sure of no, another finding given": (
        NO,
        ({"opinion": Opinion.MODIFY, "corrected_label": "effusion"},),
        "effusion",
    ),
    "present, accepted by both": (YES, ({}, {}), "pneumonia"),
    "present, and one cannot assess": (
        YES,
        ({}, {"opinion": Opinion.CANNOT_ASSESS}),
        "pneumonia",
    ),
    "present, the reason alone rejected by one": (
        YES,
        ({}, {"opinion": Opinion.REJECT, "reasons": ["looks_at_marker"]}),
        "pneumonia",
    ),
    "a class, rejected for another": (
        SOFTMAX,
        (
            {
                "opinion": Opinion.REJECT,
                "reasons": ["wrong_finding"],
                "corrected_label": "effusion",
            },
        ),
        "effusion",
    ),
    "a class, rejected for none": (
        SOFTMAX,
        ({"opinion": Opinion.REJECT, "reasons": ["wrong_finding"]},),
        None,
    ),
    "a class that readers dispute": (
        SOFTMAX,
        ({}, {"opinion": Opinion.MODIFY, "corrected_label": "normal"}),
        None,
    ),
}


def imported(session: Session, classes: list[str], scores: str) -> Model:
    """Add a model and its audit event as the version of before did."""
    card = {"name": scores, "version": "1", "classes": classes, "scores": scores}
    values = {"name": scores, "version": "1", "architecture": "torchvision/squeezenet1_1"}
    values |= {"weights_sha256": builders.artifact(session), "card": card, "active": True}
    values |= {"id": session.scalar(select(func.max(MODELS.c.id))) + 1, "created_at": now()}
    session.execute(insert(MODELS).values(**values))
    row = session.execute(select(MODELS).where(MODELS.c.id == values["id"])).one()
    audit.append(
        session.connection(),
        kind=AuditKind.MODEL_IMPORTED,
        actor_id=None,
        subject="models",
        subject_id=str(row.id),
        content={"state": audit.SUBJECTS["models"].state(row)},
    )
    return Model(**values)


def one_more_case(session: Session) -> int:
    """Add a case like the first; return its number."""
    like = session.execute(select(CASES).order_by(CASES.c.id)).mappings().first()
    number = session.scalar(select(func.max(CASES.c.id))) + 1
    values = {**like, "id": number, "source_sha256": builders.sha256(f"before {number}")}
    session.execute(insert(CASES).values(values))
    return number


def predict(session: Session, model: Model, scores: list[float] | None) -> Prediction:
    """Add a case and its prediction as the version of before did."""
    values = {
        "case_id": one_more_case(session),
        "model_id": model.id,
        "created_at": now(),
        "geometry": {},
    }
    if scores is None:
        values |= {"target": 1, "label": "nodule", "score": 0.9, "scores": [0.05, 0.9, 0.03, 0.02]}
    else:
        values |= {"target": 0, "label": CHEST[0], "score": scores[0], "scores": scores}
    values["id"] = session.scalar(select(func.max(PREDICTIONS.c.id))) + 1
    session.execute(insert(PREDICTIONS).values(software={}, **values))
    return Prediction(**values)


def sign_as_before(session: Session, prediction: Prediction, reader_id: int, **fields) -> None:
    """Sign by hash version 2."""
    n_rows, previous = chain.head(session)
    given: dict[str, Any] = {"opinion": Opinion.ACCEPT, "reasons": [], "corrected_label": None}
    row = Verdict(
        id=n_rows + 1,
        request_id=f"before {n_rows}",
        case_id=prediction.case_id,
        prediction_id=prediction.id,
        reader_id=reader_id,
        plausibility={},
        comment="",
        boxes=[],
        exposure=Exposure.EXPLANATION,
        active_seconds=4.0,
        evidence={"label": prediction.label, "scores": prediction.scores},
        created_at=now(),
        previous_sha256=previous,
        hash_version=2,
        **(given | fields),
    )
    row.row_sha256 = chain.row_sha256(row)
    session.execute(insert(VERDICTS).values({c.name: getattr(row, c.name) for c in VERDICTS.c}))
    head = {"n_rows": row.id, "row_sha256": row.row_sha256}
    session.merge(Setting(key=chain.HEAD_KEY, value=head))
    session.flush()


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as the version of before left it."""
    home = tmp_path_factory.mktemp("before")
    connection = sqlite3.connect(home / "second-look.db")
    connection.executescript((keep_schema.DATA / "schema_0003.sql").read_text())
    connection.close()
    engine = create_engine(f"sqlite:///{home / 'second-look.db'}")
    sessions = sessionmaker(engine, expire_on_commit=False)
    event.listen(sessions, "after_flush", record_flushed)
    with sessions.begin() as session:
        findings = imported(session, CHEST, "sigmoid")
        classes = imported(session, builders.CLASSES, "softmax")
        for scores, verdicts, _ in SIGNED.values():
            for _ in range(N_EACH):
                prediction = predict(session, classes if scores is None else findings, scores)
                for reader_id, fields in zip((ADA, GRACE), verdicts, strict=False):
                    sign_as_before(session, prediction, reader_id, **fields)
    engine.dispose()
    return home


@pytest.fixture
def upgraded(before: Path, tmp_path: Path) -> Iterator[Workspace]:
    home = shutil.copytree(before, tmp_path / "home")
    engine = engine_at(f"sqlite:///{home / 'second-look.db'}")
    upgrade(engine)
    engine.dispose()
    ws = tampered.opened(home)
    yield ws
    ws.sessions.kw["bind"].dispose()


def test_every_verdict_of_before_verifies(upgraded):
    report = verify(upgraded, by=OPERATOR)
    # Of its artifacts, only the rows were kept.
    assert [p for p in report.problems if not p.startswith("artifact ")] == []
    assert report.n_verdicts == 3 + N_EACH * sum(len(given) for _, given, _ in SIGNED.values())


def test_every_verdict_of_before_is_read_as_it_was_meant(upgraded):
    with upgraded.read() as session:
        case_ids = session.scalars(select(Case.id).order_by(Case.id)).all()[-len(SIGNED) * N_EACH :]
        found = consensus.of_cases(session, case_ids)
    labels = [found[case_id].label for case_id in case_ids]
    assert labels == [label for _, _, label in SIGNED.values() for _ in range(N_EACH)]


def test_the_answers_of_before_are_read_from_their_scores(upgraded):
    counted = {
        label: worklist.search(upgraded, WorklistQuery(label=label), by=OPERATOR).n_total
        for label in worklist.choices(upgraded, by=OPERATOR).labels
    }
    assert counted == {
        "no finding": 2 * N_EACH,
        "pneumonia": 3 * N_EACH,
        "nodule": 3 * N_EACH + 1,
    }
    with upgraded.read() as session:
        rows = session.scalars(select(Prediction).where(Prediction.answer == "no finding"))
        assert {round(row.certainty, 6) for row in rows} == {0.993}


def test_a_verdict_of_before_is_superseded_by_one_that_judges_findings(upgraded):
    with upgraded.begin() as session:
        prediction = session.scalars(
            select(Prediction).where(Prediction.answer == "no finding")
        ).first()
        refresh_flags(session, prediction.case_id)
    view = reading.open_case(upgraded, prediction.case_id, reader_id=ADA)
    assert (view.verdicts[0].findings, view.verdicts[0].reasoning) == ({}, None)
    draft = sign.VerdictDraft(
        "now",
        view.case_id,
        view.prediction.id,
        Opinion.MODIFY,
        view.evidence_token,
        findings={"pneumonia": "present"},
        supersedes_id=view.verdicts[0].id,
    )
    sign.record(upgraded, ADA, draft)
    with upgraded.read() as session:
        assert consensus.of_case(session, view.case_id).label == "pneumonia"
    problems = verify(upgraded, by=OPERATOR).problems
    assert [p for p in problems if not p.startswith("artifact ")] == []
