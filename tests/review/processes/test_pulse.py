import os
import signal
import threading

import pytest

from db.tables import Job
from db.types import now
from review.errors import SettingsError
from review.processes import pulse
from review.processes.deaths import STOOD_STILL
from review.processes.pulse import PIPE_VARIABLE, STILL_VARIABLE, Pulse
from review.workspace import Workspace
from tests import builders

PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.01)


def job_of(ws: Workspace, worker: str) -> int:
    with ws.begin() as session:
        job = builders.job(session)
        job.status, job.worker, job.lease_until_at = "running", worker, now()
        return job.id


def test_a_lease_is_held_while_nothing_is_reported(workspace: Workspace):
    job_id = job_of(workspace, "w")
    renewed = threading.Event()

    class Watched(Workspace):
        def begin(self):
            renewed.set()
            return super().begin()

    watched = Watched(workspace.settings, workspace.artifacts, workspace.sessions)
    with Pulse(watched, "w", lease_seconds=0.1).beating() as beating, beating.at_work(job_id):
        assert renewed.wait(PATIENCE_SECONDS)
        renewed.clear()
        assert renewed.wait(PATIENCE_SECONDS)
    with workspace.read() as session:
        job = session.get_one(Job, job_id)
    assert job.lease_until_at > job.created_at


def test_work_that_comes_no_further_is_ended(workspace: Workspace, monkeypatch):
    monkeypatch.setattr(pulse, "still_seconds", lambda: 0.05)
    ended = []
    happened = threading.Event()

    def end(status: int) -> None:
        ended.append(status)
        happened.set()

    with (
        Pulse(workspace, "w", lease_seconds=60, end=end).beating() as beating,
        beating.at_work(job_of(workspace, "w")),
    ):
        assert happened.wait(PATIENCE_SECONDS)
    assert set(ended) == {STOOD_STILL}


def test_a_worker_without_its_supervisor_is_asked_to_stop_and_then_ended(
    workspace: Workspace, monkeypatch
):
    reader, writer = os.pipe()
    os.close(reader)
    asked, ended = threading.Event(), threading.Event()
    former = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    monkeypatch.setattr(pulse, "STOP_SECONDS", 0.05)
    monkeypatch.setenv(PIPE_VARIABLE, str(writer))
    try:
        with Pulse(workspace, "w", lease_seconds=60, end=lambda _: ended.set()).beating():
            assert asked.wait(PATIENCE_SECONDS)
            assert ended.wait(PATIENCE_SECONDS)
    finally:
        signal.signal(signal.SIGTERM, former)
        os.close(writer)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "soon", ""])
def test_a_patience_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv(STILL_VARIABLE, value)
    with pytest.raises(SettingsError, match=STILL_VARIABLE):
        pulse.still_seconds()
