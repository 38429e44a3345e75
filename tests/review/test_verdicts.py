import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from db.errors import ConflictError
from db.tables import Case, TriageFlag, Verdict
from db.types import CaseStatus, Opinion, Plausibility, Role, TriageReason
from review import verdicts
from review.errors import StaleCaseError, VerdictError
from review.verdicts import VerdictDraft
from review.verifying import verify
from review.workspace import Workspace
from tests import builders

Drafter = Callable[..., VerdictDraft]


@pytest.fixture
def reader_id(workspace: Workspace) -> int:
    with workspace.begin() as session:
        return builders.account(session).id


@pytest.fixture
def draft(workspace: Workspace) -> Drafter:
    """Draft verdicts on one explained case."""
    with workspace.begin() as session:
        case = builders.case(session, image_sha256=builders.artifact(session, workspace.artifacts))
        weights = builders.artifact(session, workspace.artifacts)
        model = builders.model(session, weights_sha256=weights)
        prediction = builders.prediction(session, case, model)
        maps = [
            builders.explanation(
                session,
                prediction,
                method=method,
                artifact_sha256=builders.artifact(session, workspace.artifacts),
            ).id
            for method in ("integrated_gradients", "occlusion")
        ]
        token = verdicts.evidence_token(session, prediction.id, maps)

    def make(request_id: str = "r1", opinion: Opinion = Opinion.ACCEPT, **fields) -> VerdictDraft:
        defaults = {
            "case_id": case.id,
            "prediction_id": prediction.id,
            "evidence_token": token,
            "explanation_ids": tuple(maps),
            "active_seconds": 3.0,
        }
        return VerdictDraft(request_id, opinion=opinion, **(defaults | fields))

    return make


def n_verdicts(ws: Workspace) -> int:
    with ws.read() as session:
        return session.scalar(select(func.count()).select_from(Verdict))


def test_signing_makes_the_case_reviewed(workspace, reader_id, draft):
    view = verdicts.record(workspace, reader_id, draft())
    assert view.opinion is Opinion.ACCEPT
    with workspace.read() as session:
        assert session.get(Case, view.case_id).status is CaseStatus.REVIEWED


def test_a_request_sent_twice_signs_once(workspace, reader_id, draft):
    first = verdicts.record(workspace, reader_id, draft())
    again = verdicts.record(workspace, reader_id, draft())
    assert first == again
    assert n_verdicts(workspace) == 1


def test_a_request_id_cannot_carry_another_verdict(workspace, reader_id, draft):
    verdicts.record(workspace, reader_id, draft())
    with pytest.raises(ConflictError):
        verdicts.record(workspace, reader_id, draft(comment="something else"))
    assert n_verdicts(workspace) == 1


def test_signing_again_supersedes(workspace, reader_id, draft):
    first = verdicts.record(workspace, reader_id, draft("r1"))
    second = verdicts.record(
        workspace, reader_id, draft("r2", Opinion.REJECT, reasons=("wrong_finding",))
    )
    history = verdicts.history(workspace, first.case_id)
    assert [(v.id, v.current) for v in history] == [(first.id, False), (second.id, True)]


def test_withdrawing_reopens_the_case(workspace, reader_id, draft):
    signed = verdicts.record(workspace, reader_id, draft())
    verdicts.withdraw(workspace, reader_id, signed.id, "undo")
    verdicts.withdraw(workspace, reader_id, signed.id, "undo")
    assert [v.current for v in verdicts.history(workspace, signed.case_id)] == [False, False]
    with workspace.read() as session:
        assert session.get(Case, signed.case_id).status is CaseStatus.READY


def test_only_the_last_verdict_can_be_withdrawn(workspace, reader_id, draft):
    first = verdicts.record(workspace, reader_id, draft("r1"))
    verdicts.record(workspace, reader_id, draft("r2"))
    with pytest.raises(VerdictError, match="superseded already"):
        verdicts.withdraw(workspace, reader_id, first.id, "undo")


def test_another_readers_verdict_cannot_be_withdrawn(workspace, reader_id, draft):
    signed = verdicts.record(workspace, reader_id, draft())
    with workspace.begin() as session:
        other = builders.account(session).id
    with pytest.raises(VerdictError, match="only the reader"):
        verdicts.withdraw(workspace, other, signed.id, "undo")


@pytest.mark.parametrize(
    ("opinion", "fields", "message"),
    [
        (Opinion.REJECT, {}, "at least one reason"),
        (Opinion.REJECT, {"reasons": ("because",)}, "unknown reasons"),
        (Opinion.MODIFY, {}, "what is modified"),
        (Opinion.ACCEPT, {"corrected_label": "nodule"}, "accept with modification"),
        (Opinion.MODIFY, {"corrected_label": "toy poodle"}, "not a class"),
        (Opinion.WITHDRAWN, {}, "undoing"),
        (Opinion.ACCEPT, {"comment": "x" * 4001}, "4001 characters"),
        (Opinion.ACCEPT, {"boxes": ({"x": 60, "y": 0, "width": 9, "height": 9},)}, "outside"),
        (Opinion.ACCEPT, {"boxes": ({"x": 60, "y": 0},)}, "a box has"),
        (Opinion.ACCEPT, {"plausibility": {999: Plausibility.UNSURE}}, "on the screen"),
    ],
)
def test_a_contradictory_verdict_is_refused(workspace, reader_id, draft, opinion, fields, message):
    with pytest.raises(VerdictError, match=message):
        verdicts.record(workspace, reader_id, draft("r", opinion, **fields))
    assert n_verdicts(workspace) == 0


@pytest.mark.parametrize(
    "fields",
    [{"evidence_token": "0" * 64}, {"case_id": 999}, {"explanation_ids": (999,)}],
)
def test_what_was_not_shown_cannot_be_signed(workspace, reader_id, draft, fields):
    with pytest.raises(StaleCaseError):
        verdicts.record(workspace, reader_id, draft(**fields))
    assert n_verdicts(workspace) == 0


def test_evidence_names_all_that_was_shown(workspace, reader_id, draft):
    signed = verdicts.record(workspace, reader_id, draft())
    with workspace.read() as session:
        evidence = session.get(Verdict, signed.id).evidence
    assert {m["method"] for m in evidence["maps"]} == {"integrated_gradients", "occlusion"}
    assert all(len(m["sha256"]) == 64 for m in evidence["maps"])
    assert evidence["software"]["torch"]


def test_the_database_refuses_to_change_a_verdict(workspace, reader_id, draft):
    verdicts.record(workspace, reader_id, draft())
    for statement in ("UPDATE verdicts SET comment = 'x'", "DELETE FROM verdicts"):
        with pytest.raises(IntegrityError, match="append-only"), workspace.begin() as session:
            session.execute(text(statement))


def test_readers_who_disagree_are_flagged(workspace, reader_id, draft):
    signed = verdicts.record(workspace, reader_id, draft("r1"))
    with workspace.begin() as session:
        other = builders.account(session).id
    verdicts.record(workspace, other, draft("r2", Opinion.REJECT, reasons=("wrong_finding",)))
    with workspace.read() as session:
        flags = set(session.scalars(select(TriageFlag.reason)))
    assert flags == {TriageReason.REJECTED.value, TriageReason.READERS_DISAGREE.value}
    verdicts.withdraw(workspace, reader_id, signed.id, "undo")
    with workspace.read() as session:
        assert set(session.scalars(select(TriageFlag.reason))) == {TriageReason.REJECTED.value}


def test_many_readers_at_once_keep_one_chain(workspace, draft):
    with workspace.begin() as session:
        readers = [builders.account(session, Role.READER).id for _ in range(6)]
    errors = []

    def sign(reader: int) -> None:
        try:
            for turn in range(4):
                verdicts.record(workspace, reader, draft(f"{reader}-{turn}"))
        except Exception as exc:  # the test fails below, with the reason
            errors.append(exc)

    threads = [threading.Thread(target=sign, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    report = verify(workspace)
    assert (report.n_verdicts, report.problems) == (24, ())
