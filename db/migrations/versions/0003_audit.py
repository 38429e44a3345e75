"""Hash versions, and the audit chain; from here on what stood is signed.

The first event tells how many verdicts were signed before and the hash of the last; one event more
for each account, model, setting, export, link and triage step tells the state that was found.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from db.append_only import statements
from db.hashing import content, sha256_of
from db.types import Utc

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BATCH = 1000
GENESIS = "0" * 64
HEADS = ("audit_chain_head", "verdict_chain_head")


def _table(name: str, texts: str, *others: sa.ColumnClause[Any]) -> sa.TableClause:
    return sa.table(name, *(sa.column(word, sa.String()) for word in texts.split()), *others)


def _column(name: str, kind: Any) -> sa.ColumnClause[Any]:
    return sa.column(name, kind)


events = _table(
    "audit_events",
    "kind subject subject_id previous_sha256 row_sha256",
    _column("id", sa.Integer()),
    _column("actor_id", sa.Integer()),
    _column("content", sa.JSON()),
    _column("created_at", Utc()),
    _column("hash_version", sa.Integer()),
)
settings = _table("settings", "key", _column("value", sa.JSON()), _column("updated_at", Utc()))
# Each table with its key, the columns whose values an event holds, and those it holds hashed.
FOUND: tuple[tuple[sa.TableClause, str, tuple[str, ...], dict[str, tuple[str, ...]]], ...] = (
    (
        _table(
            "accounts",
            "name display_name role password_hash",
            _column("id", sa.Integer()),
            _column("active", sa.Boolean()),
            _column("demo", sa.Boolean()),
        ),
        "id",
        ("name", "display_name", "role", "active", "demo"),
        {"password_sha256": ("password_hash",)},
    ),
    (
        _table(
            "models",
            "name version architecture weights_sha256",
            _column("id", sa.Integer()),
            _column("active", sa.Boolean()),
            _column("card", sa.JSON()),
        ),
        "id",
        ("name", "version", "architecture", "weights_sha256", "active"),
        {"card_sha256": ("card",)},
    ),
    (settings, "key", ("value",), {}),
    (
        _table(
            "exports",
            "schema_version",
            _column("id", sa.Integer()),
            _column("filters", sa.JSON()),
            _column("manifest", sa.JSON()),
            _column("created_by", sa.Integer()),
            _column("created_at", Utc()),
        ),
        "id",
        (),
        {
            "content_sha256": (
                *("id", "schema_version", "filters", "manifest", "created_by", "created_at"),
            )
        },
    ),
    (
        _table(
            "sign_in_tokens",
            "token_sha256",
            _column("account_id", sa.Integer()),
            _column("expires_at", Utc()),
        ),
        "token_sha256",
        ("account_id", "expires_at"),
        {},
    ),
    (
        _table(
            "triage_events",
            "action disposition comment",
            _column("id", sa.Integer()),
            _column("case_id", sa.Integer()),
            _column("actor_id", sa.Integer()),
            _column("assignee_id", sa.Integer()),
            _column("created_at", Utc()),
        ),
        "id",
        (),
        {
            "content_sha256": (
                *("id", "case_id", "actor_id", "action", "assignee_id", "disposition"),
                *("comment", "created_at"),
            )
        },
    ),
)


def upgrade() -> None:
    """Apply."""
    # Rows that are there were hashed by the first version, whatever columns came since.
    version: sa.Column[int] = sa.Column(
        "hash_version", sa.Integer(), nullable=False, server_default="1"
    )
    op.add_column("verdicts", version)
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash_version", sa.Integer(), nullable=False),
        sa.Column("previous_sha256", sa.String(length=64), nullable=False),
        sa.Column("row_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["accounts.id"], name=op.f("fk_audit_events_actor_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("previous_sha256", name=op.f("uq_audit_events_previous_sha256")),
        sa.UniqueConstraint("row_sha256", name=op.f("uq_audit_events_row_sha256")),
    )
    op.create_index(
        op.f("ix_audit_events_subject_subject_id_id"),
        "audit_events",
        ["subject", "subject_id", "id"],
        unique=False,
    )
    _record_what_stands()
    for statement in statements("audit_events", op.get_context().dialect.name):
        op.execute(statement)


def _record_what_stands() -> None:
    connection, at = op.get_bind(), datetime.now(UTC)
    signed = connection.scalar(sa.select(settings.c.value).where(settings.c.key == HEADS[1]))
    begun = {"verdicts": signed or {"n_rows": 0, "row_sha256": GENESIS}}
    last: dict[str, Any] = {"id": 0, "row_sha256": GENESIS}
    last = _append([("upgraded", "record", "", begun)], last, at)
    for table, key, kept, hashed in FOUND:
        for rows in _batches(table, key):
            states = [
                ("found", table.name, str(getattr(row, key)), _state(row, table, kept, hashed))
                for row in rows
                if table is not settings or row.key not in HEADS
            ]
            last = _append(states, last, at)
    value = {"n_rows": last["id"], "row_sha256": last["row_sha256"]}
    connection.execute(settings.insert().values(key=HEADS[0], value=value, updated_at=at))


def _append(
    told: list[tuple[str, str, str, dict[str, Any]]], last: dict[str, Any], at: datetime
) -> dict[str, Any]:
    rows = []
    for kind, subject, subject_id, state in told:
        row = {
            "id": last["id"] + 1,
            "kind": kind,
            "actor_id": None,
            "subject": subject,
            "subject_id": subject_id,
            "content": {"state": state},
            "created_at": at,
            "hash_version": 1,
            "previous_sha256": last["row_sha256"],
        }
        row["row_sha256"] = sha256_of(row | {"created_at": at.isoformat(timespec="microseconds")})
        rows.append(last := row)
    if rows:
        op.get_bind().execute(events.insert(), rows)
    return last


def _state(
    row: Any, table: sa.TableClause, kept: tuple[str, ...], hashed: dict[str, tuple[str, ...]]
) -> dict[str, Any]:
    held = content(row, table, kept)
    for name, columns in hashed.items():
        found = content(row, table, columns)
        empty = all(value is None for value in found.values())
        held[name] = None if empty else sha256_of(found)
    return held


def _batches(table: sa.TableClause, key: str) -> Iterator[list[Any]]:
    statement = sa.select(table).order_by(table.c[key]).limit(BATCH)
    rows = op.get_bind().execute(statement).all()
    while rows:
        yield list(rows)
        after = statement.where(table.c[key] > getattr(rows[-1], key))
        rows = op.get_bind().execute(after).all()


def downgrade() -> None:
    """Refuse: a record is never taken back to an older schema."""
    raise RuntimeError("the record is not downgraded; restore a backup instead")
