import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from db import jobs
from db.engine import open_database
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


def test_a_job_that_is_begun_again_and_again_is_given_up(sessions):
    job_id = enqueue(sessions)
    for _ in range(jobs.MAX_ATTEMPTS):
        assert claim(sessions) == job_id
        let_leases_run_out(sessions)
    assert claim(sessions) is None
    job = get(sessions, job_id)
    assert job.status is JobStatus.FAILED
    assert job.error == "it was begun 3 times, and nobody told how it ended"


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


def test_a_job_that_ends_its_worker_goes_behind_all_others(sessions):
    job_id, other_id = enqueue(sessions), enqueue(sessions, priority=-10)
    assert claim(sessions, "w-1-a") == job_id
    with sessions.begin() as session:
        assert jobs.died(session, worker="w-1-", how="signal 11 (SIGSEGV)").id == job_id
        assert jobs.died(session, worker="w-1-", how="signal 11 (SIGSEGV)") is None
    assert claim(sessions) == other_id
    assert claim(sessions) == job_id
    assert get(sessions, job_id).n_deaths == 1


def test_a_job_that_ended_three_workers_is_given_up_and_says_by_what(sessions):
    job_id = enqueue(sessions)
    for _ in range(jobs.MAX_DEATHS):
        assert claim(sessions) == job_id
        with sessions.begin() as session:
            jobs.died(session, worker="w", how="signal 9 (SIGKILL)")
    assert claim(sessions) is None
    job = get(sessions, job_id)
    assert job.status is JobStatus.FAILED
    assert job.error == "it ended 3 workers, the last of them by signal 9 (SIGKILL)"


def test_the_name_of_another_process_is_not_taken_for_ones_own(sessions):
    enqueue(sessions)
    claim(sessions, "host-11-a")
    with sessions.begin() as session:
        for name in ("host-1-", "host-11-b", "host%", "host_11-"):
            assert jobs.died(session, worker=name, how="x") is None
            assert jobs.give_back_of(session, worker=name) is None


def test_a_worker_that_was_stopped_on_purpose_does_not_count(sessions):
    job_id = enqueue(sessions)
    for _ in range(jobs.MAX_ATTEMPTS + 1):
        assert claim(sessions) == job_id
        with sessions.begin() as session:
            jobs.give_back_of(session, worker="w")
    job = get(sessions, job_id)
    assert (job.status, job.n_attempts, job.n_deaths) == (JobStatus.QUEUED, 0, 0)


def test_a_lease_is_renewed_for_whoever_holds_it_alone(sessions):
    job_id = enqueue(sessions)
    claim(sessions)
    let_leases_run_out(sessions)
    change(sessions, jobs.renew, job_id, worker="another", lease_seconds=LEASE)
    assert get(sessions, job_id).lease_until_at < now()
    change(sessions, jobs.renew, job_id, worker="w", lease_seconds=LEASE)
    assert get(sessions, job_id).lease_until_at > now()
    assert claim(sessions, "another") is None


def test_what_waits_for_a_held_model_is_left_until_it_is_let_go(sessions):
    held = [enqueue(sessions, payload={"model_id": 1}, priority=5) for _ in range(2)]
    other = enqueue(sessions, payload={"model_id": 2})
    with sessions.begin() as session:
        jobs.hold(session, 1)
    assert [claim(sessions), claim(sessions)] == [other, None]
    with sessions.begin() as session:
        jobs.let_go(session, 1)
    assert [claim(sessions), claim(sessions)] == held


def test_deaths_of_a_model_count_from_the_last_job_that_was_done(sessions):
    def deaths() -> int:
        with sessions() as session:
            return jobs.deaths_of_model(session, 1)

    def die() -> None:
        enqueue(sessions, payload={"model_id": 1})
        claim(sessions)
        with sessions.begin() as session:
            jobs.died(session, worker="w", how="x")

    die()
    enqueue(sessions, payload={"model_id": 2}, priority=jobs.BEHIND - 1)
    die()
    assert deaths() == 2
    sound = enqueue(sessions, payload={"model_id": 1})
    assert claim(sessions) == sound
    change(sessions, jobs.finish, sound, worker="w")
    assert deaths() == 0
    die()
    assert deaths() == 1


def test_whoever_asks_for_much_lets_others_go_first(sessions):
    with sessions.begin() as session:
        greedy, modest = builders.account(session).id, builders.account(session).id

    def ask(asker: int, priority: int = 0) -> int:
        with sessions.begin() as session:
            fair = jobs.fair(session, priority, asker=asker)
            return builders.job(session, priority=fair, created_by=asker).id

    clicks = [ask(greedy, 1) for _ in range(40)]
    one = ask(modest)
    claimed = [claim(sessions) for _ in range(41)]
    assert claimed.index(one) <= 2 * jobs.A_STEP
    assert [job_id for job_id in claimed if job_id != one] == clicks


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_accounts_whose_jobs_are_as_urgent_take_turns(sessions):
    with sessions.begin() as session:
        ids = [builders.account(session).id for _ in range(3)]
        for created_by in (ids[0], ids[0], ids[0], ids[1], ids[1], ids[2], None):
            builders.job(session, created_by=created_by)
        urgent = builders.job(session, created_by=ids[0], priority=5).id
    served: list[int | None] = []
    with sessions.begin() as session:
        first = jobs.claim(session, worker="w", lease_seconds=60)
        assert first is not None
        assert first.id == urgent
        served.append(first.created_by)
        while job := jobs.claim(session, worker="w", lease_seconds=60, after=served[-1]):
            served.append(job.created_by)
    assert served == [*ids, None, *ids[:2], ids[0], ids[0]]


def test_a_machine_whose_clock_is_ahead_takes_no_job_that_another_is_at(
    postgresql_server, monkeypatch
):
    sessions = open_database(postgresql_server.emptied())
    job_id = enqueue(sessions)
    assert claim(sessions, "here") == job_id
    monkeypatch.setattr(jobs, "now", lambda: now() + timedelta(hours=1))
    assert claim(sessions, "ahead") is None
    assert report(sessions, job_id, "here")
    monkeypatch.undo()
    assert claim(sessions, "here too") is None
    assert get(sessions, job_id).lease_until_at < now() + timedelta(seconds=2 * LEASE)
    sessions.kw["bind"].dispose()
