"""Counting what a statement selects, and taking many ids in parts."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

BATCH = 500  # well within what one statement may have of parameters


def count(session: Session, chosen: Select[*tuple[Any, ...]]) -> int:
    """Return how many rows a statement selects."""
    return session.scalar(select(func.count()).select_from(chosen.subquery())) or 0


def batches(ids: Sequence[int], size: int = BATCH) -> Iterator[Sequence[int]]:
    """Yield ids in order, a part at a time."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
