import json
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from db.tables import Account, Case, Job, Prediction, Verdict
from db.types import JobStatus, Role
from review.access.accounts import AccountView
from review.cases import reading
from review.catalogue import PAIR
from review.maps.requests import progress
from review.verdicts import sign
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from ui.viewer import actions
from ui.viewer.payload import how


def shown(page: AppTest) -> dict[str, Any]:
    """Return what the page gave its component."""
    assert not page.exception
    (component,) = page.get("bidi_component")
    return json.loads(component.proto.json)


@pytest.fixture
def cases(ws: Workspace) -> list[int]:
    """Three explained cases."""
    with ws.begin() as session:
        model = builders.model(session)
        found = []
        for _ in range(3):
            case = builders.case(session)
            prediction = builders.prediction(session, case, model)
            for method in PAIR:
                builders.explanation(session, prediction, method=method)
            found.append(case.id)
        return found


class Browser:
    """A stand-in for the browser: acts on the page's address and keeps its session."""

    def __init__(
        self, ws: Workspace, reader_id: int, monkeypatch: pytest.MonkeyPatch, **query: object
    ) -> None:
        self.ws = ws
        self.reader_id = reader_id
        self.address = {key: str(value) for key, value in query.items()}
        self.seq = 0
        monkeypatch.setattr(st, "query_params", self.address)
        monkeypatch.setattr(st, "session_state", {})

    def act(self, kind: str, **fields: object) -> dict[str, Any]:
        """Do an action and return the answer."""
        self.seq += 1
        if kind == "verdict":
            fields = {"reader_id": self.reader_id, **fields}
        actions.act(self.ws, {"kind": kind, "seq": self.seq, **fields})
        reply = actions.last_done().reply
        assert reply is not None
        return reply


@pytest.fixture
def browse(
    ws: Workspace,
    signed_in: Callable[[Role], AccountView],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Browser]:
    """Open an address as a reader: `browse(case=17)`."""

    def open_address(role: Role = Role.READER, **query: object) -> Browser:
        return Browser(ws, signed_in(role).id, monkeypatch, **query)

    return open_address


def verdict_on(ws: Workspace, case_id: int, **fields: object) -> dict[str, object]:
    """Return a verdict as the browser sends it."""
    case = reading.open_case(ws, case_id, reader_id=OPERATOR)
    assert case.prediction
    return {
        "request_id": f"request {case_id}",
        "case_id": case_id,
        "prediction_id": case.prediction.id,
        "evidence_token": case.evidence_token,
        "explanation_ids": [m.explanation_id for m in case.maps if m],
        "opinion": "accept",
        "reasons": [],
        "corrected_label": None,
        "plausibility": {},
        "comment": "",
        "boxes": [],
        "exposure": "explanation",
        "active_seconds": 3.2,
        "next_id": None,
        **fields,
    }


# --- what is shown ----------------------------------------------------------------------------


def test_a_deep_link_opens_its_case_with_its_neighbours_ready(open_page, cases):
    data = shown(open_page("review", Role.READER, case=cases[1]))
    assert data["current"] == cases[1]
    assert sorted(map(int, data["cases"])) == cases
    place = data["place"]
    assert (place["position"], place["n_total"]) == (2, 3)
    assert (place["previous_id"], place["next_id"]) == (cases[0], cases[2])
    assert place["next_unread_id"] == cases[2]


def test_without_a_case_the_next_unread_one_is_opened(open_page, cases):
    page = open_page("review", Role.READER)
    assert shown(page)["current"] == cases[0]
    assert page.query_params["case"] == str(cases[0])


@pytest.fixture
def second(ws: Workspace, cases: list[int]) -> list[Prediction]:
    """A second model's predictions of the first two cases."""
    with ws.begin() as session:
        model = builders.model(session)
        found = [session.get_one(Case, case_id) for case_id in cases[:2]]
        return [builders.prediction(session, case, model) for case in found]


def judge(ws: Workspace, *case_ids: int, model_id: int = 1) -> None:
    """Have the reader who is signed in judge one model's predictions."""
    with ws.begin() as session:
        reader = session.get_one(Account, 1)
        for case_id in case_ids:
            of = session.query(Prediction).filter_by(case_id=case_id, model_id=model_id).one()
            builders.verdict(session, of, reader)


def test_the_next_unread_prediction_is_that_of_the_model_that_is_unread(
    open_page, signed_in, ws, cases, second
):
    signed_in(Role.READER)
    judge(ws, *cases)
    page = open_page("review", None)
    data = shown(page)
    assert (data["current"], page.query_params["model"]) == (cases[0], "2")
    assert data["cases"][str(cases[0])]["model_id"] == 2
    following = data["cases"][data["place"]["next_unread_key"]]
    assert (following["id"], following["model_id"]) == (cases[1], 2)


def test_a_step_keeps_the_model_where_the_next_unread_prediction_is_anothers(
    open_page, signed_in, ws, cases, second
):
    signed_in(Role.READER)
    judge(ws, cases[1])
    data = shown(open_page("review", None, case=cases[0], model=1))
    place = data["place"]
    assert (place["next_id"], place["next_unread_id"]) == (cases[1], cases[1])
    assert data["cases"][str(cases[1])]["model_id"] == 1
    assert data["cases"][place["next_unread_key"]]["model_id"] == 2


def test_signing_goes_on_to_the_unread_prediction_of_the_case_on_screen(ws, cases, second, browse):
    browser = browse(case=cases[0], model=1)
    judge(ws, cases[1])
    browser.act("verdict", **verdict_on(ws, cases[0], next_id=cases[1]))
    assert browser.address == {"case": str(cases[1]), "model": "2"}


def test_the_worklists_filters_are_kept(open_page, cases, ws):
    with ws.begin() as session:
        other = builders.model(session)
        case = builders.case(session)
        builders.prediction(session, case, other)
    data = shown(open_page("review", Role.READER, model_id=other.id))
    assert (data["current"], data["place"]["n_total"]) == (case.id, 1)


@pytest.mark.parametrize("case", ["999", "abc", "-1", "١"])
def test_an_address_of_no_case_is_said(open_page, cases, case):
    data = shown(open_page("review", Role.READER, case=case))
    assert data["current"] is None
    assert data["empty"]["title"] == "Unknown case"


def test_an_empty_site_points_to_the_upload(open_page):
    empty = shown(open_page("review", Role.READER))["empty"]
    assert empty["title"] == "No cases yet"
    assert empty["links"][0]["href"] == "/upload"


@pytest.mark.parametrize(
    ("role", "may_sign"),
    [(Role.READER, True), (Role.ENGINEER, False), (Role.ADMINISTRATOR, True)],
)
def test_readers_and_administrators_may_sign(open_page, cases, role, may_sign):
    assert shown(open_page("review", role, case=cases[0]))["reader"]["may_sign"] is may_sign


def test_parameters_are_said_in_words():
    gradients = {"n_steps": 50, "preset": "standard", "baseline": "black"}
    assert how(gradients) == "Made with: standard preset, 50 steps, black baseline."
    covered = {"window": [16, 16], "stride": [8, 8], "baseline": "mean"}
    assert how(covered) == "Made with: window 16 × 16 px, stride 8 × 8 px, mean baseline."


def test_adaptive_steps_are_said_with_what_they_came_to():
    params = {"rule": "adaptive", "tolerance": 0.01, "n_steps": 512, "preset": "standard"}
    reached = how(params, {"n_points": 37, "has_converged": True})
    assert reached == "Made with: standard preset, 37 points, refined to 1.0%."
    missed = how(params, {"n_points": 512, "has_converged": False})
    assert missed == "Made with: standard preset, 512 points, not converged to 1.0%."


def test_regions_and_samples_are_said_in_words():
    params = {"segments": {"n_segments": 48}, "n_samples": 1024, "preset": "quick"}
    assert how(params) == "Made with: quick preset, 48 regions, 1,024 samples."


def test_the_layer_of_a_coarse_map_is_named():
    assert how({"layer": "features.12"}) == "Made with: layer features.12."
    several = {"preset": "quick", "n_steps": 10, "baselines": [0.0, 1.0]}
    assert how(several) == "Made with: quick preset, 10 steps, 2 baselines."


def test_a_map_that_did_not_converge_warns_on_its_pane(open_page, ws):
    note = "Not converged to 1.00% within 512 points."
    with ws.begin() as session:
        case = builders.case(session)
        prediction = builders.prediction(session, case, builders.model(session))
        gradients = builders.explanation(session, prediction, params={"notes": [note]})
        gradients.trust = gradients.trust | {"of_method": {"has_converged": False}}
        builders.explanation(session, prediction, method="occlusion", params={"notes": ["Dense."]})
    gradients, occlusion = shown(open_page("review", case=case.id))["cases"][str(case.id)]["maps"]
    assert gradients["warnings"] == [note]
    assert occlusion["warnings"] == []
    assert occlusion["trust"]["notes"] == ["Dense."]
    assert "larger than the patch" in occlusion["beware"]


@pytest.mark.parametrize(
    ("address", "methods"),
    [
        ({}, ["integrated_gradients", "occlusion"]),
        ({"left": "rise"}, ["rise", "occlusion"]),
        ({"left": "rise", "right": "saliency"}, ["rise", "saliency"]),
        ({"left": "occlusion"}, ["occlusion", "integrated_gradients"]),
        ({"left": "magic", "right": "<b>"}, ["integrated_gradients", "occlusion"]),
    ],
)
def test_a_deep_link_says_whose_maps_lie_left_and_right(open_page, cases, address, methods):
    data = shown(open_page("review", case=cases[0], **address))
    assert [m["method"] for m in data["cases"][str(cases[0])]["maps"]] == methods


# --- what the reader does ---------------------------------------------------------------------


def test_a_verdict_is_signed_and_the_case_that_the_browser_shows_is_opened(ws, cases, browse):
    browser = browse(case=cases[0])
    reply = browser.act("verdict", **verdict_on(ws, cases[0], next_id=cases[2]))
    (signed,) = sign.history(ws, cases[0], by=OPERATOR)
    assert reply == {"ok": True, "verdict_id": signed.id}
    assert browser.address["case"] == str(cases[2])


def test_an_action_that_comes_twice_is_done_once(ws, cases, browse):
    browser = browse(case=cases[0])
    sent = verdict_on(ws, cases[0])
    first = browser.act("verdict", **sent)
    browser.seq -= 1
    assert browser.act("verdict", **sent) is first
    assert len(sign.history(ws, cases[0], by=OPERATOR)) == 1


def test_a_verdict_on_a_case_that_is_not_open_is_refused(ws, cases, browse):
    browser = browse(case=cases[1])
    reply = browser.act("verdict", **verdict_on(ws, cases[0]))
    assert not reply["ok"]
    assert "another case was open" in reply["words"]
    assert not sign.history(ws, cases[0], by=OPERATOR)


def test_a_verdict_on_other_evidence_is_refused_and_the_case_stays_open(ws, cases, browse):
    browser = browse(case=cases[0])
    reply = browser.act("verdict", **verdict_on(ws, cases[0], evidence_token="0" * 64))
    assert not reply["ok"]
    assert "has changed since it was shown" in reply["words"]
    assert browser.address["case"] == str(cases[0])


def test_an_engineer_signs_nothing(ws, cases, browse):
    reply = browse(Role.ENGINEER, case=cases[0]).act("verdict", **verdict_on(ws, cases[0]))
    words = (
        "The engineer a-engineer may not sign or withdraw verdicts; readers and administrators may."
    )
    assert reply == {"ok": False, "words": words}


def test_nothing_is_signed_after_the_session_has_ended(ws, cases, browse, monkeypatch):
    browser = browse(case=cases[0])
    monkeypatch.setattr(actions.guard, "session_token", lambda: None)
    reply = browser.act("verdict", **verdict_on(ws, cases[0]))
    assert "Your session has ended" in reply["words"]
    assert not sign.history(ws, cases[0], by=OPERATOR)


def test_what_nobody_foresaw_is_an_incident(ws, cases, browse, monkeypatch):
    monkeypatch.setattr(actions.sign, "record", None)
    reply = browse(case=cases[0]).act("verdict", **verdict_on(ws, cases[0]))
    assert reply["words"].startswith("Something went wrong (incident ")


def test_undo_withdraws_and_opens_the_case_again(ws, cases, browse):
    browser = browse(case=cases[0])
    sent = verdict_on(ws, cases[0], next_id=cases[1])
    verdict_id = browser.act("verdict", **sent)["verdict_id"]
    model_id = reading.open_case(ws, cases[0], reader_id=OPERATOR).predictions[0].model_id
    undo = {"verdict_id": verdict_id, "request_id": "undo", "case_id": cases[0]}
    assert browser.act("withdraw", **undo, model_id=model_id)["ok"]
    assert browser.address == {"case": str(cases[0]), "model": str(model_id)}
    assert not any(verdict.current for verdict in sign.history(ws, cases[0], by=OPERATOR))


def test_another_class_is_asked_for_once_and_opened(ws, cases, browse):
    browser = browse(case=cases[0])
    model_id = reading.open_case(ws, cases[0], reader_id=OPERATOR).predictions[0].model_id
    for _ in range(2):
        assert browser.act("explain", case_id=cases[0], model_id=model_id, target=3)["ok"]
    assert browser.address["target"] == "3"
    assert len(progress(ws, case_ids=[cases[0]], by=OPERATOR)) == 1


def test_maps_that_exist_are_opened_without_a_job(ws, cases, browse):
    browser = browse(case=cases[0], target=3)
    model_id = reading.open_case(ws, cases[0], reader_id=OPERATOR).predictions[0].model_id
    assert browser.act("explain", case_id=cases[0], model_id=model_id, target=1)["ok"]
    assert not progress(ws, case_ids=[cases[0]], by=OPERATOR)


@pytest.fixture
def model_id(ws, cases) -> int:
    return reading.open_case(ws, cases[0], reader_id=OPERATOR).predictions[0].model_id


def test_another_method_is_asked_for_alone_and_put_into_its_pane(ws, cases, browse, model_id):
    browser = browse(case=cases[0])
    asked = {"case_id": cases[0], "model_id": model_id, "target": 1}
    for _ in range(2):
        assert browser.act("explain", **asked, methods=["rise", "occlusion"])["ok"]
    assert (browser.address["left"], browser.address["right"]) == ("rise", "occlusion")
    (job,) = progress(ws, case_ids=[cases[0]], by=OPERATOR)
    with ws.read() as session:
        assert session.get_one(Job, job.id).payload["methods"] == ["rise"]
    assert browser.act("explain", **asked, methods=list(PAIR))["ok"]
    assert "left" not in browser.address


def test_the_pair_is_made_together_and_other_methods_apart(ws, cases, browse, model_id):
    browser = browse(case=cases[0])
    asked = {"case_id": cases[0], "model_id": model_id, "target": 3}
    browser.act("explain", **asked, methods=["occlusion", "rise"])
    with ws.read() as session:
        payloads = [
            session.get_one(Job, j.id).payload
            for j in progress(ws, case_ids=[cases[0]], by=OPERATOR)
        ]
    assert [payload.get("methods") for payload in payloads] == [None, ["rise"]]


def test_a_method_that_does_not_exist_is_refused(ws, cases, browse, model_id):
    browser = browse(case=cases[0])
    asked = {"case_id": cases[0], "model_id": model_id, "target": 1}
    reply = browser.act("explain", **asked, methods=["magic", "occlusion"])
    assert reply["words"].startswith("Method is 'magic'; allowed: ")
    assert "left" not in browser.address


def test_a_verdict_is_bound_to_exactly_the_maps_on_screen(ws, cases, browse):
    with ws.begin() as session:
        prediction = session.query(Prediction).filter_by(case_id=cases[0]).one()
        rise_id = builders.explanation(session, prediction, method="rise").id
    case = reading.open_case(ws, cases[0], reader_id=OPERATOR, methods=("rise", "occlusion"))
    ids = [m.explanation_id for m in case.maps if m]
    assert ids[0] == rise_id
    sent = verdict_on(
        ws,
        cases[0],
        evidence_token=case.evidence_token,
        explanation_ids=ids,
        plausibility={str(rise_id): "plausible"},
    )
    assert browse(case=cases[0]).act("verdict", **sent)["ok"]
    with ws.read() as session:
        evidence = session.query(Verdict).one().evidence
    assert [m["method"] for m in evidence["maps"]] == ["occlusion", "rise"]


def test_a_thorough_check_is_asked_for_once_and_followed(ws, cases, browse, open_page):
    map_id = reading.open_case(ws, cases[0], reader_id=OPERATOR).maps[0].explanation_id
    browser = browse(case=cases[0])
    for _ in range(2):
        assert browser.act("check", explanation_id=map_id)["ok"]
    first, second = reading.open_case(ws, cases[0], reader_id=OPERATOR).checks
    assert (first.status, second) == (JobStatus.QUEUED, None)
    assert browser.act("cancel", job_id=first.id)["ok"]
    assert (
        reading.open_case(ws, cases[0], reader_id=OPERATOR).checks[0].status is JobStatus.CANCELLED
    )


def test_a_check_of_no_map_is_refused(ws, cases, browse):
    reply = browse(case=cases[0]).act("check", explanation_id=999)
    assert reply == {"ok": False, "words": "Explanation 999 does not exist."}


def test_leaving_a_case_forgets_its_target_and_keeps_the_model(ws, cases, browse):
    browser = browse(case=cases[0], model=1, target=3, sort="newest")
    assert browser.act("open", case_id=cases[1])["ok"]
    assert browser.address == {"case": str(cases[1]), "model": "1", "sort": "newest"}
