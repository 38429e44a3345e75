import pytest

from db.tables import Account, Model, Prediction
from db.types import CaseStatus, JobStatus, Opinion, Role, TriageReason
from review.cases import studies, worklist
from review.cases.worklist import Sort, Unread, WorklistQuery
from review.policy import Actor
from review.state.flags import refresh_flags
from review.state.status import refresh_status
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


def found(ws: Workspace, *, by: Actor = OPERATOR, **fields) -> list[int]:
    return [row.case_id for row in worklist.search(ws, WorklistQuery(**fields), by=by).rows]


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
        "x", CaseStatus.READY, 2, "a", TriageReason.REJECTED, 3, Sort.NEWEST, 4, 5, study=6
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
    assert next_case(workspace, reader, query, cases[0]) == cases[2]
    assert next_case(workspace, other, query, cases[0]) == cases[1]
    assert next_case(workspace, reader, query, cases[3]) == cases[0]


def next_case(ws: Workspace, *args) -> int:
    following = worklist.next_unread(ws, *args)
    assert following
    return following.case_id


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
    assert [(p.model, p.answer, p.certainty) for p in row.predictions] == [
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


@pytest.fixture
def two_models(workspace: Workspace) -> tuple[list[Prediction], list[int]]:
    """Two cases, each predicted by two models: case 0 by both, then case 1; and two readers."""
    with workspace.begin() as session:
        models = [builders.model(session) for _ in range(2)]
        readers = [builders.account(session, name=name).id for name in ("ada", "ben")]
        cases = [builders.case(session) for _ in range(2)]
        for case in cases:
            builders.source(session, case, study_key="s")
        predictions = [
            builders.prediction(session, case, model, score=0.4)
            for case in cases
            for model in models
        ]
    return predictions, readers


def judge(ws: Workspace, prediction: Prediction, reader_id: int, **fields) -> None:
    with ws.begin() as session:
        reader = session.get_one(Account, reader_id)
        builders.verdict(session, prediction, reader, **fields)
        refresh_flags(session, prediction.case_id)


def test_a_case_is_unread_until_every_models_prediction_is_judged(workspace, two_models):
    (a, b, *_), (reader, _) = two_models
    judge(workspace, a, reader)
    assert found(workspace, unread_by=reader) == [1, 2]
    judge(workspace, b, reader)
    assert found(workspace, unread_by=reader) == [2]
    judge(workspace, b, reader, opinion=Opinion.WITHDRAWN)
    assert found(workspace, unread_by=reader) == [1, 2]


def test_a_models_filter_asks_about_its_predictions_alone(workspace, two_models):
    (a, *_), (reader, _) = two_models
    judge(workspace, a, reader)
    assert found(workspace, unread_by=reader, model_id=a.model_id) == [2]
    query = WorklistQuery(model_id=a.model_id)
    assert worklist.next_unread(workspace, reader, query) == Unread(2, a.model_id)


def test_every_prediction_is_offered_for_reading_a_case_once_a_round(workspace, two_models):
    (a, b, *_), (reader, _) = two_models
    offered, after = [], None
    with workspace.read() as session:
        key = {(p.case_id, p.model_id): p for p in session.query(Prediction)}
    while following := worklist.next_unread(workspace, reader, WorklistQuery(), after):
        judge(workspace, key[following.case_id, following.model_id], reader)
        offered.append(following)
        after = following.case_id
    last = worklist.next_unread(workspace, reader, WorklistQuery())
    first, second = a.model_id, b.model_id
    assert offered == [Unread(1, first), Unread(2, first), Unread(1, second), Unread(2, second)]
    assert last is None


def test_the_model_that_is_open_is_read_on(workspace, two_models):
    (_, b, *_), (reader, _) = two_models
    query = WorklistQuery()
    asked = worklist.next_unread(workspace, reader, query, 1, preferred_id=b.model_id)
    assert asked == Unread(2, b.model_id)


def test_a_retired_models_answers_are_not_asked_about_unless_by_name(workspace, two_models):
    (a, b, *_), (reader, _) = two_models
    with workspace.begin() as session:
        session.get_one(Model, b.model_id).active = False
    judge(workspace, a, reader)
    assert found(workspace, unread_by=reader) == [2]
    assert found(workspace, unread_by=reader, model_id=b.model_id) == [1, 2]


def test_a_verdict_on_one_models_prediction_reveals_nothing_of_the_others(workspace, two_models):
    (a, b, *_), (reader, other) = two_models
    judge(workspace, a, reader)
    judge(workspace, b, other, opinion=Opinion.REJECT)
    row = worklist.search(workspace, WorklistQuery(), by=reader).rows[0]
    assert [verdict.opinion for verdict in row.verdicts] == [Opinion.ACCEPT]
    assert TriageReason.REJECTED not in row.flags
    assert found(workspace, by=reader, flag=TriageReason.REJECTED) == []
    judge(workspace, b, reader)
    row = worklist.search(workspace, WorklistQuery(), by=reader).rows[0]
    assert [v.opinion for v in row.verdicts] == [Opinion.ACCEPT, Opinion.REJECT, Opinion.ACCEPT]
    assert TriageReason.REJECTED in row.flags
    assert found(workspace, by=reader, flag=TriageReason.REJECTED) == [1]


def test_a_withdrawn_verdict_opens_nothing_any_more(workspace, two_models):
    (a, *_), (reader, other) = two_models
    judge(workspace, a, other, opinion=Opinion.REJECT)
    judge(workspace, a, reader)
    judge(workspace, a, reader, opinion=Opinion.WITHDRAWN)
    assert worklist.search(workspace, WorklistQuery(), by=reader).rows[0].verdicts == ()


def all_that_is_told(ws: Workspace, reader_id: int, other_id: int) -> list[object]:
    """Return what the worklist answers to every filter, search, order and walk."""
    asked: list[dict[str, object]] = [
        {},
        *({"status": status} for status in CaseStatus),
        *({"flag": flag} for flag in TriageReason),
        *({"reader_id": who} for who in (reader_id, other_id)),
        *({"unread_by": who} for who in (reader_id, other_id)),
        *({"sort": sort} for sort in Sort),
        *({"study": number} for number in (1, 2)),
        *({"text": text} for text in ("1", "nodule", "reject", "ben", "CR")),
    ]
    told: list[object] = [worklist.choices(ws, by=reader_id)]
    told.extend(studies.study(ws, number, by=reader_id) for number in (1, 2))
    for fields in asked:
        query = WorklistQuery(**fields)
        told.append(worklist.search(ws, query, by=reader_id))
        told.extend(worklist.place(ws, query, number, by=reader_id) for number in (1, 2))
        told.append(worklist.next_unread(ws, reader_id, query))
        told.append(worklist.unread_model(ws, reader_id, query, 1))
    return told


@pytest.mark.parametrize("opinion", [Opinion.ACCEPT, Opinion.REJECT, Opinion.MODIFY])
def test_nothing_tells_that_somebody_else_judged(workspace, two_models, opinion):
    (a, b, c, d), (reader, other) = two_models
    with workspace.begin() as session:
        third = builders.account(session, name="cleo").id
        for case_id in (1, 2):
            refresh_flags(session, case_id)
    before = all_that_is_told(workspace, reader, other)
    for prediction in (a, b, c, d):
        judge_as_signing_does(workspace, prediction, other, opinion=opinion)
        judge_as_signing_does(workspace, prediction, third, opinion=Opinion.CANNOT_ASSESS)
    assert all_that_is_told(workspace, reader, other) == before


def test_a_verdict_on_one_model_tells_nothing_of_what_is_said_on_the_other(workspace, two_models):
    (a, b, *_), (reader, other) = two_models
    judge_as_signing_does(workspace, a, reader)
    before = all_that_is_told(workspace, reader, other)
    judge_as_signing_does(workspace, b, other, opinion=Opinion.REJECT)
    assert all_that_is_told(workspace, reader, other) == before


def judge_as_signing_does(ws: Workspace, prediction: Prediction, reader_id: int, **fields) -> None:
    judge(ws, prediction, reader_id, **fields)
    with ws.begin() as session:
        refresh_status(session, prediction.case_id)


def test_a_case_stands_as_read_for_whoever_read_it(workspace, two_models):
    (a, *_), (reader, other) = two_models
    judge_as_signing_does(workspace, a, other)
    row = worklist.search(workspace, WorklistQuery(), by=reader).rows[0]
    assert row.status is CaseStatus.READY
    assert found(workspace, by=reader, status=CaseStatus.REVIEWED) == []
    assert found(workspace, by=other, status=CaseStatus.REVIEWED) == [1]
    assert found(workspace, by=other, status=CaseStatus.READY) == [2]
    judge_as_signing_does(workspace, a, reader)
    assert found(workspace, by=reader, status=CaseStatus.REVIEWED) == [1]
    assert found(workspace, by=reader, reader_id=other) == [1]


def test_whom_else_a_case_is_unread_by_only_those_may_ask_who_know_all(workspace, two_models):
    (a, b, *_), (reader, other) = two_models
    judge(workspace, a, other)
    judge(workspace, b, other)
    assert found(workspace, unread_by=other) == [2]
    assert found(workspace, by=reader, unread_by=other) == []


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.ADMINISTRATOR])
def test_who_does_not_read_for_the_record_may_know_every_verdict(workspace, two_models, role):
    (a, *_), (reader, _) = two_models
    judge(workspace, a, reader, opinion=Opinion.REJECT)
    with workspace.begin() as session:
        viewer = builders.account(session, role).id
    row = worklist.search(workspace, WorklistQuery(), by=viewer).rows[0]
    assert [verdict.opinion for verdict in row.verdicts] == [Opinion.REJECT]
    assert TriageReason.REJECTED in row.flags


def test_a_page_beyond_the_last_shows_the_last(workspace, cases):
    page = worklist.search(workspace, WorklistQuery(page=9), by=OPERATOR)
    assert (page.number, len(page.rows)) == (1, 5)


def test_the_reference_label_does_not_give_a_case_away(workspace):
    with workspace.begin() as session:
        builders.case(session, reference_label="nodule")
    assert found(workspace, text="nodule") == []
