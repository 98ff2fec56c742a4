"""Tidying up: what has expired, and bytes that no row knows."""

from contextlib import aclosing
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gemgate.store.blobs import Blobs
from gemgate.store.database import Clock, Database
from gemgate.store.tables import (
    BatchRow,
    ConversationItemRow,
    ConversationRow,
    FileRow,
    GoogleFileRow,
    ResourceRow,
    ResponseRow,
    UploadPartRow,
    UploadRow,
)

GRACE = 86_400
_SECONDS = 300.0
_KEEP_CLOSED_UPLOADS = 30 * 86_400

PREFIXES = ("files", "parts", "batches", "responses", "conversations")
"""What the keys of blobs begin with."""

_COLUMNS = {
    "files": FileRow.blob_key,
    "parts": UploadPartRow.blob_key,
    "responses": ResponseRow.blob_key,
    "conversations": ConversationItemRow.blob_key,
}


@dataclass(frozen=True, slots=True)
class Swept:
    """How many were removed.

    Attributes:
        files: Expired files.
        parts: Parts of closed uploads.
        google_files: Rows of files that Google dropped.
        orphans: Blobs without a row.
        responses, conversations: Expired ones.
    """

    files: int = 0
    parts: int = 0
    google_files: int = 0
    orphans: int = 0
    responses: int = 0
    conversations: int = 0


async def sweep(database: Database, blobs: Blobs, clock: Clock, grace: float = GRACE) -> Swept:
    """Remove what has expired and what crashes left behind. Any number of replicas may do so at once, at any time.

    A blob without a row is left alone for `grace` seconds, which must be longer than any upload takes: its row may
    be about to come, and S3 dates a blob from when its upload began.

    Raises:
        StoreError: the blob store failed; the next sweep goes on.
    """
    now = clock()
    async with database.write(_SECONDS) as session:
        files = await _expired_files(session, now)
        parts = await _parts_of_closed_uploads(session, now)
        google = await session.scalars(
            delete(GoogleFileRow).where(GoogleFileRow.expires_at <= now).returning(GoogleFileRow.name)
        )
        google_files = len(google.all())
        await session.execute(delete(ResourceRow).where(ResourceRow.expires_at <= now))
        responses, payloads = await _expired_responses(session, now)
        conversations, of_items = await _expired_conversations(session, now)
    await blobs.delete(*files, *parts, *payloads, *of_items)
    orphans = await blobs.sweep_partial(now - grace)
    orphans += await _all_orphans(database, blobs, now - grace)
    return Swept(len(files), len(parts), google_files, orphans, responses, conversations)


async def _all_orphans(database: Database, blobs: Blobs, before: float) -> int:
    return sum([await _orphans(database, blobs, prefix, before) for prefix in PREFIXES])


async def _expired_responses(session: AsyncSession, now: float) -> tuple[int, list[str]]:
    """How many went, and the keys of their blobs."""
    gone = delete(ResponseRow).where(ResponseRow.expires_at <= now).returning(ResponseRow.blob_key)
    keys = [row[0] for row in await session.execute(gone)]
    return len(keys), [key for key in keys if key is not None]


async def _expired_conversations(session: AsyncSession, now: float) -> tuple[int, list[str]]:
    """How many went, and the keys of their items' blobs."""
    late = select(ConversationRow.id).where(ConversationRow.expires_at <= now)
    items = delete(ConversationItemRow).where(ConversationItemRow.conversation_id.in_(late))
    keys = [row[0] for row in await session.execute(items.returning(ConversationItemRow.blob_key))]
    gone = delete(ConversationRow).where(ConversationRow.expires_at <= now).returning(ConversationRow.id)
    conversations = len(list(await session.scalars(gone)))
    return conversations, [key for key in keys if key is not None]


async def _expired_files(session: AsyncSession, now: float) -> list[str]:
    return list(await session.scalars(delete(FileRow).where(FileRow.expires_at <= now).returning(FileRow.blob_key)))


async def _parts_of_closed_uploads(session: AsyncSession, now: float) -> list[str]:
    is_late = (UploadRow.status == "pending") & (UploadRow.expires_at <= now)
    await session.execute(update(UploadRow).where(is_late).values(status="expired"))
    closed = select(UploadRow.id).where(UploadRow.status != "pending")
    dropped = delete(UploadPartRow).where(UploadPartRow.upload_id.in_(closed)).returning(UploadPartRow.blob_key)
    keys = list(await session.scalars(dropped))
    is_old = (UploadRow.status != "pending") & (UploadRow.expires_at <= now - _KEEP_CLOSED_UPLOADS)
    await session.execute(delete(UploadRow).where(is_old))
    return keys


async def _orphans(database: Database, blobs: Blobs, prefix: str, before: float) -> int:
    removed = 0
    async with aclosing(blobs.listing(prefix)) as pages:
        async for page in pages:
            old = {info.key for info in page if info.modified < before}
            async with database.read() as session:
                orphans = old - await _known(session, prefix, old)
            await blobs.delete(*orphans)
            removed += len(orphans)
    return removed


async def _known(session: AsyncSession, prefix: str, keys: set[str]) -> set[str]:
    if prefix == "batches":
        owners = {key: key.split("/")[1] for key in keys}
        is_open = BatchRow.id.in_(set(owners.values())) & BatchRow.next_poll_at.is_not(None)
        active = set(await session.scalars(select(BatchRow.id).where(is_open)))
        return {key for key, batch_id in owners.items() if batch_id in active}
    column = _COLUMNS[prefix]
    return set(await session.scalars(select(column).where(column.in_(keys))))
