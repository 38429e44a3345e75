"""What the help of every method says alike, written once."""

import inspect
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

_ARGS = {
    "model": "In eval mode; takes (N, C, H, W) and returns (N, K) class scores.",
    "image": "(1, C, H, W) floating point, as the model takes it.",
    "target": "Class index to explain.",
    "seed": "Of all that is drawn at random.",
    "output": "What of the target's scores is explained; see `xai_core.scoring.Output`.",
    "chunk_size": "Images passed at once at most, 1 or more; None takes it from the free memory.",
    "progress": "Called with passes done and their number.",
    "cancelled": "Asked between chunks; True stops the work.",
}
_RAISES = {
    "InputError": "Image, output or an option is not usable.",
    "TargetError": "The target is no class of the model.",
    "ModelError": "The model is in train mode, or does not return class scores.",
    "Cancelled": "The caller asked to stop.",
    "MemoryExhaustedError": "One image at a time is too much for the device.",
}
_ORDER = ("Args", "Returns", "Raises", "Example")


def documented(
    like: Callable[..., object] | None = None,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Complete a method's docstring with the arguments and errors that it does not speak of.

    Args:
        like: Another method, whose words go before those of all.
    """

    def complete(method: Callable[_P, _R]) -> Callable[_P, _R]:
        if method.__doc__ is None:  # python -OO
            return method
        own, others = _sections(method), {} if like is None else _sections(like)

        def entries(heading: str, shared: dict[str, str]) -> dict[str, str]:
            return shared | _entries(others.get(heading, "")) | _entries(own.get(heading, ""))

        args = entries("Args", _ARGS)
        own["Args"] = _listed({name: args[name] for name in inspect.signature(method).parameters})
        own["Raises"] = _listed(entries("Raises", _RAISES))
        first = own.pop("")
        order = sorted(own, key=_ORDER.index)
        method.__doc__ = "\n\n".join([first, *(f"{name}:\n{own[name]}" for name in order)])
        return method

    return complete


def _sections(method: Callable[..., object]) -> dict[str, str]:
    """Return what a docstring says under each heading, the text above them under ""."""
    first, *rest = re.split(rf"\n\n({'|'.join(_ORDER)}):\n", inspect.getdoc(method) or "")
    return {"": first} | dict(zip(rest[::2], rest[1::2], strict=True))


def _entries(section: str) -> dict[str, str]:
    _, *rest = re.split(r"^    (\w+): ", section, flags=re.MULTILINE)
    return {name: words.rstrip() for name, words in zip(rest[::2], rest[1::2], strict=True)}


def _listed(entries: dict[str, str]) -> str:
    return "\n".join(f"    {name}: {words}" for name, words in entries.items())
