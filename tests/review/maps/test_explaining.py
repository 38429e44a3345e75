from datetime import timedelta

import pytest

from db import jobs
from db.errors import NotFoundError
from db.tables import Case, Job
from db.types import CaseStatus, JobStatus, now
from review.catalogue import Stepping
from review.maps import requests
from review.maps.recipes import Recipe, RecipeError
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR


@pytest.fixture
def case_id(workspace: Workspace) -> int:
    """A case that waits, and two models of which one is active."""
    with workspace.begin() as session:
        builders.model(session, name="on")
        builders.model(session, name="off", active=False)
        return builders.case(session, status=CaseStatus.QUEUED).id


def status(ws: Workspace, case_id: int) -> CaseStatus:
    with ws.read() as session:
        return session.get_one(Case, case_id).status


def claim(ws: Workspace) -> int:
    with ws.begin() as session:
        job = jobs.claim(session, worker="w", lease_seconds=60)
        assert job is not None
        return job.id


def test_every_active_model_is_asked(workspace: Workspace, case_id: int) -> None:
    assert len(requests.request(workspace, case_id, by=OPERATOR)) == 1


def test_asking_twice_gives_the_same_job(workspace: Workspace, case_id: int) -> None:
    first = requests.request(workspace, case_id, by=OPERATOR)
    assert requests.request(workspace, case_id, by=OPERATOR) == first


def test_another_recipe_is_another_job(workspace: Workspace, case_id: int) -> None:
    ids = [
        *requests.request(workspace, case_id, by=OPERATOR),
        *requests.request(workspace, case_id, recipe=Recipe("quick"), by=OPERATOR),
        *requests.request(workspace, case_id, recipe=Recipe(baseline="blurred"), by=OPERATOR),
        *requests.request(
            workspace, case_id, recipe=Recipe(stepping=Stepping.ADAPTIVE), by=OPERATOR
        ),
        *requests.request(workspace, case_id, recipe=Recipe(methods=("rise",)), by=OPERATOR),
        *requests.request(workspace, case_id, model_id=1, recipe=Recipe(target=2), by=OPERATOR),
    ]
    assert len(set(ids)) == 6


def test_cases_with_the_same_pixels_have_jobs_of_their_own(
    workspace: Workspace, case_id: int
) -> None:
    with workspace.begin() as session:
        image_sha256 = session.get_one(Case, case_id).image_sha256
        twin_id = builders.case(session, image_sha256=image_sha256).id
    assert requests.request(workspace, case_id, by=OPERATOR) != requests.request(
        workspace, twin_id, by=OPERATOR
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"preset": "best"}, "allowed: quick, standard, publication"),
        ({"baseline": "grey"}, "allowed: black, white, mean, blurred, noise"),
        ({"methods": ("rise", "magic")}, "method is 'magic'; allowed: integrated_gradients, "),
        ({"target": 1}, "say which model"),
        ({"target": 4, "model_id": 1}, "allowed: 0 to 3"),
    ],
)
def test_what_does_not_exist_is_refused(
    workspace: Workspace, case_id: int, wrong: dict, said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        requests.request(
            workspace,
            case_id,
            model_id=wrong.pop("model_id", None),
            recipe=Recipe(**wrong),
            by=OPERATOR,
        )


def test_unknown_cases_models_and_jobs_are_named(workspace: Workspace, case_id: int) -> None:
    with pytest.raises(NotFoundError, match="case 99"):
        requests.request(workspace, 99, by=OPERATOR)
    with pytest.raises(NotFoundError, match="model 99"):
        requests.request(workspace, case_id, model_id=99, by=OPERATOR)
    with pytest.raises(NotFoundError, match="job 99"):
        requests.cancel(workspace, 99, by=OPERATOR)


def test_progress_foretells_the_time_left_from_the_measured_rate(
    workspace: Workspace, case_id: int
) -> None:
    job_id = requests.request(workspace, case_id, by=OPERATOR)[0]
    claim(workspace)
    with workspace.begin() as session:
        job = session.get_one(Job, job_id)
        job.n_done, job.n_total, job.stage = 250, 1000, "Occlusion"
        job.started_at = now() - timedelta(seconds=10)
    (view,) = requests.progress(workspace, case_ids=[case_id], by=OPERATOR)
    assert (view.status, view.stage, view.fraction) == (JobStatus.RUNNING, "Occlusion", 0.25)
    assert view.seconds_left == pytest.approx(30, abs=1)


def test_no_time_is_foretold_before_anything_was_measured(
    workspace: Workspace, case_id: int
) -> None:
    job_ids = requests.request(workspace, case_id, by=OPERATOR)
    assert requests.progress(workspace, job_ids=job_ids, by=OPERATOR)[0].seconds_left is None


def test_a_waiting_job_is_cancelled_at_once_and_can_be_retried(
    workspace: Workspace, case_id: int
) -> None:
    job_id = requests.request(workspace, case_id, by=OPERATOR)[0]
    requests.cancel(workspace, job_id, by=OPERATOR)
    assert (
        requests.progress(workspace, job_ids=[job_id], by=OPERATOR)[0].status is JobStatus.CANCELLED
    )
    assert status(workspace, case_id) is CaseStatus.FAILED
    requests.retry(workspace, job_id, by=OPERATOR)
    assert requests.progress(workspace, job_ids=[job_id], by=OPERATOR)[0].status is JobStatus.QUEUED
    assert status(workspace, case_id) is CaseStatus.QUEUED


def test_asking_again_after_a_failure_queues_the_case_again(
    workspace: Workspace, case_id: int
) -> None:
    job_id = requests.request(workspace, case_id, by=OPERATOR)[0]
    requests.cancel(workspace, job_id, by=OPERATOR)
    assert requests.request(workspace, case_id, by=OPERATOR) == [job_id]
    assert status(workspace, case_id) is CaseStatus.QUEUED


def test_a_new_model_explains_the_cases_that_it_has_not_predicted(
    workspace: Workspace, case_id: int
) -> None:
    with workspace.begin() as session:
        model = builders.model(session, name="new")
        done = builders.case(session)
        builders.prediction(session, done, model)
    assert requests.request_all(workspace, model.id, by=OPERATOR) == 1
    (view,) = requests.progress(workspace, case_ids=[case_id, done.id], by=OPERATOR)
    assert (view.case_id, view.model_id) == (case_id, model.id)
