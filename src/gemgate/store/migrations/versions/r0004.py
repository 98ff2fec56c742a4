"""With which of the gateway's keys a resource was made."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("google_resources", sa.Column("key_label", sa.Text))
