import pytest

from db.tables import Setting, TriageFlag
from db.types import Disposition, Opinion, Role, TriageReason
from review.triage import queue
from review.triage.outdated import KEY, refresh_outdated
from tests import builders
from tests.builders import OPERATOR


@pytest.fixture
def case_id(workspace):
    """A case that a model is sure to show nothing, flagged and closed by the rules of before."""
    with workspace.begin() as session:
        case = builders.case(session)
        model = builders.findings_model(session, ["pneumonia"])
        prediction = builders.predicted(session, case, model, [0.007])
        rejected = {"opinion": Opinion.REJECT, "reasons": ["looks_at_marker"]}
        rejected |= {"reasoning": "unsound"}
        builders.verdict(session, prediction, builders.account(session), **rejected)
        for reason in (TriageReason.LOW_CONFIDENCE, TriageReason.REJECTED):
            flag = TriageFlag(case_id=case.id, prediction_id=prediction.id, reason=reason)
            flag.detail = "as it was"
            session.add(flag)
        engineer = builders.account(session, Role.ENGINEER).id
    queue.close(workspace, case.id, actor_id=engineer, disposition=Disposition.SHORTCUT)
    return case.id


def reasons(ws) -> set[TriageReason]:
    with ws.read() as session:
        return {flag.reason for flag in session.query(TriageFlag)}


def test_what_the_rules_of_before_flagged_is_judged_anew_once(workspace, case_id):
    refresh_outdated(workspace)
    assert reasons(workspace) == {TriageReason.REJECTED, TriageReason.UNSOUND_REASONING}
    with workspace.begin() as session:
        session.query(TriageFlag).delete()
    refresh_outdated(workspace)
    assert reasons(workspace) == set()


def test_a_case_that_was_closed_knowing_its_verdicts_stays_closed(workspace, case_id):
    refresh_outdated(workspace)
    assert not queue.find(workspace, case_id, by=OPERATOR).is_open


def test_a_site_without_anything_to_judge_anew_is_left_alone(workspace):
    refresh_outdated(workspace)
    with workspace.read() as session:
        assert session.get(Setting, KEY) is None
