from dataclasses import replace

import pytest

from db.tables import Prediction, TriageFlag
from db.types import Disposition, Opinion, Role, TriageReason
from review.state.flags import refresh_flags
from review.triage import queue
from review.triage.model_summary import model_summaries
from review.triage.queue import TriageError, TriageFilter, TriageState
from review.verdicts import sign
from review.verdicts.sign import VerdictDraft
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR

TRUST = {"flat": False, "nan": False, "badge": "good", "reasons": [], "agreement": None}


def explained(ws: Workspace, *, score: float = 0.9, model=None, **trust) -> int:
    """Make an explained case with such trust measures; return its id."""
    with ws.begin() as session:
        case = builders.case(session)
        model = model or builders.model(session)
        prediction = builders.prediction(session, case, model, score=score)
        builders.explanation(session, prediction, trust=TRUST | {"corner_share": 0.0} | trust)
        refresh_flags(session, case.id)
        return case.id


def engineer(ws: Workspace, **fields) -> int:
    with ws.begin() as session:
        return builders.account(session, Role.ENGINEER, **fields).id


def reject(ws: Workspace, case_id: int, request_id: str = "r") -> None:
    with ws.begin() as session:
        reader = builders.account(session).id
        prediction = session.query(Prediction).filter_by(case_id=case_id).one()
        token = sign.evidence_token(session, prediction.id, [])
    draft = VerdictDraft(
        request_id, case_id, prediction.id, Opinion.REJECT, token, reasons=("wrong_finding",)
    )
    sign.record(ws, reader, draft)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"score": 0.41}, TriageReason.LOW_CONFIDENCE),
        ({"corner_share": 0.4}, TriageReason.CORNER_ATTRIBUTION),
        ({"agreement": {"spearman": -0.05}}, TriageReason.MAPS_DISAGREE),
        ({"badge": "poor", "reasons": ["the map is flat"]}, TriageReason.UNTRUSTWORTHY_MAP),
    ],
)
def test_each_weakness_is_flagged_with_its_reason(workspace, fields, reason):
    case_id = explained(workspace, **fields)
    (item,) = queue.queue(workspace, TriageFilter(), by=OPERATOR).items
    assert (item.case_id, [flag.reason for flag in item.flags]) == (case_id, [reason])


def test_a_sound_explanation_is_not_flagged(workspace):
    explained(workspace)
    assert queue.queue(workspace, TriageFilter(), by=OPERATOR).n_total == 0


def test_refreshing_twice_keeps_a_standing_flag(workspace):
    case_id = explained(workspace, score=0.3)
    with workspace.begin() as session:
        before = [(f.id, f.created_at) for f in session.query(TriageFlag)]
        refresh_flags(session, case_id)
        assert [(f.id, f.created_at) for f in session.query(TriageFlag)] == before


def test_closing_and_reopening(workspace):
    case_id, actor = explained(workspace, score=0.3), engineer(workspace)
    queue.close(workspace, case_id, actor_id=actor, disposition=Disposition.SHORTCUT, text="seen")
    assert queue.queue(workspace, TriageFilter(), by=OPERATOR).items == ()
    (closed,) = queue.queue(workspace, TriageFilter(TriageState.CLOSED), by=OPERATOR).items
    assert closed.disposition is Disposition.SHORTCUT
    with pytest.raises(TriageError, match="not open"):
        queue.close(workspace, case_id, actor_id=actor, disposition=Disposition.NO_ACTION)
    queue.reopen(workspace, case_id, actor_id=actor)
    assert queue.queue(workspace, TriageFilter(), by=OPERATOR).items[0].is_open
    assert [step.comment for step in queue.history(workspace, case_id, by=OPERATOR)] == ["seen", ""]


def test_a_newer_flag_opens_a_closed_case_again(workspace):
    case_id, actor = explained(workspace, score=0.3), engineer(workspace)
    queue.close(workspace, case_id, actor_id=actor, disposition=Disposition.NO_ACTION)
    reject(workspace, case_id)
    (item,) = queue.queue(workspace, TriageFilter(), by=OPERATOR).items
    assert item.is_open


def test_assigning_filters_the_queue(workspace):
    case_id, actor = explained(workspace, score=0.3), engineer(workspace, display_name="E. One")
    explained(workspace, score=0.3)
    queue.assign(workspace, case_id, actor_id=actor, assignee_id=actor)
    (item,) = queue.queue(workspace, TriageFilter(assignee_id=actor), by=OPERATOR).items
    assert (item.case_id, item.assignee) == (case_id, "E. One")
    with pytest.raises(TriageError, match="engineer"):
        queue.assign(workspace, case_id, actor_id=actor, assignee_id=999)


def test_an_empty_comment_is_refused(workspace):
    case_id, actor = explained(workspace, score=0.3), engineer(workspace)
    with pytest.raises(TriageError, match="empty"):
        queue.comment(workspace, case_id, actor_id=actor, text="  ")


def test_filters_by_reason_and_model_and_counts(workspace):
    with workspace.begin() as session:
        model = builders.model(session, name="b")
    cornered = explained(workspace, model=model, corner_share=0.5)
    explained(workspace, score=0.3)
    page = queue.queue(workspace, TriageFilter(reason=TriageReason.CORNER_ATTRIBUTION), by=OPERATOR)
    assert [item.case_id for item in page.items] == [cornered]
    assert page.n_by_reason == {TriageReason.CORNER_ATTRIBUTION: 1, TriageReason.LOW_CONFIDENCE: 1}
    by_model = replace(TriageFilter(), model_id=model.id)
    assert [item.case_id for item in queue.queue(workspace, by_model, by=OPERATOR).items] == [
        cornered
    ]


def test_the_shortcut_learner_stands_out_in_the_summary(workspace):
    with workspace.begin() as session:
        sound, cheat = builders.model(session, name="a"), builders.model(session, name="b")
    explained(workspace, model=sound)
    for number in range(2):
        reject(workspace, explained(workspace, model=cheat, corner_share=0.6), f"r{number}")
    first, second = model_summaries(workspace, by=OPERATOR)
    assert (first.n_judged, first.n_flags) == (0, {})
    assert (second.n_judged, second.n_accepted) == (2, 0)
    assert second.n_flags[TriageReason.CORNER_ATTRIBUTION] == 2
