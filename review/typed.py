"""Values from outside: each of the type that is asked for, and refused in words where it is not.

Nothing is made into what it is not: "2", 2.0 and True are no whole numbers. Containers and the
members of an enumeration come from JSON as lists and texts, and are taken so.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
LARGEST_ID = 2**31 - 1
MAX_KEY = 40
MAX_ECHO = 40
ALLOWED = {
    "int_type": "whole numbers",
    "float_type": "numbers",
    "finite_number": "finite numbers",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "named values",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "enum": "{expected}",
    "literal_error": "{expected}",
}


def _text(value: str) -> str:
    """Refuse NUL and half of a surrogate pair: a browser can send them, no database keeps them."""
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("holds a character that is not text")
    return value


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(values)) < len(values):
        raise ValueError("names something twice")
    return values


Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Text = Annotated[str, AfterValidator(_text)]
Key = Annotated[Text, Field(max_length=MAX_KEY)]
# Of JSON: a list where a tuple is meant, a value where a member is.
Listed = Field(strict=False)
Named = Annotated[E, Field(strict=False)]
EachOnce = AfterValidator(_each_once)


def of_type(adapter: TypeAdapter[T], value: Any, *, name: str, error: type[Exception]) -> T:
    """Return a value as a type has it.

    Args:
        adapter: The type.
        value: What came from outside.
        name: What it is called in words.
        error: What to raise, with the words.
    """
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError as exc:
        raise error(refusal(exc, name)) from None


def refusal(exc: ValidationError, name: str, fields: Sequence[str] = ()) -> str:
    """Return the first thing that is wrong, in words: what, got, allowed.

    Args:
        exc: What the schema found.
        name: What the whole value is called.
        fields: The names of fields given by position.
    """
    first = exc.errors(include_url=False)[0]
    kind, value, context = first["type"], first["input"], first.get("ctx", {})
    where = [fields[p] if isinstance(p, int) and p < len(fields) else p for p in first["loc"][:1]]
    what = _named(str(where[0])) if where else name
    if kind == "missing":
        return f"{name} lacks {what}"
    if kind in ("extra_forbidden", "unexpected_keyword_argument", "unexpected_positional_argument"):
        return unknown_field(name, first["loc"][-1])
    if kind in ("too_long", "too_short"):
        allowed = context.get("max_length") or f"{context['min_length']} or more"
        if isinstance(value, str):
            return f"{what} has {len(value)} characters; allowed are {allowed}"
        return f"{len(value)} {what}; allowed are {allowed}"
    if kind == "string_unicode":
        return f"{what} holds a character that is not text"
    if kind == "value_error":
        return f"{what} {context['error']}"
    within = f" has {echo(value)}" if len(first["loc"]) > 1 else f" is {echo(value)}"
    allowed = ALLOWED.get(kind, "what the screen sends").format(**context)
    return f"{what}{within}; allowed: {allowed}"


def unknown_field(name: str, field: object) -> str:
    """Return that a value has a field that its type has not."""
    return f"{name} has {echo(field)}, which this version does not know"


def echo(value: Any) -> str:
    """Return what came in words, never much of it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 10**MAX_ECHO:
            return "a huge number"
        case int() | float():
            return repr(value)
        case str():
            text = repr(str(value[:MAX_ECHO]))
            return text if len(text) <= MAX_ECHO else f"{text[: MAX_ECHO - 1]}…"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return "named values"
    return f"a {type(value).__name__[:MAX_ECHO]}"


def _named(field: str) -> str:
    return echo(field)[1:-1].replace("_", " ")
