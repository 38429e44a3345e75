"""A PostgreSQL server of the tests' own, on loopback, gone when they end."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from db.engine import open_database
from db.tables import Base

START_SECONDS = 30
INSTALL = "run `make test`, which installs it (on Debian: apt-get install postgresql)"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "max_connections": "60",
}


@dataclass
class Server:
    """A server of its own folder."""

    port: int
    folder: Path
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def address(self, database: str) -> str:
        """Return the SQLAlchemy address of a database."""
        return f"postgresql://second_look@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Create a database without tables and return its address."""
        self.run(f"CREATE DATABASE {database}")
        return self.address(database)

    def emptied(self) -> str:
        """Return the address of the migrated database, without the rows of the test before."""
        tables = ", ".join(Base.metadata.tables)
        # A replica applies changes without firing triggers: those that protect signed rows too.
        self.run(
            f"SET session_replication_role = replica; TRUNCATE {tables} RESTART IDENTITY",
            database="record",
        )
        return self.address("record")

    def run(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement, or several, on a database."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = [
            part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_binary("postgres"), "-D", self.folder / "data", "-p", str(self.port), *settings],
                user=_account(),
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        _wait(self, self.process, self.folder / "log")

    def stop(self) -> None:
        """End it at once, without keeping anything that is not on disk yet."""
        if self.process:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()


@contextmanager
def running(parent: Path | None = None, **settings: str) -> Iterator[Server]:
    """Run a server until the block ends; fail where PostgreSQL is not installed.

    Args:
        parent: Folder in which its files lie; by default that of temporary files.
        settings: Settings of PostgreSQL's in place of `SETTINGS`, as `fsync="on"`.
    """
    folder = Path(tempfile.mkdtemp(prefix="second-look-postgresql-", dir=parent))
    if account := _account():
        shutil.chown(folder, account)
    server = Server(free_port(), folder, SETTINGS | settings)
    try:
        initdb = [
            _binary("initdb"),
            "-D",
            folder / "data",
            "-U",
            "second_look",
            "--auth=trust",
            "-N",
        ]
        subprocess.run(
            [*initdb, "--encoding=UTF8"], user=account, cwd=folder, check=True, capture_output=True
        )
        server.start()
        open_database(server.create("record")).kw["bind"].dispose()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _binary(name: str) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    on_path = shutil.which(name)
    if not found and not on_path:
        pytest.fail(f"PostgreSQL's {name} is not here: {INSTALL}", pytrace=False)
    return found[-1] if found else Path(on_path or "")


def _account() -> str | None:
    """Return the account to run as: PostgreSQL refuses to run as root."""
    return "postgres" if os.getuid() == 0 else None


def free_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            return server.run("SELECT 1")
        except psycopg.OperationalError:
            time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}", pytrace=False)
