"""The frames of a file, and what enhanced objects say of each in functional groups."""

from collections.abc import Iterator

from pydicom import Dataset
from pydicom.sequence import Sequence

from imaging.deidentify import GROUPS

SHARED, EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


def n_frames_of(dataset: Dataset) -> int:
    """Return how many frames a data set says it has; 1 where it says nothing."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def with_frame(dataset: Dataset, frame: int) -> None:
    """Bring what functional groups say of a frame to where a single image has it (PS3.3, C.7.6.16).

    A frame's own values go before those that all frames share, and these before the root's.
    """
    for group in (*_groups(dataset, SHARED, 0), *_groups(dataset, EACH, frame)):
        for name, keywords in GROUPS.items():
            for item in _items(group, name)[:1]:
                for keyword, root in keywords.items():
                    if keyword in item:
                        setattr(dataset, root, item[keyword].value)


def _groups(dataset: Dataset, name: str, index: int) -> Iterator[Dataset]:
    items = _items(dataset, name)
    if index < len(items):
        yield items[index]


def _items(dataset: Dataset, name: str) -> list[Dataset]:
    value = dataset.get(name)
    return list(value) if isinstance(value, Sequence) else []
