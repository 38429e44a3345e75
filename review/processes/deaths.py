"""What becomes of the job whose worker was ended, and of the model that ends its workers."""

import signal
import socket

from sqlalchemy.orm import Session

from db import jobs
from db.tables import Model
from review.state.status import refresh_status
from review.workspace import Workspace

MAX_DEATHS_OF_MODEL = 3
STOOD_STILL = 86  # the status with which a worker ends itself that came no further


def record(ws: Workspace, worker: str, how: str | None) -> None:
    """Put a job back whose worker has ended without a word, and suspend a model that is to blame.

    Args:
        ws: The installation.
        worker: What the worker's name is or begins with.
        how: What ended it, in words; None if it was stopped on purpose.
    """
    with ws.begin() as session:
        if how is None:
            job = jobs.give_back_of(session, worker=worker)
        else:
            job = jobs.died(session, worker=worker, how=how)
            if job is not None and "model_id" in job.payload:
                _judge(session, job.payload["model_id"], how)
        if job is not None and job.case_id is not None:
            refresh_status(session, job.case_id)


def name_of(pid: int) -> str:
    """Return what the name of this machine's worker with this process id begins with."""
    return f"{socket.gethostname()}-{pid}-"


def how_it_ended(code: int) -> str:
    """Return in words what a process's exit status, or the negative of a signal, means."""
    if code == STOOD_STILL:
        return "standing still"
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def _judge(session: Session, model_id: int, how: str) -> None:
    """Suspend a model whose jobs have ended several workers since one of them was done."""
    n_deaths = jobs.deaths_of_model(session, model_id)
    model = session.get(Model, model_id)
    if model is None or n_deaths < MAX_DEATHS_OF_MODEL:
        return
    model.suspended = f"it ended {n_deaths} workers one after another, the last of them by {how}"
    jobs.hold(session, model_id)
