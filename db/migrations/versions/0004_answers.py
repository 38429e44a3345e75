"""What a model answers stands with each prediction; a verdict judges answer, reason and findings.

Cards of before state no thresholds: a class that each model asks for itself is present from 0.5 on,
and the one that was explained had the highest score, so that it alone tells whether there is any.
Rows of verdicts stay as they were signed: what they did not ask stays unknown.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NO_FINDING = "no finding"

models = sa.table("models", sa.column("id", sa.Integer()), sa.column("card", sa.JSON()))
predictions = sa.table(
    "predictions",
    *(sa.column(name, sa.String()) for name in ("label", "answer")),
    *(sa.column(name, sa.Double()) for name in ("score", "certainty")),
    sa.column("model_id", sa.Integer()),
)
INDEXES = (
    (("label", "case_id"), ("answer", "case_id")),
    (("case_id", "score"), ("case_id", "certainty")),
    (("model_id", "label"), ("model_id", "answer")),
)


def upgrade() -> None:
    """Apply."""
    answer: sa.Column[Any] = sa.Column(
        "answer", sa.String(length=128), nullable=False, server_default=""
    )
    certainty: sa.Column[Any] = sa.Column(
        "certainty", sa.Double(), nullable=False, server_default="0"
    )
    op.add_column("predictions", answer)
    op.add_column("predictions", certainty)
    _read_answers()
    for old, new in INDEXES:
        op.drop_index(_named(old), table_name="predictions")
        op.create_index(_named(new), "predictions", list(new), unique=False)
    op.add_column("verdicts", sa.Column("findings", sa.JSON(), nullable=True))
    op.add_column("verdicts", sa.Column("reasoning", sa.String(length=32), nullable=True))


def _read_answers() -> None:
    connection, made = op.get_bind(), predictions.c
    connection.execute(predictions.update().values(answer=made.label, certainty=made.score))
    cards = connection.execute(sa.select(models.c.id, models.c.card)).all()
    asked_each = [model_id for model_id, card in cards if card.get("scores") == "sigmoid"]
    absent = predictions.update().where(made.model_id.in_(asked_each), made.score < 0.5)
    connection.execute(absent.values(answer=NO_FINDING, certainty=1 - made.score))


def _named(columns: tuple[str, ...]) -> str:
    return op.f(f"ix_predictions_{'_'.join(columns)}")


def downgrade() -> None:
    """Refuse: a record is never taken back to an older schema."""
    raise RuntimeError("the record is not downgraded; restore a backup instead")
