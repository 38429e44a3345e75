"""The container's steps, replayed without a container engine."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
START_SECONDS = 60


@dataclass
class Stage:
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [argument for given, argument in self.instructions if given == name]


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        name, _, argument = line.strip().partition(" ")
        if name == "FROM":
            base, _, alias = argument.partition(" AS ")
            stage = found[alias] = Stage(base)
        elif name and not name.startswith("#"):
            stage.instructions.append((name, argument.strip()))
    return found


def test_the_default_image_is_the_application():
    assert stages()[list(stages())[-1]].base == "app"


def test_it_runs_as_nobody_special_with_its_data_in_a_volume():
    app = stages()["app"]
    assert app.all("USER")[-1].isdigit()
    assert int(app.all("USER")[-1]) > 0
    assert app.all("VOLUME") == ["/data"]
    assert stages()["notebook"].all("USER")[-1] == app.all("USER")[-1]


def test_it_installs_the_pinned_requirements_and_nothing_else():
    installs = [run for run in stages()["build"].all("RUN") if "pip install" in run]
    assert installs == ["/opt/venv/bin/pip install -r /tmp/requirements.txt"]
    pins = [
        line
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert all("==" in pin for pin in pins)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the app stage's COPY instructions bring, from what .dockerignore lets through."""
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    root = tmp_path / "app"
    root.mkdir()
    for copy in stages()["app"].all("COPY"):
        if copy.startswith("--from"):
            continue
        *sources, target = shlex.split(copy)
        for source in sources:
            assert source in allowed, f"{source} is copied but .dockerignore keeps it out"
            if (ROOT / source).is_dir():
                skip = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, root / target, ignore=skip)
            else:
                shutil.copy(ROOT / source, root / target)
    return root


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_the_copied_files_serve_and_pass_the_health_check(image: Path, tmp_path: Path):
    app, port = stages()["app"], free_port()
    entry = json.loads(app.all("ENTRYPOINT")[-1]) + json.loads(app.all("CMD")[-1])
    entry = [str(port) if word == "8501" else word for word in entry]
    entry = ["127.0.0.1" if word == "0.0.0.0" else word for word in entry]
    check = json.loads(app.all("HEALTHCHECK")[-1].partition("CMD ")[2])
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SECOND_LOOK_HOME": str(tmp_path / "data"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    server = subprocess.Popen(
        [sys.executable, *entry[1:]], cwd=image, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        probe = [sys.executable, *(word.replace(":8501/", f":{port}/") for word in check[1:])]
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the health check never passed"
            time.sleep(0.3)
    finally:
        server.terminate()
        assert server.wait(20) in (0, -signal.SIGTERM)
    assert (tmp_path / "data" / "second-look.db").exists()
