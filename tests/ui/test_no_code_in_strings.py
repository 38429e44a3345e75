"""Scripts, styles and pages lie in files under `ui/browser`, where they are checked."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import ROOT

# An element on one line is drawn by whoever fills it; what takes several lines has a file.
BLOCK = re.compile(r"</?[a-z]+[ >]|[;{}]\s*$|=>", re.M)
CODE = re.compile(r"<(script|style)\b[^>]*>[^(<]|export default|\bfunction\b.*\{", re.I)


def holds_code(text: str) -> bool:
    return bool(CODE.search(text) or ("\n" in text.strip() and BLOCK.search(text)))


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Yield every string but docstrings, with its line; what an f-string fills in is left out."""
    tree = ast.parse(source)
    statements = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    for node in ast.walk(tree):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        found = [each.value for each in parts if isinstance(each, ast.Constant)]
        text = "".join(each for each in found if isinstance(each, str))
        if text and node not in statements:
            yield node.lineno, text


def test_no_string_of_a_page_holds_a_script_a_style_or_a_block_of_markup():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ("ui", "pages")
        for path in sorted(Path(ROOT / room).rglob("*.py"))
        for line, text in strings(path.read_text(encoding="utf-8"))
        if holds_code(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        '"""\nexport default function () {\n  go();\n}\n"""',
        '''f'const a = "{b}";\\n' "const c = 1;\\n"''',
        '"(a) => {\\n  b(a);\\n}"',
        '"""\n<form>\n  <input>\n</form>"""',
        '"<style>p { color: red }</style>"',
        '"p { color: red }\\na { color: blue }"',
    ],
)
def test_a_block_of_code_is_found(source):
    assert any(holds_code(text) for _, text in strings(f"shown = {source}"))


@pytest.mark.parametrize(
    "source",
    [
        '"""Words <b>of</b> a docstring;\n\n    f();\n"""',
        """f'<p class="group">{title}</p>'""",
        '"First line.\\nSecond line: a < b."',
        '"; ".join(words)',
        'r"<script>(.*?)</script>"',
    ],
)
def test_words_and_single_elements_are_none(source):
    assert not any(holds_code(text) for _, text in strings(source))
