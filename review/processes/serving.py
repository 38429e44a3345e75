"""Starting the site: the web server, its worker processes, and the link to sign in with."""

import asyncio
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from review.access.links import LINK
from review.errors import SettingsError
from review.processes import deaths
from review.processes.pulse import PIPE_VARIABLE
from review.settings import DATABASE_VARIABLE, HOME_VARIABLE, Settings
from review.workspace import Workspace

WORKERS_VARIABLE = "SECOND_LOOK_WORKERS"
BROWSER_VARIABLE = "SECOND_LOOK_OPEN_BROWSER"
LINK_VARIABLE = "SECOND_LOOK_SIGN_IN_LINK"
WORKER = (sys.executable, "-m", "review", "worker")
ROOT = Path(__file__).parents[2]

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STOP_SECONDS = 20.0  # in which a chunk of work ends
WORKER_NICENESS = 5  # pages come before explanations
SILENT_SECONDS = 300.0
_PR_SET_PDEATHSIG = 1

Ended = Callable[[str, str | None], None]

_log = logging.getLogger(__name__)
_alive: set[int] = set()


def _nothing(_name: str, _how: str | None) -> None:
    """Do nothing about a worker that has ended."""


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8501,
    *,
    open_browser: bool = False,
    print_link: bool = False,
    n_workers: int = 1,
) -> None:
    """Become the web server; does not return.

    The process is replaced by `streamlit run app.py`, so that a signal reaches the server itself
    and both ways to start it are one.

    Args:
        settings: The installation to serve.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        open_browser: Whether to open the site in a browser here.
        print_link: Whether to print a sign-in link though an administrator can enter without.
        n_workers: How many worker processes to keep running.
    """
    os.environ |= {
        HOME_VARIABLE: str(settings.home),
        DATABASE_VARIABLE: settings.database_url,
        WORKERS_VARIABLE: str(n_workers),
        BROWSER_VARIABLE: str(int(open_browser)),
        LINK_VARIABLE: str(int(print_link)),
    }
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    options = ["--server.address", host, "--server.port", str(port)]
    sys.stdout.flush()
    os.execv(sys.executable, command + options)  # noqa: S606 - no shell, our own interpreter


def insist_on_writing(ws: Workspace) -> None:
    """Refuse to serve a home that may only be read.

    Raises:
        SettingsError: With what can be done there.
    """
    if ws.only_reads:
        raise SettingsError(
            f"{ws.settings.home} may not be written, so nobody could sign in, sign or ask for maps "
            "here: nothing is served. The command line reads it: verify, export, backup, user list"
        )


def n_workers() -> int:
    """Return how many worker processes the environment asks for; one unless it says otherwise.

    Raises:
        SettingsError: If the variable holds no whole number from 0 to 64.
    """
    value = os.environ.get(WORKERS_VARIABLE, "1")
    if not value.isdecimal() or int(value) > 64:
        raise SettingsError(f"{WORKERS_VARIABLE} is {value!r}: allowed are 0 to 64")
    return int(value)


def link_address(ws: Workspace, token: str, base_url: str) -> str:
    """Return where to open a sign-in link: at the site's public address if it has one."""
    return f"{ws.settings.public_url or base_url}/sign-in/link?token={token}"


def tell(words: str) -> None:
    """Print what was done before the site could start."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def announce(address: str, *, is_link: bool) -> None:
    """Print where to sign in: by a link, as Jupyter does, or where one has a way in."""
    hours = int(LINK.total_seconds() // 3600)
    how, more = f"Sign in here (the link works once, for {hours} hours):", ""
    if not is_link:
        how = "Sign in here:"
        more = "  Without a password: python -m review user link NAME\n\n"
    sys.stdout.write(f"\n  Second Look is running. {how}\n\n    {address}\n\n{more}")
    sys.stdout.flush()


def answer_at_once() -> None:
    """Send small packets without waiting, on every connection that this process will accept.

    asyncio turns Nagle's algorithm off, but not on listening sockets that were made without a
    protocol number, as Streamlit makes its own: each answer then waits 40 ms for the browser's
    delayed acknowledgement (RFC 896, RFC 1122 section 4.2.3.2).
    """
    for candidate in gc.get_objects():
        if type(candidate) is socket.socket and _listens(candidate):
            candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _listens(candidate: socket.socket) -> bool:
    return (
        candidate.fileno() >= 0
        and candidate.family in {socket.AF_INET, socket.AF_INET6}
        and candidate.type == socket.SOCK_STREAM
        and candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    )


@asynccontextmanager
async def running(
    command: Sequence[str] = WORKER, *, n: int, ended: Ended = _nothing
) -> AsyncIterator[None]:
    """Keep `n` processes of a command running until the context ends.

    Args:
        command: The command.
        n: How many.
        ended: Called with what the name of a worker that has ended begins with, and what ended it.
    """
    tasks = [asyncio.create_task(_keep_running(command, ended)) for _ in range(n)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_running(command: Sequence[str], ended: Ended = _nothing) -> None:
    pause = FIRST_PAUSE_SECONDS
    while True:
        started = time.monotonic()
        code = await _run(command, ended)
        if time.monotonic() - started > LONGEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        how = deaths.how_it_ended(code)
        _log.error("a worker ended by %s; the next starts in %.0f s", how, pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


async def _run(command: Sequence[str], ended: Ended) -> int:
    """Run one worker to its end, and return how that came."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env=os.environ | {PIPE_VARIABLE: str(writer)},
            pass_fds=(writer,),
            start_new_session=True,
            preexec_fn=_follow_parent,
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    pulse = asyncio.create_task(_kill_when_silent(process, reader))
    name = deaths.name_of(process.pid)
    _alive.add(process.pid)
    try:
        code = await process.wait()
        await _tell(ended, name, deaths.how_it_ended(code))
        return code
    except asyncio.CancelledError:
        await _stop(process)
        await _tell(ended, name, None)
        raise
    finally:
        _alive.discard(process.pid)
        pulse.cancel()


async def _tell(ended: Ended, name: str, how: str | None) -> None:
    """Say that a worker has ended; where that cannot be recorded now, the next worker does it."""
    try:
        await asyncio.to_thread(ended, name, how)
    except Exception:
        _log.exception("the end of a worker could not be recorded")


async def _kill_when_silent(process: asyncio.subprocess.Process, pipe: int) -> None:
    """Kill a worker in which not even the thread of its pulse gets to run any more."""
    loop = asyncio.get_running_loop()
    heard = asyncio.StreamReader()
    with os.fdopen(pipe, "rb", buffering=0) as file:
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(heard), file
        )
        try:
            while await asyncio.wait_for(heard.read(1024), SILENT_SECONDS):
                pass
        except TimeoutError:
            _log.error("a worker has been silent for %.0f s: it is ended", SILENT_SECONDS)
            process.kill()
        finally:
            transport.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _follow_parent() -> None:
    """Run in the child: yield to the web server, and end when it ends, however it ends."""
    os.nice(WORKER_NICENESS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def n_alive() -> int:
    """Return how many workers run now."""
    return len(_alive)


def reachable(host: str) -> str:
    """Return the name under which this machine reaches an address that the server listens on."""
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared with, not bound to
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
