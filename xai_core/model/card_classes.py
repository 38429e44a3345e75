"""The names of a model's classes, and from which score each is present."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from xai_core.errors import CardError
from xai_core.model.card_checks import are_numbers, is_text, require, require_file_name

IMAGENET = "imagenet"
"""Stands for the 1000 classes of ImageNet as torchvision names and orders them."""

_IMAGENET_FILE = Path(__file__).with_name("imagenet.txt")
_LONGEST_CLASS = 128  # characters
_MOST_NUMBERED = 100_000


def listed_classes(source: Any, read: Callable[[str], str] | None) -> Any:
    """Return the class names that a card's `classes` stands for; a list as it is.

    Args:
        source: A list, a number of classes that have no names, `IMAGENET`, or a file's name.
        read: Reads a text beside the card; None where the card came alone.

    Raises:
        CardError: There are no names.
    """
    if type(source) is int:
        few = 0 < source <= _MOST_NUMBERED
        require(few, "classes", source, f"names, or a number of classes up to {_MOST_NUMBERED}")
        return tuple(f"class {index}" for index in range(source))
    if not isinstance(source, str):
        return source
    if source == IMAGENET:
        return tuple(_IMAGENET_FILE.read_text(encoding="utf-8").splitlines())
    require_file_name("classes", source)
    if read is None:
        raise CardError(
            f"classes is the file {source!r}, but the card came alone; allowed: a list of names"
        )
    return tuple(line.strip() for line in read(source).splitlines() if line.strip())


def require_classes(classes: object, *, fewest: int, for_: str) -> None:
    """Refuse anything but at least so many different, printable names.

    Raises:
        CardError: With the first that does not fit.
    """
    enough = (
        f"at least {fewest} names for {for_}: a list, {IMAGENET!r}, a file of names, or a number"
    )
    if not isinstance(classes, tuple) or len(classes) < fewest:
        require(False, "classes", classes, enough)
        return
    seen = set[str]()
    for index, name in enumerate(classes):
        printable = is_text(name) and name == name.strip() and name.isprintable()
        names = f"a printable text of up to {_LONGEST_CLASS} characters, without outer spaces"
        require(printable and len(name) <= _LONGEST_CLASS, f"classes[{index}]", name, names)
        require(name not in seen, f"classes[{index}]", name, "each name once")
        seen.add(name)


def require_thresholds(thresholds: tuple[float, ...], n_classes: int) -> None:
    """Refuse anything but a number between 0 and 1 per class.

    Raises:
        CardError: They are something else.
    """
    within = are_numbers(thresholds, n_classes) and all(0 < limit < 1 for limit in thresholds)
    numbers = f"a list of {n_classes} numbers, one per class, each more than 0 and less than 1"
    require(within, "thresholds", thresholds, numbers)
