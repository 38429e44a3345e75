import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from db import jobs
from db.errors import NotFoundError
from db.tables import Job
from db.types import JobStatus, now
from tests import builders

LEASE = 60.0


@pytest.fixture
def sessions(each_sessions):
    return each_sessions


def enqueue(sessions, **fields) -> int:
    with sessions.begin() as session:
        return builders.job(session, **fields).id


def claim(sessions, worker: str = "w") -> int | None:
    with sessions.begin() as session:
        job = jobs.claim(session, worker=worker, lease_seconds=LEASE)
        return job.id if job else None


def report(sessions, job_id: int, worker: str = "w", n_done: int = 1) -> bool:
    with sessions.begin() as session:
        return jobs.report(
            session,
            job_id,
            worker=worker,
            n_done=n_done,
            n_total=4,
            stage="Occlusion",
            lease_seconds=LEASE,
        )


def change(sessions, step, job_id: int, **fields):
    with sessions.begin() as session:
        return step(session, job_id, **fields)


def let_leases_run_out(sessions) -> None:
    with sessions.begin() as session:
        session.execute(update(Job).values(lease_until_at=now() - timedelta(seconds=1)))


def get(sessions, job_id: int) -> Job:
    with sessions() as session:
        return session.get_one(Job, job_id)


def test_jobs_are_claimed_by_priority_then_in_order_of_arrival(sessions):
    ids = [enqueue(sessions, priority=priority) for priority in (0, 5, 0, 5)]
    claimed = [claim(sessions) for _ in range(5)]
    assert claimed == [ids[1], ids[3], ids[0], ids[2], None]


def test_the_same_key_is_the_same_job(sessions):
    first = enqueue(sessions, key="k", payload={"n_steps": 50})
    assert enqueue(sessions, key="k", payload={"n_steps": 50}) == first
    claim(sessions)
    assert enqueue(sessions, key="k") == first
    assert get(sessions, first).status is JobStatus.RUNNING
    change(sessions, jobs.finish, first, worker="w")
    enqueue(sessions, key="k")
    assert get(sessions, first).status is JobStatus.DONE


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_a_failed_or_cancelled_job_asked_for_again_is_queued_afresh(sessions, end):
    job_id = enqueue(sessions, key="k")
    claim(sessions)
    if end == "fail":
        change(sessions, jobs.fail, job_id, worker="w", error="the weights are damaged")
    else:
        change(sessions, jobs.cancelled, job_id, worker="w")
    assert enqueue(sessions, key="k", priority=3) == job_id
    again = get(sessions, job_id)
    assert (again.status, again.priority, again.n_attempts, again.error, again.finished_at) == (
        JobStatus.QUEUED,
        3,
        0,
        None,
        None,
    )


def test_two_workers_never_get_the_same_job(sessions):
    ids = {enqueue(sessions) for _ in range(20)}
    claimed: list[int] = []
    start = threading.Barrier(4)

    def work(worker: str) -> None:
        start.wait()
        while (job_id := claim(sessions, worker)) is not None:
            claimed.append(job_id)

    run_all([threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)])
    assert sorted(claimed) == sorted(ids)


def test_many_who_ask_for_the_same_work_at_once_get_one_job(sessions):
    ids: list[int] = []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        ids.append(enqueue(sessions, key="k"))

    run_all([threading.Thread(target=ask) for _ in range(4)])
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_progress_is_kept_and_renews_the_lease(sessions):
    job_id = enqueue(sessions)
    claim(sessions)
    let_leases_run_out(sessions)
    assert report(sessions, job_id, n_done=3)
    job = get(sessions, job_id)
    assert (job.n_done, job.n_total, job.stage) == (3, 4, "Occlusion")
    assert job.lease_until_at > now()
    assert claim(sessions, "other") is None


def test_a_job_whose_worker_fell_silent_is_taken_up_by_another(sessions):
    job_id = enqueue(sessions)
    claim(sessions, "dead")
    assert claim(sessions, "alive") is None
    let_leases_run_out(sessions)
    assert claim(sessions, "alive") == job_id
    assert not report(sessions, job_id, "dead")
    for step in (jobs.finish, jobs.cancelled, jobs.give_back):
        assert not change(sessions, step, job_id, worker="dead")
    assert not change(sessions, jobs.fail, job_id, worker="dead", error="late")
    assert get(sessions, job_id).worker == "alive"
    assert change(sessions, jobs.finish, job_id, worker="alive")


def test_a_job_that_kills_its_worker_is_given_up(sessions):
    job_id = enqueue(sessions)
    for _ in range(jobs.MAX_ATTEMPTS):
        assert claim(sessions) == job_id
        let_leases_run_out(sessions)
    assert claim(sessions) is None
    job = get(sessions, job_id)
    assert job.status is JobStatus.FAILED
    assert "stopped 3 times" in job.error


def test_giving_a_job_up_lets_the_next_one_through(sessions):
    doomed = enqueue(sessions)
    for _ in range(jobs.MAX_ATTEMPTS):
        claim(sessions)
        let_leases_run_out(sessions)
    following = enqueue(sessions)
    assert claim(sessions) == following
    assert get(sessions, doomed).status is JobStatus.FAILED


def test_a_stopping_worker_gives_its_job_back_without_counting_the_attempt(sessions):
    job_id = enqueue(sessions)
    claim(sessions)
    change(sessions, jobs.give_back, job_id, worker="w")
    job = get(sessions, job_id)
    assert (job.status, job.n_attempts, job.worker) == (JobStatus.QUEUED, 0, None)


def test_cancelling_a_waiting_job_ends_it_at_once(sessions):
    job_id = enqueue(sessions)
    change(sessions, jobs.request_cancel, job_id)
    assert get(sessions, job_id).status is JobStatus.CANCELLED
    assert claim(sessions) is None


def test_cancelling_a_running_job_shows_at_its_next_report(sessions):
    job_id = enqueue(sessions)
    claim(sessions)
    assert report(sessions, job_id)
    change(sessions, jobs.request_cancel, job_id)
    assert get(sessions, job_id).status is JobStatus.RUNNING
    assert not report(sessions, job_id)
    change(sessions, jobs.cancelled, job_id, worker="w")
    assert get(sessions, job_id).status is JobStatus.CANCELLED


def test_a_cancelled_job_whose_worker_died_ends_instead_of_running_again(sessions):
    job_id = enqueue(sessions)
    claim(sessions)
    change(sessions, jobs.request_cancel, job_id)
    let_leases_run_out(sessions)
    assert claim(sessions) is None
    assert get(sessions, job_id).status is JobStatus.CANCELLED


def test_cancelling_what_has_ended_changes_nothing(sessions):
    job_id = enqueue(sessions)
    claim(sessions)
    change(sessions, jobs.finish, job_id, worker="w")
    change(sessions, jobs.request_cancel, job_id)
    assert get(sessions, job_id).status is JobStatus.DONE
    with pytest.raises(NotFoundError, match="job 999"):
        change(sessions, jobs.request_cancel, 999)


def test_a_job_keeps_the_reason_why_it_failed(sessions):
    job_id = enqueue(sessions)
    claim(sessions)
    change(sessions, jobs.fail, job_id, worker="w", error="x" * 3000)
    job = get(sessions, job_id)
    assert (job.status, len(job.error)) == (JobStatus.FAILED, 2000)
    assert job.finished_at >= job.started_at


def test_the_leases_of_a_worker_known_to_be_gone_run_out_at_once(sessions):
    job_id, other_id = enqueue(sessions), enqueue(sessions)
    claim(sessions, "gone")
    claim(sessions, "alive")
    with sessions.begin() as session:
        jobs.release_expired(session, worker="gone")
    assert claim(sessions, "next") == job_id
    assert get(sessions, other_id).worker == "alive"


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
