"""Uploads of one caller are counted."""

from alembic import op

revision = "r0008"
down_revision = "r0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the owners of uploads."""
    op.create_index("ix_uploads_owner", "uploads", ["owner"])
