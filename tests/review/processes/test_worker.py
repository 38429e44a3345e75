import errno
import json
import os
import select as ready
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, text

from db import jobs
from db.artifacts import ArtifactStore
from db.errors import StorageError
from db.tables import Case, Explanation, Job, Prediction, TriageFlag
from db.types import CaseStatus, JobStatus, Origin
from review.cases import intake, pixels, reading
from review.catalogue import PAIR, Stepping
from review.exporting import requests as exports
from review.exporting.dataset import ExportFilter
from review.maps import checks, recorded, requests
from review.maps.compute import CHECKING
from review.maps.recipes import Recipe
from review.models import registry
from review.models.plugins import MODULES_VARIABLE
from review.processes import deaths, worker
from review.processes.device_lock import DeviceLock
from review.processes.pulse import STILL_VARIABLE
from review.settings import DATABASE_VARIABLE, HOME_VARIABLE
from review.workspace import Workspace
from tests import builders, tiny_models
from tests.builders import OPERATOR
from tests.pictures import png

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60


def never() -> bool:
    return False


def add_model(ws: Workspace, tmp_path: Path, name: str = "tiny", **card: object) -> int:
    path = tiny_models.write_card(tmp_path / "cards", name, **card)
    return registry.import_checked(ws, path, by=OPERATOR).id


def add_case(ws: Workspace, seed: int = 0) -> int:
    (outcome,) = intake.receive(ws, [("a.png", png(seed))], by=OPERATOR, origin=Origin.UPLOAD)
    assert outcome.case_id
    return outcome.case_id


def work(ws: Workspace, stopped: Callable[[], bool] = never) -> None:
    worker.run_once(ws, "cpu", stopped=stopped)


def the_job(ws: Workspace) -> Job:
    with ws.read() as session:
        return session.scalars(select(Job)).one()


def the_case(ws: Workspace) -> Case:
    with ws.read() as session:
        return session.scalars(select(Case)).one()


def explanations(ws: Workspace) -> list[Explanation]:
    with ws.read() as session:
        return list(session.scalars(select(Explanation).order_by(Explanation.id)))


@pytest.fixture(autouse=True)
def report_each_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0.0)


def test_a_case_is_predicted_and_gets_both_maps(each_workspace: Workspace, tmp_path: Path) -> None:
    workspace = each_workspace
    add_model(workspace, tmp_path)
    add_case(workspace)
    work(workspace)
    with workspace.read() as session:
        prediction = session.scalars(select(Prediction)).one()
    maps = explanations(workspace)
    assert the_job(workspace).status is JobStatus.DONE
    assert the_case(workspace).status is CaseStatus.READY
    assert prediction.label == tiny_models.CLASSES[prediction.target]
    assert sum(prediction.scores) == pytest.approx(1)
    assert prediction.geometry == {"x": 0, "y": 0, "width": 48, "height": 40}
    assert [m.method for m in maps] == list(PAIR)
    made = {"baseline": "black", "n_steps": 50, "rule": "gausslegendre", "preset": "standard"}
    assert made.items() <= maps[0].params.items()
    assert maps[1].params["window"] == [2, 2]
    assert maps[1].params["stride"] == [1, 1]


def test_a_linear_model_is_explained_exactly(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    work(workspace)
    gradients = explanations(workspace)[0]
    path = workspace.artifacts.path(gradients.artifact_sha256)
    values = np.load(path)
    assert values.shape == (1, tiny_models.SIDE_PX, tiny_models.SIDE_PX)
    assert values.dtype == np.float32
    assert gradients.relative_delta == pytest.approx(0, abs=1e-4)
    assert gradients.trust["agreement"]["with"] == "occlusion"


def test_equal_slopes_of_each_channel_add_up_where_they_are_drawn(
    workspace: Workspace, tmp_path: Path
) -> None:
    side, thrice = tiny_models.SIDE_PX, {"channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
    preprocessing = {"resize": [side, side], **thrice}
    add_model(workspace, tmp_path, architecture="tiny/grey", preprocessing=preprocessing)
    add_case(workspace)
    work(workspace)
    gradients, occlusion = explanations(workspace)
    assert (gradients.channels_share, occlusion.channels_share) == (False, True)
    values = np.load(workspace.artifacts.path(gradients.artifact_sha256))
    assert (values == values[:1]).all()
    drawn = pixels.raw_map(workspace, pixels.drawn_map(workspace, gradients.id, by=OPERATOR))
    summed = np.frombuffer(drawn, "<f4").reshape(side, side)
    np.testing.assert_array_equal(summed, values.sum(0))
    np.testing.assert_array_equal(summed, recorded.attribution(workspace, gradients).heat)


def test_a_map_is_stored_with_the_recipe_that_made_it(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    work(workspace)
    named = {"preset": "standard", "baseline": "black"}
    assert [m.recipe for m in explanations(workspace)] == [named | {"stepping": "fixed"}, named]


def test_what_was_computed_before_is_read_not_computed_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    model_id = add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    work(workspace)
    first = explanations(workspace)
    with workspace.read() as session:
        target = session.scalars(select(Prediction.target)).one()
    weights = next(workspace.settings.artifacts_path.rglob(f"{weights_sha256(workspace)[2:]}"))
    weights.write_bytes(b"gone: computing again would fail")
    requests.request(
        workspace, case_id, model_id=model_id, recipe=Recipe(target=target), by=OPERATOR
    )
    work(workspace)
    (view,) = requests.progress(workspace, case_ids=[case_id], by=OPERATOR)[1:]
    assert view.status is JobStatus.DONE
    assert [m.id for m in explanations(workspace)] == [m.id for m in first]


def weights_sha256(ws: Workspace) -> str:
    return registry.list_models(ws, by=OPERATOR)[0].card.weights_sha256


def test_another_class_gets_maps_of_its_own_and_no_second_prediction(
    workspace: Workspace, tmp_path: Path
) -> None:
    model_id = add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    work(workspace)
    with workspace.read() as session:
        predicted = session.scalars(select(Prediction.target)).one()
    other = Recipe(target=(predicted + 1) % 3)
    requests.request(workspace, case_id, model_id=model_id, recipe=other, by=OPERATOR)
    work(workspace)
    with workspace.read() as session:
        assert session.scalars(select(Prediction.target)).one() == predicted
    assert [m.target for m in explanations(workspace)] == [predicted] * 2 + [
        (predicted + 1) % 3
    ] * 2


def test_a_method_on_demand_adds_its_map_and_leaves_the_pair_alone(
    workspace: Workspace, tmp_path: Path
) -> None:
    model_id = add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    work(workspace)
    pair = explanations(workspace)
    saliency = Recipe("quick", methods=("saliency",))
    requests.request(workspace, case_id, model_id=model_id, recipe=saliency, by=OPERATOR)
    work(workspace)
    *before, added = explanations(workspace)
    assert [m.id for m in before] == [m.id for m in pair]
    assert (added.method, added.params["preset"]) == ("saliency", "quick")
    assert added.trust["faithfulness"]["gap"] > 0
    assert added.trust["agreement"] is None  # the pair was made by another preset


def test_another_method_is_compared_with_the_pairs_map_that_works_otherwise(
    workspace: Workspace, tmp_path: Path
) -> None:
    model_id = add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    for methods in (PAIR, ("input_x_gradient",), ("feature_ablation",)):
        recipe = Recipe("quick", "white", methods=methods)
        requests.request(workspace, case_id, model_id=model_id, recipe=recipe, by=OPERATOR)
    work(workspace)
    agreements = {m.method: m.trust["agreement"]["with"] for m in explanations(workspace)}
    assert agreements == {
        "integrated_gradients": "occlusion",
        "occlusion": "integrated_gradients",
        "input_x_gradient": "occlusion",
        "feature_ablation": "integrated_gradients",
    }


def test_adaptive_steps_make_one_more_map_and_tell_what_they_came_to(
    workspace: Workspace, tmp_path: Path
) -> None:
    model_id = add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    work(workspace)
    adaptive = Recipe(stepping=Stepping.ADAPTIVE)
    requests.request(workspace, case_id, model_id=model_id, recipe=adaptive, by=OPERATOR)
    work(workspace)
    *_, added = explanations(workspace)
    assert [m.method for m in explanations(workspace)] == [*PAIR, PAIR[0]]
    assert (added.params["rule"], added.params["tolerance"]) == ("adaptive", 0.01)
    assert added.trust["of_method"]["has_converged"] is True
    assert added.trust["of_method"]["n_points"] < added.params["n_steps"]
    assert added.trust["agreement"]["with"] == "occlusion"


def test_a_method_that_a_model_cannot_do_says_why_and_the_case_stays_ready(
    workspace: Workspace, tmp_path: Path
) -> None:
    model_id = add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    work(workspace)
    guided = Recipe(methods=("guided_backprop",))
    (job_id,) = requests.request(workspace, case_id, model_id=model_id, recipe=guided, by=OPERATOR)
    work(workspace)
    (view,) = requests.progress(workspace, job_ids=[job_id], by=OPERATOR)
    assert view.status is JobStatus.FAILED
    assert "ReLU" in (view.error or "")
    assert the_case(workspace).status is CaseStatus.READY


def test_a_job_of_an_earlier_version_is_still_done_as_it_was_meant(
    workspace: Workspace, tmp_path: Path
) -> None:
    model_id = add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    payload = {"preset": "quick", "baseline": None, "target": None}
    with workspace.begin() as session:
        job = session.scalars(select(Job)).one()
        job.payload = {"case_id": case_id, "model_id": model_id, **payload}
    work(workspace)
    gradients, _ = explanations(workspace)
    assert (gradients.params["n_steps"], gradients.params["rule"]) == (20, "gausslegendre")


def test_a_thorough_check_is_a_row_of_its_own_over_the_same_map(
    workspace: Workspace, tmp_path: Path
) -> None:
    add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    work(workspace)
    gradients, _ = explanations(workspace)
    job_id = checks.request(workspace, gradients.id, by=OPERATOR)
    work(workspace)
    kept, _, checked = explanations(workspace)
    assert (kept.trust, kept.key) == (gradients.trust, gradients.key)
    assert (checked.method, checked.artifact_sha256) == (kept.method, kept.artifact_sha256)
    assert checked.params == kept.params
    # The tiny model is linear: noise in the image leaves its gradient, shuffled weights do not.
    assert checked.trust["stability"]["similarity"] > 0.9
    assert abs(checked.trust["randomisation"]["remaining"]) < 0.5
    assert checked.trust["faithfulness"] == kept.trust["faithfulness"]
    opened = reading.open_case(workspace, case_id, reader_id=OPERATOR)
    assert opened.maps[0].explanation_id == checked.id
    assert checks.request(workspace, gradients.id, by=OPERATOR) == job_id
    work(workspace)
    assert len(explanations(workspace)) == 3


def test_a_check_can_be_cancelled_and_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    work(workspace)
    job_id = checks.request(workspace, explanations(workspace)[1].id, by=OPERATOR)

    def cancel_once_it_runs() -> bool:
        with workspace.read() as session:
            job = session.get_one(Job, job_id)
        if job.status is JobStatus.RUNNING and "noisy" in job.stage:
            requests.cancel(workspace, job_id, by=OPERATOR)
        return False

    work(workspace, cancel_once_it_runs)
    (view,) = reading.open_case(workspace, case_id, reader_id=OPERATOR).checks[1:]
    assert view.status is JobStatus.CANCELLED
    assert len(explanations(workspace)) == 2


def test_two_models_predict_the_same_case(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path, "one")
    add_model(workspace, tmp_path, "two", seed=1)
    add_case(workspace)
    work(workspace)
    with workspace.read() as session:
        assert len(session.scalars(select(Prediction)).all()) == 2
        assert len(session.scalars(select(Explanation)).all()) == 4


def test_weights_that_were_altered_fail_the_job_and_say_so(
    workspace: Workspace, tmp_path: Path
) -> None:
    add_model(workspace, tmp_path)
    workspace.artifacts.path(weights_sha256(workspace)).write_bytes(tiny_models.weights(7))
    add_case(workspace)
    work(workspace)
    job = the_job(workspace)
    assert job.status is JobStatus.FAILED
    assert weights_sha256(workspace) in (job.error or "")
    assert the_case(workspace).status is CaseStatus.FAILED


def test_a_case_is_ready_when_only_one_of_its_models_failed(
    workspace: Workspace, tmp_path: Path
) -> None:
    add_model(workspace, tmp_path, "good")
    bad = registry.import_checked(
        workspace, tiny_models.write_card(tmp_path / "c", "bad", seed=1), by=OPERATOR
    )
    workspace.artifacts.path(bad.card.weights_sha256).unlink()
    add_case(workspace)
    work(workspace)
    assert the_case(workspace).status is CaseStatus.READY


def test_an_unexpected_error_fails_its_job_alone(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    monkeypatch.setattr(worker.explain_job, "explain", lambda *_, **__: 1 / 0)
    work(workspace)
    assert "unexpected ZeroDivisionError" in (the_job(workspace).error or "")


def test_a_cancel_stops_the_job_between_chunks(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    (job,) = requests.progress(workspace, case_ids=[case_id], by=OPERATOR)
    asked = iter([False] * 2)

    def cancel_at_the_second_question() -> bool:
        if next(asked, None) is None and the_job(workspace).status is JobStatus.RUNNING:
            requests.cancel(workspace, job.id, by=OPERATOR)
        return False

    work(workspace, cancel_at_the_second_question)
    assert the_job(workspace).status is JobStatus.CANCELLED
    assert explanations(workspace) == []


def test_a_cancel_is_heard_while_the_maps_are_checked(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    case_id = add_case(workspace)
    (job,) = requests.progress(workspace, case_ids=[case_id], by=OPERATOR)

    def cancel_once_it_checks() -> bool:
        running = the_job(workspace)
        if running.status is JobStatus.RUNNING and running.stage == CHECKING:
            requests.cancel(workspace, job.id, by=OPERATOR)
        return False

    work(workspace, cancel_once_it_checks)
    assert the_job(workspace).status is JobStatus.CANCELLED
    assert explanations(workspace) == []


def test_a_worker_that_is_stopped_gives_its_job_back(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    stopping = False

    def stop_once_it_runs() -> bool:
        nonlocal stopping
        stopping = stopping or the_job(workspace).status is JobStatus.RUNNING
        return stopping

    work(workspace, stop_once_it_runs)
    job = the_job(workspace)
    assert (job.status, job.n_attempts) == (JobStatus.QUEUED, 0)
    assert the_case(workspace).status is CaseStatus.QUEUED


def test_a_result_is_dropped_when_the_job_was_taken_over(
    workspace: Workspace, tmp_path: Path
) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)

    def take_over() -> bool:
        with workspace.begin() as session:
            session.scalars(select(Job)).one().worker = "another"
        return False

    work(workspace, lambda: the_job(workspace).status is JobStatus.RUNNING and take_over())
    assert the_job(workspace).worker == "another"
    assert explanations(workspace) == []


def test_the_next_holder_of_a_device_takes_up_the_work_of_the_one_before(
    workspace: Workspace, tmp_path: Path
) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    lock = DeviceLock.take(workspace.settings.home / "locks", ["cpu"], "the-one-before")
    assert lock
    with workspace.begin() as session:
        jobs.claim(session, worker="the-one-before", lease_seconds=3600)
    lock.release()
    work(workspace)
    job = the_job(workspace)
    assert (job.status, job.n_attempts) == (JobStatus.DONE, 2)


def test_a_case_whose_job_was_given_up_is_failed(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    for _ in range(jobs.MAX_ATTEMPTS):
        with workspace.begin() as session:
            jobs.claim(session, worker="dies", lease_seconds=-1)
    with workspace.begin() as session:
        session.scalars(select(Case)).one().status = CaseStatus.EXPLAINING
    work(workspace)
    assert the_case(workspace).status is CaseStatus.FAILED


def test_flags_follow_from_the_new_prediction(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    work(workspace)
    with workspace.read() as session:
        score = session.scalars(select(Prediction.score)).one()
        reasons = set(session.scalars(select(TriageFlag.reason)))
    assert ("low_confidence" in reasons) == (score < 0.6)


def test_exports_are_made_by_the_worker(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    work(workspace)
    export_id = exports.request(workspace, ExportFilter(unjudged=True), by=OPERATOR)
    work(workspace)
    (view,) = exports.exports(workspace, by=OPERATOR)
    assert (view.id, view.status) == (export_id, JobStatus.DONE)
    with zipfile.ZipFile(exports.download(workspace, export_id, by=OPERATOR)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["made_by"] == {"operating_system_user": "operator"}


def test_a_job_of_a_later_version_is_failed_not_guessed_at(workspace: Workspace) -> None:
    with workspace.begin() as session:
        job = builders.job(session)
        session.execute(text("UPDATE jobs SET kind = 'dream' WHERE id = :id"), {"id": job.id})
    work(workspace)
    assert "does not know jobs of the kind 'dream'" in (the_job(workspace).error or "")


def test_a_device_is_held_by_one_worker_at_a_time(tmp_path: Path) -> None:
    first = DeviceLock.take(tmp_path, ["cuda:0", "cpu"], "a")
    second = DeviceLock.take(tmp_path, ["cuda:0", "cpu"], "b")
    assert first
    assert second
    assert (first.device, second.device) == ("cuda:0", "cpu")
    assert DeviceLock.take(tmp_path, ["cuda:0", "cpu"], "c") is None
    first.release()
    third = DeviceLock.take(tmp_path, ["cuda:0", "cpu"], "c")
    assert third
    assert (third.device, third.former) == ("cuda:0", "a")
    second.release()
    third.release()


def test_a_worker_that_finds_no_free_device_stands_by_until_it_is_stopped(
    workspace: Workspace,
) -> None:
    lock = DeviceLock.take(workspace.settings.home / "locks", ["cpu"], "a")
    assert lock
    worker.run(workspace, "cpu", stopped=lambda: True)
    lock.release()


# --- a real process -------------------------------------------------------------------------


@contextmanager
def stuck_worker(
    ws: Workspace, marker: Path, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a worker process that is in the middle of a forward pass."""
    environment = os.environ | {
        HOME_VARIABLE: str(ws.settings.home),
        DATABASE_VARIABLE: ws.settings.database_url,
        MODULES_VARIABLE: "tests.tiny_models",
        tiny_models.STUCK_VARIABLE: str(marker),
        **variables,
    }
    command = [sys.executable, "-m", "review", "worker", "--device", "cpu"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            until(marker.exists)
            yield process
        finally:
            process.kill()


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


@pytest.mark.slow
def test_the_job_of_a_killed_worker_is_taken_up_again(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path, architecture="tiny/stuck")
    add_case(workspace)
    with stuck_worker(workspace, tmp_path / "started") as process:
        assert the_job(workspace).status is JobStatus.RUNNING
        assert the_case(workspace).status is CaseStatus.EXPLAINING
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_SECONDS)
    work(workspace)
    assert the_job(workspace).status is JobStatus.DONE
    assert len(explanations(workspace)) == 2


@pytest.mark.slow
def test_a_forward_pass_that_hangs_ends_its_worker(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path, architecture="tiny/stuck")
    add_case(workspace)
    with stuck_worker(workspace, tmp_path / "started", **{STILL_VARIABLE: "1"}) as process:
        assert process.wait(PATIENCE_SECONDS) == deaths.STOOD_STILL


@pytest.mark.slow
def test_a_stuck_worker_ends_with_its_supervisor(workspace: Workspace, tmp_path: Path) -> None:
    add_model(workspace, tmp_path, architecture="tiny/stuck")
    add_case(workspace)
    marker, started = tmp_path / "started", tmp_path / "pid"
    os.mkfifo(started)
    environment = os.environ | {
        HOME_VARIABLE: str(workspace.settings.home),
        DATABASE_VARIABLE: workspace.settings.database_url,
        MODULES_VARIABLE: "tests.tiny_models",
        tiny_models.STUCK_VARIABLE: str(marker),
    }
    code = f"""
import asyncio, pathlib
from review.processes import serving

worker = [*serving.WORKER, "--device", "cpu"]
remember = asyncio.create_subprocess_exec

async def noted(*command, **options):
    process = await remember(*command, **options)
    pathlib.Path({str(started)!r}).write_text(str(process.pid))
    return process

async def forever():
    asyncio.create_subprocess_exec = noted
    async with serving.running(worker, n=1):
        await asyncio.Event().wait()

asyncio.run(forever())
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment) as supervisor:
        descriptor = os.pidfd_open(int(started.read_text()))
        until(marker.exists)
        supervisor.kill()
    assert select_ready(descriptor)
    os.close(descriptor)


def select_ready(descriptor: int) -> bool:
    return bool(ready.select([descriptor], [], [], PATIENCE_SECONDS)[0])


def test_a_full_disk_gives_the_job_back_and_it_is_done_once_there_is_room(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    with monkeypatch.context() as patched:
        patched.setattr(ArtifactStore, "_write", full_disk)
        work(workspace)
    job = the_job(workspace)
    assert (job.status, job.n_attempts, job.error) == (JobStatus.QUEUED, 0, None)
    assert the_case(workspace).status is CaseStatus.QUEUED
    work(workspace)
    assert the_job(workspace).status is JobStatus.DONE


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_export_that_found_no_room_waits_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports.request(workspace, ExportFilter(), by=OPERATOR)
    monkeypatch.setattr(worker.dataset, "_write_archive", full_disk)
    work(workspace)
    assert (the_job(workspace).status, the_job(workspace).error) == (JobStatus.QUEUED, None)


def test_a_worker_outlives_a_database_that_cannot_be_written(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(workspace, tmp_path)
    add_case(workspace)
    monkeypatch.setattr(worker, "TROUBLE_SECONDS", 0.0)

    def refuse(*_: object, **__: object) -> None:
        raise StorageError("the disk is full: nothing was recorded; try again")

    with worker.holding_device(
        workspace, "cpu", stopped=never, after_job=lambda _: None
    ) as working:
        assert working
        with monkeypatch.context() as patched:
            patched.setattr(jobs, "claim", refuse)
            assert not working.do_next()
        with monkeypatch.context() as patched:
            patched.setattr(jobs, "finish", refuse)
            patched.setattr(jobs, "give_back", refuse)
            assert not working.do_next()
            assert not working.do_next()
        assert working.do_next()
    assert the_job(workspace).status is JobStatus.DONE


@pytest.mark.slow
def test_an_idle_worker_ends_when_it_is_asked_to(workspace: Workspace, tmp_path: Path) -> None:
    environment = os.environ | {HOME_VARIABLE: str(workspace.settings.home)}
    environment.pop(DATABASE_VARIABLE, None)
    locks = workspace.settings.home / "locks"
    command = [sys.executable, "-m", "review", "worker", "--device", "cpu"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        until(lambda: any(path.stat().st_size for path in locks.glob("*.lock")))
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
