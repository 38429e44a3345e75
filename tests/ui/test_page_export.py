from db.types import JobStatus, Role
from review.exporting import requests
from tests import builders
from tests.builders import OPERATOR


def test_nothing_to_export_says_so(open_page):
    page = open_page("export", Role.ENGINEER)
    assert not page.exception
    assert page.button[0].disabled
    assert "No export has been made" in page.info[0].value


def test_a_reader_may_not_export(open_page):
    page = open_page("export", Role.READER)
    assert len(page.button) == 0


def test_an_export_is_counted_and_queued(open_page, ws):
    with ws.begin() as session:
        builders.prediction(session, builders.case(session), builders.model(session))
    page = open_page("export", Role.ENGINEER)
    unjudged = next(t for t in page.toggle if "without a verdict" in t.label)
    unjudged.set_value(True).run()
    assert [metric.value for metric in page.metric] == ["1", "1", "0", "0", "0"]
    page.button[0].click().run()
    assert not page.exception
    assert [export.status for export in requests.exports(ws, by=OPERATOR)] == [JobStatus.QUEUED]
