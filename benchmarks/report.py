"""Keeps measured rows and writes docs/performance.md's tables and plots from them."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.machine import load_per_core, versions

Row = dict[str, Any]

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

_TOLD_ELSEWHERE = ("met", "met, default", "date", "versions", "load")
_NAMES = {"torch": "PyTorch", "captum": "Captum", "monai": "MONAI", "grad-cam": "pytorch-grad-cam"}
_CROWDED = 1.2  # processes a core


def table(rows: Sequence[Row], *, header: bool = True) -> str:
    """Return rows as a Markdown table."""
    if not rows:
        return ""
    columns = [key for key in rows[0] if key not in _TOLD_ELSEWHERE]
    lines = [f"| {' | '.join(_cell(row, key) for key in columns)} |" for row in rows]
    if header:
        lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *lines]
    return "\n".join(lines)


def keep(name: str, row: Row, *, machine: str, folder: Path = RESULTS) -> None:
    """Keep a benchmark's row of one machine, in place of an earlier one of the same workload."""
    path = folder / f"{name}-{slug(machine)}.json"
    kept: dict[str, Any] = {"benchmark": name, "machine": machine, "rows": []}
    if path.exists():
        kept = json.loads(path.read_text())
    told = {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "load": round(load_per_core(), 1),
    }
    by_workload = {each["workload"]: each for each in kept["rows"]}
    by_workload[row["workload"]] = row | told
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept | {"rows": list(by_workload.values())}, indent=1) + "\n")


def write(order: Mapping[str, Sequence[str]], *, folder: Path = RESULTS, page: Path = PAGE) -> None:
    """Write the page's tables, between their markers, and a plot for each machine.

    Args:
        order: By benchmark, its workloads as they are to be listed.
        folder: Where rows are kept.
        page: The page; plots lie in `images` beside it.
    """
    kept = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    for each in kept:
        listed = list(order.get(each["benchmark"], ()))
        each["rows"] = sorted(
            (row for row in each["rows"] if row["workload"] in listed),
            key=lambda row, listed=listed: listed.index(row["workload"]),
        )
    text = page.read_text()
    for name in order:
        tables = [
            f"{_origin(each)}\n\n{table(each['rows'])}"
            for each in kept
            if each["benchmark"] == name and each["rows"]
        ]
        text = between(text, name, tables)
    machines = sorted({each["machine"] for each in kept})
    pictures = []
    for machine in machines:
        path = page.parent / "images" / f"performance-{slug(machine)}.svg"
        panels = {each["benchmark"]: each["rows"] for each in kept if each["machine"] == machine}
        plot.draw({name: panels[name] for name in order if name in panels}, path)
        pictures.append(f"![{plot.CAPTION} {machine}.](images/{path.name})")
    page.write_text(between(text, "plots", pictures))


def slug(machine: str) -> str:
    """Return a machine's name as part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-")


def between(text: str, name: str, parts: Sequence[str]) -> str:
    """Return a page with other parts between the markers of this name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    new = "\n\n".join([begin, *parts, end])
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    return re.sub(pattern, lambda _: new, text, flags=re.DOTALL)


def _origin(kept: Mapping[str, Any]) -> str:
    """Say where and when rows were measured, and whether others used the machine meanwhile."""
    rows = kept["rows"]
    dates = sorted({row["date"] for row in rows})
    used = {f"{_NAMES.get(k, k)} {v}" for row in rows for k, v in row["versions"].items()}
    load = max(row["load"] for row in rows)
    told = f"{kept['machine']}; {' to '.join(dict.fromkeys((dates[0], dates[-1])))}; "
    told += ", ".join(sorted(used))
    if load > _CROWDED:
        told += f"; a shared machine, up to {load:.1f} processes a core meanwhile"
    return f"{told}:"


def _cell(row: Row, key: str) -> str:
    value = row[key]
    if value is None:
        return "–"
    if key.startswith(("target", "at most")):
        verdict = "met" if row[key.replace("target", "met").replace("at most", "met")] else "missed"
        return f"{value:g}{'x' if key.startswith('target') else ''}, {verdict}"
    if not isinstance(value, float):
        return str(value)
    if "vs " in key or key == "floor allows":
        return f"**{value:.1f}x**" if key == "vs best" else f"{value:.1f}x"
    if "difference" in key:
        return f"{value:.0e}"
    if "error" in key:
        return f"{value:.2%}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
