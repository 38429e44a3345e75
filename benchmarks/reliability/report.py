"""Writes the rows of a drill into docs/reliability.md, with when and where they were made."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from benchmarks.machine import processor
from benchmarks.reliability.room import Row
from benchmarks.report import between

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def lines(rows: Sequence[Row], *, header: bool = True) -> str:
    """Return rows as a Markdown table."""
    told = [f"| {' | '.join(_cell(value) for value in row.values())} |" for row in rows]
    if header:
        told = [f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|", *told]
    return "\n".join(told)


def write(name: str, rows: Sequence[Row], *, page: Path = PAGE) -> None:
    """Write the rows between the page's markers of this drill."""
    text = between(page.read_text(), name, [f"{origin()}:", lines(rows)])
    page.write_text(text)


@cache
def origin() -> str:
    """Return the day, the machine and the commit, as they were before anything was written."""
    named = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PAGE.parent, capture_output=True, text=True
    )
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, {processor()}, commit {named.stdout.strip() or 'unknown'}"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.2g}" if abs(value) < 1 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
