"""The frames of a file, and what enhanced objects say of each in functional groups."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydicom import Dataset
from pydicom.sequence import Sequence

from imaging.deidentify import GROUPS
from imaging.limits import key_frame

SHARED, EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


def n_frames_of(dataset: Dataset) -> int:
    """Return how many frames a data set says it has; 1 where it says nothing."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def key_frame_of(dataset: Dataset, frame: int | None) -> int:
    """Return the frame that is asked for, or else the one that stands for all.

    Raises:
        UnsupportedFormatError: If there is none of this number.
    """
    named = str(dataset.get("RepresentativeFrameNumber") or "")  # from 1 (PS3.3, C.7.6.6)
    n_frames = n_frames_of(dataset)
    if frame is None and named.isdigit() and 1 <= int(named) <= n_frames:
        return int(named) - 1
    return key_frame(frame, n_frames)


@contextmanager
def at_frame(dataset: Dataset, frame: int) -> Iterator[None]:
    """Have what functional groups say of a frame where a single image has it (PS3.3, C.7.6.16).

    A frame's own values go before those that all frames share, and these before the root's.
    """
    roots = {root for keywords in GROUPS.values() for root in keywords.values()}
    before = {root: dataset[root].value for root in roots if root in dataset}
    for group in (*_groups(dataset, SHARED, 0), *_groups(dataset, EACH, frame)):
        for name, keywords in GROUPS.items():
            for item in _items(group, name)[:1]:
                for keyword, root in keywords.items():
                    if keyword in item:
                        setattr(dataset, root, item[keyword].value)
    yield
    for root in roots:
        if root in before:
            setattr(dataset, root, before[root])
        elif root in dataset:
            delattr(dataset, root)


def _groups(dataset: Dataset, name: str, index: int) -> Iterator[Dataset]:
    items = _items(dataset, name)
    if index < len(items):
        yield items[index]


def _items(dataset: Dataset, name: str) -> list[Dataset]:
    value = dataset.get(name)
    return list(value) if isinstance(value, Sequence) else []
