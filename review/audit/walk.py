"""Walking a chain in the order of its rows, a short transaction a batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db import accesses, audit, verdicts
from db.tables import Access, AuditEvent, Verdict
from review.workspace import Workspace

BATCH = 500
# What reading an altered value raises: not a date, not JSON, not of the enumeration, not text.
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, DBAPIError)

# Says what is wrong beside the chain with the rows of a batch, by id, in the batch's snapshot.
Check = Callable[[Session, Sequence[Any]], Mapping[int, str]]


@dataclass(frozen=True)
class Chain:
    """One of the record's chains.

    Attributes:
        name: What `--expect` and a checkpoint call it.
        a_word: What one of its rows is called, with its article.
        words: What they are called.
        verb: What was done to them.
        table: Its rows.
        head: Returns how many rows were added and the hash of the last.
        row_sha256: Returns the hash that a row should have.
        versions: The hash versions that are known.
        horizon: Returns how many rows were removed from the beginning, as they may be, and the
            hash of the last of them.
    """

    name: str
    a_word: str
    words: str
    verb: str
    table: type[Verdict] | type[AuditEvent] | type[Access]
    head: Callable[[Session], tuple[int, str]]
    row_sha256: Callable[[Any], str]
    versions: frozenset[int]
    horizon: Callable[[Session], tuple[int, str]] = lambda _: (0, verdicts.GENESIS)

    @property
    def word(self) -> str:
        """What one of its rows is called."""
        return self.a_word.partition(" ")[2]

    def head_or_words(self, session: Session) -> tuple[int, str]:
        """Return the head, or (0, "unreadable") where it was altered."""
        return _readable_place(self.head, session)

    def horizon_or_words(self, session: Session) -> tuple[int, str]:
        """Return the horizon, or (0, "unreadable") where it was altered."""
        return _readable_place(self.horizon, session)


def _readable_place(
    place: Callable[[Session], tuple[int, str]], session: Session
) -> tuple[int, str]:
    try:
        n_rows, row_sha256 = place(session)
        return int(n_rows), str(row_sha256)
    except UNREADABLE:
        return 0, "unreadable"


VERDICTS = Chain(
    *("verdicts", "a verdict", "verdicts", "signed"),
    *(Verdict, verdicts.head, verdicts.row_sha256, frozenset(verdicts.HASHED)),
)
AUDIT = Chain(
    *("audit", "an audit event", "audit events", "recorded"),
    *(AuditEvent, audit.head, audit.row_sha256, frozenset(audit.HASHED)),
)
ACCESSES = Chain(
    *("accesses", "an access", "accesses", "recorded"),
    *(Access, accesses.head, accesses.row_sha256, frozenset(accesses.HASHED)),
    horizon=accesses.horizon,
)
CHAINS = {chain.name: chain for chain in (VERDICTS, AUDIT, ACCESSES)}


@dataclass(frozen=True)
class Expected:
    """A head that was noted elsewhere.

    Attributes:
        chain: Name of the chain.
        n_rows: How many rows it had then.
        row_sha256: The hash of the last of them.
        source: Who says so, in words.
    """

    chain: str
    n_rows: int
    row_sha256: str
    source: str


class ChainWalk:
    """The rows of a chain in their order, each with a problem or None.

    Rows that are added during the walk belong to it: the recorded head is read together with the
    last, empty batch. Where rows may be removed from the beginning, the walk begins at the horizon,
    and goes on there where it moves ahead of it.
    """

    def __init__(
        self, ws: Workspace, chain: Chain, check: Check, expected: Sequence[Expected] = ()
    ) -> None:
        self._ws = ws
        self._chain = chain
        self._check = check
        self._noted: dict[int, list[Expected]] = {}
        for head in expected:
            if head.chain == chain.name:
                self._noted.setdefault(head.n_rows, []).append(head)
        self._previous = verdicts.GENESIS
        self._version = 0
        self._n_added = 0
        self._n_removed = 0
        self._last_id = 0
        self.n_seen = 0
        self.head_sha256 = verdicts.GENESIS

    def __iter__(self) -> Iterator[str | None]:
        batch: list[tuple[int, Any]] = [(0, None)]
        while batch:
            with self._ws.read() as session:
                self._begin_at(*self._chain.horizon_or_words(session))
                batch = _batch(session, self._chain.table, after_id=self._last_id)
                beside = self._beside(session, [row for _, row in batch if row is not None])
                self._n_added, self.head_sha256 = self._chain.head_or_words(session)
            for row_id, row in batch:
                self.n_seen += 1
                self._last_id = row_id
                name = f"{self._chain.word} {row_id}"
                if row is None:
                    yield f"{name}: a value was altered and cannot be read"
                    continue
                problem = self._row_problem(row) or beside.get(row_id)
                self._previous, self._version = row.row_sha256, row.hash_version
                yield f"{name}: {problem}" if problem else None

    @property
    def head_words(self) -> str:
        """The head as `--expect` takes it, without the chain's name."""
        return f"{self._n_removed + self.n_seen}:{self.head_sha256}"

    def end_problems(self) -> Iterator[str]:
        """Yield what is wrong with the end of the chain, once it was walked."""
        word, words, n_there = self._chain.word, self._chain.words, self._n_removed + self.n_seen
        there = f"{self.n_seen} are there"
        if self._n_removed:
            there += f" beside {self._n_removed} that were let go"
        if (n_there, self._previous) != (self._n_added, self.head_sha256):
            yield (
                f"{word} chain: {self._n_added} {words} were {self._chain.verb} and {there}; "
                f"the last should have hash {self.head_sha256} and has {self._previous}"
            )
        for n_rows, heads in sorted(self._noted.items()):
            if n_rows > n_there:
                yield f"{word} chain: {heads[0].source} has {n_rows} {words} and {there}"

    def _begin_at(self, n_removed: int, row_sha256: str) -> None:
        """Go on behind the horizon, if rows that were to come have been removed."""
        if n_removed > self._last_id:
            self._n_removed += n_removed - self._last_id
            self._last_id, self._previous = n_removed, row_sha256

    def _beside(self, session: Session, rows: Sequence[Any]) -> Mapping[int, str]:
        try:
            return self._check(session, rows)
        except UNREADABLE:
            if len(rows) == 1:
                return {rows[0].id: "what it tells of cannot be compared"}
        return {row.id: words for row in rows for words in self._beside(session, [row]).values()}

    def _row_problem(self, row: Any) -> str | None:
        if row.previous_sha256 != self._previous:
            return f"{self._chain.a_word} before it is missing, inserted or altered"
        if row.hash_version not in self._chain.versions:
            return (
                f"its hash version is {row.hash_version!r}; this Second Look knows "
                f"{', '.join(map(str, sorted(self._chain.versions)))}"
            )
        try:
            found = self._chain.row_sha256(row)
        except UNREADABLE:
            found = ""
        if found != row.row_sha256:
            return f"its content was altered after it was {self._chain.verb}"
        if row.hash_version < self._version:
            return f"its hash version is {row.hash_version}, and one before it has {self._version}"
        for head in self._noted.get(row.id, ()):
            if head.row_sha256 != row.row_sha256:
                return f"its hash is {row.row_sha256} and {head.source} has {head.row_sha256}"
        return None


def _batch(session: Session, table: Any, *, after_id: int) -> list[tuple[int, Any]]:
    """Return the next rows with their ids; None for one whose values cannot be read."""
    ids = session.scalars(
        select(table.id).where(table.id > after_id).order_by(table.id).limit(BATCH)
    ).all()
    try:
        rows = session.scalars(select(table).where(table.id.in_(ids)).order_by(table.id))
        return [(row.id, row) for row in rows]
    except UNREADABLE:
        return [(row_id, _readable(session, table, row_id)) for row_id in ids]


def _readable(session: Session, table: Any, row_id: int) -> Any:
    try:
        return session.get(table, row_id)
    except UNREADABLE:
        return None
