"""Which windows are passed together."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xai_core.methods.windows import Windows


@dataclass(frozen=True)
class Tile:
    """A grid of windows, by their indices.

    Attributes:
        rows: Which rows of windows, ascending.
        columns: Which columns of windows, ascending.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def halves(self) -> tuple["Tile", "Tile"]:
        """Return the two halves of the longer side."""
        if len(self.rows) > len(self.columns):
            first, second = np.array_split(self.rows, 2)
            return Tile(first, self.columns), Tile(second, self.columns)
        first, second = np.array_split(self.columns, 2)
        return Tile(self.rows, first), Tile(self.rows, second)


def tiles(windows: Windows, *, side: int) -> list[Tile]:
    """Return blocks of neighbouring windows, about `side` x `side`, that hold every window once.

    Neighbours meet the ends of a map alike, so that little is computed which lies beyond them.
    """
    rows, columns = (
        np.array_split(np.arange(n), math.ceil(n / side))
        for n in (len(windows.rows.starts), len(windows.columns.starts))
    )
    return [Tile(some_rows, some_columns) for some_rows in rows for some_columns in columns]
