"""Lookup tables of a data set: modality, VOI and palette, in either byte order (PS3.3, C.11)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels import apply_color_lut
from pydicom.uid import UID

from imaging.errors import CorruptImageError

COLOURS = ("Red", "Green", "Blue")
MOST_ENTRIES = 1 << 16


@dataclass(frozen=True)
class Table:
    """What some values become; those before the first and behind the last are as these.

    Attributes:
        first: The value that the first entry is for.
        entries: (n,) or (n, 3).
        bits: Of an entry: the range of what comes out.
    """

    first: int
    entries: NDArray[np.uint16]
    bits: int

    def __call__(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """Return what values become, in the shape of them."""
        index = np.rint(values).astype(np.int64) - self.first
        mapped: NDArray[np.uint16] = self.entries[np.clip(index, 0, len(self.entries) - 1)]
        return mapped


def table_of(item: Dataset, *, is_signed: bool) -> Table:
    """Return a modality or VOI table.

    Args:
        item: The sequence's item.
        is_signed: Whether the values that it maps can be negative.

    Raises:
        CorruptImageError: If it has no entries, or another number of them than it says.
    """
    n_entries, first, bits = _descriptor(item.LUTDescriptor, is_signed=is_signed)
    entries = _entries(item.LUTData, n_entries, bits, is_little=_is_little(item))
    return Table(first, entries, bits)


def palette_of(dataset: Dataset, *, is_signed: bool) -> Table:
    """Return the palette of a PALETTE COLOR image; its entries are (n, 3).

    Raises:
        CorruptImageError: If a colour has no entries, or another number of them than it says.
    """
    descriptor = dataset.RedPaletteColorLookupTableDescriptor
    n_entries, first, bits = _descriptor(descriptor, is_signed=is_signed)
    if "RedPaletteColorLookupTableData" not in dataset:
        spread = apply_color_lut(np.arange(first, first + n_entries), dataset)[..., :3]
        return Table(first, spread.astype(np.uint16), bits)
    is_little = _is_little(dataset)
    columns = [
        _entries(dataset[f"{name}PaletteColorLookupTableData"].value, n_entries, bits, is_little)
        for name in COLOURS
    ]
    return Table(first, np.stack(columns, axis=1), bits)


def _descriptor(values: Any, *, is_signed: bool) -> tuple[int, int, int]:
    """Return the number of entries, the first value mapped and the bits of an entry."""
    n_entries, first, bits = (int(value) for value in values)
    n_entries %= MOST_ENTRIES
    if first >= 1 << 15 and is_signed:
        first -= 1 << 16
    if first < 0 and not is_signed:
        first += 1 << 16
    if not 1 <= bits <= 16:
        raise CorruptImageError(f"a lookup table has entries of {bits} bits; allowed are 1 to 16")
    return n_entries or MOST_ENTRIES, first, bits


def _entries(data: Any, n_entries: int, bits: int, is_little: bool) -> NDArray[np.uint16]:
    """Return entries, whether they are words, or bytes packed two a word (PS3.3, C.7.6.3.1.6)."""
    if not isinstance(data, bytes):
        entries = np.atleast_1d(np.asarray(data)).astype(np.uint16)
    elif len(data) >= 2 * n_entries:
        entries = np.frombuffer(data[: 2 * n_entries], "<u2" if is_little else ">u2")
    else:
        packed = np.frombuffer(data, np.uint8)
        if not is_little:
            packed = packed.reshape(-1, 2)[:, ::-1].ravel()
        entries = packed[:n_entries].astype(np.uint16)
    if len(entries) < n_entries:
        raise CorruptImageError(f"a lookup table has {len(entries)} entries; it says {n_entries}")
    return entries[:n_entries].astype(np.uint16) & np.uint16((1 << bits) - 1)


def _is_little(dataset: Dataset) -> bool:
    _, is_little = dataset.original_encoding
    if is_little is not None:
        return bool(is_little)
    meta = getattr(dataset, "file_meta", None)
    return meta is None or UID(str(meta.TransferSyntaxUID)).is_little_endian
