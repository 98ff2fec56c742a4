"""The quota of rows that are not files: it holds, and what is stored is not added up with each of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

import pytest
from sqlalchemy import event
from tests.store.support import OTHER, OWNER, stream
from tests.support.clock import FakeClock

from gemgate.store import QuotaExceededError, Store, Uploads
from gemgate.store.limits import StorageLimits, StorageRoom

pytestmark = pytest.mark.integration


def room_of(store: Store, clock: FakeClock, most: int) -> StorageRoom:
    return StorageRoom(store.database, None, clock, StorageLimits(bytes_per_owner=most))


async def keep(store: Store, name: str, size: int) -> None:
    await store.responses.create(OWNER, name, b"x" * size, status="completed", expires_after=3600)


async def test_a_caller_stores_no_more_than_it_may_within_one_count(store: Store, clock: FakeClock) -> None:
    room = room_of(store, clock, 100)
    for number in range(10):
        await room.check_bytes(OWNER, 10)
        await keep(store, f"resp_{number}", 10)
    with pytest.raises(QuotaExceededError):
        await room.check_bytes(OWNER, 1)
    await room.check_bytes(OTHER, 100)


async def test_what_was_deleted_makes_room_at_once(store: Store, clock: FakeClock) -> None:
    room = room_of(store, clock, 100)
    await room.check_bytes(OWNER, 100)
    await keep(store, "resp_1", 100)
    await store.responses.delete(OWNER, "resp_1")
    await room.check_bytes(OWNER, 100)


async def test_what_another_replica_stores_counts_soon(store: Store, clock: FakeClock) -> None:
    room = room_of(store, clock, 100)
    await room.check_bytes(OWNER, 10)
    await keep(store, "resp_1", 100)
    clock.advance(11)
    with pytest.raises(QuotaExceededError):
        await room.check_bytes(OWNER, 1)


async def test_a_hundred_responses_are_not_added_up_a_hundred_times(store: Store, clock: FakeClock) -> None:
    room, asked = room_of(store, clock, 10_000), list[str]()
    event.listen(
        store.database.engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_more: asked.append(statement),
    )
    await room.check_bytes(OWNER, 10)
    of_one = sum("sum(" in statement for statement in asked)
    for _ in range(99):
        await room.check_bytes(OWNER, 10)
    assert sum("sum(" in statement for statement in asked) == of_one > 0


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def test_a_file_that_arrives_while_another_is_counted_counts(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows were read before the first had one, and it arrives no longer when the arriving ones are added up."""
    room, count = room_of(store, clock, 10), StorageRoom._stored
    async with AsyncExitStack() as first:
        chunks = await first.enter_async_context(room.admitted(OWNER, once(b"123456")))
        arrived = [chunk async for chunk in chunks]

        async def counted_as_the_first_ends(room: StorageRoom, owner: str) -> tuple[int, int]:
            counted = await count(room, owner)
            monkeypatch.setattr(StorageRoom, "_stored", count)
            await store.files.save(OWNER, stream(*arrived), filename="a", purpose="user_data")
            await first.aclose()
            return counted

        async with room.admitted(OWNER, once(b"123456")) as second:
            assert await anext(second) == b"123456"
            monkeypatch.setattr(StorageRoom, "_stored", counted_as_the_first_ends)
            with pytest.raises(QuotaExceededError):
                await anext(second)


async def test_conversations_that_are_made_at_once_are_counted_together(store: Store, clock: FakeClock) -> None:
    room = StorageRoom(store.database, None, clock, StorageLimits(files_per_owner=3))

    async def create() -> bool:
        try:
            async with room.reserved(OWNER, 1):
                await store.conversations.create(OWNER, {}, 3600)
        except QuotaExceededError:
            return False
        return True

    assert sum(await asyncio.gather(*(create() for _ in range(10)))) == 3
    assert await create() is False
    async with room.reserved(OTHER, 1):
        pass


async def test_uploads_that_are_begun_and_left_or_cancelled_are_counted(store: Store, clock: FakeClock) -> None:
    room = StorageRoom(store.database, None, clock, StorageLimits(files_per_owner=3))
    uploads = Uploads(store.database, store.blobs, clock, room)
    begin = partial(uploads.create, filename="a", purpose="user_data", size=1, mime_type="text/plain")
    begun = [await begin(OWNER) for _ in range(3)]
    await uploads.cancel(OWNER, begun[0].id)
    with pytest.raises(QuotaExceededError):
        await begin(OWNER)
    await begin(OTHER)
