"""The real server in a process of its own, for tests that need HTTP or a browser."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from review.access.accounts import AccountView, ensure_administrator, issue_link
from review.processes.serving import WORKERS_VARIABLE
from review.settings import DATABASE_VARIABLE, HOME_VARIABLE, Settings
from review.workspace import Workspace
from tests.builders import OPERATOR

ROOT = Path(__file__).parents[1]
STOP_SECONDS = 20


@dataclass
class Server:
    """A running server.

    Attributes:
        url: Its base address, without a slash at the end.
        link: The sign-in link that it printed; or the address, where it printed no link.
        ws: The workspace that it serves, opened from the test's side.
        process: The process; `Server.lines` is what it has printed.
    """

    url: str
    link: str
    ws: Workspace
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def netloc(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc

    def link_for(self, account: AccountView | None = None) -> str:
        """Return a fresh sign-in link; the administrator's if no account is given."""
        account = account or ensure_administrator(self.ws, by=OPERATOR)
        return f"{self.url}/sign-in/link?token={issue_link(self.ws, account.id, by=OPERATOR)}"


@contextmanager
def running(
    home: Path, *, n_workers: int = 0, port: int = 0, database: str | None = None, **variables: str
) -> Iterator[Server]:
    """Run `streamlit run app.py` over a home folder until the block ends.

    Args:
        home: The home.
        n_workers: How many workers it keeps.
        port: Where it listens; 0 is a free port.
        database: Address of its database; by default the SQLite file in the home.
        variables: Of the environment.
    """
    environment = {k: v for k, v in os.environ.items() if k != DATABASE_VARIABLE}
    environment |= {HOME_VARIABLE: str(home), WORKERS_VARIABLE: str(n_workers)} | variables
    if database is not None:
        environment[DATABASE_VARIABLE] = database
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    reader = None
    try:
        link = _link(process, lines)
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reader.start()
        settings = Settings.load(home)
        ws = Workspace.open(replace(settings, database_url=database) if database else settings)
        yield Server(link.split("/sign-in")[0], link, ws, process, lines)
        ws.sessions.kw["bind"].dispose()
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        if reader:
            reader.join()
        if process.stdout:
            process.stdout.close()


def _link(process: subprocess.Popen[str], lines: list[str]) -> str:
    for line in process.stdout or ():
        lines.append(line)
        if found := re.fullmatch(r"    (http\S+)\n", line):
            return found[1]
    raise RuntimeError("the server ended before it said where it is:\n" + "".join(lines))
