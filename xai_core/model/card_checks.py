"""The checks behind a model card: each refusal names the key, what was got and what is allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from enum import StrEnum
from pathlib import PurePath
from re import fullmatch
from typing import Any, TypeVar

from xai_core.errors import CardError

Choice = TypeVar("Choice", bound=StrEnum)

_LARGEST_FILE = 2**20  # bytes of a card, or of a list of classes
_LARGEST_NUMBER = 1e9
_LARGEST_SIDE_PX = 4096
SIZES = f"a number of pixels from 1 to {_LARGEST_SIDE_PX}, or [height, width]"


def require(fits: bool, key: str, got: object, allowed: str) -> None:
    """Raise a CardError unless the value fits."""
    if not fits:
        raise CardError(f"{key} is {_short(got)}; allowed: {allowed}")


def did_you_mean(got: object, allowed: Iterable[str]) -> str:
    """Return '; did you mean …?' where something allowed comes close, else nothing."""
    near = get_close_matches(str(got), list(allowed), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def is_text(value: object) -> bool:
    """Tell whether this is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def are_numbers(values: object, n_numbers: int) -> bool:
    """Tell whether these are so many finite numbers."""
    return (
        isinstance(values, tuple)
        and len(values) == n_numbers
        and all(type(v) in (int, float) and abs(v) <= _LARGEST_NUMBER for v in values)
    )


def is_size(value: object) -> bool:
    """Tell whether this is a side in pixels, or a (height, width)."""
    sides = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(type(side) is int and 1 <= side <= _LARGEST_SIDE_PX for side in sides)


def choice(key: str, got: object, options: type[Choice]) -> Choice:
    """Return the option of that value.

    Raises:
        CardError: There is none.
    """
    for option in options:
        if got == option:
            return option
    known = [str(option) for option in options]
    raise CardError(
        f"{key} is {_short(got)}; allowed: {' or '.join(known)}{did_you_mean(got, known)}"
    )


def known_keys(values: object, shape: type, *, key: str) -> dict[str, Any]:
    """Return a copy of the table, lists as tuples, if its keys are the fields of a dataclass.

    Fields that take no part in its comparison, such as a card's folder, are no keys.

    Raises:
        CardError: It is no table, or a key is unknown or missing.
    """
    if not isinstance(values, Mapping):
        raise CardError(f"{key} is {_short(values)}; allowed: a table of keys and values")
    known = {f.name: f for f in fields(shape) if f.compare}
    for name in values:
        if name not in known:
            hint = did_you_mean(name, known) or f"; allowed: {', '.join(known)}"
            raise CardError(f"{key} has the unknown key {_short(name)}{hint}")
    missing = [
        name
        for name, f in known.items()
        if f.default is MISSING and f.default_factory is MISSING and name not in values
    ]
    if missing:
        raise CardError(f"{key} lacks {', '.join(missing)}")
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def require_json(key: str, value: object) -> None:
    """Check that JSON gives the value back as it is.

    Raises:
        CardError: It holds a date, an infinite number or something else that JSON does not know.
    """
    if isinstance(value, dict):
        for name, entry in value.items():
            require(isinstance(name, str), f"a key of {key}", name, "a text")
            require_json(f"{key}.{name}", entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            require_json(f"{key}[{index}]", entry)
    elif isinstance(value, float):
        require(abs(value) < float("inf"), key, value, "a finite number")
    else:
        allowed = "a text, number, true, false, list or table"
        require(value is None or type(value) in (str, int, bool), key, value, allowed)


def require_file_name(key: str, value: object) -> None:
    """Check that a file's name leads nowhere but into the card's own folder.

    Raises:
        CardError: It is empty, or names another folder.
    """
    plain = isinstance(value, str) and value not in ("", "..") and PurePath(value).name == value
    require(plain, key, value, "the name of a file beside the card")


def require_sha256(key: str, value: object) -> None:
    """Check that this is a SHA-256 in lowercase.

    Raises:
        CardError: It is something else.
    """
    fits = isinstance(value, str) and fullmatch("[0-9a-f]{64}", value)
    digits = "64 lowercase hexadecimal digits, as `sha256sum` prints them"
    require(bool(fits), key, value, digits)


def require_word(key: str, value: object, pattern: str, n_letters: int, example: str) -> None:
    """Check that this is a name without spaces, of the pattern.

    Raises:
        CardError: It is something else.
    """
    fits = isinstance(value, str) and len(value) <= n_letters and fullmatch(pattern, value)
    allowed = f"up to {n_letters} letters, digits and . _ + -, as in {example!r}"
    require(bool(fits), key, value, allowed)


def as_text(data: bytes, *, what: str) -> str:
    """Return what a card's file says.

    Raises:
        CardError: It is too long, or no UTF-8.
    """
    if len(data) > _LARGEST_FILE:
        raise CardError(f"{what} has {len(data)} bytes; allowed: up to {_LARGEST_FILE}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise CardError(f"{what} is no UTF-8 text: {exc.reason} at byte {exc.start}") from exc


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
