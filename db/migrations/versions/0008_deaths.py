"""How many workers a job has ended, and why a model's jobs wait."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # SQLite adds a column that is never null only with a default; the application always says.
    deaths = sa.Column("n_deaths", sa.Integer(), nullable=False, server_default="0")
    op.add_column("jobs", deaths)
    op.add_column("models", sa.Column("suspended", sa.String(200), nullable=True))
