"""Uploads: files that arrive in parts."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gemgate.store.blobs import Blobs, Through
from gemgate.store.database import Clock, Database
from gemgate.store.errors import (
    ChecksumMismatchError,
    PartUnknownError,
    SizeMismatchError,
    UploadClosedError,
    UploadUnknownError,
)
from gemgate.store.files import blob_key, storable
from gemgate.store.ids import new_id
from gemgate.store.limits import StorageRoom
from gemgate.store.tables import FileRow, UploadPartRow, UploadRow

LIFETIME = 3600


class Uploads:
    """The uploads of all callers: open for an hour, then expired. A foreign upload is as if it were not there."""

    def __init__(self, database: Database, blobs: Blobs, clock: Clock, room: StorageRoom) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._room = room

    async def create(
        self,
        owner: str,
        *,
        filename: str,
        purpose: str,
        size: int,
        mime_type: str,
        expires_after: int | None = None,
        upload_id: str | None = None,
        lifetime: int = LIFETIME,
    ) -> UploadRow:
        """Open an upload of `size` bytes, for `lifetime` seconds; the finished file will live `expires_after` more.

        Raises:
            QuotaExceededError: the caller may not store so much.
            DiskReserveError: the disk has no room for it.
        """
        now = int(self._clock())
        upload = UploadRow(
            id=upload_id or new_id("upload_", now),
            owner=owner,
            filename=storable(filename),
            purpose=purpose,
            bytes=size,
            mime_type=mime_type,
            created_at=now,
            expires_at=now + lifetime,
            expires_after=expires_after,
        )
        async with self._room.reserved(owner, size), self._database.write() as session:
            session.add(upload)
        return upload

    async def get(self, owner: str, upload_id: str) -> UploadRow | None:
        """The upload, or None."""
        async with self._database.read() as session:
            upload = await session.scalar(select(UploadRow).where(UploadRow.id == upload_id, UploadRow.owner == owner))
        if upload and self._status(upload) != upload.status:
            upload.status = self._status(upload)
        return upload

    async def parts(self, owner: str, upload_id: str) -> list[UploadPartRow]:
        """The parts of a pending upload, those with an offset by that.

        Raises:
            UploadUnknownError: the upload does not exist.
            UploadClosedError: it is not pending.
        """
        async with self._database.read() as session:
            await self._pending(session, owner, upload_id)
            found = await session.scalars(select(UploadPartRow).where(UploadPartRow.upload_id == upload_id))
            return sorted(found, key=lambda part: (part.offset or 0, part.bytes))

    async def add_part(
        self, owner: str, upload_id: str, chunks: AsyncIterable[bytes], *, offset: int | None = None
    ) -> UploadPartRow:
        """Write a part; `offset` is its place in the whole. If the source of `chunks` raises, nothing is left of it.

        Raises:
            UploadUnknownError: the upload does not exist.
            UploadClosedError: it takes no more parts, or closed while this one arrived.
            SizeMismatchError: with it, the parts are larger than was announced.
            QuotaExceededError: the caller has stored as much as it may.
            DiskReserveError: the disk is full but for the reserve.
            StoreError: the blob store failed.
        """
        async with self._database.read() as session:
            upload = await self._pending(session, owner, upload_id)
            left = await _left(session, upload, offset)
        part_id = new_id("part_", self._clock())
        key = f"parts/{part_id}"
        async with self._room.admitted(owner, chunks, announced=upload.bytes, left=left) as admitted:
            size, _ = await self._blobs.put(key, admitted)
            now = int(self._clock())
            part = UploadPartRow(
                id=part_id, upload_id=upload_id, blob_key=key, bytes=size, created_at=now, offset=offset
            )
            try:
                await self._add(owner, part)
            except (UploadUnknownError, UploadClosedError, SizeMismatchError):
                await self._blobs.delete(key)
                raise
        return part

    async def _add(self, owner: str, part: UploadPartRow) -> None:
        async with self._database.write() as session:
            upload = await self._pending(session, owner, part.upload_id, lock=True)
            left = await _left(session, upload, part.offset)
            if part.bytes > left:  # others arrived at the same time
                raise SizeMismatchError(upload.bytes, upload.bytes - left + part.bytes)
            session.add(part)

    async def complete(
        self,
        owner: str,
        upload_id: str,
        part_ids: Sequence[str],
        *,
        md5: str | None = None,
        through: Through | None = None,
    ) -> tuple[UploadRow, FileRow]:
        """Make a file of the parts, in the order given; parts that are not named are dropped.

        `md5` (hex) is compared with that of the whole; `through` may watch the bytes on their way, and raise. After any
        error the upload is pending as before, and can be completed again.

        Raises:
            UploadUnknownError: the upload does not exist.
            UploadClosedError: it is not pending, or was closed meanwhile.
            PartUnknownError: it has no such part, or the part is named twice.
            SizeMismatchError: the parts have another size than was announced.
            ChecksumMismatchError: the MD5 differs.
            StoreError: the blob store failed.
        """
        async with self._database.read() as session:
            upload = await self._pending(session, owner, upload_id)
            parts = await _in_order(session, upload, part_ids)
        if (received := sum(part.bytes for part in parts)) != upload.bytes:
            raise SizeMismatchError(upload.bytes, received)
        await self._room.check_disk(upload.bytes)

        def inspected(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            verified = chunks if md5 is None else _verified(chunks, md5)
            return through(verified) if through else verified

        now = int(self._clock())
        file_id = new_id("file-", now)
        keys = [part.blob_key for part in parts]
        size, sha256 = await self._blobs.concat(keys, blob_key(file_id), inspected)
        file = FileRow(
            id=file_id,
            owner=owner,
            filename=upload.filename,
            purpose=upload.purpose,
            bytes=size,
            sha256=sha256,
            blob_key=blob_key(file_id),
            created_at=now,
            mime_type=upload.mime_type,
            expires_at=None if upload.expires_after is None else now + upload.expires_after,
        )
        return await self._seal(upload, file), file

    async def _seal(self, seen: UploadRow, file: FileRow) -> UploadRow:
        try:
            async with self._database.write() as session:
                upload = await self._pending(session, seen.owner, seen.id, lock=True)
                upload.status, upload.file_id = "completed", file.id
                session.add(file)
                keys = await _drop_parts(session, upload.id)
        except (UploadUnknownError, UploadClosedError):
            await self._blobs.delete(file.blob_key)
            raise
        await self._blobs.delete(*keys)
        return upload

    async def cancel(self, owner: str, upload_id: str) -> UploadRow:
        """Close the upload and drop its parts.

        Raises:
            UploadUnknownError: the upload does not exist.
            UploadClosedError: it is not pending.
        """
        async with self._database.write() as session:
            upload = await self._pending(session, owner, upload_id, lock=True)
            upload.status = "cancelled"
            keys = await _drop_parts(session, upload.id)
        await self._blobs.delete(*keys)
        return upload

    def _status(self, upload: UploadRow) -> str:
        is_late = upload.status == "pending" and upload.expires_at <= self._clock()
        return "expired" if is_late else upload.status

    async def _pending(self, session: AsyncSession, owner: str, upload_id: str, *, lock: bool = False) -> UploadRow:
        wanted = select(UploadRow).where(UploadRow.id == upload_id, UploadRow.owner == owner)
        upload = await session.scalar(wanted.with_for_update() if lock else wanted)
        if upload is None:
            raise UploadUnknownError(upload_id)
        if (status := self._status(upload)) != "pending":
            raise UploadClosedError(status)
        return upload


async def _in_order(session: AsyncSession, upload: UploadRow, part_ids: Sequence[str]) -> list[UploadPartRow]:
    found = await session.scalars(select(UploadPartRow).where(UploadPartRow.upload_id == upload.id))
    left = {part.id: part for part in found}
    parts = []
    for part_id in part_ids:
        if part_id not in left:
            raise PartUnknownError(part_id)
        parts.append(left.pop(part_id))
    return parts


async def _left(session: AsyncSession, upload: UploadRow, offset: int | None) -> int:
    """How many bytes another part may have: at most those announced, and all parts together at most twice as many.

    Clients send a part again when its answer was lost, and may leave parts out at the end.
    """
    stored = select(func.coalesce(func.sum(UploadPartRow.bytes), 0)).where(UploadPartRow.upload_id == upload.id)
    received = int(await session.scalar(stored) or 0)
    return min(upload.bytes - (offset or 0), 2 * upload.bytes - received)


async def _drop_parts(session: AsyncSession, upload_id: str) -> list[str]:
    dropped = delete(UploadPartRow).where(UploadPartRow.upload_id == upload_id).returning(UploadPartRow.blob_key)
    return list(await session.scalars(dropped))


async def _verified(chunks: AsyncIterator[bytes], md5: str) -> AsyncGenerator[bytes]:
    digest = hashlib.md5(usedforsecurity=False)
    async for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != md5.lower():
        raise ChecksumMismatchError(md5, digest.hexdigest())
