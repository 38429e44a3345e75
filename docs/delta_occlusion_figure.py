"""Draws docs/images/delta-occlusion.svg: the rectangles that one window changes in a ResNet-18.

`python -m docs.delta_occlusion_figure FILE`. The rectangles are those of
`xai_core.incremental.span`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xai_core.incremental.span import Kernel, Span

SIDE_PX, WINDOW_PX = 224, 16
CORNER = (88, 72)  # of the window: row, column
SAME = Kernel(3, padding=1)
HALVED = Kernel(3, stride=2, padding=1)
LAYERS: tuple[tuple[str, tuple[Kernel, ...]], ...] = (
    ("7 × 7, stride 2", (Kernel(7, stride=2, padding=3),)),
    ("max pooling", (HALVED,)),
    ("layer 1", (SAME,) * 4),
    ("layer 2", (HALVED, *(SAME,) * 3)),
    ("layer 3", (HALVED, *(SAME,) * 3)),
    ("layer 4", (HALVED, *(SAME,) * 3)),
)
DRAWN_PX = {224: 150, 112: 124, 56: 102, 28: 84, 14: 70, 7: 58}
MIDDLE_Y, GAP = 138, 28
WIDTH, HEIGHT = 1040, 320


@dataclass(frozen=True)
class Stage:
    """A map and the rectangle of it that the window changes.

    Attributes:
        name: The layer whose map it is.
        spans: Rows and columns of the rectangle.
    """

    name: str
    spans: tuple[Span, Span]

    @property
    def length(self) -> int:
        """The map's side, in positions."""
        return self.spans[0].length

    @property
    def share(self) -> float:
        """Which part of the map changes."""
        rows, columns = self.spans
        return rows.size * columns.size / (rows.length * columns.length)


def stages() -> list[Stage]:
    """Return the image's stage and one for each of `LAYERS`."""
    first, second = (Span(np.array([corner]), WINDOW_PX, SIDE_PX) for corner in CORNER)
    found = [Stage("image", (first, second))]
    for name, kernels in LAYERS:
        rows, columns = found[-1].spans
        for kernel in kernels:
            length = (rows.length + 2 * kernel.padding - kernel.extent) // kernel.stride + 1
            rows, columns = (span.reached(kernel, length) for span in (rows, columns))
        found.append(Stage(name, (rows, columns)))
    return found


def svg() -> str:
    """Return the figure."""
    parts, x = [], 20.0
    for stage in stages():
        side = DRAWN_PX[stage.length]
        if stage.name != "image":
            parts.append(_arrow(x - GAP + 4, x - 4))
        parts += _stage(stage, x, side)
        x += side + GAP
    parts.append(_arrow(x - GAP + 4, x - 4))
    parts += [
        _text(x + 2, MIDDLE_Y - 5, "mean, classifier", anchor="start", weight=600),
        _text(x + 2, MIDDLE_Y + 13, "one fall a window", anchor="start"),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">',
            "<title>The rectangle that one covered window changes, layer by layer</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff"/>',
            *parts,
            *_legend(264),
            "</svg>\n",
        ]
    )


def _stage(stage: Stage, x: float, side: int) -> list[str]:
    top, scale = MIDDLE_Y - side / 2, side / stage.length
    rows, columns = stage.spans
    middle, below = x + side / 2, MIDDLE_Y + DRAWN_PX[SIDE_PX] / 2
    share = f"{stage.share:.1%}" if stage.share < 0.1 else f"{stage.share:.0%}"
    return [
        _text(middle, 26, stage.name, weight=600),
        _text(middle, 44, f"{stage.length} × {stage.length}", fill="#52606d"),
        _box(x, top, side, side, "#e8edf2", "#9aa5b1"),
        _box(
            x + scale * columns.starts[0],
            top + scale * rows.starts[0],
            scale * columns.size,
            scale * rows.size,
            "#4fb3bf",
            "#1c7a86",
        ),
        _text(middle, below + 22, share.replace("%", " %"), weight=600, fill="#1c7a86"),
    ]


def _legend(y: float) -> list[str]:
    clean = "b: what the clean image gives. It is passed once, for all windows."
    changed = "d: what the window changes, in per cent of the map. Only d is passed on."
    through = "d′ = W d through a convolution, f(b + d) − f(b) through the rest; around d it is 0."
    return [
        _box(20, y - 11, 14, 14, "#e8edf2", "#9aa5b1"),
        _text(44, y, clean, anchor="start"),
        _box(20, y + 13, 14, 14, "#4fb3bf", "#1c7a86"),
        _text(44, y + 24, changed, anchor="start"),
        _text(44, y + 42, through, anchor="start", fill="#52606d"),
    ]


def _box(x: float, y: float, width: float, height: float, fill: str, stroke: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{fill}" stroke="{stroke}"/>'
    )


def _text(
    x: float, y: float, words: str, *, anchor: str = "middle", weight: int = 400, fill: str = ""
) -> str:
    colour = f' fill="{fill}"' if fill else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"{colour}>'
        f"{words}</text>"
    )


def _arrow(start: float, end: float) -> str:
    y = MIDDLE_Y
    return (
        f'<path d="M{start:.1f} {y} H{end - 5:.1f}" stroke="#52606d" stroke-width="1.5"/>'
        f'<path d="M{end - 6:.1f} {y - 4} l6 4 l-6 4z" fill="#52606d"/>'
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(svg(), encoding="utf-8")
