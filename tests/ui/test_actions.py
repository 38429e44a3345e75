"""What the browser may send: of the types it says, or refused in words with nothing written."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from review.errors import ActionError, VerdictError
from review.verdicts import sign
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests.builders import OPERATOR
from tests.ui.test_page_review import Browser, browse, cases, verdict_on
from ui.viewer import actions, schema

__all__ = ["browse", "cases"]  # fixtures

BOX = {"x": 1.0, "y": 1.0, "width": 2.0, "height": 2.0}
SENT: dict[str, dict[str, Any]] = {
    "verdict": {
        "request_id": "r",
        "case_id": 1,
        "prediction_id": 1,
        "evidence_token": "t",
        "explanation_ids": [1, 2],
        "opinion": "reject",
        "reasons": ["other"],
        "corrected_label": "normal",
        "findings": {"effusion": "absent"},
        "reasoning": "unsure",
        "plausibility": {"1": "plausible"},
        "comment": "",
        "boxes": [BOX],
        "exposure": "explanation",
        "active_seconds": 3,
        "supersedes_id": None,
        "reader_id": 1,
        "next_id": None,
    },
    "withdraw": {"request_id": "w", "verdict_id": 1, "case_id": 1, "model_id": None},
    "open": {"case_id": 1, "model_id": 2},
    "explain": {
        "case_id": 1,
        "model_id": 1,
        "target": None,
        "methods": ["rise", "occlusion"],
        "preset": "quick",
        "baseline": "black",
        "stepping": "fixed",
    },
    "check": {"explanation_id": 1},
    "again": {"explanation_id": 1},
    "cancel": {"job_id": 1, "case_id": 1},
    "retry": {"job_id": 1},
    "refresh": {},
}
FIELDS = [(kind, name) for kind, fields in SENT.items() for name in ("kind", *fields)]
TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


def test_every_action_of_the_browser_is_known():
    for kind, fields in SENT.items():
        assert schema.parse({"kind": kind, "seq": 1, **fields})
    assert set(schema.KINDS) == set(SENT)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prediction_id": "2"}, "Prediction id is '2'; allowed: whole numbers."),
        ({"prediction_id": True}, "Prediction id is true; allowed: whole numbers."),
        ({"prediction_id": 2**31}, "Prediction id is 2147483648; allowed: 2147483647 or less."),
        ({"case_id": 8.0}, "Case id is 8.0; allowed: whole numbers."),
        ({"reasons": ["other"] * 300_000}, "300000 reasons; allowed are 7."),
        ({"reasons": ["other", "other"]}, "Reasons names something twice."),
        ({"reasons": "other"}, "Reasons is 'other'; allowed: a list."),
        ({"reasons": [{}]}, "Reasons has named values; allowed: text."),
        ({"findings": ["effusion"]}, "Findings is a list of 1; allowed: named values."),
        (
            {"findings": {"effusion": True}},
            "Findings has true; allowed: 'present', 'absent' or 'indeterminate'.",
        ),
        ({"reasoning": "bad"}, "Reasoning is 'bad'; allowed: 'sound', 'unsound' or 'unsure'."),
        ({"boxes": [BOX | {"x": True}]}, "Boxes has true; allowed: numbers."),
        ({"boxes": [BOX | {"x": 10**400}]}, "Boxes has a huge number; allowed: numbers."),
        ({"boxes": [BOX | {"z": 1}]}, "Boxes has 'z'; allowed: 'x', 'y', 'width' or 'height'."),
        ({"boxes": [{}]}, "Boxes have one without x, y, width and height."),
        ({"opinion": "maybe"}, "Opinion is 'maybe'; allowed: 'accept', "),
        ({"opinion": None}, "Opinion is nothing; allowed: 'accept', "),
        ({"exposure": ["x"] * 9}, "Exposure is a list of 9; allowed: 'image_only', "),
        ({"explanation_ids": list(range(1, 10))}, "9 explanation ids; allowed are 8."),
        ({"plausibility": {"01": "plausible"}}, "Plausibility has '01'; allowed: whole numbers."),
        ({"active_seconds": 86_401}, "Active seconds is 86401; allowed: 86400.0 or less."),
        ({"corrected_label": "x" * 129}, "Corrected label has 129 characters; allowed are 128."),
        ({"request_id": 7}, "Request id is 7; allowed: text."),
        ({"role": "administrator"}, "The verdict has 'role', which this version does not know."),
        ({"next_id": "2"}, "Next id is '2'; allowed: whole numbers."),
    ],
)
def test_a_verdict_is_of_the_types_it_says(ws, cases, browse, fields, words):
    reply = browse(case=cases[0]).act("verdict", **verdict_on(ws, cases[0]) | fields)
    assert not reply["ok"]
    assert reply["words"].startswith(words)
    assert not sign.history(ws, cases[0], by=OPERATOR)


def test_judged_maps_were_seen(ws, cases, browse):
    browser = browse(case=cases[0])
    sent = verdict_on(ws, cases[0])
    judged = {str(sent["explanation_ids"][0]): "plausible"}
    for exposure in ("image_only", "prediction"):
        reply = browser.act("verdict", **sent | {"plausibility": judged, "exposure": exposure})
        assert "a map was judged that was not seen" in reply["words"].lower()
    reply = browser.act("verdict", **sent | {"exposure": "image_only"})
    assert "maps were on the screen" in reply["words"].lower()
    assert browser.act("verdict", **sent | {"exposure": "prediction"})["ok"]


def test_what_another_reader_gave_in_this_browser_is_not_signed_as_ones_own(ws, cases, browse):
    browser = browse(case=cases[0])
    given = verdict_on(ws, cases[0]) | {"reader_id": browser.reader_id + 1}
    words = browser.act("verdict", **given)["words"]
    assert words.startswith("This was entered by another reader")
    assert not sign.history(ws, cases[0], by=OPERATOR)


@pytest.mark.parametrize("name", SENT["verdict"])
def test_what_a_verdict_lacks_is_named(name):
    fields = {key: value for key, value in SENT["verdict"].items() if key != name}
    required = ("request_id", "case_id", "prediction_id", "evidence_token", "opinion", "reader_id")
    if name not in (*required, "next_id"):
        assert schema.parse({"kind": "verdict", **fields})
        return
    with pytest.raises((VerdictError, ActionError), match=f"lacks {name.replace('_', ' ')}"):
        schema.parse({"kind": "verdict", **fields})


@pytest.mark.parametrize("kind", ["erase", "x" * 10_000, 5, None, ["verdict"]])
def test_an_unknown_action_is_refused_with_those_that_are_known(ws, cases, browse, kind):
    words = browse(case=cases[0]).act(kind)["words"]
    assert words.startswith("This version does not know the action ")
    assert words.endswith(
        "; allowed: verdict, withdraw, open, explain, check, again, cancel, retry, refresh."
    )
    assert len(words) < 180


@pytest.mark.parametrize("seq", [None, True, 1.0, "1", [], -1, 0, 2**53])
def test_an_action_without_a_number_changes_nothing(ws, cases, browse, seq):
    browser = browse(case=cases[0])
    before = actions.last_done()
    actions.act(ws, {"kind": "open", "case_id": cases[1], "seq": seq})
    assert (before.seq, before.reply, actions.last_done()) == (0, None, before)
    assert browser.address["case"] == str(cases[0])


@pytest.mark.parametrize("sent", [5, "verdict", [], ["seq"], True])
def test_what_is_no_action_at_all_changes_nothing(ws, cases, browse, sent):
    browse(case=cases[0])
    actions.act(ws, sent)
    assert actions.last_done().reply is None


def test_a_refused_action_is_acknowledged_and_the_next_one_is_done(ws, cases, browse):
    browser = browse(case=cases[0])
    assert not browser.act("verdict", **verdict_on(ws, cases[0]) | {"case_id": 8.0})["ok"]
    assert actions.last_done().seq == browser.seq
    assert browser.act("verdict", **verdict_on(ws, cases[0]))["ok"]
    assert altered(ws) == []


def test_an_action_amid_which_the_run_was_ended_is_done_when_it_comes_again(
    ws, cases, browse, monkeypatch
):
    class Ended(BaseException):
        """As Streamlit ends a run whose browser is gone."""

    def end(*_: object, **__: object) -> None:
        raise Ended

    browser, given = browse(case=cases[0]), verdict_on(ws, cases[0])
    with monkeypatch.context() as patch:
        patch.setattr(actions, "go_to", end)
        with pytest.raises(Ended):
            browser.act("verdict", **given)
    browser.seq -= 1
    reply = browser.act("verdict", **given)
    (signed,) = sign.history(ws, cases[0], by=OPERATOR)
    assert reply == {"ok": True, "verdict_id": signed.id}


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(field=st.sampled_from(FIELDS), value=JSON)
def test_nothing_that_is_sent_is_an_incident_and_what_is_signed_verifies(
    ws, cases, browser, field, value
):
    kind, name = field
    fields = verdict_on(ws, cases[0]) if kind == "verdict" else SENT[kind]
    fields = fields | ({"request_id": f"r{browser.seq}"} if "request_id" in fields else {})
    if kind == "verdict":
        said = [v.id for v in sign.history(ws, cases[0], by=OPERATOR) if v.current]
        fields = fields | {"supersedes_id": next(iter(said), None)}
    sent = json.loads(json.dumps({"kind": kind, **fields, name: value}))
    browser.address["case"] = str(cases[0])
    n_before = len(sign.history(ws, cases[0], by=OPERATOR))
    reply = browser.act(sent.pop("kind"), **sent)
    n_signed = len(sign.history(ws, cases[0], by=OPERATOR)) - n_before
    assert "incident" not in reply.get("words", "")
    assert len(reply.get("words", "")) < 400
    assert n_signed <= reply["ok"]
    assert ("verdict_id" in reply) <= n_signed


@pytest.fixture
def browser(ws, browse, cases) -> Iterator[Browser]:
    yield browse(case=cases[0])
    assert altered(ws) == []


def altered(ws: Workspace) -> list[str]:
    """Return what is wrong with the record; the maps of these cases have no files."""
    problems = verify(ws, by=OPERATOR).problems
    return [problem for problem in problems if not problem.startswith("artifact")]
