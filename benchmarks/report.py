"""Keeps measured rows and writes docs/performance.md's tables and plot from them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

Row = dict[str, Any]

_RESULTS = Path(__file__).parent / "results"
_DOCS = Path(__file__).parents[1] / "docs"
_PAGE = _DOCS / "performance.md"
_PLOT = _DOCS / "images" / "performance.svg"


def table(rows: Sequence[Row], *, header: bool = True) -> str:
    """Return rows as a Markdown table."""
    lines = [f"| {' | '.join(_cell(key, row[key]) for key in row)} |" for row in rows]
    if header and rows:
        lines = [f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|", *lines]
    return "\n".join(lines)


def keep(name: str, rows: Sequence[Row], *, machine: str, rounds: int) -> None:
    """Keep a benchmark's rows of one machine; rows of the same workload are replaced."""
    path = _RESULTS / f"{name}, {machine}.json".replace(" ", "-").replace(",", "")
    kept: dict[str, Any] = {"benchmark": name, "machine": machine, "rows": []}
    if path.exists():
        kept = json.loads(path.read_text())
    by_workload = {row["workload"]: row for row in kept["rows"]}
    by_workload |= {row["workload"]: {**row, "rounds": rounds} for row in rows}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept | {"rows": list(by_workload.values())}, indent=1) + "\n")


def write() -> None:
    """Write the page's tables, between their markers, and its plot."""
    kept = [json.loads(path.read_text()) for path in sorted(_RESULTS.glob("*.json"))]
    page = _PAGE.read_text()
    for name in {each["benchmark"] for each in kept}:
        tables = [
            f"{each['machine']}:\n\n{table(each['rows'])}"
            for each in kept
            if each["benchmark"] == name
        ]
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        between = re.escape(begin) + ".*?" + re.escape(end)
        new = "\n\n".join([begin, *tables, end])
        page = re.sub(between, lambda _, new=new: new, page, flags=re.DOTALL)
    _PAGE.write_text(page)
    _plot([row for each in kept for row in each["rows"] if row.get("vs best")])


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    if key.startswith(("vs", "target")):
        return f"**{value:.1f}x**" if key.startswith("vs best") else f"{value:.1f}x"
    if key == "difference":
        return f"{value:.0e}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _plot(rows: Sequence[Row]) -> None:
    """Draw each workload's ratio to the best peer, and its target."""
    mpl.rcParams["svg.hashsalt"] = "second-look"
    height = 0.34 * len(rows) + 1.0
    figure, axes = plt.subplots(figsize=(8, height), layout="constrained")
    labels = [row["workload"] for row in rows]
    bars = axes.barh(range(len(rows)), [row["vs best"] for row in rows], color="#4FB3BF")
    axes.bar_label(bars, fmt="%.1fx", padding=3)
    for place, row in enumerate(rows):
        if row.get("target"):
            axes.plot([row["target"]] * 2, [place - 0.4, place + 0.4], color="#B3541E", lw=2)
    axes.axvline(1, color="grey", lw=1)
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("times as fast as the best setting of the peer; mark: target")
    axes.spines[["top", "right"]].set_visible(False)
    _PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(_PLOT, metadata={"Date": None})
    plt.close(figure)
