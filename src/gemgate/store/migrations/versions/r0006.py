"""Conversations can be counted by their owner."""

from alembic import op

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_conversations_owner", "conversations", ["owner"])
