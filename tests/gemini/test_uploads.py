import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from tests.support.clock import FakeClock
from tests.support.files import KEY, OPTIONS, files_over
from tests.support.raw_upstream import RawUpstream
from tests.support.uploads import NAME, Reader, Store

from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.errors import Failure, TransportError
from gemgate.gemini.file_types import GeminiFile

CONTENT = bytes(range(256)) * 4


async def uploaded(store: Store, reader: Reader, clock: FakeClock | None = None, **options: Any) -> GeminiFile:
    """Upload over a socket."""
    async with RawUpstream(store) as upstream, GeminiClient(replace(OPTIONS, upstream=upstream.url)) as client:
        files = files_over(client, clock, **options)
        return await files.upload(
            reader, size=len(reader.content), mime_type="text/plain", display_name="a.txt", key=KEY, name=NAME
        )


async def test_a_small_file_goes_in_one_request() -> None:
    store, reader = Store(), Reader(CONTENT)
    file = await uploaded(store, reader)
    assert store.commands == [("start", 1024, 0), ("upload, finalize", 0, 1024)]
    assert bytes(store.received) == CONTENT
    assert (file.name, file.display_name, file.size) == (NAME, "a.txt", 1024)
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (reader.opened, reader.closed) == ([0], 1)
    start, end = store.heads
    assert start.headers["x-goog-upload-header-content-type"] == "text/plain"
    assert start.headers["x-goog-upload-protocol"] == "resumable"
    assert start.headers["content-type"] == "application/json"
    assert start.headers["x-goog-api-key"] == end.headers["x-goog-api-key"] == KEY
    assert KEY not in start.target + end.target


@pytest.mark.parametrize("piece", [1, 7, 256, 1000, 5000])
async def test_a_large_file_goes_in_multiples_of_the_granularity(piece: int) -> None:
    store, reader = Store(granularity=100), Reader(CONTENT, piece)
    await uploaded(store, reader, chunk=399)
    assert [command for command, *_ in store.commands] == ["start", "upload", "upload", "upload", "upload, finalize"]
    assert [length for *_, length in store.commands[1:]] == [300, 300, 300, 124]
    assert bytes(store.received) == CONTENT
    assert (reader.opened, reader.closed) == ([0], 1)


async def test_a_file_that_is_a_multiple_of_a_chunk_has_no_empty_end() -> None:
    store = Store(granularity=256)
    await uploaded(store, Reader(CONTENT), chunk=512)
    assert store.commands[1:] == [("upload", 0, 512), ("upload, finalize", 512, 512)]


async def test_no_chunk_is_shorter_than_the_granularity() -> None:
    store = Store(granularity=600)
    await uploaded(store, Reader(CONTENT), chunk=10)
    assert [length for *_, length in store.commands[1:]] == [600, 424]


async def test_an_empty_file_is_only_finished() -> None:
    store = Store()
    file = await uploaded(store, Reader(b""))
    assert store.commands == [("start", 0, 0), ("finalize", 0, 0)]
    assert file.size == 0


@pytest.mark.parametrize("breaks_at", [0, 1, 299, 300, 301, 777, 1023])
@pytest.mark.parametrize("forgets", [1, 100])
async def test_a_broken_upload_goes_on_where_google_says(breaks_at: int, forgets: int) -> None:
    store, reader = Store(granularity=100, breaks_at=[breaks_at], forgets=forgets), Reader(CONTENT, 64)
    file = await uploaded(store, reader, chunk=300)
    has = breaks_at // forgets * forgets
    assert bytes(store.received) == CONTENT
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert reader.opened == [0, has]
    assert reader.closed == 2
    after = store.commands[[command for command, *_ in store.commands].index("query") + 1]
    assert after[1] == has


async def test_an_upload_that_breaks_again_and_again_but_moves_on_ends_well() -> None:
    clock, store = FakeClock(), Store(granularity=100, breaks_at=list(range(50, 1024, 50)))
    file = await uploaded(store, Reader(CONTENT), clock, chunk=300, attempts=2)
    assert file.size == 1024
    assert bytes(store.received) == CONTENT
    assert clock.slept == [1.0] * 20


async def test_an_upload_that_stays_where_it_is_is_given_up() -> None:
    clock, store = FakeClock(), Store(granularity=100, breaks_at=[150] * 9, forgets=100)
    with pytest.raises(TransportError) as failed:
        await uploaded(store, Reader(CONTENT), clock, chunk=300, attempts=4)
    assert failed.value.failure in (Failure.CONNECTION_LOST, Failure.ANSWER_CUT)
    assert [command for command, *_ in store.commands].count("query") == 4
    assert clock.slept == [1.0, 1.0, 2.0, 4.0]


async def test_a_lost_last_answer_loses_no_file() -> None:
    store, reader = Store(loses_answer=True), Reader(CONTENT)
    file = await uploaded(store, reader)
    assert [command for command, *_ in store.commands] == ["start", "upload, finalize", "query"]
    assert file.name == NAME
    assert store.heads[-1].target == f"/v1beta/{NAME}"
    assert reader.opened == [0]


async def test_a_file_of_many_chunks_passes_through_without_being_held() -> None:
    piece, total = b"x" * 65_536, 40 * 1_048_576
    largest = 0

    async def source(offset: int) -> AsyncIterator[bytes]:
        nonlocal largest
        sent = offset
        while sent < total:
            largest = max(largest, sent - store_size())
            yield piece
            sent += len(piece)

    def store_size() -> int:
        return len(store.received)

    store = Store(granularity=8_388_608)
    async with RawUpstream(store) as upstream, GeminiClient(replace(OPTIONS, upstream=upstream.url)) as client:
        file = await files_over(client).upload(
            source, size=total, mime_type="video/mp4", display_name="v", key=KEY, name=NAME
        )
    assert file.size == total
    assert [length for *_, length in store.commands[1:]] == [33_554_432, 8_388_608]
    assert largest < 16 * 1_048_576  # what is on the way is in the buffers of two sockets
