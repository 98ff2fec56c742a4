"""What callers may store: bytes and files of each, and a reserve of free disk that none of them gets."""

import shutil
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from anyio import to_thread
from sqlalchemy import Select, func, or_, select

from gemgate.store.database import Clock, Database
from gemgate.store.errors import DiskReserveError, QuotaExceededError, SizeMismatchError, StoreUnavailableError
from gemgate.store.tables import (
    ConversationItemRow,
    ConversationRow,
    FileRow,
    ResponseEventRow,
    ResponseRow,
    UploadPartRow,
    UploadRow,
)

_LOOK_EVERY = 4 * 1024 * 1024
_RECOUNT_SECONDS = 10.0
_MAX_RECOUNTS = 5
_MAX_COUNTED = 10_000  # callers


@dataclass(frozen=True, slots=True)
class StorageLimits:
    """The limits; None means unlimited.

    Attributes:
        bytes_per_owner: Of all files, parts of uploads, responses and items of conversations of one caller.
        files_per_owner: Files, uploads, their parts and conversations of one caller.
        free_bytes: Of each local disk, below which nothing that callers send is stored there.
    """

    bytes_per_owner: int | None = None
    files_per_owner: int | None = None
    free_bytes: int | None = None


@dataclass(slots=True, eq=False)
class _Arrival:
    """A file, a part or a conversation on its way, the bytes of it that are here, and how many came before it."""

    size: int = 0
    number: int = field(default_factory=count().__next__)


class StorageRoom:
    """Decides whether there is room for what a caller sends.

    Args:
        database: Knows what is stored.
        directory: Where the bytes are; None for a bucket, whose room is not known.
        clock: Unix seconds.
        limits: The limits.
        spool: Where what is used once waits on disk; None where nothing does.
    """

    def __init__(
        self,
        database: Database,
        directory: Path | None,
        clock: Clock,
        limits: StorageLimits,
        spool: Path | None = None,
    ) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._limits = limits
        self._spool = spool
        self._arriving: dict[str, set[_Arrival]] = {}
        self._counted: dict[str, tuple[int, float]] = {}
        self._silent_until = 0.0

    async def check(self, owner: str, size: int = 0) -> None:
        """Refuse to store `size` bytes more for `owner`.

        Raises:
            QuotaExceededError: the caller has stored as much as it may.
            DiskReserveError: the disk is full but for the reserve.
        """
        await self.check_disk(size)
        await self._check_quota(owner, size, files=1)

    @asynccontextmanager
    async def reserved(self, owner: str, size: int) -> AsyncIterator[None]:
        """Room for a file or a conversation of `size` bytes until the block ends: make the row within it.

        Raises:
            QuotaExceededError: the caller has stored as much as it may.
            DiskReserveError: the disk is full but for the reserve.
        """
        arrival = _Arrival(size)
        with self._arrives(owner, arrival):
            await self.check_disk(size)
            await self._check_quota(owner, until=arrival)
            yield

    async def check_bytes(self, owner: str, size: int) -> None:
        """Refuse to store `size` bytes more for `owner` in rows, which are not files.

        What is stored is added up every `_RECOUNT_SECONDS` only, or before a refusal: a caller who stores a response
        with each request would otherwise have all of its rows read with each. A database that has failed is not asked
        again for as long: each request would wait for it.

        Raises:
            QuotaExceededError: the caller has stored as many bytes as it may.
            DiskReserveError: the disk is full but for the reserve.
            StoreUnavailableError: the database has failed.
        """
        await self.check_disk(size)
        most, now = self._limits.bytes_per_owner, self._clock()
        if most is None:
            return
        counted, until = self._counted.get(owner, (0, 0.0))
        if until <= now or counted + size > most:
            if now < self._silent_until:
                raise StoreUnavailableError("the database has failed a moment ago")
            try:
                counted, until = await self._check_quota(owner, size), now + _RECOUNT_SECONDS
            except StoreUnavailableError:
                self._silent_until = self._clock() + _RECOUNT_SECONDS
                raise
            if len(self._counted) >= _MAX_COUNTED:
                self._counted.clear()
        self._counted[owner] = (counted + size, until)

    async def check_disk(self, size: int = 0) -> None:
        """Refuse to store `size` bytes more on a disk that is full but for the reserve, or a row beside its bytes.

        Raises:
            DiskReserveError: it is.
        """
        await self._check_reserve((self._directory, size), (self._database.directory, 0))

    async def check_spool(self) -> None:
        """Refuse to write to a disk that is full but for the reserve what is not stored, though it waits there.

        Raises:
            DiskReserveError: it is.
        """
        await self._check_reserve((self._spool, 0))

    async def _check_reserve(self, *places: tuple[Path | None, int]) -> None:
        """Refuse to put so many bytes more into each of the directories."""
        reserve = self._limits.free_bytes
        local = [(directory, size) for directory, size in places if directory is not None]
        if reserve is None or not local:
            return
        for free, size in await to_thread.run_sync(_free_and_wanted, local):
            if free - size < reserve or not free:
                raise DiskReserveError(free, reserve)

    @asynccontextmanager
    async def admitted(
        self,
        owner: str,
        chunks: AsyncIterable[bytes],
        *,
        announced: int | None = None,
        left: int | None = None,
        is_spooled: bool = False,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """`chunks` as they come, for as long as there is room; `left` of the `announced` bytes are still to come.

        Until the block ends they count for the caller: make the row within it. `is_spooled` says that they are not
        stored, and wait in the spool until then.

        Raises:
            SizeMismatchError: more came than was announced.
            QuotaExceededError: the caller has stored as much as it may.
            DiskReserveError: the disk is full but for the reserve.
        """
        check_room = self.check_spool if is_spooled else self.check_disk
        arrival = _Arrival()
        with self._arrives(owner, arrival):
            await check_room()
            await self._check_quota(owner, until=arrival)
            async with aclosing(self._passing(owner, arrival, chunks, check_room, announced, left)) as passing:
                yield passing

    @contextmanager
    def _arrives(self, owner: str, arrival: _Arrival) -> Iterator[None]:
        arriving = self._arriving.setdefault(owner, set())
        arriving.add(arrival)
        try:
            yield
        finally:
            arriving.discard(arrival)
            if not arriving and self._arriving.get(owner) is arriving:
                del self._arriving[owner]

    async def _passing(
        self,
        owner: str,
        arrival: "_Arrival",
        chunks: AsyncIterable[bytes],
        check_room: Callable[[], Awaitable[None]],
        announced: int | None,
        left: int | None,
    ) -> AsyncGenerator[bytes]:
        looked_at = 0
        async for chunk in chunks:
            arrival.size += len(chunk)
            if left is not None and announced is not None and arrival.size > left:
                raise SizeMismatchError(announced, announced - left + arrival.size)
            if arrival.size - looked_at >= _LOOK_EVERY:
                looked_at = arrival.size
                await check_room()
                await self._check_quota(owner)
            yield chunk
        await self._check_quota(owner)

    async def _check_quota(self, owner: str, size: int = 0, files: int = 0, until: _Arrival | None = None) -> int:
        """Refuse what is beyond the quota with so much more; the bytes that are stored and arrive, where they count.

        With `until`, what came after it does not count.
        """
        most, number = self._limits.bytes_per_owner, self._limits.files_per_owner
        if most is None and number is None:
            return 0
        for _ in range(_MAX_RECOUNTS):
            before = tuple(self._arriving.get(owner, ()))
            stored, rows = await self._stored(owner)
            arriving = self._arriving.get(owner, set())
            # One that has arrived meanwhile may be in neither count, or in both: its row was made during the first.
            in_doubt = [one for one in before if one not in arriving]
            if not in_doubt:
                break
        arriving = {one for one in arriving.union(in_doubt) if until is None or one.number <= until.number}
        stored += sum(one.size for one in arriving)
        if most is not None and stored + size > most:
            raise QuotaExceededError(f"{most} bytes")
        if number is not None and rows + len(arriving) + files > number:
            raise QuotaExceededError(f"{number} files, uploads and conversations")
        return stored

    async def _stored(self, owner: str) -> tuple[int, int]:
        """The bytes of what the caller has stored, and the number of files, uploads, parts and conversations.

        Of an upload that became a file only the file counts.
        """
        alive = or_(FileRow.expires_at.is_(None), FileRow.expires_at > self._clock())
        files = select(func.coalesce(func.sum(FileRow.bytes), 0), func.count()).where(FileRow.owner == owner, alive)
        parts = (
            select(func.coalesce(func.sum(UploadPartRow.bytes), 0), func.count())
            .join(UploadRow, UploadRow.id == UploadPartRow.upload_id)
            .where(UploadRow.owner == owner)
        )
        uploads = select(func.count()).where(UploadRow.owner == owner, UploadRow.status != "completed")
        talks = select(func.count()).select_from(ConversationRow).where(ConversationRow.owner == owner)
        async with self._database.read() as session:
            rows = [(await session.execute(query)).one() for query in (files, parts)]
            generated = [await session.scalar(query) or 0 for query in _generated(owner)]
            others = [int(await session.scalar(query) or 0) for query in (uploads, talks)]
        number = sum(int(row[1]) for row in rows) + sum(others)
        return sum(int(row[0]) for row in rows) + sum(map(int, generated)), number


def _generated(owner: str) -> tuple[Select[int], ...]:
    """The bytes of responses, their events and items of conversations, which are not files."""
    mine = select(ResponseRow.id).where(ResponseRow.owner == owner)
    return (
        select(func.sum(ResponseRow.size)).where(ResponseRow.owner == owner),
        select(func.sum(func.length(ResponseEventRow.data))).where(ResponseEventRow.response_id.in_(mine)),
        select(func.sum(ConversationItemRow.size)).where(ConversationItemRow.owner == owner),
    )


def _free_and_wanted(places: Iterable[tuple[Path, int]]) -> list[tuple[int, int]]:
    return [(shutil.disk_usage(directory).free, size) for directory, size in places]


UNLIMITED = StorageLimits()
