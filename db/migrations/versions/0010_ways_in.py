"""Second factors, sign-ins that wait for them, and whom accounts are at an OpenID provider."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _one_at_a_time(table: str, *columns: str) -> None:
    stands = sa.text("removed_at IS NULL")
    name = op.f(f"ix_{table}_{'_'.join(columns)}")
    op.create_index(
        name, table, list(columns), unique=True, sqlite_where=stands, postgresql_where=stands
    )


def _to_account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.id"], name=op.f(f"fk_{table}_account_id_accounts")
    )


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "second_factors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(length=256), nullable=True),
        sa.Column("last_step", sa.Integer(), nullable=True),
        sa.Column("failures", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        _to_account("second_factors"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factors")),
    )
    _one_at_a_time("second_factors", "account_id")
    op.create_table(
        "recovery_codes",
        sa.Column("code_sha256", sa.String(length=64), nullable=False),
        sa.Column("factor_id", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["factor_id"],
            ["second_factors.id"],
            name=op.f("fk_recovery_codes_factor_id_second_factors"),
        ),
        sa.PrimaryKeyConstraint("code_sha256", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_factor_id"), "recovery_codes", ["factor_id"])
    op.create_table(
        "pending_sign_ins",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("link_sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True),
        _to_account("pending_sign_ins"),
        sa.ForeignKeyConstraint(
            ["link_sha256"],
            ["sign_in_tokens.token_sha256"],
            name=op.f("fk_pending_sign_ins_link_sha256_sign_in_tokens"),
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_pending_sign_ins")),
    )
    op.create_index(op.f("ix_pending_sign_ins_account_id"), "pending_sign_ins", ["account_id"])
    op.create_table(
        "openid_identities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        _to_account("openid_identities"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openid_identities")),
    )
    _one_at_a_time("openid_identities", "account_id")
    _one_at_a_time("openid_identities", "issuer", "subject")
    op.add_column("web_sessions", sa.Column("nonce_sha256", sa.String(length=64), nullable=True))
    op.create_index(
        op.f("ix_web_sessions_nonce_sha256"), "web_sessions", ["nonce_sha256"], unique=True
    )
