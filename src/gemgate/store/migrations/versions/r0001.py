"""Files, uploads with their parts, what Google holds, and batches."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    _files()
    _uploads()
    _google_files()
    _batches()


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("blob_key", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("mime_type", sa.Text),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("status", sa.Text, nullable=False),
        sa.UniqueConstraint("blob_key", name="uq_files_blob_key"),
    )
    op.create_index("ix_files_owner_created_at_id", "files", ["owner", "created_at", "id"])
    op.create_index("ix_files_expires_at", "files", ["expires_at"])


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("mime_type", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("file_id", sa.Text),
        sa.Column("expires_after", sa.BigInteger),
    )
    op.create_index("ix_uploads_status_expires_at", "uploads", ["status", "expires_at"])
    op.create_table(
        "upload_parts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("upload_id", sa.String(64), nullable=False),
        sa.Column("blob_key", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name="fk_upload_parts_upload_id", ondelete="CASCADE"),
        sa.UniqueConstraint("blob_key", name="uq_upload_parts_blob_key"),
    )
    op.create_index("ix_upload_parts_upload_id", "upload_parts", ["upload_id"])


def _google_files() -> None:
    op.create_table(
        "google_files",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("key_digest", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("mime_type", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_google_files_expires_at", "google_files", ["expires_at"])


def _batches() -> None:
    moments = ["in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at"]
    moments += ["cancelling_at", "cancelled_at", "expires_at", "output_expires_after"]
    op.create_table(
        "batches",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("input_file_id", sa.Text, nullable=False),
        sa.Column("completion_window", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("model", "google_name", "output_file_id", "error_file_id")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("total", "completed", "failed")),
        *(sa.Column(name, sa.BigInteger) for name in moments),
        *(sa.Column(name, sa.JSON) for name in ("metadata", "errors", "usage", "progress")),
        sa.Column("key_ciphertext", sa.LargeBinary),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("next_poll_at", sa.Double),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("display_name", name="uq_batches_display_name"),
    )
    op.create_index("ix_batches_owner_created_at_id", "batches", ["owner", "created_at", "id"])
    op.create_index("ix_batches_next_poll_at", "batches", ["next_poll_at"])
