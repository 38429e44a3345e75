"""The container's steps, replayed without a container engine."""

import json
import os
import re
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

from ui.http.stopping import LONGEST_SECONDS

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
        elif name and found and not name.startswith("#"):
            stage.instructions.append((name, argument.strip()))
    return found


LIMITS = {
    "init": "--init",
    "read_only": "--read-only",
    "cap_drop": "--cap-drop ALL",
    "security_opt": "--security-opt no-new-privileges:true",
    "pids_limit": "--pids-limit 1024",
    "mem_limit": "--memory 8g",
    "stop_grace_period": "--stop-timeout 40",
    "tmpfs": "--tmpfs /tmp",
}


def blocks(path: Path) -> dict[str, dict[str, str]]:
    """Return what each block of a compose file says in lines of its own, anchors followed."""
    found: dict[str, dict[str, str]] = {}
    anchors: dict[str, dict[str, str]] = {}
    for line in path.read_text().splitlines():
        if heading := re.fullmatch(r" {0,2}([\w-]+):(?: &(\w+))?", line):
            block = found[heading[1]] = {}
            if heading[2]:
                anchors[heading[2]] = block
        elif said := re.fullmatch(r" +(<<|\w+): (.+)", line):
            block |= anchors[said[2][1:]] if said[1] == "<<" else {said[1]: said[2]}
    return found


def test_compose_runs_every_service_within_its_limits():
    found = blocks(ROOT / "compose.yaml")
    services = {name: found[name] for name in ("second-look", "second-look-cpu", "notebook")}
    for name, said in services.items():
        assert said["read_only"] == said["init"] == "true", name
        assert said["cap_drop"] == "[ALL]", name
        assert said["security_opt"] == '["no-new-privileges:true"]', name
        assert said["pids_limit"] == "1024", name
        assert said["mem_limit"] == "8g", name
        assert "/tmp" in said["tmpfs"], name
        assert said["ports"].startswith('["127.0.0.1:'), name
    for name in ("second-look", "second-look-cpu"):
        assert services[name]["stop_grace_period"] == "40s"
        assert int(services[name]["stop_grace_period"][:-1]) > LONGEST_SECONDS


def test_the_command_in_the_readme_has_the_same_limits():
    text = (ROOT / "README.md").read_text().replace("\\\n", " ")
    (command,) = [line for line in text.splitlines() if line.startswith("docker run")]
    command = " ".join(command.split())
    assert {key for key in LIMITS if f" {LIMITS[key]} " not in command} == set()
    assert " -p 127.0.0.1:8501:8501 " in command
    app = blocks(ROOT / "compose.yaml")["second-look"]
    assert LIMITS.keys() <= app.keys()


def test_a_site_can_pin_the_base_of_every_stage():
    text = (ROOT / "Dockerfile").read_text()
    assert "ARG BASE=" in text.partition("FROM")[0]
    built = {name: stage.base for name, stage in stages().items()}
    assert {base for base in built.values() if base not in built} == {"${BASE}"}


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
