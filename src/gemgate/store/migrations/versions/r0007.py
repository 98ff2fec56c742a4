"""Responses in the background: those at work are found by their leases, and none waits to be cancelled."""

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None

_AT_WORK = sa.text("lease_until IS NOT NULL")


def upgrade() -> None:
    """Index the leases; a response that is cancelled has ended."""
    op.create_index(
        "ix_responses_lease_until", "responses", ["lease_until"], sqlite_where=_AT_WORK, postgresql_where=_AT_WORK
    )
    op.drop_column("responses", "is_cancelled")
