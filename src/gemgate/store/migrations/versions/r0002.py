"""Copies of what was uploaded to Google, the places of parts that come with one, and who has made what there."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("files", sa.Column("google_name", sa.Text))
    op.create_index("ix_files_owner_google_name", "files", ["owner", "google_name"], unique=True)
    op.add_column("upload_parts", sa.Column("offset", sa.BigInteger))
    op.create_table(
        "google_resources",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger),
    )
    op.create_index("ix_google_resources_expires_at", "google_resources", ["expires_at"])
