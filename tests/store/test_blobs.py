"""Blobs: whole or not at all, in a directory and in a bucket."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from tests.store.conftest import BlobPlace
from tests.store.support import keys, whole

from gemgate.store import blobs as module
from gemgate.store.blobs import Blobs
from gemgate.store.errors import BlobMissingError, StoreError

pytestmark = pytest.mark.integration

PART = 5 * 1024 * 1024
BIG = os.urandom(PART * 2 + 12_345)


class BrokenError(Exception):
    pass


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("length", [0, 1, PART - 1, PART, PART + 1, 2 * PART, len(BIG)])
async def test_what_is_put_can_be_got(blobs: Blobs, length: int) -> None:
    data = BIG[:length]
    assert await blobs.put("files/a", pieces(data, 999_999)) == (length, hashlib.sha256(data).hexdigest())
    assert await blobs.size("files/a") == length
    assert await whole(blobs.get("files/a")) == data


async def test_a_chunk_may_be_larger_than_a_part(blobs: Blobs) -> None:
    await blobs.put("files/a", pieces(BIG, len(BIG)))
    assert await whole(blobs.get("files/a")) == BIG


async def test_a_range_is_cut_at_the_end_of_the_blob(blobs: Blobs) -> None:
    await blobs.put("files/a", pieces(b"0123456789"))
    wanted = {(2, 5): b"234", (7, None): b"789", (8, 99): b"89", (0, 1): b"0", (10, None): b"", (99, 120): b""}
    wanted |= {(5, 5): b"", (5, 2): b"", (0, 0): b""}
    for (start, end), expected in wanted.items():
        assert await whole(blobs.get("files/a", start, end)) == expected, (start, end)


async def test_a_blob_is_replaced_whole(blobs: Blobs) -> None:
    await blobs.put("files/a", pieces(BIG))
    await blobs.put("files/a", pieces(b"short"))
    assert await whole(blobs.get("files/a")) == b"short"


@pytest.mark.parametrize("start", [0, 3])
async def test_a_missing_blob_is_said_to_be_missing(blobs: Blobs, start: int) -> None:
    with pytest.raises(BlobMissingError, match="no blob files/none"):
        await whole(blobs.get("files/none", start))
    with pytest.raises(BlobMissingError):
        await blobs.size("files/none")


async def test_deleting_twice_is_as_good_as_once(blobs: Blobs) -> None:
    await blobs.put("files/a", pieces(b"a"))
    await blobs.put("files/b", pieces(b"b"))
    await blobs.delete("files/a", "files/b", "files/none")
    await blobs.delete("files/a")
    assert await keys(blobs, "files") == set()


async def test_blobs_are_put_together_in_the_given_order(blobs: Blobs) -> None:
    for name, data in {"a": b"one ", "b": b"two ", "c": BIG}.items():
        await blobs.put(f"parts/{name}", pieces(data))
    expected = b"two one " + BIG
    joined = await blobs.concat(["parts/b", "parts/a", "parts/c"], "files/all")
    assert joined == (len(expected), hashlib.sha256(expected).hexdigest())
    assert await whole(blobs.get("files/all")) == expected


async def test_putting_nothing_together_makes_an_empty_blob(blobs: Blobs) -> None:
    assert (await blobs.concat([], "files/all"))[0] == 0
    assert await blobs.size("files/all") == 0


async def test_a_missing_part_leaves_no_whole(blobs: Blobs, blob_place: BlobPlace) -> None:
    await blobs.put("parts/a", pieces(BIG))
    with pytest.raises(BlobMissingError, match="parts/b"):
        await blobs.concat(["parts/a", "parts/b"], "files/all")
    assert await keys(blobs, "files") == set()
    assert blob_place.begun() == 0


@pytest.mark.parametrize("length", [10, PART * 2 + 5])
async def test_a_source_that_breaks_leaves_nothing(blobs: Blobs, blob_place: BlobPlace, length: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for piece in pieces(BIG[:length]):
            yield piece
        raise BrokenError

    with pytest.raises(BrokenError):
        await blobs.put("files/a", broken())
    assert await keys(blobs, "files") == set()
    assert blob_place.begun() == 0


async def test_a_source_that_breaks_leaves_the_blob_it_would_have_replaced(blobs: Blobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield BIG
        raise BrokenError

    await blobs.put("files/a", pieces(b"old"))
    with pytest.raises(BrokenError):
        await blobs.put("files/a", broken())
    assert await whole(blobs.get("files/a")) == b"old"


@pytest.mark.parametrize("by", ["task", "scope"])
@pytest.mark.parametrize("length", [10, PART * 2 + 5])
async def test_a_cancelled_put_leaves_nothing(blobs: Blobs, blob_place: BlobPlace, length: int, by: str) -> None:
    is_stuck, never = asyncio.Event(), asyncio.Event()
    scope = anyio.CancelScope()

    async def stuck() -> AsyncIterator[bytes]:
        yield BIG[:length]
        is_stuck.set()
        await never.wait()

    async def put() -> None:
        with scope:
            await blobs.put("files/a", stuck())

    task = asyncio.create_task(put())
    await is_stuck.wait()
    if by == "task":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        scope.cancel()
        await task
    assert await keys(blobs, "files") == set()
    assert blob_place.begun() == 0


async def test_many_puts_at_once_keep_apart(blobs: Blobs) -> None:
    data = {f"files/{number}": BIG[number:] for number in range(4)}
    async with anyio.create_task_group() as group:
        for key, content in data.items():
            group.start_soon(blobs.put, key, pieces(content))
    for key, content in data.items():
        assert await whole(blobs.get(key)) == content


async def test_a_listing_goes_over_all_pages(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LISTED_AT_ONCE", 2)
    given = {f"files/{number}" for number in range(5)}
    for key in [*given, "parts/x"]:
        await blobs.put(key, pieces(b"123"))
    found = [info async for page in blobs.listing("files") for info in page]
    assert {info.key for info in found} == given
    assert {info.size for info in found} == {3}
    assert all(abs(info.modified - time.time()) < 60 for info in found)


@pytest.mark.parametrize(
    "key", ["a", "../a", "files/../a", "/files/a", "files/", "files//a", "files/.a", "files/a b", ""]
)
async def test_a_key_cannot_leave_its_place(blobs: Blobs, key: str) -> None:
    with pytest.raises(ValueError, match="not a blob key"):
        await blobs.put(key, pieces(b"x"))
    for refused in (blobs.size(key), blobs.delete(key), whole(blobs.get(key))):
        with pytest.raises(ValueError, match="not a blob key"):
            await refused


async def test_a_live_backend_answers_a_ping_that_leaves_nothing_there(blobs: Blobs) -> None:
    await blobs.put("files/a", pieces(b"kept"))
    await blobs.ping()
    assert [info.key async for page in blobs.listing("") for info in page] == ["files/a"]


async def test_what_was_left_half_written_long_ago_is_swept(tmp_path: Path) -> None:
    blobs = Blobs.in_directory(tmp_path)
    await blobs.put("files/a", pieces(b"kept"))
    for name, age in {"old#1": 100, "older#12": 100, "young#1": 1, "named#x": 100}.items():
        path = tmp_path / "files" / name
        path.write_bytes(b"half")
        os.utime(path, (1000 - age, 1000 - age))
    assert await blobs.sweep_partial(950) == 2
    assert {path.name for path in (tmp_path / "files").iterdir()} == {"a", "young#1", "named#x"}


@pytest.mark.parametrize("length", [10, len(BIG)])
async def test_a_backend_that_fails_says_so(tmp_path: Path, length: int) -> None:
    blobs = Blobs.in_directory(tmp_path)
    (tmp_path / "files").write_bytes(b"not a directory")
    with pytest.raises(StoreError, match="the blob store failed at files/a"):
        await blobs.put("files/a", pieces(BIG[:length]))


async def test_a_bucket_that_is_not_there_says_so_and_keeps_secrets(request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("s3")
    blobs = Blobs.at("s3://no-such-bucket", server.options)
    for failing in (blobs.ping(), blobs.put("files/a", pieces(BIG))):
        with pytest.raises(StoreError) as caught:
            await failing
        assert "made-up" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://bucket", "bucket", "file:///etc", "", "s3://"])
def test_a_url_that_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="blobs URL"):
        Blobs.at(url)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(StoreError, match="not understood"):
        Blobs.at("s3://bucket", {"colour": "blue"})
