"""Draws ratios to peers at their best, one panel a benchmark."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

CAPTION = "Times as fast as the peer at its best setting, with the targets, measured on"

_TITLES = {
    "occlusion": "Occlusion",
    "integrated-gradients": "Integrated Gradients, equal steps",
    "accuracy": "Integrated Gradients, equal accuracy",
    "methods": "Other methods",
}
_OURS, _FLOOR, _TARGET, _INK = "#2A7F9E", "#CFE3EA", "#C2410C", "#222222"
_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)
_ROW_INCHES = 0.3


def draw(panels: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Draw the rows that hold a ratio to a peer, as SVG."""
    shown = {
        name: [row for row in rows if row.get("vs best")]
        for name, rows in panels.items()
        if name in _TITLES
    }
    shown = {name: rows for name, rows in shown.items() if rows}
    if not shown:
        return
    sizes = [len(rows) + 1 for rows in shown.values()]
    style = {"svg.hashsalt": "second-look", "font.size": 9, "text.color": _INK}
    with mpl.rc_context(style):
        figure = Figure(figsize=(8, _ROW_INCHES * sum(sizes) + 1.1), layout="constrained")
        axes = figure.subplots(
            len(shown), 1, squeeze=False, sharex=True, height_ratios=sizes
        ).ravel()
        for each, (name, rows) in zip(axes, shown.items(), strict=True):
            _panel(each, _TITLES[name], rows)
        _scale(axes[-1], [row for rows in shown.values() for row in rows])
        figure.legend(handles=_legend(), loc="outside upper left", ncols=3, frameon=False)
        path.parent.mkdir(exist_ok=True)
        FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})


def _panel(axes: Axes, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    for place, row in enumerate(rows):
        if row.get("floor allows"):
            axes.barh(place, row["floor allows"] - 1, left=1, height=0.7, color=_FLOOR)
        axes.barh(place, row["vs best"] - 1, left=1, height=0.4, color=_OURS)
        if row.get("target"):
            axes.plot([row["target"]] * 2, [place - 0.4, place + 0.4], color=_TARGET, lw=2)
        axes.text(
            1.02,
            place,
            f"{row['vs best']:.1f}×",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontweight="bold",
        )
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.axvline(1, color=_INK, lw=0.8)
    axes.grid(axis="x", color="#E5E5E5", lw=0.6)
    axes.set_axisbelow(True)
    axes.set_yticks(range(len(rows)), [row["workload"] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="both", length=0)
    axes.spines[:].set_visible(False)


def _scale(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    values = [
        row[key] for row in rows for key in ("vs best", "floor allows", "target") if row.get(key)
    ]
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, *values) * 0.9, max(2, *values) * 1.1)
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.set_xlabel("times as fast as the peer at its best setting (logarithmic)")


def _legend() -> list[Any]:
    return [
        Patch(color=_OURS, label="ours, against the peer (1×)"),
        Patch(color=_FLOOR, label="what its FLOPs allow at the measured peak"),
        Line2D([], [], color=_TARGET, lw=2, label="target"),
    ]
