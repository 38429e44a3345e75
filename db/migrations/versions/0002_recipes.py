"""A map's recipe, and whether its channels share one value, are stored with it.

Before this they were read from a map's parameters and from equal bits. What the parameters do not
say stays unknown: a recipe is not made up.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BATCH = 1000
# What these methods changed, they changed in every channel at once; each holds the whole effect.
SHARING = ("occlusion", "feature_ablation", "kernel_shap", "baseline_sensitivity")

explanations = sa.table(
    "explanations",
    sa.column("id", sa.Integer()),
    sa.column("method", sa.String()),
    sa.column("params", sa.JSON()),
    sa.column("recipe", sa.JSON(none_as_null=True)),
    sa.column("channels_share", sa.Boolean()),
)


def upgrade() -> None:
    """Apply."""
    # What a reader has not judged is asked for each prediction.
    name = op.f("ix_verdicts_reader_id_prediction_id")
    op.create_index(name, "verdicts", ["reader_id", "prediction_id"], unique=False)
    op.drop_index(op.f("ix_verdicts_reader_id"), "verdicts")
    op.add_column("explanations", sa.Column("recipe", sa.JSON(), nullable=True))
    # SQLite adds a column that is never null only with a default; the application always says.
    share: sa.Column[bool] = sa.Column(
        "channels_share", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("explanations", share)
    update = (
        explanations.update()
        .where(explanations.c.id == sa.bindparam("row_id"))
        .values(recipe=sa.bindparam("made_by"), channels_share=sa.bindparam("shares"))
    )
    for rows in _batches():
        op.get_bind().execute(
            update,
            [
                {
                    "row_id": row.id,
                    "made_by": recipe(row.method, row.params),
                    "shares": channels_share(row.method, row.params),
                }
                for row in rows
            ],
        )


def recipe(method: str, params: Mapping[str, Any]) -> dict[str, str] | None:
    """Return how a map was made, or None where its parameters do not say."""
    preset, baseline = params.get("preset"), params.get("baseline")
    if not isinstance(preset, str) or not isinstance(baseline, str):
        return None
    named = {"preset": preset, "baseline": baseline}
    if method != "integrated_gradients":
        return named
    return named | {"stepping": "adaptive" if params.get("rule") == "adaptive" else "fixed"}


def channels_share(method: str, params: Mapping[str, Any]) -> bool:
    """Return whether each channel of a map holds the whole effect, by how the method works."""
    return method in SHARING and params.get("channels") != "each"


def _batches() -> Iterator[list[Any]]:
    last = 0
    while True:
        rows = (
            op.get_bind()
            .execute(
                sa.select(explanations.c.id, explanations.c.method, explanations.c.params)
                .where(explanations.c.id > last)
                .order_by(explanations.c.id)
                .limit(BATCH)
            )
            .all()
        )
        if not rows:
            return
        yield list(rows)
        last = rows[-1].id


def downgrade() -> None:
    """Refuse: a record is never taken back to an older schema."""
    raise RuntimeError("the record is not downgraded; restore a backup instead")
