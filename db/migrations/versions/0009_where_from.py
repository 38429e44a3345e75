"""Where a session was opened: the address, and in which browser."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("web_sessions", sa.Column("address", sa.String(64), nullable=True))
    op.add_column("web_sessions", sa.Column("browser", sa.String(64), nullable=True))
