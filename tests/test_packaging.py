"""What `pip install .` brings: the library, what it imports, and nothing of the application."""

import ast
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LIBRARY = "xai_core"
APPLICATION = ("app.py", "db", "imaging", "pages", "review", "ui")
OURS = {LIBRARY, "models", *(Path(name).stem for name in APPLICATION)}
DEPENDENCIES = PYPROJECT["project"]["dependencies"]
GROUPS = PYPROJECT["dependency-groups"]
EXTRAS = [text for e in PYPROJECT["project"]["optional-dependencies"].values() for text in e]
NOT_FOR_A_NOTEBOOK = ["streamlit", "sqlalchemy", "alembic", "argon2", "pydicom", "imagecodecs"]
NOT_FOR_A_NOTEBOOK += ["pyarrow", "starlette", "db", "imaging", "models", "pages", "review", "ui"]

IN_A_NOTEBOOK = """
import importlib, importlib.util, pkgutil, sys

unwanted = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
assert not unwanted, f"importable, and not to be: {unwanted}"

import torch
import xai_core
from torch import nn

for module in pkgutil.walk_packages(xai_core.__path__, "xai_core."):
    importlib.import_module(module.name)

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)
).eval()
image = torch.rand(1, 1, 8, 8)
covered = image.clone()
covered[..., :4, :4] = 0
with torch.inference_mode():
    whole, without, black = model(torch.cat([image, covered, torch.zeros_like(image)]))[:, 2]

gradients = xai_core.integrated_gradients(model, image, target=2, n_steps=200)
torch.testing.assert_close(gradients.values.sum(), whole - black, atol=0.01, rtol=0)
falls = xai_core.occlusion(model, image, target=2, window=4, stride=4, engine="delta")
torch.testing.assert_close(falls.values[0, 0, 0], whole - without)
print("both maps")
"""


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def imported(*sources: str) -> set[str]:
    """Return the distributions that modules of ours import anywhere in their code."""
    modules: set[str] = set()
    for source in sources:
        path = ROOT / source
        for file in path.rglob("*.py") if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    modules |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    modules.add(node.module.partition(".")[0])
    homes = packages_distributions()
    return {canonicalize_name(homes[name][0]) for name in modules - sys.stdlib_module_names - OURS}


def test_the_library_depends_on_what_it_imports_and_nothing_else():
    assert names(DEPENDENCIES) == imported(LIBRARY), "change `dependencies` in pyproject.toml"


def test_the_application_declares_what_it_imports():
    assert imported(*APPLICATION) <= names(DEPENDENCIES) | names(GROUPS["app"])


@pytest.mark.parametrize(
    ("file", "ranges"),
    [
        ("requirements.txt", [*DEPENDENCIES, *GROUPS["app"]]),
        ("requirements-dev.txt", GROUPS["dev"]),
        ("requirements-bench.txt", GROUPS["bench"]),
        ("requirements-models.txt", EXTRAS),
    ],
)
def test_each_range_has_a_pin_within_it(file, ranges):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and line[0] not in "#-"]
    allowed = {canonicalize_name((range_ := Requirement(text)).name): range_ for text in ranges}
    assert {canonicalize_name(pin.name) for pin in pins} == set(allowed)
    for pin in pins:
        (version,) = (exact.version for exact in pin.specifier)
        assert version in allowed[canonicalize_name(pin.name)].specifier


@pytest.mark.parametrize("package", sorted(names(EXTRAS)))
def test_packages_of_models_leave_the_pinned_torch_as_it_is(package):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line.startswith("torch"))
    for text in distribution(package).requires or []:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            assert pins.get(wanted.name, "") in wanted.specifier or wanted.name not in pins, text


def with_their_own(requirements: Iterable[str]) -> Iterator[Distribution]:
    """Yield the distributions that these requirements bring, and all that those bring, once."""
    waiting, seen = [(Requirement(text), {""}) for text in requirements], set()
    while waiting:
        requirement, asked_for = waiting.pop()
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": e}) for e in asked_for):
            continue
        extras = {"", *requirement.extras}
        key = (canonicalize_name(requirement.name), frozenset(extras))
        if key in seen:
            continue
        seen.add(key)
        found = distribution(requirement.name)
        waiting += [(Requirement(text), extras) for text in found.requires or []]
        yield found


def link(found: Distribution, site_packages: Path) -> None:
    """Let a folder of packages hold a distribution that is installed here."""
    here = Path(str(found.locate_file("")))
    tops = {file.parts[0] for file in found.files or [] if file.parts[0] != ".."}
    for top in tops - {"__pycache__"}:
        if not (site_packages / top).exists():
            (site_packages / top).symlink_to(here / top)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves folders behind."""
    source = tmp_path_factory.mktemp("source")
    for path in ROOT.glob("*"):
        if path.name in OURS:
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.suffix in {".md", ".toml", ".txt", ".py"} or path.name == "LICENSE":
            shutil.copy(path, source)
    offline = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet"]
    build = ["wheel", *offline, "--wheel-dir", source / "out", source]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True)
    (built,) = (source / "out").glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_the_library_with_its_data_and_nothing_else(wheel: Path):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = (path.relative_to(ROOT) for path in (ROOT / LIBRARY).rglob("*") if path.is_file())
    assert held == {str(path) for path in ours if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_the_wheel_makes_both_maps_with_only_its_own_requirements(wheel: Path, tmp_path: Path):
    venv.create(tmp_path / "notebook", symlinks=True)
    python = tmp_path / "notebook" / "bin" / "python"
    (site_packages,) = (tmp_path / "notebook" / "lib").glob("python*/site-packages")
    install = ["install", "--no-deps", "--no-index", "--quiet", wheel]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *install], check=True)
    (metadata,) = site_packages.glob("*.dist-info")
    for found in with_their_own(Distribution.at(metadata).requires or []):
        link(found, site_packages)

    command = [python, "-I", "-c", IN_A_NOTEBOOK, *NOT_FOR_A_NOTEBOOK]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout == "both maps\n", done.stderr
