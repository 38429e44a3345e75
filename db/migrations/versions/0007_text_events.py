"""What was decided of pictures in which text may stand."""

import sqlalchemy as sa
from alembic import op

from db.append_only import statements

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "text_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("masks", sa.JSON(), nullable=False),
        sa.Column("removed", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["accounts.id"], name=op.f("fk_text_events_actor_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_text_events_case_id_cases")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_text_events")),
    )
    op.create_index(
        op.f("ix_text_events_case_id_id"), "text_events", ["case_id", "id"], unique=False
    )
    for statement in statements("text_events", op.get_context().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a record is never taken back to an older schema."""
    raise RuntimeError("the record is not downgraded; restore a backup instead")
