import pytest

from db.tables import Prediction
from db.types import CaseStatus, JobStatus, Opinion, TriageReason
from review.cases import worklist
from review.cases.worklist import Sort, WorklistQuery
from review.state.flags import refresh_flags
from review.verdicts import sign
from review.verdicts.sign import VerdictDraft
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR


@pytest.fixture
def workspace(each_workspace: Workspace) -> Workspace:
    """The worklist is the same on each kind of database."""
    return each_workspace


@pytest.fixture
def cases(workspace: Workspace) -> list[int]:
    """Four readable cases scored 0.9, 0.3, 0.6 and 0.3, then one that waits."""
    with workspace.begin() as session:
        model = builders.model(session, name="m")
        ids = []
        for score, label in ((0.9, "nodule"), (0.3, "effusion"), (0.6, "nodule"), (0.3, "normal")):
            case = builders.case(session, modality="CR")
            builders.prediction(session, case, model, score=score, label=label)
            refresh_flags(session, case.id)
            ids.append(case.id)
        builders.case(session, status=CaseStatus.QUEUED)
    return ids


def found(ws: Workspace, **fields) -> list[int]:
    return [row.case_id for row in worklist.search(ws, WorklistQuery(**fields), by=OPERATOR).rows]


def test_every_case_is_listed_in_order(workspace, cases):
    assert found(workspace) == [*cases, cases[-1] + 1]
    assert found(workspace, sort=Sort.NEWEST) == [cases[-1] + 1, *reversed(cases)]


@pytest.mark.parametrize(
    ("sort", "order"), [(Sort.LEAST_CERTAIN, [1, 3, 2, 0]), (Sort.MOST_CERTAIN, [0, 2, 3, 1])]
)
def test_certainty_orders_readable_cases(workspace, cases, sort, order):
    listed = [case_id for case_id in found(workspace, sort=sort) if case_id in cases]
    assert listed == [cases[number] for number in order]


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({"text": "nod"}, [0, 2]),
        ({"text": "cr"}, [0, 1, 2, 3]),
        ({"text": "100%"}, []),
        ({"label": "effusion"}, [1]),
        ({"flag": TriageReason.LOW_CONFIDENCE}, [1, 3]),
        ({"model_id": 1, "label": "nodule"}, [0, 2]),
        ({"model_id": 99}, []),
        ({"reader_id": 99}, []),
    ],
)
def test_filters(workspace, cases, fields, numbers):
    assert found(workspace, **fields) == [cases[number] for number in numbers]


def test_a_number_finds_its_case(workspace, cases):
    assert found(workspace, text=f"case {cases[2]}") == [cases[2]]


def test_an_address_survives_the_round_trip():
    query = WorklistQuery(
        "x", CaseStatus.READY, 2, "a", TriageReason.REJECTED, 3, Sort.NEWEST, 4, unread_by=5
    )
    assert WorklistQuery.from_params(query.to_params()) == query
    assert WorklistQuery().to_params() == {}


def test_an_address_that_makes_no_sense_is_read_as_far_as_it_does():
    params = {"status": "?", "model_id": "9" * 30, "page": "-3", "sort": "newest"}
    assert WorklistQuery.from_params(params) == WorklistQuery(sort=Sort.NEWEST)


@pytest.mark.parametrize("sort", list(Sort))
def test_walking_forth_and_back_visits_every_readable_case(workspace, cases, sort):
    query = WorklistQuery(sort=sort)
    order = [case_id for case_id in found(workspace, sort=sort) if case_id in cases]
    for position, case_id in enumerate(order, start=1):
        place = worklist.place(workspace, query, case_id, by=OPERATOR)
        assert (place.position, place.n_total) == (position, 4)
        assert place.previous_id == (order[position - 2] if position > 1 else None)
        assert place.next_id == (order[position] if position < 4 else None)


def test_the_next_unread_case_skips_what_this_reader_judged(workspace, cases):
    with workspace.begin() as session:
        reader, other = builders.account(session).id, builders.account(session).id
        prediction = session.query(Prediction).filter_by(case_id=cases[1]).one()
        token = sign.evidence_token(session, prediction.id, [])
    draft = VerdictDraft("r", cases[1], prediction.id, Opinion.ACCEPT, token)
    sign.record(workspace, reader, draft)
    query = WorklistQuery()
    assert worklist.next_unread(workspace, reader, query, cases[0]) == cases[2]
    assert worklist.next_unread(workspace, other, query, cases[0]) == cases[1]
    assert worklist.next_unread(workspace, reader, query, cases[3]) == cases[0]


def test_each_line_tells_what_models_and_readers_said(workspace):
    with workspace.begin() as session:
        case = builders.case(session, synthetic=True)
        first = builders.prediction(session, case, builders.model(session, name="b"), score=0.2)
        builders.prediction(session, case, builders.model(session, name="a"))
        ada, ben = (builders.account(session, name=name) for name in ("ada", "ben"))
        builders.verdict(session, first, ada)
        builders.verdict(session, first, ada, opinion=Opinion.REJECT)
        builders.verdict(session, first, ben)
        builders.verdict(session, first, ben, opinion=Opinion.WITHDRAWN)
        refresh_flags(session, case.id)
    (row,) = worklist.search(workspace, WorklistQuery(), by=OPERATOR).rows
    assert [(p.model, p.label, p.score) for p in row.predictions] == [
        ("a", "nodule", 0.9),
        ("b", "nodule", 0.2),
    ]
    assert [(v.reader, v.opinion, v.model) for v in row.verdicts] == [("ada", Opinion.REJECT, "b")]
    assert row.flags == (TriageReason.LOW_CONFIDENCE, TriageReason.REJECTED)
    assert row.synthetic


def test_progress_is_the_mean_of_a_cases_waiting_and_running_jobs(workspace):
    with workspace.begin() as session:
        case = builders.case(session, status=CaseStatus.EXPLAINING)
        jobs = [builders.job(session, case_id=case.id) for _ in range(3)]
        jobs[0].status = JobStatus.DONE
        jobs[1].status, jobs[1].n_done, jobs[1].n_total = JobStatus.RUNNING, 3, 4
        jobs[1].stage = "Occlusion"
    (row,) = worklist.search(workspace, WorklistQuery(), by=OPERATOR).rows
    assert (row.progress, row.stage, row.error) == (0.375, "Occlusion", None)


def test_what_a_reader_has_not_judged(workspace, cases):
    with workspace.begin() as session:
        reader, other = builders.account(session), builders.account(session)
        prediction = session.query(Prediction).filter_by(case_id=cases[1]).one()
        builders.verdict(session, prediction, reader)
    everything = found(workspace)
    assert found(workspace, reader_id=reader.id) == [cases[1]]
    assert found(workspace, unread_by=other.id) == everything
    assert found(workspace, unread_by=reader.id) == [i for i in everything if i != cases[1]]
    with workspace.begin() as session:
        builders.verdict(session, prediction, reader, opinion=Opinion.WITHDRAWN)
    assert found(workspace, unread_by=reader.id) == everything


def test_a_page_beyond_the_last_shows_the_last(workspace, cases):
    page = worklist.search(workspace, WorklistQuery(page=9), by=OPERATOR)
    assert (page.number, len(page.rows)) == (1, 5)


def test_the_reference_label_does_not_give_a_case_away(workspace):
    with workspace.begin() as session:
        builders.case(session, reference_label="nodule")
    assert found(workspace, text="nodule") == []
