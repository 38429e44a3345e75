"""Differences on a rectangle of a feature map, for a grid of windows at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from xai_core.incremental.span import Span


@dataclass(frozen=True)
class Patch:
    """What a grid of windows changes on one feature map; outside the rectangles nothing changes.

    Attributes:
        values: The differences, (n_rows * n_columns, ...), with the rectangles' heights and widths
            at `axes`: usually (N, C, h, w).
        rows: Where the rectangles lie vertically, one interval a row of windows.
        columns: Where they lie horizontally.
        axes: Which of the dimensions of `values` are the vertical and the horizontal one.
        is_own: Whether `values` is memory that no other patch looks at.
    """

    values: Tensor
    rows: Span
    columns: Span
    axes: tuple[int, int] = (2, 3)
    is_own: bool = True

    @property
    def spans(self) -> tuple[Span, Span]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def grid(self) -> Tensor:
        """The differences as (n_rows, n_columns, ...)."""
        n_rows, n_columns = len(self.rows.starts), len(self.columns.starts)
        return self.values.view(n_rows, n_columns, *self.values.shape[1:])

    def with_values(self, values: Tensor) -> "Patch":
        """Return other differences, in memory of their own, on the same rectangles."""
        return replace(self, values=values, is_own=True)

    def with_view(self, values: Tensor, axes: tuple[int, int]) -> "Patch":
        """Return the same differences in another layout."""
        return replace(self, values=values, axes=axes, is_own=False)

    def add_reference(self, reference: Tensor, rows: Span, columns: Span) -> Tensor:
        """Return b + d on other rectangles, (n_rows * n_columns, ...), in memory of its own.

        Args:
            reference: b, (n_rows, n_columns, ...), as `PaddedMap.under` gives it.
            rows: Vertical intervals of the rectangles.
            columns: Horizontal intervals.
        """
        values = self.on(rows, columns).to(reference.dtype)
        moved = replace(self, values=values, rows=rows, columns=columns)
        if moved.values is not self.values:
            moved.grid.add_(reference)
            return moved.values
        # The sum lies in memory as its first term does, and only patches lie window by window.
        return (moved.grid + reference).flatten(0, 1)

    def on(self, rows: Span, columns: Span) -> Tensor:
        """Return the differences on other rectangles: zero outside the own, cut where smaller."""
        return _moved(_moved(self, 0, rows), 1, columns).values


def union(patches: Sequence[Patch]) -> tuple[Span, Span]:
    """Return the smallest rectangles that hold those of all patches."""
    rows, columns = patches[0].spans
    for patch in patches[1:]:
        rows, columns = rows.union(patch.rows), columns.union(patch.columns)
    return rows, columns


def add_patches(a: Patch, b: Patch, *, may_write: bool) -> Patch:
    """Return a + b on the union of their rectangles, in the memory of `a` where that is allowed."""
    rows, columns = union([a, b])
    values = a.on(rows, columns)
    if values is a.values and not may_write:
        values = values.clone()
    total = Patch(values, rows, columns, a.axes)
    for place, added in _places(b, total):
        place.add_(added)
    return total


def concatenate_patches(patches: Sequence[Patch], dim: int) -> Patch:
    """Return the patches one after the other along `dim`, on the union of their rectangles."""
    whole = allocate_union(patches, dim)
    start = 0
    for patch in patches:
        taken = slice(start, start := start + patch.values.shape[dim])
        for place, values in _places(patch, select_part(whole, dim, taken)):
            place.copy_(values)
    return whole


def allocate_union(patches: Sequence[Patch], dim: int) -> Patch:
    """Return room for the patches one after the other along `dim`, on the union of rectangles.

    It holds zeros, or anything where the patches will fill it.
    """
    rows, columns = union(patches)
    first = patches[0]
    sizes = {dim: sum(patch.values.shape[dim] for patch in patches)}
    sizes |= dict(zip(first.axes, (rows.size, columns.size), strict=True))
    fills = all((p.rows.size, p.columns.size) == (rows.size, columns.size) for p in patches)
    values = _resized(first.values, sizes)
    return Patch(values if fills else values.zero_(), rows, columns, first.axes)


def select_part(whole: Patch, dim: int, taken: slice) -> Patch:
    """Return what a patch holds in some places along `dim`, in the same memory."""
    values = whole.values.narrow(dim, taken.start, taken.stop - taken.start)
    return whole.with_view(values, whole.axes)


def find_place(patch: Patch, whole: Patch) -> Tensor | None:
    """Return where a patch lies in one whose rectangles hold its own, or None where that differs.

    It differs where the rectangles do not begin equally far apart in all windows.
    """
    down, across = whole.rows.offset(patch.rows), whole.columns.offset(patch.columns)
    if down is None or across is None:
        return None
    place = whole.values.narrow(patch.axes[0], down, patch.rows.size)
    return place.narrow(patch.axes[1], across, patch.columns.size)


def _places(patch: Patch, whole: Patch) -> Iterator[tuple[Tensor, Tensor]]:
    """Return where a patch lies in a larger one, and its values: at once, or window by window."""
    place = find_place(patch, whole)
    if place is not None:
        yield place, patch.values
        return
    first, second = (axis - 1 for axis in patch.axes)
    offsets = (own.starts - all_.starts for own, all_ in zip(patch.spans, whole.spans, strict=True))
    for (row, down), (column, across) in product(*(enumerate(o.tolist()) for o in offsets)):
        place = whole.grid[row, column].narrow(first, down, patch.rows.size)
        yield place.narrow(second, across, patch.columns.size), patch.grid[row, column]


def _moved(patch: Patch, side: int, wanted: Span) -> Patch:
    """Return the patch on other intervals along one side."""
    span, axis = patch.spans[side], patch.axes[side]
    spans = (wanted, patch.columns) if side == 0 else (patch.rows, wanted)
    offset = wanted.offset(span)
    if offset is not None and -span.size < offset < wanted.size:
        before, after = offset, wanted.size - span.size - offset
        if before == after == 0:
            return Patch(patch.values, *spans, patch.axes)
        padding = [0, 0] * (patch.values.dim() - 1 - axis) + [before, after]
        return Patch(F.pad(patch.values, padding), *spans, patch.axes)
    moved = Patch(_resized(patch.values, {axis: wanted.size}).zero_(), *spans, patch.axes)
    for index, (old, new) in enumerate(zip(span.starts, wanted.starts, strict=True)):
        first, last = max(old, new), min(old + span.size, new + wanted.size)
        if first < last:
            source = patch.grid.select(side, index).narrow(axis, first - old, last - first)
            moved.grid.select(side, index).narrow(axis, first - new, last - first).copy_(source)
    return moved


def _resized(like: Tensor, sizes: dict[int, int]) -> Tensor:
    """Return memory with other sizes along some dimensions, in the same order."""
    order = sorted(range(like.dim()), key=like.stride, reverse=True)
    shape = [sizes.get(dim, like.shape[dim]) for dim in order]
    back = [order.index(dim) for dim in range(like.dim())]
    return torch.empty(shape, dtype=like.dtype, device=like.device).permute(back)
