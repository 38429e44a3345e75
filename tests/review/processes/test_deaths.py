from pathlib import Path

import pytest
from sqlalchemy import select

from db import jobs
from db.tables import Case, Job, Model
from db.types import CaseStatus, JobStatus, Origin
from review.cases import intake
from review.maps import requests
from review.models import registry
from review.processes import deaths, worker
from review.workspace import Workspace
from tests import tiny_models
from tests.builders import OPERATOR
from tests.pictures import png

HOW = "signal 11 (SIGSEGV)"


def add(ws: Workspace, tmp_path: Path, name: str = "tiny", *, n_cases: int = 1) -> int:
    model = registry.import_checked(ws, tiny_models.write_card(tmp_path / name, name), by=OPERATOR)
    files = [("a.png", png(seed)) for seed in range(n_cases)]
    list(intake.receive(ws, files, by=OPERATOR, origin=Origin.UPLOAD))
    return model.id


def claim(ws: Workspace) -> Job | None:
    with ws.begin() as session:
        return jobs.claim(session, worker="host-1-x", lease_seconds=60)


def suspended(ws: Workspace) -> str | None:
    with ws.read() as session:
        return session.scalars(select(Model.suspended)).first()


def die(ws: Workspace) -> None:
    assert claim(ws)
    deaths.record(ws, "host-1-", HOW)


def test_a_model_that_ends_one_worker_after_another_is_suspended(each_workspace, tmp_path):
    ws = each_workspace
    model_id = add(ws, tmp_path, n_cases=5)
    die(ws)
    die(ws)
    assert suspended(ws) is None
    die(ws)
    (model,) = registry.list_models(ws, by=OPERATOR)
    assert model.suspended == f"it ended 3 workers one after another, the last of them by {HOW}"
    assert claim(ws) is None
    registry.resume(ws, model_id, by=OPERATOR)
    assert suspended(ws) is None
    assert claim(ws)


def test_another_models_work_goes_on_meanwhile(workspace, tmp_path):
    add(workspace, tmp_path, n_cases=3)
    for _ in range(deaths.MAX_DEATHS_OF_MODEL):
        die(workspace)
    other = registry.import_checked(
        workspace, tiny_models.write_card(tmp_path / "b", "b"), by=OPERATOR
    )
    requests.request_all(workspace, other.id, by=OPERATOR)
    job = claim(workspace)
    assert job
    assert job.payload["model_id"] == other.id


def test_what_is_asked_of_a_suspended_model_waits_with_the_rest(workspace, tmp_path):
    model_id = add(workspace, tmp_path, n_cases=3)
    for _ in range(deaths.MAX_DEATHS_OF_MODEL):
        die(workspace)
    (outcome,) = intake.receive(workspace, [("new.png", png(9))], by=OPERATOR, origin=Origin.UPLOAD)
    requests.request(workspace, outcome.case_id, model_id=model_id, priority=1, by=OPERATOR)
    assert claim(workspace) is None


def test_a_job_that_gives_up_fails_its_case(workspace, tmp_path):
    add(workspace, tmp_path)
    for _ in range(jobs.MAX_DEATHS):
        die(workspace)
        with workspace.begin() as session:
            session.scalars(select(Model)).one().suspended = None
            jobs.let_go(session, 1)
    with workspace.read() as session:
        assert session.scalars(select(Job.status)).one() is JobStatus.FAILED
        assert session.scalars(select(Case.status)).one() is CaseStatus.FAILED


def test_deaths_that_work_has_followed_are_forgotten(workspace, tmp_path):
    add(workspace, tmp_path, n_cases=4)
    die(workspace)
    die(workspace)
    worker.run_once(workspace, "cpu", stopped=lambda: False)
    list(intake.receive(workspace, [("b.png", png(9))], by=OPERATOR, origin=Origin.UPLOAD))
    die(workspace)
    assert suspended(workspace) is None


def test_a_worker_stopped_on_purpose_blames_nobody(workspace, tmp_path):
    add(workspace, tmp_path)
    for _ in range(deaths.MAX_DEATHS_OF_MODEL + 1):
        assert claim(workspace)
        deaths.record(workspace, "host-1-", None)
    assert suspended(workspace) is None
    with workspace.read() as session:
        assert session.scalars(select(Job.n_attempts)).one() == 0
        assert session.scalars(select(Case.status)).one() is CaseStatus.QUEUED


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "signal 9 (SIGKILL)"),
        (-11, "signal 11 (SIGSEGV)"),
        (-250, "signal 250"),
        (1, "exit status 1"),
        (deaths.STOOD_STILL, "standing still"),
    ],
)
def test_an_exit_is_told_in_words(code, words):
    assert deaths.how_it_ended(code) == words
