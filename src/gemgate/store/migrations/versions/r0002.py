"""Copies of what was uploaded to Google, and the places of parts that come with one."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("files", sa.Column("google_name", sa.Text))
    op.create_index("ix_files_owner_google_name", "files", ["owner", "google_name"], unique=True)
    op.add_column("upload_parts", sa.Column("offset", sa.BigInteger))
