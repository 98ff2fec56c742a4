"""Files: a row each, and its bytes in a blob."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Literal

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gemgate.store.blobs import Blobs
from gemgate.store.database import Clock, Database
from gemgate.store.ids import new_id, second_of
from gemgate.store.paging import Page, fetch_page
from gemgate.store.tables import FileRow

_GOOGLE = "files/"
"""What the names of Google's files begin with, and none of our ids."""


class Files:
    """The files of all callers. Whose file it is not, and a file past its `expires_at`, is as if it were not there."""

    def __init__(self, database: Database, blobs: Blobs, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock

    async def save(
        self,
        owner: str,
        chunks: AsyncIterable[bytes],
        *,
        filename: str,
        purpose: str,
        mime_type: str | None = None,
        expires_after: int | None = None,
        file_id: str | None = None,
        google_name: str | None = None,
    ) -> FileRow:
        """Write the bytes, then the row; `expires_after` is in seconds.

        If the source of `chunks` raises, or the caller is cancelled, neither is left. With the `file_id` of a file
        that exists, both are replaced: a step that crashed can be done again.

        Raises:
            StoreError: the blob store failed.
        """
        file_id = file_id or new_id("file-", self._clock())
        key = blob_key(file_id)
        size, sha256 = await self._blobs.put(key, chunks)
        now = int(self._clock())
        row = FileRow(
            id=file_id,
            owner=owner,
            filename=storable(filename),
            purpose=purpose,
            bytes=size,
            sha256=sha256,
            blob_key=key,
            created_at=now,
            mime_type=mime_type,
            expires_at=None if expires_after is None else now + expires_after,
            google_name=google_name,
        )
        return await self.create(row)

    async def create(self, row: FileRow) -> FileRow:
        """Add the row of a blob that is complete, or replace the one with its id, or of the same file at Google."""
        async with self._database.write() as session:
            older = await _take_copies(session, row) if row.google_name else []
            merged = await session.merge(row)
        if older:
            await self._blobs.delete(*older)
        return merged

    async def get(self, owner: str, file_id: str) -> FileRow | None:
        """The file, or None. `file_id` is an id of ours, also with `files/` before it, or a name of Google's."""
        async with self._database.read() as session:
            return await session.scalar(select(FileRow).where(_is_called(file_id), *self._visible(owner)))

    async def list(
        self,
        owner: str,
        *,
        after: str | None = None,
        limit: int = 10_000,
        order: Literal["asc", "desc"] = "desc",
        purpose: str | None = None,
        copies: bool = True,
    ) -> Page[FileRow]:
        """The caller's files by the time of their making, those that follow the id `after`, with or without `copies`.

        Raises:
            UnknownCursorError: `after` is not the id of a file.
        """
        wanted = self._visible(owner) if purpose is None else (*self._visible(owner), FileRow.purpose == purpose)
        if not copies:
            wanted = (*wanted, FileRow.google_name.is_(None))
        async with self._database.read() as session:
            newest_first = order == "desc"
            return await fetch_page(session, FileRow, *wanted, after=after, limit=limit, newest_first=newest_first)

    async def open(self, row: FileRow, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes of a file, from `start` up to, but not including, `end`.

        Raises:
            BlobMissingError: the file was deleted meanwhile (at the first step of the iteration).
        """
        async with aclosing(self._blobs.get(row.blob_key, start, end)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def delete(self, owner: str, file_id: str) -> bool:
        """Delete the row, then the bytes; False when it was missing. A crash in between leaves bytes to the sweep."""
        async with self._database.write() as session:
            wanted = delete(FileRow).where(_is_called(file_id), *self._visible(owner)).returning(FileRow.blob_key)
            key = await session.scalar(wanted)
        if key is None:
            return False
        await self._blobs.delete(key)
        return True

    def _visible(self, owner: str) -> tuple[ColumnElement[bool], ...]:
        alive = or_(FileRow.expires_at.is_(None), FileRow.expires_at > self._clock())
        return FileRow.owner == owner, alive


def _is_called(file_id: str) -> ColumnElement[bool]:
    bare = file_id.removeprefix(_GOOGLE)
    return FileRow.google_name == file_id if bare != file_id and second_of(bare) is None else FileRow.id == bare


async def _take_copies(session: AsyncSession, row: FileRow) -> list[str]:
    """Remove what was kept of earlier files of the same name, and give the keys of their blobs."""
    same = (FileRow.owner == row.owner, FileRow.google_name == row.google_name, FileRow.id != row.id)
    return list(await session.scalars(delete(FileRow).where(*same).returning(FileRow.blob_key)))


def blob_key(file_id: str) -> str:
    """Where the bytes of a file are."""
    return f"files/{file_id}"


def storable(name: str) -> str:
    """`name` without what a database cannot hold: NUL, and halves of surrogate pairs."""
    return name.replace("\0", "").encode("utf-8", "replace").decode()
