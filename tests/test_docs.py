"""The documents: every link leads somewhere, and what is made from code is up to date."""

import inspect
import re
from pathlib import Path

import pytest

import xai_core
from docs.delta_occlusion_figure import stages, svg
from xai_core.glossary.text import as_markdown

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/*.md")})
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
ANCHOR = re.compile(r'<a id="([^"]+)">')
ROOMS = "benchmarks|db|docs|imaging|models|pages|review|tests|ui|xai_core"
DIVIDED = ("pages", "review", "ui", "xai_core")
FILE = re.compile(rf"`((?:{ROOMS})/[\w./-]+)`")
MODULE = re.compile(rf"`((?:{ROOMS})(?:\.\w+)+)(?:\(\))?`")
CODE = sorted(path for room in ROOMS.split("|") for path in (ROOT / room).rglob("*.py"))


def anchors(document: Path) -> set[str]:
    """Return what links may name in a document: its headings as GitHub names them, its anchors."""
    text = document.read_text(encoding="utf-8")
    headings = [re.sub(r"[^\w\- ]", "", title.lower()) for title in HEADING.findall(text)]
    return {title.replace(" ", "-") for title in headings} | set(ANCHOR.findall(text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(document):
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def is_named_well(name: str) -> bool:
    """Return whether a dotted name is a module of ours, or stands in the module before it."""
    parts = name.split(".")
    is_public = parts[0] == "xai_core" and parts[1] in xai_core.__all__
    if is_public or ROOT.joinpath(*parts).is_dir():
        return True
    for end in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:end])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.exists():
                text = file.read_text(encoding="utf-8")
                return end == len(parts) or bool(re.search(rf"\b{parts[end]}\b", text))
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_ours_that_a_document_names_are_there(document):
    named = FILE.findall(document.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_table_of_rooms_has_every_folder():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    packages = {file.parent.relative_to(ROOT) for file in CODE if file.name == "__init__.py"}
    rooms = [room for room in packages if len(room.parts) <= 2 and room.parts[0] in DIVIDED]
    assert [room for room in rooms if f"| `{room}/` |" not in text] == []


def test_modules_and_functions_named_in_documents_and_docstrings_are_there():
    for path in (*DOCUMENTS, *CODE):
        named = MODULE.findall(path.read_text(encoding="utf-8"))
        gone = [name for name in named if not is_named_well(name)]
        assert gone == [], f"in {path.relative_to(ROOT)}"


@pytest.mark.parametrize(
    ("name", "made"), [("methods.md", as_markdown), ("images/delta-occlusion.svg", svg)]
)
def test_what_is_made_from_the_code_is_up_to_date(name, made):
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == made(), "run `make docs`"


def test_the_figure_has_the_maps_of_a_resnet_18():
    assert [stage.length for stage in stages()] == [224, 112, 56, 56, 28, 14, 7]
    assert [stage.spans[0].size for stage in stages()] == [16, 11, 7, 15, 15, 14, 7]


def test_options_for_notebooks_are_the_methods_own():
    text = (ROOT / "docs/engine.md").read_text(encoding="utf-8")
    section = text.partition("## Options for notebooks")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == 8
    for named, options in rows:
        for method in re.findall(r"`(\w+)`", named):
            allowed = inspect.signature(getattr(xai_core, method)).parameters
            names = re.findall(r"`(\w+)(?:=[^`]*)?`", options)
            assert not {n for n in names if n not in allowed} - {"superpixels", "grid_segments"}
