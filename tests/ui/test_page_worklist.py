import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from db.types import CaseStatus, JobStatus, Opinion, Role
from review.access import accounts
from review.cases.worklist import WorklistQuery, search
from review.state.flags import refresh_flags
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from ui.worklist.table import row_json


def shown(page: AppTest) -> list[dict[str, Any]]:
    """Return the rows that the page gave its table."""
    assert not page.exception
    (component,) = page.get("bidi_component")
    return json.loads(component.proto.json)["rows"]


def address(page: AppTest) -> dict[str, str]:
    """Return the page's query; a test's own values are lists, the page's are not."""
    query = page.query_params
    return {key: query[key] if isinstance(query[key], str) else query[key][0] for key in query}


@pytest.fixture
def cases(ws: Workspace) -> list[int]:
    """Two cases: one to read, one that failed."""
    with ws.begin() as session:
        model = builders.model(session, name="m")
        read = builders.case(session, synthetic=True, view_position="PA")
        builders.prediction(session, read, model)
        failed = builders.case(session, status=CaseStatus.FAILED)
        job = builders.job(session, case_id=failed.id)
        job.status, job.error = JobStatus.FAILED, "the image has 3 channels; the model takes 1"
    return [read.id, failed.id]


def test_an_empty_worklist_says_what_to_do(open_page):
    page = open_page("worklist")
    assert not page.exception
    assert "No cases yet" in [heading.value for heading in page.subheader]


def test_each_case_is_shown_with_what_a_reader_scans_for(open_page, cases):
    read, failed = shown(open_page("worklist"))
    assert (read["id"], read["facts"], read["status_words"]) == (
        cases[0],
        ["Synthetic", "PA"],
        "To read",
    )
    assert read["predictions"] == [{"model": "m", "version": "1", "label": "nodule", "score": 0.9}]
    assert failed["error"] == "the image has 3 channels; the model takes 1"


def test_a_case_says_its_side_and_where_its_study_is_listed(open_page, ws):
    with ws.begin() as session:
        for side in "LR":
            case = builders.case(session, modality="MG", acquisition={"laterality": side})
            builders.source(session, case, study_key="s", instance_number=case.id)
        alone = builders.case(session)
    page = open_page("worklist")
    first, second, other = shown(page)
    assert (first["facts"], second["facts"]) == (["MG", "left"], ["MG", "right"])
    assert second["study"] == {"words": "2 of 2 in this study", "href": f"/?study={second['id']}"}
    assert (other["id"], other["study"]) == (alone.id, None)
    page.query_params["study"] = str(first["id"])
    page.run()
    assert [row["id"] for row in shown(page)] == [first["id"], second["id"]]
    assert f"2 cases of the study of case {first['id']}" in [text.value for text in page.markdown]
    next(button for button in page.button if button.label == "Clear filters").click().run()
    assert len(shown(page)) == 3


def test_an_address_sets_the_filters_and_keeps_them(open_page, cases):
    page = open_page("worklist", status="failed", sort="newest")
    assert [row["id"] for row in shown(page)] == [cases[1]]
    assert page.selectbox(key="worklist_status").value is CaseStatus.FAILED
    assert address(page) == {"status": "failed", "sort": "newest"}


def test_a_filter_is_put_into_the_address(open_page, cases):
    page = open_page("worklist")
    page.selectbox(key="worklist_label").select("nodule").run()
    assert [row["id"] for row in shown(page)] == [cases[0]]
    assert address(page) == {"label": "nodule"}


def test_an_address_that_changes_by_itself_wins_over_the_filters(open_page, cases):
    page = open_page("worklist", status="failed")
    page.query_params["status"] = "ready"
    page.run()
    assert [row["id"] for row in shown(page)] == [cases[0]]
    assert page.selectbox(key="worklist_status").value is CaseStatus.READY


def test_no_match_offers_to_clear_the_filters(open_page, cases):
    page = open_page("worklist", text="zebra", sort="newest")
    assert "No case matches" in [heading.value for heading in page.subheader]
    page.button[0].click().run()
    assert len(shown(page)) == 2
    assert address(page) == {"sort": "newest"}


def test_what_the_filters_cannot_show_is_left_out(open_page, cases):
    page = open_page("worklist", model_id="99", reader_id="99", label="unicorn", page="7")
    assert len(shown(page)) == 2
    assert address(page) == {}


def test_unread_means_by_whoever_looks(open_page, cases):
    page = open_page("worklist", unread_by="999")
    assert page.toggle[0].value
    assert address(page) == {"unread_by": "1"}


def test_the_page_of_a_long_list_stands_in_the_address(open_page, ws):
    with ws.begin() as session:
        image = builders.artifact(session)
        for _ in range(51):
            builders.case(session, image_sha256=image)
    page = open_page("worklist", page="2")
    assert [row["id"] for row in shown(page)] == [51]
    page.toggle[0].set_value(True).run()
    assert shown(page)[0]["id"] == 1
    assert address(page) == {"unread_by": "1"}


def test_progress_is_shown_while_a_case_is_being_explained(open_page, ws):
    with ws.begin() as session:
        case = builders.case(session, status=CaseStatus.EXPLAINING)
        job = builders.job(session, case_id=case.id)
        job.status, job.n_done, job.n_total, job.stage = JobStatus.RUNNING, 1, 4, "Occlusion"
    (row,) = shown(open_page("worklist"))
    assert (row["progress"], row["stage"]) == (0.25, "Occlusion")


@pytest.mark.parametrize(
    ("name", "words", "flags"),
    [
        ("cleo", [], ["Low confidence"]),
        ("ada", ["not nodule", "Reject"], ["Rejected", "Low confidence"]),
        ("grace", ["not nodule", "Reject"], ["Rejected", "Low confidence"]),
    ],
)
def test_a_reader_is_not_led_by_what_others_judged(ws, name, words, flags):
    with ws.begin() as session:
        case = builders.case(session)
        prediction = builders.prediction(session, case, builders.model(session), score=0.4)
        builders.verdict(
            session, prediction, builders.account(session, name="ada"), opinion=Opinion.REJECT
        )
        refresh_flags(session, case.id)
        builders.account(session, name="cleo")
        builders.account(session, role=Role.ENGINEER, name="grace")
    (viewer,) = [
        account for account in accounts.list_accounts(ws, by=OPERATOR) if account.name == name
    ]
    (row,) = search(ws, WorklistQuery(), by=viewer.id).rows
    drawn = row_json(row, viewer)
    assert [verdict["words"] for verdict in drawn["verdicts"]] == words
    assert drawn["flags"] == flags


def test_nobody_sees_nothing(open_page, cases):
    page = open_page("worklist", None)
    assert not page.get("bidi_component")
    assert "Sign in" in page.subheader[0].value
