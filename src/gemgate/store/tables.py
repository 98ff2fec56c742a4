"""The tables. Times are Unix seconds, sizes bytes; `owner` is the digest of a caller's key (`Caller.id`).

The repositories hand rows out detached: plain objects, whose change changes nothing in the database.
"""

from typing import Annotated

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, LargeBinary, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

_JSON = JSON(none_as_null=True)


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """The declarative base: its metadata is what the migrations must arrive at."""

    metadata = MetaData(naming_convention=_CONVENTION)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy declares it as an instance attribute
        int: BigInteger,
        float: Double,
        str: Text,
        bytes: LargeBinary,
        dict[str, object]: _JSON,
        dict[str, str]: _JSON,
        list[dict[str, object]]: _JSON,
    }


_Key = Annotated[str, mapped_column(String(64), primary_key=True)]
_TextKey = Annotated[str, mapped_column(Text, primary_key=True)]
_Unique = Annotated[str, mapped_column(Text, unique=True)]
_Digest = Annotated[str, mapped_column(String(64))]


class FileRow(Base):
    """A complete file; its bytes are the blob `blob_key`. `google_name` is that of the file it is a copy of.

    With the status `error` it has the reasons in `errors`.
    """

    __tablename__ = "files"
    __table_args__ = (
        Index(None, "owner", "created_at", "id"),
        Index(None, "expires_at"),
        Index(None, "owner", "google_name", unique=True),
    )

    id: Mapped[_Key]
    owner: Mapped[_Digest]
    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[_Digest]
    blob_key: Mapped[_Unique]
    created_at: Mapped[int]
    mime_type: Mapped[str | None] = mapped_column(default=None)
    expires_at: Mapped[int | None] = mapped_column(default=None)
    status: Mapped[str] = mapped_column(default="processed")
    google_name: Mapped[str | None] = mapped_column(default=None)
    errors: Mapped[list[dict[str, object]] | None] = mapped_column(default=None)


class UploadRow(Base):
    """A file that arrives in parts. `bytes` is its announced size, `status` pending, completed, cancelled or expired.

    `expires_after` is how many seconds the file will live, once complete.
    """

    __tablename__ = "uploads"
    __table_args__ = (Index(None, "status", "expires_at"), Index(None, "owner"))

    id: Mapped[_Key]
    owner: Mapped[_Digest]
    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    mime_type: Mapped[str]
    created_at: Mapped[int]
    expires_at: Mapped[int]
    status: Mapped[str] = mapped_column(default="pending")
    file_id: Mapped[str | None] = mapped_column(default=None)
    expires_after: Mapped[int | None] = mapped_column(default=None)


class UploadPartRow(Base):
    """A part of a pending upload; its bytes are the blob `blob_key`, their place in the whole `offset`, if known."""

    __tablename__ = "upload_parts"
    __table_args__ = (Index(None, "upload_id"),)

    id: Mapped[_Key]
    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"))
    blob_key: Mapped[_Unique]
    bytes: Mapped[int]
    created_at: Mapped[int]
    offset: Mapped[int | None] = mapped_column(default=None)


class GoogleFileRow(Base):
    """What was uploaded to Google's Files API with one key, and until when it is there."""

    __tablename__ = "google_files"
    __table_args__ = (Index(None, "expires_at"),)

    owner: Mapped[_Key]
    key_digest: Mapped[_Key]
    sha256: Mapped[_Key]
    mime_type: Mapped[_TextKey]
    name: Mapped[str]
    uri: Mapped[str]
    expires_at: Mapped[int]


class ResourceRow(Base):
    """What a caller has made at Google: `files/…`, `cachedContents/…` and the like, and which of our keys made it."""

    __tablename__ = "google_resources"
    __table_args__ = (Index(None, "expires_at"),)

    name: Mapped[_TextKey]
    owner: Mapped[_Digest]
    expires_at: Mapped[int | None] = mapped_column(default=None)
    key_label: Mapped[str | None] = mapped_column(default=None)


class BatchRow(Base):
    """A batch: OpenAI's object, its job at Google, and who works at it.

    `version` grows with each change but a renewal of the lease. `next_poll_at` is when the job is due, None if never.
    `progress` is the worker's own memory between two polls; `key_ciphertext` its caller's key, encrypted by the slice.
    """

    __tablename__ = "batches"
    __table_args__ = (Index(None, "owner", "created_at", "id"), Index(None, "next_poll_at"))

    id: Mapped[_Key]
    owner: Mapped[_Digest]
    endpoint: Mapped[str]
    input_file_id: Mapped[str]
    completion_window: Mapped[str]
    status: Mapped[str]
    display_name: Mapped[_Unique]
    created_at: Mapped[int]
    meta: Mapped[dict[str, str] | None] = mapped_column("metadata", default=None)
    model: Mapped[str | None] = mapped_column(default=None)
    google_name: Mapped[str | None] = mapped_column(default=None)
    output_file_id: Mapped[str | None] = mapped_column(default=None)
    error_file_id: Mapped[str | None] = mapped_column(default=None)
    total: Mapped[int] = mapped_column(default=0)
    completed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    in_progress_at: Mapped[int | None] = mapped_column(default=None)
    finalizing_at: Mapped[int | None] = mapped_column(default=None)
    completed_at: Mapped[int | None] = mapped_column(default=None)
    failed_at: Mapped[int | None] = mapped_column(default=None)
    expired_at: Mapped[int | None] = mapped_column(default=None)
    cancelling_at: Mapped[int | None] = mapped_column(default=None)
    cancelled_at: Mapped[int | None] = mapped_column(default=None)
    expires_at: Mapped[int | None] = mapped_column(default=None)
    output_expires_after: Mapped[int | None] = mapped_column(default=None)
    errors: Mapped[list[dict[str, object]] | None] = mapped_column(default=None)
    usage: Mapped[dict[str, object] | None] = mapped_column(default=None)
    progress: Mapped[dict[str, object] | None] = mapped_column(default=None)
    key_ciphertext: Mapped[bytes | None] = mapped_column(default=None, repr=False)
    lease_owner: Mapped[str | None] = mapped_column(default=None)
    lease_until: Mapped[float | None] = mapped_column(default=None)
    attempt: Mapped[int] = mapped_column(default=0)
    next_poll_at: Mapped[float | None] = mapped_column(default=None)
    version: Mapped[int] = mapped_column(default=1)


class ResponseRow(Base):
    """A response, with the items of its own turn. `previous_id` is the response that it goes on from.

    The payload is JSON of `size` bytes, in `payload`, or in the blob `blob_key` where it is large. A response at work
    belongs to the process that renews `lease_until`, which is None once it has ended.
    """

    __tablename__ = "responses"
    __table_args__ = (
        Index(None, "owner", "created_at", "id"),
        Index(None, "expires_at"),
        Index(
            None,
            "lease_until",
            sqlite_where=text("lease_until IS NOT NULL"),
            postgresql_where=text("lease_until IS NOT NULL"),
        ),
    )

    id: Mapped[_Key]
    owner: Mapped[_Digest]
    status: Mapped[str]
    size: Mapped[int]
    created_at: Mapped[int]
    expires_at: Mapped[int]
    previous_id: Mapped[str | None] = mapped_column(default=None)
    payload: Mapped[bytes | None] = mapped_column(default=None, repr=False)
    blob_key: Mapped[str | None] = mapped_column(default=None)
    lease_until: Mapped[float | None] = mapped_column(default=None)


class ResponseItemRow(Base):
    """In which response an item is: callers refer to items by their ids alone."""

    __tablename__ = "response_items"
    __table_args__ = (Index(None, "response_id"),)

    owner: Mapped[_Key]
    id: Mapped[_TextKey]
    response_id: Mapped[str] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"))


class ResponseEventRow(Base):
    """Some events of a response, as they were sent: those from `number` on, whose last one is `last`."""

    __tablename__ = "response_events"

    response_id: Mapped[str] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]
    data: Mapped[bytes] = mapped_column(repr=False)


class ConversationRow(Base):
    """A conversation; `next_place` is that of the next item, and grows with each."""

    __tablename__ = "conversations"
    __table_args__ = (Index(None, "expires_at"), Index(None, "owner"))

    id: Mapped[_Key]
    owner: Mapped[_Digest]
    created_at: Mapped[int]
    expires_at: Mapped[int]
    meta: Mapped[dict[str, str]] = mapped_column("metadata")
    next_place: Mapped[int] = mapped_column(default=0)


class ConversationItemRow(Base):
    """An item of a conversation: JSON of `size` bytes, in `payload`, or in the blob `blob_key` where it is large."""

    __tablename__ = "conversation_items"
    __table_args__ = (Index(None, "conversation_id", "id"), Index(None, "owner"))

    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    owner: Mapped[_Digest]
    size: Mapped[int]
    payload: Mapped[bytes | None] = mapped_column(default=None, repr=False)
    blob_key: Mapped[str | None] = mapped_column(default=None)
