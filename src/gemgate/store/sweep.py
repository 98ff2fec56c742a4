"""Tidying up: what has expired, and bytes that no row knows."""

from contextlib import aclosing
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gemgate.store.blobs import Blobs
from gemgate.store.database import Clock, Database
from gemgate.store.tables import (
    BatchRow,
    FileRow,
    GoogleFileRow,
    ResourceRow,
    UploadPartRow,
    UploadRow,
)

GRACE = 86_400
_SECONDS = 300.0
_KEEP_CLOSED_UPLOADS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Swept:
    """How many were removed: expired files, parts of closed uploads, rows of what Google dropped, orphaned blobs."""

    files: int = 0
    parts: int = 0
    google_files: int = 0
    orphans: int = 0


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
    await blobs.delete(*files, *parts)
    orphans = await blobs.sweep_partial(now - grace)
    return Swept(len(files), len(parts), google_files, orphans + await _all_orphans(database, blobs, now - grace))


async def _all_orphans(database: Database, blobs: Blobs, before: float) -> int:
    return sum([await _orphans(database, blobs, prefix, before) for prefix in ("files", "parts", "batches")])


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
    column = FileRow.blob_key if prefix == "files" else UploadPartRow.blob_key
    return set(await session.scalars(select(column).where(column.in_(keys))))
