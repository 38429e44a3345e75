"""A PostgreSQL server of the tests' own, on loopback, gone when they end."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int

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


@contextmanager
def running() -> Iterator[Server]:
    """Run a server until the block ends; fail where PostgreSQL is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="second-look-postgresql-"))
    account = _account()
    if account:
        shutil.chown(folder, account)
    data, server = folder / "data", Server(_free_port())
    process = None
    try:
        initdb = [_binary("initdb"), "-D", data, "-U", "second_look", "--auth=trust", "-N"]
        subprocess.run(
            [*initdb, "--encoding=UTF8"], user=account, cwd=folder, check=True, capture_output=True
        )
        settings = [part for name in SETTINGS for part in ("-c", f"{name}={SETTINGS[name]}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [_binary("postgres"), "-D", data, "-p", str(server.port), *settings],
                user=account,
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        _wait(server, process, folder / "log")
        open_database(server.create("record")).kw["bind"].dispose()
        yield server
    finally:
        if process:
            process.send_signal(signal.SIGQUIT)  # at once: nothing is to be kept
            process.wait()
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


def _free_port() -> int:
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
