import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from db.types import JobStatus, Role
from review.access import accounts
from review.cases import batches, intake
from review.cases.batches import Arrived, Batch
from review.cases.intake import FileOutcome
from review.errors import AccessError
from review.maps import requests
from review.maps.requests import JobView
from review.workspace import Workspace
from tests.builders import OPERATOR
from ui.panels.upload import FOLLOWED

WAIT_SECONDS = 10


@dataclass
class Desk:
    """Stands in for intake and the workers: what they were given, and what they answer."""

    received: list[tuple[str, bytes]] = field(default_factory=list)
    by: int | None = None
    grey_range: tuple[float, float] | None = None
    jobs: list[JobView] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    retried: list[int] = field(default_factory=list)
    error: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)

    def receive(self, ws, files, *, by, origin, grey_range) -> Iterator[FileOutcome]:
        self.by, self.grey_range = by, grey_range
        for number, (name, data) in enumerate(files, start=1):
            self.gate.wait(WAIT_SECONDS)
            if self.error:
                raise self.error
            self.received.append((name, data.read_bytes()))
            yield _outcome(number, name)


def _outcome(number: int, name: str) -> FileOutcome:
    if name.startswith("same"):
        return FileOutcome(name=name, kind="duplicate", case_id=7, reason="")
    if name.startswith("bad"):
        return FileOutcome(name=name, kind="refused", case_id=None, reason="not an image")
    return FileOutcome(name=name, kind="stored", case_id=100 + number, reason="")


def job(id: int, case_id: int, status: JobStatus, **fields) -> JobView:
    defaults = {"stage": "occlusion", "fraction": 0.5, "seconds_left": 90.0, "error": None}
    return JobView(id=id, case_id=case_id, model_id=1, status=status, **(defaults | fields))


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    stand_in = Desk()
    stand_in.gate.set()
    monkeypatch.setattr(intake, "receive", stand_in.receive)
    monkeypatch.setattr(requests, "progress", lambda ws, **_: stand_in.jobs)
    monkeypatch.setattr(
        requests, "cancel", lambda ws, job_id, *, by: stand_in.cancelled.append(job_id)
    )
    monkeypatch.setattr(
        requests, "retry", lambda ws, job_id, *, by: stand_in.retried.append(job_id)
    )
    return stand_in


@pytest.fixture
def upload(open_page: Callable, desk: Desk, ws: Workspace) -> Callable:
    """Upload files of these names as a reader, and wait until each has its outcome."""

    def run(*names: str, wait: bool = True):
        page = open_page("upload", Role.READER)
        by = accounts.list_accounts(ws, by=OPERATOR)[0].id
        batch = batches.begin(ws, "b", len(names), 0, by=by)
        batch.add(0, [arrived(batch, name) for name in names])
        batch.end()
        if wait:
            assert batch.wait(WAIT_SECONDS)
        page.session_state[FOLLOWED] = "b"
        return page.run()

    return run


def arrived(batch: Batch, name: str) -> Arrived:
    path = batch.folder / name
    path.write_bytes(name.encode())
    return Arrived(name, path, len(name))


def rows(page) -> list[dict]:
    return page.dataframe[0].value.to_dict("records")


def test_the_empty_page_says_what_is_accepted_and_what_is_not_kept(open_page, desk):
    page = open_page("upload", Role.READER)
    assert "DICOM" in page.markdown[0].value
    assert "identifiers" in page.markdown[0].value
    assert not page.button


def test_every_file_has_its_outcome_the_refused_ones_first(upload, desk):
    page = upload("a.png", "same.png", "bad.txt", "IM000001")
    assert not page.exception
    assert [name for name, _ in desk.received] == ["a.png", "same.png", "bad.txt", "IM000001"]
    table = rows(page)
    assert [row["Outcome"] for row in table] == ["Refused", "Stored", "Duplicate", "Stored"]
    assert [row["Case"] for row in table][1:3] == ["/review?case=101", "/review?case=7"]
    assert table[0]["Reason"] == "not an image"
    assert "No model is active" in page.info[0].value


def test_files_are_stored_in_the_name_of_who_uploaded_them(upload, desk, ws):
    upload("a.png")
    assert desk.by == accounts.list_accounts(ws, by=OPERATOR)[0].id


def test_a_click_does_not_interrupt_storing(upload, desk, ws):
    desk.gate.clear()
    page = upload(*(f"{n}.png" for n in range(200)), wait=False)
    assert "of 200 files" in page.get("progress")[0].proto.text
    page.run()
    desk.gate.set()
    batch = batches.find(ws, "b", by=desk.by)
    assert batch.wait(WAIT_SECONDS)
    assert len(rows(page.run())) == 200


def test_explaining_is_followed_and_can_be_cancelled(upload, desk):
    desk.jobs = [
        job(1, 101, JobStatus.DONE),
        job(2, 102, JobStatus.RUNNING),
        job(3, 103, JobStatus.QUEUED),
    ]
    page = upload("a.png", "b.png", "c.png")
    assert [row["Explanation"] for row in rows(page)] == ["Ready", "occlusion · 50%", "Waiting"]
    assert "1 of 3 done, about 3 min left" in page.get("progress")[0].proto.text
    next(button for button in page.button if button.label == "Cancel").click().run()
    assert desk.cancelled == [2, 3]


def test_a_failed_explanation_says_why(upload, desk):
    desk.jobs = [job(1, 101, JobStatus.FAILED, error="the model has no such class")]
    assert rows(upload("a.png"))[0]["Explanation"] == "Failed: the model has no such class"


def test_stopped_explanations_can_be_asked_for_again(upload, desk):
    desk.jobs = [job(1, 101, JobStatus.CANCELLED), job(2, 102, JobStatus.DONE)]
    page = upload("a.png", "b.png")
    next(button for button in page.button if button.label == "Explain again").click().run()
    assert desk.retried == [1]


def test_an_error_that_nobody_foresaw_is_shown_by_its_number_alone(upload, desk):
    desk.error = RuntimeError("the disk is full")
    page = upload("a.png", "b.png")
    assert "incident number" in page.error[0].value
    assert "disk" not in page.error[0].value


def test_an_upload_that_may_not_go_on_says_why(upload, desk):
    desk.error = AccessError("the reader ada may not bring images in")
    page = upload("a.png", "b.png")
    assert "the reader ada may not bring images in" in page.error[0].value


def test_after_a_reload_the_page_follows_what_is_still_being_stored(upload, desk, open_page, ws):
    desk.gate.clear()
    page = upload("a.png", "b.png", wait=False)
    del page.session_state[FOLLOWED]
    assert "of 2 files" in page.run().get("progress")[0].proto.text
    next(button for button in page.button if button.label == "Stop storing").click()
    desk.gate.set()
    page.run()
    assert batches.find(ws, "b", by=desk.by).wait(WAIT_SECONDS)


def test_whoever_uploads_says_which_values_are_black_and_white(open_page, desk, ws):
    page = open_page("upload", Role.READER)
    page.selectbox[0].select("12 bits: 0 to 4,095").run()
    by = accounts.list_accounts(ws, by=OPERATOR)[0].id
    batch = batches.begin(ws, "c", 1, 0, by=by)
    batch.add(0, [arrived(batch, "a.png")])
    batch.end()
    assert batch.wait(WAIT_SECONDS)
    assert desk.grey_range == (0, 4095)
