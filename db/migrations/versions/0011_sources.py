"""Every frame that came in, and the case that it belongs to; cases of before are one frame each."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BATCH = 500

cases = sa.table(
    "cases",
    sa.column("id", sa.Integer()),
    *(sa.column(name, sa.String()) for name in ("source_sha256", "view_position")),
    sa.column("acquisition", sa.JSON()),
    sa.column("created_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Apply."""
    op.add_column("cases", sa.Column("stack_key", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_cases_stack_key"), "cases", ["stack_key"], unique=True)
    sources = op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("n_frames", sa.Integer(), nullable=False),
        sa.Column("is_key", sa.Boolean(), nullable=False),
        sa.Column("study_key", sa.String(length=64), nullable=True),
        sa.Column("series_key", sa.String(length=64), nullable=True),
        sa.Column("instance_key", sa.String(length=64), nullable=True),
        sa.Column("instance_number", sa.Integer(), nullable=True),
        sa.Column("position_mm", sa.Double(), nullable=True),
        sa.Column("orientation", sa.JSON(), nullable=False),
        sa.Column("spacing_mm", sa.JSON(), nullable=False),
        sa.Column("laterality", sa.String(length=16), nullable=True),
        sa.Column("view_position", sa.String(length=16), nullable=True),
        sa.Column("acquired_on", sa.String(length=10), nullable=True),
        sa.Column("image_sha256", sa.String(length=64), nullable=True),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_sources_case_id_cases")),
        sa.ForeignKeyConstraint(
            ["image_sha256"], ["artifacts.sha256"], name=op.f("fk_sources_image_sha256_artifacts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("instance_key", "frame", name=op.f("uq_sources_instance_key_frame")),
        sa.UniqueConstraint("source_sha256", "frame", name=op.f("uq_sources_source_sha256_frame")),
    )
    op.create_index(op.f("ix_sources_case_id"), "sources", ["case_id"])
    op.create_index(op.f("ix_sources_series_key"), "sources", ["series_key"])
    op.create_index(op.f("ix_sources_study_key_case_id"), "sources", ["study_key", "case_id"])
    _fill(sources)


def _fill(sources: sa.Table) -> None:
    """Give each case that is there the one frame it was made of."""
    connection, last = op.get_bind(), 0
    chosen = sa.select(cases).order_by(cases.c.id).limit(BATCH)
    while found := connection.execute(chosen.where(cases.c.id > last)).all():
        connection.execute(sources.insert(), [_source(row) for row in found])
        last = found[-1].id


def _source(row: Any) -> dict[str, object]:
    kept = row.acquisition or {}
    return {
        "case_id": row.id,
        "source_sha256": row.source_sha256,
        "frame": 0,
        "n_frames": 1,
        "is_key": True,
        "study_key": kept.get("study_key"),
        "series_key": kept.get("series_key"),
        "laterality": kept.get("laterality"),
        "view_position": row.view_position,
        "orientation": [],
        "spacing_mm": kept.get("pixel_spacing_mm") or [],
        "shown": {},
        "created_at": row.created_at,
    }


def downgrade() -> None:
    """Refuse: a record is never taken back to an older schema."""
    raise RuntimeError("the record is not downgraded; restore a backup instead")
