import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from review.access import accounts
from review.errors import SettingsError
from review.processes import serving
from review.processes.deaths import name_of
from review.settings import HOME_VARIABLE, Settings
from review.workspace import Workspace
from tests.builders import OPERATOR
from tests.server import ROOT, running

WAIT_SECONDS = 15


def writes_to(fifo: Path, *, then: str) -> list[str]:
    """A command that writes its process id to a named pipe."""
    code = f"import os, signal; open({str(fifo)!r}, 'w').write(f'{{os.getpid()}}\\n'); {then}"
    return [sys.executable, "-S", "-c", code]


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def ended(pid: int) -> bool:
    """Wait until a process that is not our child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], WAIT_SECONDS)[0])
    finally:
        os.close(descriptor)


def test_a_worker_that_dies_is_started_again(fifo, monkeypatch):
    monkeypatch.setattr(serving, "FIRST_PAUSE_SECONDS", 0.01)

    async def three_starts() -> list[int]:
        async with serving.running(writes_to(fifo, then="raise SystemExit(1)"), n=1):
            return [int(await asyncio.to_thread(fifo.read_text)) for _ in range(3)]

    assert len(set(asyncio.run(three_starts()))) == 3


def test_the_pause_between_starts_doubles_up_to_a_limit(monkeypatch):
    pauses = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            raise asyncio.CancelledError

    async def supervise() -> None:
        monkeypatch.setattr(serving.asyncio, "sleep", note)
        await asyncio.gather(serving._keep_running(["false"]), return_exceptions=True)

    asyncio.run(supervise())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_ended_a_worker_is_told(fifo, monkeypatch):
    monkeypatch.setattr(serving, "FIRST_PAUSE_SECONDS", 0.01)
    told = []
    command = writes_to(fifo, then="os.kill(os.getpid(), signal.SIGSEGV)")

    async def two_starts() -> list[int]:
        note = lambda *how: told.append(how)  # noqa: E731
        async with serving.running(command, n=1, ended=note):
            return [int(await asyncio.to_thread(fifo.read_text)) for _ in range(2)]

    first, _ = asyncio.run(two_starts())
    assert told[0] == (name_of(first), "signal 11 (SIGSEGV)")


def test_a_worker_that_is_stopped_is_told_to_be_stopped(fifo):
    told = []

    async def start_and_stop() -> int:
        note = lambda *how: told.append(how)  # noqa: E731
        async with serving.running(writes_to(fifo, then="signal.pause()"), n=1, ended=note):
            return int(await asyncio.to_thread(fifo.read_text))

    assert told == [(name_of(asyncio.run(start_and_stop())), None)]


def test_a_worker_starts_again_where_its_end_could_not_be_recorded(fifo, monkeypatch):
    monkeypatch.setattr(serving, "FIRST_PAUSE_SECONDS", 0.01)

    def refuse(*_: object) -> None:
        raise RuntimeError

    async def two_starts() -> list[int]:
        command = writes_to(fifo, then="raise SystemExit(1)")
        async with serving.running(command, n=1, ended=refuse):
            return [int(await asyncio.to_thread(fifo.read_text)) for _ in range(2)]

    assert len(set(asyncio.run(two_starts()))) == 2


def test_a_worker_without_a_pulse_is_ended(monkeypatch):
    monkeypatch.setattr(serving, "SILENT_SECONDS", 0.1)

    async def until_it_ends() -> str | None:
        told: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        command = [sys.executable, "-S", "-c", "import signal; signal.pause()"]

        def note(_name: str, how: str | None) -> None:
            loop.call_soon_threadsafe(lambda: told.done() or told.set_result(how))

        async with serving.running(command, n=1, ended=note):
            return await asyncio.wait_for(told, WAIT_SECONDS)

    assert asyncio.run(until_it_ends()) == "signal 9 (SIGKILL)"


def test_workers_end_with_the_context(fifo):
    async def start_and_stop() -> int:
        async with serving.running(writes_to(fifo, then="signal.pause()"), n=1):
            return int(await asyncio.to_thread(fifo.read_text))

    assert ended(asyncio.run(start_and_stop()))


def test_a_worker_that_ignores_the_request_to_end_is_killed(fifo, monkeypatch):
    monkeypatch.setattr(serving, "STOP_SECONDS", 0.1)
    stubborn = "signal.pause()"
    command = writes_to(fifo, then=stubborn)
    command[-1] = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + command[-1]

    async def start_and_stop() -> int:
        async with serving.running(command, n=1):
            return int(await asyncio.to_thread(fifo.read_text))

    assert ended(asyncio.run(start_and_stop()))


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_workers_end_when_the_server_is_killed(fifo):
    command = writes_to(fifo, then="signal.pause()")
    code = f"""
import asyncio
from review.processes import serving
from review.processes.deaths import name_of

async def forever():
    async with serving.running({command!r}, n=1):
        await asyncio.Event().wait()

asyncio.run(forever())
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    worker = int(fifo.read_text())
    parent.kill()
    parent.wait()
    assert ended(worker)


def test_accepted_connections_send_at_once():
    with socket.socket() as listening, socket.socket() as client:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        serving.answer_at_once()
        client.connect(listening.getsockname())
        with listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_server_stops_cleanly_when_asked(tmp_path):
    with running(tmp_path) as server:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(WAIT_SECONDS)
    assert server.process.returncode in {0, -signal.SIGTERM}
    assert not any("Traceback" in line for line in server.lines)


@pytest.fixture
def settled_home(tmp_path) -> Path:
    """A home whose administrator has a password."""
    ws = Workspace.open(Settings.load(tmp_path))
    admin = accounts.ensure_administrator(ws, by=OPERATOR)
    accounts.set_password(ws, admin.id, "correct horse battery", by=OPERATOR)
    ws.sessions.kw["bind"].dispose()
    return tmp_path


def test_once_an_administrator_has_a_password_a_start_prints_the_address_alone(settled_home):
    with running(settled_home) as server:
        assert server.link == server.url


def test_serve_becomes_the_server_and_prints_a_link_when_asked_to(settled_home):
    arguments = ["--home", str(settled_home), "serve", "--port", "0", "--workers", "0", "--link"]
    process = subprocess.Popen(
        [sys.executable, "-m", "review", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert any("/sign-in/link?token=" in line for line in process.stdout)
    process.terminate()
    process.wait(WAIT_SECONDS)
    process.stdout.close()


@pytest.mark.parametrize(
    ("host", "name"),
    [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("10.0.0.7", "10.0.0.7")],
)
def test_a_listening_address_has_a_name_to_reach_it(host, name):
    assert serving.reachable(host) == name


@pytest.mark.parametrize("value", ["-1", "two", "65", "1.5", ""])
def test_a_number_of_workers_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv(serving.WORKERS_VARIABLE, value)
    with pytest.raises(SettingsError, match="allowed are 0 to 64"):
        serving.n_workers()


def test_links_lead_to_the_public_address(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv("SECOND_LOOK_PUBLIC_URL", "https://second-look.example/")
    ws = Workspace.open(Settings.load())
    address = serving.link_address(ws, "abc", "http://127.0.0.1:8501")
    assert address == "https://second-look.example/sign-in/link?token=abc"
    ws.sessions.kw["bind"].dispose()


@pytest.mark.parametrize("value", ["second-look", "ftp://x", "https://", "https://x/y"])
def test_a_public_address_that_is_none_is_refused(tmp_path, monkeypatch, value):
    monkeypatch.setenv("SECOND_LOOK_PUBLIC_URL", value)
    with pytest.raises(SettingsError, match="SECOND_LOOK_PUBLIC_URL"):
        Settings.load(tmp_path)
