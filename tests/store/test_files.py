"""Files: listed, read and deleted by their owner only."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import anyio
import pytest
from tests.store.support import OTHER, OWNER, keys, stream, whole
from tests.support.clock import START, FakeClock

from gemgate.store import (
    BlobMissingError,
    FileRow,
    Store,
    UnknownCursorError,
)

pytestmark = pytest.mark.integration


async def save(store: Store, content: bytes = b"content", owner: str = OWNER, **options: str | int) -> FileRow:
    given = {"filename": "a.txt", "purpose": "user_data", **options}
    return await store.files.save(owner, stream(content), **given)  # type: ignore[arg-type]


async def test_a_saved_file_is_there_with_all_it_was_given(store: Store) -> None:
    saved = await save(store, b"content", mime_type="text/plain", filename="ä.txt", expires_after=3600)
    found = await store.files.get(OWNER, saved.id)
    assert found is not None
    assert saved.id.startswith("file-")
    assert (found.owner, found.filename, found.purpose, found.mime_type) == (OWNER, "ä.txt", "user_data", "text/plain")
    assert (found.bytes, found.sha256) == (7, hashlib.sha256(b"content").hexdigest())
    assert (found.created_at, found.expires_at, found.status) == (START, START + 3600, "processed")
    assert await whole(store.files.open(found)) == b"content"
    assert await whole(store.files.open(found, 3, 5)) == b"te"


async def test_a_file_lives_for_ever_unless_told_otherwise(store: Store, clock: FakeClock) -> None:
    saved = await save(store)
    clock.advance(10**9)
    assert (await store.files.get(OWNER, saved.id)) is not None


async def test_a_file_name_may_hold_anything(store: Store) -> None:
    saved = await save(store, filename="a\0b\ud800c" * 100)
    found = await store.files.get(OWNER, saved.id)
    assert found is not None
    assert found.filename == "ab?c" * 100


async def test_nobody_sees_or_deletes_the_file_of_another(store: Store) -> None:
    saved = await save(store)
    assert await store.files.get(OTHER, saved.id) is None
    assert (await store.files.list(OTHER)).rows == []
    assert await store.files.delete(OTHER, saved.id) is False
    assert await store.files.get(OWNER, saved.id) is not None


async def test_a_deleted_file_is_gone_with_its_bytes(store: Store) -> None:
    saved = await save(store)
    assert await store.files.delete(OWNER, saved.id) is True
    assert await store.files.delete(OWNER, saved.id) is False
    assert await store.files.get(OWNER, saved.id) is None
    with pytest.raises(BlobMissingError):
        await whole(store.files.open(saved))


async def test_an_expired_file_is_gone_before_it_is_swept(store: Store, clock: FakeClock) -> None:
    saved = await save(store, expires_after=60)
    clock.advance(59)
    assert await store.files.get(OWNER, saved.id) is not None
    clock.advance(1)
    assert await store.files.get(OWNER, saved.id) is None
    assert (await store.files.list(OWNER)).rows == []
    assert await store.files.delete(OWNER, saved.id) is False


async def test_files_are_listed_in_pages_in_both_orders(store: Store, clock: FakeClock) -> None:
    saved = []
    for number in range(7):
        clock.advance(number % 2)
        saved.append(await save(store, purpose="batch" if number % 3 else "vision"))
        await save(store, owner=OTHER)
    oldest_first = [row.id for row in sorted(saved, key=lambda row: (row.created_at, row.id))]
    for order, expected in (("asc", oldest_first), ("desc", oldest_first[::-1])):
        listed, after, more = [], None, True
        while more:
            page = await store.files.list(OWNER, after=after, limit=3, order=order)  # type: ignore[arg-type]
            listed += [row.id for row in page.rows]
            after, more = listed[-1], page.has_more
        assert listed == expected
    visions = await store.files.list(OWNER, purpose="vision", order="asc")
    assert [row.id for row in visions.rows] == [row.id for row in saved[::3]]
    assert (await store.files.list(OWNER)).rows[0].id == oldest_first[-1]


async def test_a_list_whose_files_are_deleted_on_the_way_skips_none(store: Store, clock: FakeClock) -> None:
    saved = []
    for _ in range(5):
        clock.advance(1)
        saved.append((await save(store)).id)
    listed, after, more = [], None, True
    while more:
        page = await store.files.list(OWNER, after=after, limit=2)
        for row in page.rows:
            listed.append(row.id)
            await store.files.delete(OWNER, row.id)
        after, more = listed[-1], page.has_more
    assert listed == saved[::-1]


@pytest.mark.parametrize("after", ["file-", "nonsense", "file-" + "x" * 32, "files/abc"])
async def test_a_list_after_no_id_of_ours_is_refused(store: Store, after: str) -> None:
    with pytest.raises(UnknownCursorError):
        await store.files.list(OWNER, after=after)


async def test_a_source_that_breaks_leaves_neither_row_nor_bytes(store: Store) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await store.files.save(OWNER, broken(), filename="a", purpose="batch")
    assert (await store.files.list(OWNER)).rows == []
    assert await keys(store.blobs, "files") == set()


async def test_a_cancelled_save_leaves_neither_row_nor_bytes(store: Store) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"x" * 6_000_000
        scope.cancel()
        await asyncio.Event().wait()

    with anyio.CancelScope() as scope:
        await store.files.save(OWNER, stuck(), filename="a", purpose="batch")
    assert (await store.files.list(OWNER)).rows == []
    assert await keys(store.blobs, "files") == set()


async def test_a_step_done_again_replaces_its_file(store: Store) -> None:
    file_id = store.new_id("file-")
    await save(store, b"first", file_id=file_id)
    await save(store, b"second", file_id=file_id)
    [found] = (await store.files.list(OWNER)).rows
    assert (found.id, found.bytes) == (file_id, 6)
    assert await whole(store.files.open(found)) == b"second"
