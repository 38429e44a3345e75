"""Accesses: a chain of their own; links name their issuer, sessions the link that opened them."""

import sqlalchemy as sa
from alembic import op

from db.append_only import statements

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "accesses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("session", sa.String(length=12), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash_version", sa.Integer(), nullable=False),
        sa.Column("previous_sha256", sa.String(length=64), nullable=False),
        sa.Column("row_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_accesses_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_accesses_case_id_cases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accesses")),
        sa.UniqueConstraint("previous_sha256", name=op.f("uq_accesses_previous_sha256")),
        sa.UniqueConstraint("row_sha256", name=op.f("uq_accesses_row_sha256")),
    )
    for columns in (
        ["created_at", "id"],
        ["account_id", "created_at", "id"],
        ["case_id", "created_at", "id"],
        ["kind", "created_at", "id"],
    ):
        op.create_index(op.f(f"ix_accesses_{'_'.join(columns)}"), "accesses", columns)
    for statement in statements("accesses", op.get_context().dialect.name):
        op.execute(statement)
    op.create_index(
        op.f("ix_audit_events_created_at_id"), "audit_events", ["created_at", "id"], unique=False
    )
    _remember_links()


def _remember_links() -> None:
    # Who issued the links that are there is not known any more, but to the audit chain. SQLite can
    # add no named key to a table that is there, so both are copied; nothing refers to either yet.
    with op.batch_alter_table("sign_in_tokens") as links:
        links.add_column(sa.Column("issued_by", sa.Integer(), nullable=True))
        links.add_column(sa.Column("used_from", sa.String(length=64), nullable=True))
        links.add_column(sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
        links.create_foreign_key(
            op.f("fk_sign_in_tokens_issued_by_accounts"), "accounts", ["issued_by"], ["id"]
        )
    op.create_index(op.f("ix_sign_in_tokens_account_id"), "sign_in_tokens", ["account_id"])
    with op.batch_alter_table("web_sessions") as sessions:
        sessions.add_column(sa.Column("link_sha256", sa.String(length=64), nullable=True))
        sessions.create_foreign_key(
            op.f("fk_web_sessions_link_sha256_sign_in_tokens"),
            "sign_in_tokens",
            ["link_sha256"],
            ["token_sha256"],
        )


def downgrade() -> None:
    """Refuse: a record is never taken back to an older schema."""
    raise RuntimeError("the record is not downgraded; restore a backup instead")
