"""Answer, reason and findings judged apart, from the screen to worklist, triage and export."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from db.tables import Account, AuditEvent, Prediction, TriageFlag, Verdict
from db.types import Call, Opinion, Reasoning, Role, TriageReason
from review.cases import reading, worklist
from review.cases.worklist import WorklistQuery
from review.errors import StaleCaseError, VerdictError
from review.exporting import dataset
from review.exporting.dataset import ExportFilter
from review.state.flags import refresh_flags
from review.triage import queue
from review.verdicts import asked, sign
from review.verdicts.sign import VerdictDraft
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from tests.review.verdicts import tampered
from xai_core.model.answer import NO_FINDING

PNEUMONIA = ["pneumonia"]
MANY = [f"finding {number}" for number in range(1, 19)]
Signer = Callable[..., sign.VerdictView]


@pytest.fixture
def readers(workspace: Workspace) -> list[int]:
    with workspace.begin() as session:
        return [builders.account(session, name=name).id for name in ("ada", "ben", "cleo")]


def predicted(ws: Workspace, classes: list[str], scores: list[float]) -> int:
    """Add a case that a model has predicted; return its id."""
    with ws.begin() as session:
        case = builders.case(session, image_sha256=builders.artifact(session, ws.artifacts))
        weights = builders.artifact(session, ws.artifacts)
        model = builders.findings_model(session, classes, weights_sha256=weights)
        builders.predicted(session, case, model, scores)
        refresh_flags(session, case.id)
        return case.id


def shown(ws: Workspace, case_id: int, reader_id: int) -> reading.CaseView:
    return reading.open_case(ws, case_id, reader_id=reader_id)


def judge(ws: Workspace, case_id: int, reader_id: int, opinion: Opinion, **fields):
    """Sign what the reader says of the case's oldest prediction, as it is on the screen."""
    view = shown(ws, case_id, reader_id)
    number = len(sign.history(ws, case_id, by=OPERATOR))
    draft = VerdictDraft(
        f"{case_id}-{reader_id}-{number}",
        case_id,
        view.prediction.id,
        opinion,
        view.evidence_token,
        **fields,
    )
    return sign.record(ws, reader_id, draft)


def flags(ws: Workspace, case_id: int) -> dict[TriageReason, str]:
    with ws.read() as session:
        found = session.query(TriageFlag).filter_by(case_id=case_id)
        return {flag.reason: flag.detail for flag in found}


def exported(ws: Workspace, path: Path, **chosen) -> tuple[list[dict], list[dict]]:
    path.unlink(missing_ok=True)
    dataset.export(ws, ExportFilter(images=False, **chosen), path, by=OPERATOR)
    with zipfile.ZipFile(path) as archive:
        verdicts, cases = (
            [json.loads(line) for line in archive.read(f"{name}.jsonl").splitlines()]
            for name in ("verdicts", "cases")
        )
    return verdicts, cases


def test_a_model_that_is_sure_of_no_says_no_finding_and_is_not_flagged(workspace, readers):
    case_id = predicted(workspace, PNEUMONIA, [0.007])
    prediction = shown(workspace, case_id, readers[0]).prediction
    assert (prediction.kind, prediction.answer.label) == ("findings", NO_FINDING)
    assert prediction.answer.certainty == pytest.approx(0.993)
    assert (prediction.label, prediction.asked, prediction.thresholds) == (
        "pneumonia",
        ("pneumonia",),
        (0.5,),
    )
    assert flags(workspace, case_id) == {}
    (row,) = worklist.search(workspace, WorklistQuery(label=NO_FINDING), by=OPERATOR).rows
    assert row.predictions[0].answer == NO_FINDING
    assert worklist.choices(workspace, by=OPERATOR).labels == (NO_FINDING,)
    assert worklist.search(workspace, WorklistQuery(text="pneumonia"), by=OPERATOR).n_total == 0


def test_a_model_that_hardly_says_no_is_flagged_as_unsure(workspace):
    case_id = predicted(workspace, PNEUMONIA, [0.45])
    assert flags(workspace, case_id) == {
        TriageReason.LOW_CONFIDENCE: "no finding: pneumonia scored 45%"
    }


def test_the_least_certain_answer_comes_first_not_the_lowest_score(workspace):
    sure_of_no = predicted(workspace, PNEUMONIA, [0.01])
    unsure = predicted(workspace, PNEUMONIA, [0.55])
    rows = worklist.search(workspace, WorklistQuery(sort="least_certain"), by=OPERATOR).rows
    assert [row.case_id for row in rows] == [unsure, sure_of_no]


def test_accepting_no_finding_writes_absent(workspace, readers, tmp_path):
    case_id = predicted(workspace, PNEUMONIA, [0.007])
    judge(workspace, case_id, readers[0], Opinion.ACCEPT, findings={"pneumonia": Call.ABSENT})
    (verdict,), (case,) = exported(workspace, tmp_path / "e.zip")
    assert (verdict["answer"], verdict["predicted_label"]) == (NO_FINDING, "pneumonia")
    assert verdict["calls"] == case["consensus"] == {"pneumonia": "absent"}
    assert verdict["final_label"] == case["final_label"] == NO_FINDING


def test_correcting_no_finding_to_present_works(workspace, readers, tmp_path):
    case_id = predicted(workspace, PNEUMONIA, [0.007])
    judge(workspace, case_id, readers[0], Opinion.MODIFY, findings={"pneumonia": Call.PRESENT})
    _, (case,) = exported(workspace, tmp_path / "e.zip")
    assert case["final_label"] == "pneumonia"
    assert flags(workspace, case_id) == {TriageReason.MODIFIED: "pneumonia present"}


def test_rejecting_a_finding_to_absent_needs_no_reason_beside(workspace, readers, tmp_path):
    case_id = predicted(workspace, PNEUMONIA, [0.9])
    judge(workspace, case_id, readers[0], Opinion.REJECT, findings={"pneumonia": Call.ABSENT})
    _, (case,) = exported(workspace, tmp_path / "e.zip")
    assert case["final_label"] == NO_FINDING


def test_of_a_model_with_18_findings_only_what_is_asked_has_a_label(workspace, readers, tmp_path):
    scores = [0.9, 0.6] + [0.1] * 16
    case_id = predicted(workspace, MANY, scores)
    prediction = shown(workspace, case_id, readers[0]).prediction
    assert prediction.asked == ("finding 1", "finding 2")
    calls = dict.fromkeys(prediction.asked, Call.PRESENT)
    judge(workspace, case_id, readers[0], Opinion.ACCEPT, findings=calls)
    _, (case,) = exported(workspace, tmp_path / "e.zip")
    assert case["consensus"] == {"finding 1": "present", "finding 2": "present"}
    assert case["final_label"] is None


def test_where_a_model_with_18_findings_calls_none_each_is_asked_about(workspace, readers):
    case_id = predicted(workspace, MANY, [0.1] * 18)
    assert shown(workspace, case_id, readers[0]).prediction.asked == tuple(MANY)


def test_the_sites_list_is_what_is_asked_of_models_that_know_it(workspace, readers):
    case_id = predicted(workspace, MANY, [0.9] + [0.1] * 17)
    other = predicted(workspace, PNEUMONIA, [0.9])
    asked.choose(workspace, ["finding 7", "finding 2"], by=OPERATOR)
    assert shown(workspace, case_id, readers[0]).prediction.asked == ("finding 7", "finding 2")
    assert shown(workspace, other, readers[0]).prediction.asked == ("pneumonia",)
    findings = {"finding 7": Call.ABSENT, "finding 2": Call.ABSENT}
    judge(workspace, case_id, readers[0], Opinion.ACCEPT, findings=findings)
    with workspace.read() as session:
        assert session.query(Verdict).one().evidence["asked"] == ["finding 7", "finding 2"]
    # What was asked then is not held against what is asked now.
    asked.choose(workspace, (), by=OPERATOR)
    assert verify(workspace, by=OPERATOR).problems == ()


def test_a_list_that_changed_since_the_screen_makes_it_stale(workspace, readers):
    case_id = predicted(workspace, MANY, [0.9] + [0.1] * 17)
    view = shown(workspace, case_id, readers[0])
    asked.choose(workspace, ["finding 3"], by=OPERATOR)
    draft = VerdictDraft(
        "r",
        case_id,
        view.prediction.id,
        Opinion.ACCEPT,
        view.evidence_token,
        findings={"finding 1": Call.PRESENT},
    )
    with pytest.raises(StaleCaseError, match="or what is asked about it, has changed since"):
        sign.record(workspace, readers[0], draft)


def test_rejecting_only_the_reason_keeps_the_right_label(workspace, readers, tmp_path):
    case_id = predicted(workspace, PNEUMONIA, [0.9])
    judge(
        workspace,
        case_id,
        readers[0],
        Opinion.ACCEPT,
        findings={"pneumonia": Call.PRESENT},
        reasoning=Reasoning.UNSOUND,
        reasons=("looks_at_marker",),
    )
    (verdict,), (case,) = exported(workspace, tmp_path / "e.zip")
    assert (verdict["reasoning"], case["final_label"]) == ("unsound", "pneumonia")
    assert flags(workspace, case_id) == {
        TriageReason.UNSOUND_REASONING: "Looks at a marker or text"
    }


def test_one_who_cannot_assess_erases_no_agreed_label(workspace, readers, tmp_path):
    case_id = predicted(workspace, PNEUMONIA, [0.9])
    for reader in readers[:2]:
        judge(workspace, case_id, reader, Opinion.ACCEPT, findings={"pneumonia": Call.PRESENT})
    judge(workspace, case_id, readers[2], Opinion.CANNOT_ASSESS)
    _, (case,) = exported(workspace, tmp_path / "e.zip")
    assert (case["final_label"], case["n_current_verdicts"]) == ("pneumonia", 3)
    assert TriageReason.READERS_DISAGREE not in flags(workspace, case_id)


@pytest.fixture
def of_two_models(workspace: Workspace, readers: list[int]) -> int:
    """A case on whose first prediction one reader says nodule, on whose second another normal."""
    with workspace.begin() as session:
        case = builders.case(session)
        for reader, label in zip(readers, ("nodule", "normal"), strict=False):
            prediction = builders.prediction(session, case, builders.model(session))
            given = {"opinion": Opinion.MODIFY, "corrected_label": label}
            by = session.get_one(Account, reader)
            builders.verdict(session, prediction, by, **given)
        refresh_flags(session, case.id)
        return case.id


def test_the_label_is_the_same_whatever_the_exports_filter(
    workspace, readers, of_two_models, tmp_path
):
    with workspace.read() as session:
        ids = [p.model_id for p in session.query(Prediction).order_by(Prediction.id)]
    chosen = [{}, {"model_ids": (ids[0],)}, {"model_ids": (ids[1],)}]
    chosen += [{"opinions": (Opinion.MODIFY,)}, {"unjudged": True}]
    found = [exported(workspace, tmp_path / "e.zip", **each)[1] for each in chosen]
    assert found == [found[0]] * len(found)
    assert found[0][0]["final_label"] is None
    assert found[0][0]["consensus"]["nodule"] == "disagreement"
    assert found[0][0]["n_current_verdicts"] == 2


def test_worklist_triage_and_export_agree(workspace, readers, tmp_path):
    case_id = predicted(workspace, MANY, [0.9] + [0.1] * 17)
    for reader, second in zip(readers, (Call.PRESENT, Call.ABSENT), strict=False):
        findings = {"finding 1": Call.ABSENT, "finding 2": second}
        judge(workspace, case_id, reader, Opinion.MODIFY, findings=findings)
    (row,) = worklist.search(workspace, WorklistQuery(), by=OPERATOR).rows
    item = queue.find(workspace, case_id, by=OPERATOR)
    _, (case,) = exported(workspace, tmp_path / "e.zip")
    assert row.consensus == item.consensus
    assert case["consensus"] == row.consensus.findings
    assert case["consensus"] == {"finding 1": "absent", "finding 2": "disagreement"}
    assert case["final_label"] is row.consensus.label is None
    assert flags(workspace, case_id)[TriageReason.READERS_DISAGREE] == "on finding 2"


def test_a_reader_sees_the_consensus_only_who_may_know_every_verdict_of_the_case(
    workspace, readers, of_two_models
):
    def seen(by) -> object:
        (row,) = worklist.search(workspace, WorklistQuery(), by=by).rows
        return row.consensus

    assert seen(OPERATOR) is not None
    assert seen(readers[2]) is None
    # Judged one of the two predictions: what was said of the other stays hidden.
    assert seen(readers[0]) is None
    with workspace.begin() as session:
        second = session.query(Prediction).order_by(Prediction.id.desc()).first()
        builders.verdict(session, second, session.get_one(Account, readers[0]))
    assert seen(readers[0]) == seen(OPERATOR)


@pytest.mark.parametrize(
    ("opinion", "fields", "message"),
    [
        (Opinion.ACCEPT, {}, "say whether pneumonia is present: it is asked about"),
        (
            Opinion.ACCEPT,
            {"findings": {"pneumonia": "present"}},
            "pneumonia is called absent by the model and present by you: accept with modification",
        ),
        (
            Opinion.ACCEPT,
            {"findings": {"pneumonia": "indeterminate"}},
            "absent by the model and indeterminate by you: accept with modification",
        ),
        (Opinion.MODIFY, {"findings": {"pneumonia": "absent"}}, "say what is modified"),
        (
            Opinion.REJECT,
            {"findings": {"pneumonia": "absent"}},
            "at least one reason against the answer",
        ),
        (Opinion.CANNOT_ASSESS, {"findings": {"pneumonia": "absent"}}, "take them back"),
        (Opinion.MODIFY, {"findings": {"gout": "present"}}, "'gout' is not a class of this model"),
        (Opinion.MODIFY, {"findings": {"pneumonia": "perhaps"}}, "findings has 'perhaps'"),
        (Opinion.MODIFY, {"findings": ["pneumonia"]}, "findings is a list of 1; allowed: named"),
        (Opinion.MODIFY, {"corrected_label": "pneumonia"}, "asks each finding for itself"),
    ],
)
def test_what_is_said_of_findings_must_fit(workspace, readers, opinion, fields, message):
    case_id = predicted(workspace, PNEUMONIA, [0.007])
    with pytest.raises(VerdictError, match=message):
        judge(workspace, case_id, readers[0], opinion, **fields)
    assert sign.history(workspace, case_id, by=OPERATOR) == ()


def test_a_finding_that_was_not_asked_may_be_judged_too(workspace, readers):
    case_id = predicted(workspace, MANY, [0.9] + [0.1] * 17)
    findings = {"finding 1": Call.PRESENT, "finding 2": Call.ABSENT, "finding 3": "indeterminate"}
    signed = judge(workspace, case_id, readers[0], Opinion.ACCEPT, findings=findings)
    assert signed.findings == findings
    with pytest.raises(VerdictError, match="finding 4 is called absent by the model and present"):
        judge(
            workspace,
            case_id,
            readers[0],
            Opinion.ACCEPT,
            findings={"finding 1": Call.PRESENT, "finding 4": Call.PRESENT},
        )
    (earlier,) = shown(workspace, case_id, readers[0]).verdicts
    assert (earlier.findings, earlier.reasoning) == (findings, None)


def test_a_site_asks_about_findings_that_its_models_know(workspace):
    predicted(workspace, MANY, [0.9] + [0.1] * 17)
    predicted(workspace, PNEUMONIA, [0.9])
    assert asked.known(workspace, by=OPERATOR) == (*MANY, "pneumonia")
    for findings, message in (
        (["pneumonya"], "'pneumonya' is no finding of a model here; did you mean 'pneumonia'"),
        (["pneumonia", "pneumonia"], "pneumonia is named twice"),
        ([f"x{number}" for number in range(65)], "65 findings; allowed are 64"),
    ):
        with pytest.raises(asked.AskedError, match=message):
            asked.choose(workspace, findings, by=OPERATOR)
    assert asked.site_list(workspace, by=OPERATOR) == ()
    asked.choose(workspace, ["pneumonia"], by=OPERATOR)
    assert asked.site_list(workspace, by=OPERATOR) == ("pneumonia",)


def test_who_changes_the_list_stands_in_the_audit_chain(workspace):
    predicted(workspace, PNEUMONIA, [0.9])
    with workspace.begin() as session:
        administrator = builders.account(session, Role.ADMINISTRATOR).id
    asked.choose(workspace, PNEUMONIA, by=administrator)
    with workspace.read() as session:
        event = session.query(AuditEvent).filter_by(subject_id=asked.KEY).one()
    assert (event.actor_id, event.content["state"]["value"]) == (
        administrator,
        {"findings": PNEUMONIA},
    )


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE models SET card = json_set(card, '$.thresholds', json('[0.95]'))",
            "verdict 1: its model's thresholds 0 is 0.95 and was signed as 0.5",
        ),
        (
            "UPDATE predictions SET answer = 'pneumonia'",
            "verdict 1: its prediction's answer is 'pneumonia' and was signed as 'no finding'",
        ),
        (
            'UPDATE verdicts SET findings = \'{"pneumonia": "present"}\'',
            "verdict 1: its content was altered after it was signed",
        ),
        (
            "UPDATE verdicts SET reasoning = 'unsound'",
            "verdict 1: its content was altered after it was signed",
        ),
        (
            "UPDATE settings SET value = json_set(value, '$.findings', json('[]')) "
            "WHERE key = 'asked_findings'",
            "setting asked_findings: its value findings is [] and was recorded as ",
        ),
    ],
)
def test_what_a_verdict_on_findings_rests_on_cannot_change_in_silence(
    workspace, readers, statement, problem
):
    case_id = predicted(workspace, PNEUMONIA, [0.007])
    asked.choose(workspace, PNEUMONIA, by=OPERATOR)
    judge(workspace, case_id, readers[0], Opinion.ACCEPT, findings={"pneumonia": Call.ABSENT})
    assert verify(workspace, by=OPERATOR).problems == ()
    workspace.sessions.kw["bind"].dispose()
    tampered.tamper(workspace.settings.home, [statement])
    assert verify(workspace, by=OPERATOR).problems[0].startswith(problem)
