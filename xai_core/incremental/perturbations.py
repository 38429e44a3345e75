"""What is covered, one after the other: the windows of a grid, or regions of any shape.

Perturbations near each other are passed together, in tiles: neighbours reach much the same places
of every map, and meet its ends alike.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from xai_core.incremental.padded_map import PaddedMap
from xai_core.incremental.patch import Patch
from xai_core.incremental.span import Span
from xai_core.incremental.windows import AxisWindows, Windows
from xai_core.runtime.chunks import Part

_SAMPLE = 9  # windows that stand for all, where a choice is tried
_LARGE = 4  # times the median box: such a region would make the rectangles of its neighbours large

Tile = TypeVar("Tile", bound=Part)


class Perturbations(ABC, Generic[Tile]):
    """An image, and the perturbations of it, one after the other.

    Args:
        image: (1, C, H, W).
        baseline: What covers it, (1, C, H, W).
    """

    def __init__(self, image: Tensor, baseline: Tensor) -> None:
        self.image = image
        self.baseline = baseline

    @cached_property
    def _difference(self) -> Tensor:
        """What covering all of the image changes, (1, C, H, W)."""
        return (self.baseline - self.image).contiguous(memory_format=torch.channels_last)

    @abstractmethod
    def __len__(self) -> int:
        """Count the perturbations."""

    @abstractmethod
    def covered(self, index: int) -> Tensor:
        """Return where a perturbation lies, True inside, (H, W)."""

    @abstractmethod
    def tiles(self, at_once: int) -> Sequence[Tile]:
        """Return tiles of at most `at_once` neighbours that hold every perturbation once."""

    @abstractmethod
    def one(self) -> Tile:
        """Return a perturbation that takes as much memory as any that is passed with others."""

    def sample(self) -> Tile:
        """Return a few perturbations that stand for all."""
        return self.one()

    @abstractmethod
    def indices(self, tile: Tile) -> NDArray[np.int64]:
        """Return which perturbations a tile holds, in the order of its images, (n,)."""

    @abstractmethod
    def difference(self, tile: Tile) -> Patch:
        """Return what the perturbations of a tile change in the image."""

    def images(self, indices: Sequence[int]) -> Tensor:
        """Return the image under each of some perturbations, (n, C, H, W)."""
        where = torch.stack([self.covered(index) for index in indices])[:, None]
        return torch.where(where, self.baseline, self.image)


@dataclass(frozen=True)
class WindowTile:
    """A grid of windows, by their indices.

    Attributes:
        rows: Which rows of windows, ascending.
        columns: Which columns of windows, ascending.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def halves(self) -> tuple["WindowTile", "WindowTile"]:
        """Return the two halves of the longer side."""
        if len(self.rows) > len(self.columns):
            first, second = np.array_split(self.rows, 2)
            return WindowTile(first, self.columns), WindowTile(second, self.columns)
        first, second = np.array_split(self.columns, 2)
        return WindowTile(self.rows, first), WindowTile(self.rows, second)


class WindowPerturbations(Perturbations[WindowTile]):
    """The windows of a grid, row by row.

    Args:
        image: (1, C, H, W).
        baseline: What covers it, (1, C, H, W).
        windows: Where.
    """

    def __init__(self, image: Tensor, baseline: Tensor, windows: Windows) -> None:
        super().__init__(image, baseline)
        self._windows = windows
        self._rows, self._columns = windows.rows, windows.columns

    @cached_property
    def _padded(self) -> PaddedMap:
        return PaddedMap(self._difference, (2, 3))

    def __len__(self) -> int:
        return len(self._windows)

    def covered(self, index: int) -> Tensor:
        """Return where a window lies."""
        where = torch.zeros(self.image.shape[2:], dtype=torch.bool, device=self.image.device)
        where[self._windows.rectangle(index)] = True
        return where

    def tiles(self, at_once: int) -> list[WindowTile]:
        """Return blocks of windows, about as many down as across."""
        side = max(1, math.isqrt(at_once))
        rows, columns = (
            np.array_split(np.arange(n), math.ceil(n / side))
            for n in (len(self._rows.starts), len(self._columns.starts))
        )
        return [
            WindowTile(some_rows, some_columns) for some_rows in rows for some_columns in columns
        ]

    def sample(self) -> WindowTile:
        """Return windows that lie evenly over the image."""
        side = math.isqrt(_SAMPLE)
        rows, columns = (_evenly(len(axis.starts), side) for axis in (self._rows, self._columns))
        return WindowTile(rows, columns)

    def one(self) -> WindowTile:
        """Return the window in the middle."""
        rows, columns = (np.array([len(a.starts) // 2]) for a in (self._rows, self._columns))
        return WindowTile(rows, columns)

    def indices(self, tile: WindowTile) -> NDArray[np.int64]:
        """Return which windows a tile holds."""
        return (tile.rows[:, None] * len(self._columns.starts) + tile.columns).ravel()

    def difference(self, tile: WindowTile) -> Patch:
        """Return what the windows change; the last may hang over the image's end, no patch does."""
        rows, columns = _along(self._rows, tile.rows), _along(self._columns, tile.columns)
        found = Patch(self._padded.under(rows, columns).flatten(0, 1), rows, columns)
        rows, columns = (Span.within(s.starts, s.ends, s.length) for s in (rows, columns))
        values = found.on(rows, columns).clone(memory_format=torch.channels_last)
        return Patch(values, rows, columns)


@dataclass(frozen=True)
class RegionTile:
    """Regions, and the rectangles of one size on which they are passed.

    Attributes:
        regions: Which, (n,).
        height: Of each rectangle.
        left: Where all rectangles begin.
        right: One past where they end.
    """

    regions: NDArray[np.int64]
    height: int
    left: int
    right: int

    def __len__(self) -> int:
        return len(self.regions)

    @property
    def area(self) -> int:
        """Positions in each rectangle."""
        return self.height * (self.right - self.left)

    def halves(self) -> tuple["RegionTile", "RegionTile"]:
        """Return the first and the second half."""
        first, second = np.array_split(self.regions, 2)
        return replace(self, regions=first), replace(self, regions=second)


class RegionPerturbations(Perturbations[RegionTile]):
    """Regions of any shape, each in the smallest rectangle that holds it.

    Args:
        image: (1, C, H, W).
        baseline: What covers it, (1, C, H, W).
        segments: Which region a pixel belongs to, (H, W) int64, 0 to n - 1.
    """

    def __init__(self, image: Tensor, baseline: Tensor, segments: Tensor) -> None:
        super().__init__(image, baseline)
        self._segments = segments
        boxes = ndimage.find_objects(segments.cpu().numpy() + 1)
        ends = np.array([[(side.start, side.stop) for side in box] for box in boxes])
        self._tops, self._bottoms = ends[:, 0].T
        self._lefts, self._rights = ends[:, 1].T

    def __len__(self) -> int:
        return len(self._tops)

    def covered(self, index: int) -> Tensor:
        """Return where a region lies."""
        return self._segments == index

    def tiles(self, at_once: int) -> list[RegionTile]:
        """Return strips of neighbours, in each the regions from top to bottom; large ones alone.

        A strip's rectangles are as high as its highest region and as wide as all of it.
        """
        return [
            replace(strip, regions=regions)
            for strip in self._strips
            for regions in np.array_split(strip.regions, math.ceil(len(strip) / at_once))
        ]

    def one(self) -> RegionTile:
        """Return a region on the largest rectangle of a strip of several, if there is one."""
        shared = [strip for strip in self._strips if len(strip) > 1] or self._strips
        largest = max(shared, key=lambda strip: strip.area)
        return replace(largest, regions=largest.regions[:1])

    @cached_property
    def _strips(self) -> list[RegionTile]:
        areas = (self._bottoms - self._tops) * (self._rights - self._lefts)
        is_large = areas > _LARGE * np.median(areas)
        small = np.flatnonzero(~is_large)
        across = small[np.argsort((self._lefts + self._rights)[small], kind="stable")]
        strips = np.array_split(across, math.ceil(len(small) ** 0.5))
        down = [strip[np.argsort(self._tops[strip], kind="stable")] for strip in strips]
        return [self._strip(some) for some in (*down, *np.flatnonzero(is_large)[:, None])]

    def _strip(self, regions: NDArray[np.int64]) -> RegionTile:
        height = (self._bottoms - self._tops)[regions].max()
        left, right = self._lefts[regions].min(), self._rights[regions].max()
        return RegionTile(regions, int(height), int(left), int(right))

    def indices(self, tile: RegionTile) -> NDArray[np.int64]:
        """Return which regions a tile holds."""
        return tile.regions

    def difference(self, tile: RegionTile) -> Patch:
        """Return what the regions change."""
        height, width = self._segments.shape
        starts = np.minimum(self._tops[tile.regions], height - tile.height)
        rows = Span(starts, tile.height, height)
        columns = Span(np.array([tile.left]), tile.right - tile.left, width)
        difference = self._difference[0]
        values = difference.new_empty(len(tile), rows.size, columns.size, len(difference))
        values = values.permute(0, 3, 1, 2)
        nothing = values.new_zeros(())
        for place, region, top in zip(values, tile.regions, rows.starts, strict=True):
            at = slice(top, top + tile.height), slice(tile.left, tile.right)
            inside = self._segments[at] == region
            torch.where(inside, difference[:, *at], nothing, out=place)
        return Patch(values, rows, columns)


def _along(axis: AxisWindows, chosen: NDArray[np.int64]) -> Span:
    return Span(axis.starts[chosen], axis.window_px, axis.length_px)


def _evenly(n: int, most: int) -> NDArray[np.int64]:
    """Return about `most` of n numbers, without the first and the last where that can be."""
    return np.unique(np.linspace(0, n - 1, most + 2).astype(np.int64)[1:-1])
