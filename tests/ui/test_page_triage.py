import pytest

from db.tables import Prediction
from db.types import Disposition, Opinion, Role
from review.state.flags import refresh_flags
from review.triage import queue
from review.triage.queue import TriageFilter, TriageState
from tests import builders
from tests.builders import OPERATOR

OPEN = {"others_open": [7]}


@pytest.fixture
def flagged(ws) -> int:
    with ws.begin() as session:
        case = builders.case(session)
        builders.prediction(session, case, builders.model(session), score=0.3)
        refresh_flags(session, case.id)
        return case.id


def test_nothing_predicted_yet(open_page):
    page = open_page("triage", Role.ENGINEER)
    assert not page.exception
    assert "No case has been predicted" in page.info[0].value


def test_a_reader_may_not_triage(open_page, flagged):
    page = open_page("triage", Role.READER)
    assert len(page.dataframe) == 0
    assert "not open to you" in page.subheader[0].value


def test_the_queue_names_case_and_reason(open_page, flagged):
    page = open_page("triage", Role.ENGINEER)
    assert not page.exception
    rows = page.dataframe[1].value.to_dict("records")
    assert [(row["Case"], row["Why"]) for row in rows] == [(flagged, "Low confidence")]


def test_a_deep_link_opens_the_case_and_closes_it(open_page, ws, flagged):
    page = open_page("triage", Role.ENGINEER, case=flagged)
    assert not page.exception
    page.text_area[0].input("reads the marker")
    page.button[-1].click().run()
    assert not page.exception
    (closed,) = queue.queue(ws, TriageFilter(TriageState.CLOSED), by=OPERATOR).items
    assert closed.disposition is Disposition.SHORTCUT
    assert queue.history(ws, flagged, by=OPERATOR)[0].comment == "reads the marker"


def test_what_readers_said_stands_beside_it(open_page, ws, flagged):
    with ws.begin() as session:
        prediction = session.query(Prediction).one()
        ada = builders.account(session, name="ada", display_name="Ada L.")
        builders.verdict(session, prediction, ada, comment="no change", evidence=OPEN)
        said = {"opinion": Opinion.REJECT, "reasons": ["looks_at_marker"], "reasoning": "unsound"}
        builders.verdict(session, prediction, ada, **said)
    page = open_page("triage", Role.ENGINEER, case=flagged)
    first, second = (c.value for c in page.caption if "Ada L." in c.value)
    assert first.endswith("Accept · superseded · others' verdicts were open to this reader")
    assert second.endswith("Reject · looks at a marker or text · reason unsound")
    assert "no change" in [text.value for text in page.text]


def test_an_unknown_case_is_said(open_page, flagged):
    page = open_page("triage", Role.ENGINEER, case=999)
    assert "no flag" in page.info[-1].value
