from sqlalchemy import select

from db.tables import AuditEvent
from db.types import AuditKind, JobKind, JobStatus, Role
from review.exporting import kept, requests
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


def test_a_damaged_export_is_said_to_be_and_not_offered(open_page, ws):
    with ws.begin() as session:
        job = builders.job(session, kind=JobKind.EXPORT)
        job.status = JobStatus.DONE
        path = kept.path_of(ws, job.id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"PK\x03\x04 and no end")
    page = open_page("export", Role.ENGINEER)
    assert any("damaged" in element.value for element in page.markdown)
    assert not page.get("link_button")


def test_an_export_is_removed_by_a_second_click_and_that_is_recorded(open_page, ws):
    with ws.begin() as session:
        job = builders.job(session, kind=JobKind.EXPORT)
        job.status = JobStatus.DONE
        path = kept.path_of(ws, job.id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"PK")
    page = open_page("export", Role.ENGINEER)
    assert "Nobody can download it any more" in page.get("popover")[0].markdown[0].value
    next(b for b in page.button if b.label == f"Remove export {job.id}").click().run()
    assert not path.exists()
    assert "Removed" in [element.value for element in page.markdown]
    with ws.read() as session:
        assert AuditKind.EXPORT_REMOVED in session.scalars(select(AuditEvent.kind)).all()
