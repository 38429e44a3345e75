from datetime import timedelta

import pytest
from sqlalchemy import event

from db.errors import NotFoundError
from db.tables import Job
from db.types import JobStatus, Opinion, now
from review.cases.reading import open_case
from review.catalogue import PAIR, Stepping
from review.maps.recipes import Recipe
from review.verdicts.draft import VerdictDraft
from review.verdicts.evidence import evidence_token
from review.verdicts.sign import record, withdraw
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR

N_LOOKS = 13


@pytest.fixture
def explained(workspace: Workspace):
    """A case predicted by two models, with both maps of the first; and a reader."""
    with workspace.begin() as session:
        case = builders.case(session, bits=16, rescale_intercept=-1024.0, notes=["cropped"])
        first, second = builders.model(session), builders.model(session)
        prediction = builders.prediction(session, case, first)
        builders.prediction(session, case, second, target=2, label="effusion", score=0.7)
        maps = [builders.explanation(session, prediction, method=method) for method in PAIR]
        reader = builders.account(session)
        return {
            "case_id": case.id,
            "reader_id": reader.id,
            "model_ids": [first.id, second.id],
            "prediction_id": prediction.id,
            "map_ids": [each.id for each in maps],
        }


def job(session, case_id: int, model_id: int, **fields) -> Job:
    payload = {"case_id": case_id, "model_id": model_id, "target": fields.pop("target", None)}
    row = Job(
        key=builders.sha256(repr((payload, sorted(fields)))),
        kind="explain",
        payload=payload,
        case_id=case_id,
        **fields,
    )
    session.add(row)
    session.flush()
    return row


def draft(of, token: str, **fields) -> VerdictDraft:
    defaults = {
        "request_id": "one",
        "case_id": of["case_id"],
        "prediction_id": of["prediction_id"],
        "opinion": Opinion.ACCEPT,
        "evidence_token": token,
        "explanation_ids": tuple(of["map_ids"]),
    }
    return VerdictDraft(**{**defaults, **fields})


def test_an_unknown_case_is_refused(workspace):
    with pytest.raises(NotFoundError, match="case 7 does not exist"):
        open_case(workspace, 7, reader_id=OPERATOR)


def test_the_oldest_model_is_open_unless_another_is_asked_for(workspace, explained):
    first = open_case(workspace, explained["case_id"], reader_id=OPERATOR)
    assert first.prediction.model_id == explained["model_ids"][0]
    second = open_case(
        workspace, explained["case_id"], reader_id=OPERATOR, model_id=explained["model_ids"][1]
    )
    assert (second.prediction.label, second.target) == ("effusion", 2)
    assert [p.model_id for p in second.predictions] == explained["model_ids"]


def test_the_newest_map_of_each_method_is_shown_in_a_fixed_order(workspace, explained):
    with workspace.begin() as session:
        prediction = session.get_one(builders.Prediction, explained["prediction_id"])
        newer = builders.explanation(session, prediction, method=PAIR[0]).id
    case = open_case(workspace, explained["case_id"], reader_id=OPERATOR)
    assert [m.method for m in case.maps] == list(PAIR)
    assert [m.explanation_id for m in case.maps] == [newer, explained["map_ids"][1]]


def test_another_target_has_maps_of_its_own(workspace, explained):
    case = open_case(workspace, explained["case_id"], reader_id=OPERATOR, target=3)
    assert (case.target, case.maps) == (3, (None, None))


@pytest.mark.parametrize("target", [-1, 4, 999])
def test_a_target_that_is_no_class_falls_back_to_the_predicted_one(workspace, explained, target):
    assert open_case(workspace, explained["case_id"], reader_id=OPERATOR, target=target).target == 1


def test_the_token_is_the_one_that_a_verdict_must_hand_back(workspace, explained):
    case = open_case(workspace, explained["case_id"], reader_id=OPERATOR)
    with workspace.read() as session:
        expected = evidence_token(session, explained["prediction_id"], explained["map_ids"])
    assert case.evidence_token == expected


def test_only_this_readers_verdicts_are_shown_the_newest_first(workspace, explained):
    token = open_case(workspace, explained["case_id"], reader_id=OPERATOR).evidence_token
    reader_id = explained["reader_id"]
    signed = record(workspace, reader_id, draft(explained, token))
    amended = {"comment": "sure", "supersedes_id": signed.id}
    record(workspace, reader_id, draft(explained, token, request_id="two", **amended))
    seen = open_case(workspace, explained["case_id"], reader_id=reader_id).verdicts
    assert [(v.comment, v.current) for v in seen] == [("sure", True), ("", False)]
    assert seen[1].id == signed.id
    assert open_case(workspace, explained["case_id"], reader_id=OPERATOR).verdicts == ()


def test_after_an_undo_no_verdict_stands(workspace, explained):
    token = open_case(workspace, explained["case_id"], reader_id=OPERATOR).evidence_token
    reader_id = explained["reader_id"]
    signed = record(workspace, reader_id, draft(explained, token))
    withdraw(workspace, reader_id, signed.id, "undo")
    seen = open_case(workspace, explained["case_id"], reader_id=reader_id).verdicts
    assert [v.current for v in seen] == [False, False]


def test_a_case_without_a_prediction_shows_its_newest_job(workspace):
    with workspace.begin() as session:
        case_id, model_id = builders.case(session).id, builders.model(session).id
        started = now() - timedelta(seconds=10)
        running = JobStatus.RUNNING
        job(session, case_id, model_id, status=running, n_done=1, n_total=4, started_at=started)
    case = open_case(workspace, case_id, reader_id=OPERATOR)
    assert (case.prediction, case.maps, case.evidence_token) == (None, (None, None), "")
    assert case.jobs[0].fraction == 0.25
    assert case.jobs[0].seconds_left == pytest.approx(30, abs=3)


def test_the_job_of_the_open_class_is_shown_not_that_of_another(workspace, explained):
    model_id = explained["model_ids"][0]
    with workspace.begin() as session:
        wanted = job(session, explained["case_id"], model_id, target=3).id
        job(session, explained["case_id"], model_id, target=2)
        job(session, explained["case_id"], explained["model_ids"][1], target=3)
    case = open_case(workspace, explained["case_id"], reader_id=OPERATOR, target=3)
    assert [job.id for job in case.jobs] == [wanted, wanted]
    assert open_case(workspace, explained["case_id"], reader_id=OPERATOR, target=0).jobs == (
        None,
        None,
    )


def test_each_missing_map_has_the_job_that_makes_it(workspace, explained):
    model_id = explained["model_ids"][0]
    payload = {"model_id": model_id, "target": None, "preset": "quick", "baseline": "black"}
    with workspace.begin() as session:
        jobs = [
            builders.job(
                session,
                case_id=explained["case_id"],
                payload={"case_id": explained["case_id"], **payload, **more},
            ).id
            for more in ({}, {"methods": ["rise"]}, {"stepping": "adaptive"})
        ]

    def found(*methods: str, **recipe) -> list[int | None]:
        looked = open_case(
            workspace,
            explained["case_id"],
            reader_id=OPERATOR,
            recipe=Recipe(**recipe) if recipe else None,
            methods=methods,
        )
        return [job.id if job else None for job in looked.jobs]

    assert found("rise", "occlusion") == [jobs[1], None]
    assert found("rise", "saliency") == [jobs[1], None]
    adaptive = {"preset": "quick", "stepping": Stepping.ADAPTIVE}
    assert found(*PAIR, **adaptive) == [jobs[2], jobs[2]]
    assert found(*PAIR, preset="quick") == [jobs[0], jobs[2]]  # Occlusion is the same for both


def test_opening_a_case_takes_a_few_looks_at_the_database(workspace, explained):
    statements = []
    engine = workspace.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    open_case(workspace, explained["case_id"], reader_id=explained["reader_id"])
    assert len([s for s in statements if s.startswith("SELECT")]) <= N_LOOKS
