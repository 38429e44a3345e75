"""The queue that workers are drilled with: filling it, watching it, and what came of it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.reliability import machine_b
from benchmarks.reliability.ledger import verified
from benchmarks.reliability.room import Row, Site
from db.tables import Explanation, Job, Model, Prediction
from db.types import JobStatus, Origin
from review.cases import intake
from review.catalogue import PAIR
from review.models import registry
from review.models.plugins import MODULES_VARIABLE
from review.processes.pulse import STILL_VARIABLE
from tests import tiny_models
from tests.builders import OPERATOR
from tests.pictures import png
from tests.server import ROOT

PLUGINS = {MODULES_VARIABLE: "benchmarks.reliability.models", STILL_VARIABLE: "8"}
PATIENCE_SECONDS = 600.0
OPEN = (JobStatus.QUEUED, JobStatus.RUNNING)


def fill(site: Site, n_cases: int, *models: str) -> None:
    """Import models of `benchmarks.reliability.models`, and pictures that each is to explain."""
    with site.opened() as ws:
        for number, name in enumerate(models):
            architecture = f"drill/{name}"
            folder = site.home.with_name(f"{site.home.name}-cards")
            card = tiny_models.write_card(folder, name, seed=number, architecture=architecture)
            registry.import_checked(ws, card, by=OPERATOR)
        pictures = [(f"{seed}.png", png(seed)) for seed in range(n_cases)]
        for outcome in intake.receive(ws, pictures, by=OPERATOR, origin=Origin.UPLOAD):
            if outcome.kind != "stored":
                raise RuntimeError(f"a picture was {outcome.kind}: {outcome.reason}")


def other_machine(site: Site, log: Path, *lease: str, **variables: str) -> subprocess.Popen[bytes]:
    """Start a worker as of another machine."""
    with log.open("ab") as told:
        return subprocess.Popen(
            [sys.executable, "-m", machine_b.__name__, *lease],
            cwd=ROOT,
            env=site.environment | PLUGINS | variables,
            stdout=told,
            stderr=told,
        )


def worker_of(server_pid: int) -> int | None:
    """Return a worker that a server keeps; None while it has none."""
    tasks = Path(f"/proc/{server_pid}/task")
    children = [pid for task in tasks.glob("*/children") for pid in task.read_text().split()]
    for pid in children:
        try:
            if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
        except OSError:  # it has just ended
            continue
    return None


def wait(happened: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until something has happened; return whether it has."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def n_open(site: Site, model: str = "slow") -> int:
    """Return how many jobs of a model wait or run."""
    with site.opened() as ws, ws.read() as session:
        its = Job.payload["model_id"].as_integer() == Model.id
        named = select(func.count(Job.id)).join(Model, its).where(Model.name == model)
        return session.scalar(named.where(Job.status.in_(OPEN))) or 0


def n_suspended(site: Site) -> int:
    """Return how many models are suspended."""
    with site.opened() as ws, ws.read() as session:
        return session.scalar(select(func.count()).where(Model.suspended.is_not(None))) or 0


def holds_a_job(site: Site, machine: str = machine_b.NAME) -> bool:
    """Return whether a machine's worker is at work on a job."""
    with site.opened() as ws, ws.read() as session:
        its = select(Job.id).where(Job.status == JobStatus.RUNNING, Job.worker.startswith(machine))
        return session.scalar(its.limit(1)) is not None


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, stopped or not."""
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def came_of(site: Site) -> Row:
    """Return what came of the jobs, model by model, as columns of a row."""
    with site.opened() as ws:
        with ws.read() as session:
            its = Job.payload["model_id"].as_integer() == Model.id
            jobs = session.execute(
                select(Model.name, Job.status, func.count(), func.max(Job.n_attempts))
                .join(Model, its)
                .group_by(Model.name, Job.status)
            ).all()
            suspended = session.scalars(select(Model.name).where(Model.suspended.is_not(None)))
            twice = session.scalar(
                select(func.count()).select_from(
                    select(Explanation.prediction_id)
                    .group_by(Explanation.prediction_id)
                    .having(func.count() != len(PAIR))
                    .subquery()
                )
            )
            n_predictions = session.scalar(select(func.count(Prediction.id)))
            names = ", ".join(sorted(suspended)) or "none"
        problem = verified(ws)
    sound = {status: n for name, status, n, _ in jobs if name == "slow"}
    return {
        "jobs of the sound model": sum(sound.values()),
        "done": sound.get(JobStatus.DONE, 0),
        "begun at most": max(most for name, _, _, most in jobs if name == "slow"),
        "predictions": n_predictions,
        "of them without two maps": twice,
        "suspended": names,
        "verify": problem,
    }
