"""The one form in which a row is hashed, before storing and after reading back."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Float, FromClause
from sqlalchemy.types import TypeEngine


def canonical(content: object) -> str:
    """Return something as JSON: keys sorted, no spaces, every character as it is."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def sha256_of(content: object) -> str:
    """Return the SHA-256 of something's canonical JSON."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def content(row: Any, table: FromClause, names: Iterable[str]) -> dict[str, Any]:
    """Return the named columns of a row, each in its one form."""
    return {name: _plain(getattr(row, name), table.c[name].type) for name in names}


def _plain(value: Any, kind: TypeEngine[Any]) -> object:
    if isinstance(kind, Float):
        return None if value is None else float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.value if isinstance(value, StrEnum) else value
