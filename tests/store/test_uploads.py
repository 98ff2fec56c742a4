"""Uploads: parts in the order the caller names, whole or not at all."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.store.support import OTHER, OWNER, keys, stream, whole
from tests.support.clock import START, FakeClock

from gemgate.store import (
    ChecksumMismatchError,
    PartUnknownError,
    SizeMismatchError,
    Store,
    UploadClosedError,
    UploadRow,
    UploadUnknownError,
)

pytestmark = pytest.mark.integration

ONE, TWO = b"one " * 10, b"two " * 10


async def begin(store: Store, size: int = len(ONE + TWO), **options: Any) -> UploadRow:
    return await store.uploads.create(
        OWNER, filename="a.txt", purpose="user_data", size=size, mime_type="text/plain", **options
    )


async def begin_with_parts(store: Store, **options: int) -> tuple[UploadRow, list[str]]:
    upload = await begin(store, **options)
    return upload, [(await store.uploads.add_part(OWNER, upload.id, stream(data))).id for data in (ONE, TWO)]


async def test_the_parts_make_a_file_in_the_order_named(store: Store) -> None:
    upload, [one, two] = await begin_with_parts(store, expires_after=3600)
    md5 = hashlib.md5(TWO + ONE).hexdigest().upper()
    completed, file = await store.uploads.complete(OWNER, upload.id, [two, one], md5=md5)
    assert (completed.status, completed.file_id) == ("completed", file.id)
    found = await store.files.get(OWNER, file.id)
    assert found is not None
    assert (found.filename, found.purpose, found.mime_type) == ("a.txt", "user_data", "text/plain")
    assert (found.bytes, found.sha256) == (len(ONE + TWO), hashlib.sha256(TWO + ONE).hexdigest())
    assert (found.created_at, found.expires_at) == (START, START + 3600)
    assert await whole(store.files.open(found)) == TWO + ONE
    assert await keys(store.blobs, "parts") == set()
    again = await store.uploads.get(OWNER, upload.id)
    assert again is not None
    assert (again.status, again.file_id) == ("completed", file.id)


async def test_a_part_that_is_not_named_is_dropped(store: Store) -> None:
    upload = await begin(store, size=len(ONE))
    parts = [await store.uploads.add_part(OWNER, upload.id, stream(data)) for data in (TWO, ONE)]
    _, file = await store.uploads.complete(OWNER, upload.id, [parts[1].id])
    assert await whole(store.files.open(file)) == ONE
    assert file.expires_at is None
    assert await keys(store.blobs, "parts") == set()


async def test_an_upload_lives_for_an_hour(store: Store, clock: FakeClock) -> None:
    upload, parts = await begin_with_parts(store)
    assert (upload.created_at, upload.expires_at, upload.status) == (START, START + 3600, "pending")
    clock.advance(3600)
    found = await store.uploads.get(OWNER, upload.id)
    assert found is not None
    assert found.status == "expired"
    for refused in (
        store.uploads.add_part(OWNER, upload.id, stream(ONE)),
        store.uploads.complete(OWNER, upload.id, parts),
        store.uploads.cancel(OWNER, upload.id),
    ):
        with pytest.raises(UploadClosedError, match="expired"):
            await refused


async def test_a_foreign_upload_is_unknown(store: Store) -> None:
    upload, parts = await begin_with_parts(store)
    assert await store.uploads.get(OTHER, upload.id) is None
    for refused in (
        store.uploads.add_part(OTHER, upload.id, stream(ONE)),
        store.uploads.complete(OTHER, upload.id, parts),
        store.uploads.cancel(OTHER, upload.id),
    ):
        with pytest.raises(UploadUnknownError):
            await refused


async def test_a_cancelled_upload_keeps_nothing_and_takes_nothing(store: Store) -> None:
    upload, parts = await begin_with_parts(store)
    assert (await store.uploads.cancel(OWNER, upload.id)).status == "cancelled"
    assert await keys(store.blobs, "parts") == set()
    with pytest.raises(UploadClosedError, match="cancelled"):
        await store.uploads.complete(OWNER, upload.id, parts)
    with pytest.raises(UploadClosedError, match="cancelled"):
        await store.uploads.cancel(OWNER, upload.id)


async def test_parts_that_are_unknown_or_named_twice_are_refused(store: Store) -> None:
    upload, [one, two] = await begin_with_parts(store)
    _, [foreign, _] = await begin_with_parts(store)
    for named in ([one, "part_none"], [one, one], [one, foreign]):
        with pytest.raises(PartUnknownError) as caught:
            await store.uploads.complete(OWNER, upload.id, named)
        assert caught.value.part_id == named[1]
    await store.uploads.complete(OWNER, upload.id, [one, two])


async def test_a_wrong_size_or_checksum_leaves_the_upload_open(store: Store) -> None:
    upload, [one, two] = await begin_with_parts(store)
    with pytest.raises(SizeMismatchError) as size:
        await store.uploads.complete(OWNER, upload.id, [one])
    assert (size.value.announced, size.value.received) == (80, 40)
    with pytest.raises(ChecksumMismatchError) as checksum:
        await store.uploads.complete(OWNER, upload.id, [one, two], md5="0" * 32)
    assert checksum.value.actual == hashlib.md5(ONE + TWO).hexdigest()
    assert await keys(store.blobs, "files") == set()
    await store.uploads.complete(OWNER, upload.id, [one, two])


async def test_a_watcher_of_the_bytes_may_refuse_them(store: Store) -> None:
    seen = []

    async def refuse_two(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            seen.append(chunk)
            if chunk == TWO:
                raise ValueError("bad line")
            yield chunk

    upload, parts = await begin_with_parts(store)
    with pytest.raises(ValueError, match="bad line"):
        await store.uploads.complete(OWNER, upload.id, parts, through=refuse_two)
    assert seen == [ONE, TWO]
    assert await keys(store.blobs, "files") == set()


async def test_a_part_that_arrives_after_the_end_leaves_nothing(store: Store) -> None:
    upload, parts = await begin_with_parts(store)

    async def late() -> AsyncIterator[bytes]:
        yield b"x"
        await store.uploads.complete(OWNER, upload.id, parts)

    with pytest.raises(UploadClosedError, match="completed"):
        await store.uploads.add_part(OWNER, upload.id, late())
    assert await keys(store.blobs, "parts") == set()


async def test_an_upload_cancelled_while_it_completes_makes_no_file(store: Store) -> None:
    upload, parts = await begin_with_parts(store)

    async def cancel_it(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk
        await store.uploads.cancel(OWNER, upload.id)

    with pytest.raises(UploadClosedError, match="cancelled"):
        await store.uploads.complete(OWNER, upload.id, parts, through=cancel_it)
    assert (await store.files.list(OWNER)).rows == []
    assert await keys(store.blobs, "files", "parts") == set()


async def test_an_upload_of_nothing_makes_an_empty_file(store: Store) -> None:
    upload = await begin(store, size=0)
    _, file = await store.uploads.complete(OWNER, upload.id, [])
    assert await whole(store.files.open(file)) == b""
