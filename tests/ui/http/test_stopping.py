import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from db.tables import Job
from db.types import JobStatus, Origin
from review.access import accounts, sessions
from review.cases import intake
from review.models import registry
from review.models.plugins import MODULES_VARIABLE
from review.settings import Settings
from review.workspace import Workspace
from tests import patient_model, tiny_models
from tests.builders import OPERATOR
from tests.pictures import png
from tests.server import Server, running
from ui.http.cookies import SESSION_COOKIE
from ui.http.stopping import LONGEST_SECONDS, REQUEST_SECONDS

SERVICE_RESTART = 1012


def stop(server: Server) -> int:
    """Ask the server to stop; return its status, within the time that is stated."""
    server.process.send_signal(signal.SIGTERM)
    return server.process.wait(LONGEST_SECONDS)


@pytest.mark.slow
def test_open_pages_are_told_that_the_server_stops(tmp_path):
    with running(tmp_path) as server:
        admin = accounts.ensure_administrator(server.ws, by=OPERATOR)
        link = accounts.issue_link(server.ws, admin.id, by=OPERATOR)
        token = sessions.redeem_link(server.ws, link)
        with connect(
            f"ws://{server.netloc}/_stcore/stream",
            origin=server.url,
            subprotocols=["streamlit"],
            additional_headers={"Cookie": f"{SESSION_COOKIE}={token}"},
        ) as page:
            assert stop(server) in {0, -signal.SIGTERM}
            with suppress(ConnectionClosed):
                list(page)
            assert page.close_code == SERVICE_RESTART


@pytest.mark.slow
def test_a_request_that_never_ends_does_not_hold_the_server_up(tmp_path):
    with running(tmp_path) as server:
        host, _, port = server.netloc.partition(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(
                b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
            )
            with socket.create_connection((host, int(port))) as other:
                other.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert other.recv(12) == b"HTTP/1.1 200"  # so the first has been read as well
            assert stop(server) in {0, -signal.SIGTERM}
    assert REQUEST_SECONDS < LONGEST_SECONDS


@pytest.mark.slow
def test_a_worker_ends_its_chunk_and_gives_the_job_back(tmp_path: Path):
    home, fifo = tmp_path / "home", tmp_path / "fifo"
    os.mkfifo(fifo)
    ws = Workspace.open(Settings.load(home))
    card = tiny_models.write_card(tmp_path / "cards", architecture="patient/linear")
    registry.import_checked(ws, card, by=OPERATOR)
    list(intake.receive(ws, [("a.png", png())], by=OPERATOR, origin=Origin.UPLOAD))
    plugin = {MODULES_VARIABLE: "tests.patient_model", patient_model.FIFO_VARIABLE: str(fifo)}
    with running(home, n_workers=1, **plugin) as server:
        assert fifo.read_text() == "begun\n"
        with ws.read() as session:
            assert session.scalars(select(Job.status)).one() is JobStatus.RUNNING
        assert stop(server) in {0, -signal.SIGTERM}
    with ws.read() as session:
        job = session.scalars(select(Job)).one()
    assert (job.status, job.n_attempts) == (JobStatus.QUEUED, 0)
    ws.sessions.kw["bind"].dispose()
