"""What the gateway remembers of its uploads to Google, with a clock that the test moves."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pybase64
import pytest
from tests.support.clock import FakeClock

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import MAX_BYTES, GeminiFile
from gemgate.gemini.uploads import OpenAt
from gemgate.media.google_uploads import LIFETIME, Attachments, Owner
from gemgate.media.inline import Inline
from gemgate.media.references import FileRef
from gemgate.store import FileRow, Store

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from gemgate.gemini.files import GeminiFiles

OWNER = Owner("0123456789abcdef", "key-1")
HOUR = 3600.0


@dataclass
class FakeGeminiFiles:
    """Takes uploads in place of `GeminiFiles`.

    The first one waits until it `may_go_on`, if that is set; a `failure` is raised once.
    """

    clock: FakeClock
    uploads: list[tuple[str, str, bytes]] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event | None = None
    failure: GeminiError | None = None
    start: int = 0

    async def upload(self, open_at: OpenAt, *, size: int, mime_type: str, key: str, **_: str) -> GeminiFile:
        self.began.set()
        if self.may_go_on:
            await self.may_go_on.wait()
        if self.failure:
            failure, self.failure = self.failure, None
            raise failure
        content = b"".join([piece async for piece in open_at(self.start)])
        assert len(content) == size - self.start
        self.uploads.append((key, mime_type, content))
        name = f"files/{len(self.uploads)}"
        return GeminiFile(name, f"https://google/{name}", expires_at=int(self.clock()) + LIFETIME)

    async def wait_until_active(self, file: GeminiFile, **_: str) -> GeminiFile:
        return file


@dataclass
class GoogleUploads:
    """A store, and what the gateway remembers of its uploads of the files there."""

    store: Store
    google: FakeGeminiFiles
    clock: FakeClock
    attachments: Attachments

    async def upload(self, content: bytes, **fields: Any) -> FileRow:
        async def pieces() -> AsyncIterator[bytes]:
            yield content

        row: dict[str, Any] = {"filename": "a.txt", "purpose": "user_data"}
        return await self.store.files.save(OWNER.id, pieces(), **row | fields)


@pytest.fixture
async def uploads(tmp_path: Path) -> AsyncIterator[GoogleUploads]:
    clock = FakeClock()
    google = FakeGeminiFiles(clock)
    async with (
        Store.open(data_dir=tmp_path, clock=clock) as store,
        Attachments(store, cast("GeminiFiles", google), clock) as attachments,
    ):
        yield GoogleUploads(store, google, clock, attachments)


class Running(dict[Any, Any]):
    """The running uploads; tells when so many have asked for one."""

    def __init__(self, expected: int, so_far: Mapping[Any, Any] | None = None) -> None:
        super().__init__(so_far or {})
        self.are_there = asyncio.Event()
        self._missing = expected

    def get(self, key: Any, default: Any = None) -> Any:
        self._missing -= 1
        if not self._missing:
            self.are_there.set()
        return super().get(key, default)


def ref(row: FileRow, declared: str | None = None) -> FileRef:
    return FileRef(row.id, "p", declared)


async def test_a_file_is_uploaded_again_when_its_48_hours_are_nearly_over(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    first = await uploads.attachments.file(ref(row), OWNER)
    uploads.clock.now += LIFETIME - 1.5 * HOUR
    assert await uploads.attachments.file(ref(row), OWNER) == first
    uploads.clock.now += HOUR
    again = await uploads.attachments.file(ref(row), OWNER)
    assert (first.name, again.name) == ("files/1", "files/2")
    assert await uploads.attachments.file(ref(row), OWNER) == again


async def test_a_batch_needs_files_that_stay_as_long_as_it_may_take(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    await uploads.attachments.file(ref(row), OWNER)
    uploads.clock.now += LIFETIME / 2
    assert (await uploads.attachments.file(ref(row), OWNER)).name == "files/1"
    assert (await uploads.attachments.file(ref(row), OWNER, margin=25 * HOUR)).name == "files/2"


async def test_another_key_of_the_gateway_has_uploads_of_its_own(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    for key in ("key-1", "key-2", "key-1"):
        await uploads.attachments.file(ref(row), Owner(OWNER.id, key))
    assert [key for key, _, _ in uploads.google.uploads] == ["key-1", "key-2"]


async def test_the_same_bytes_under_another_type_are_another_upload(uploads: GoogleUploads) -> None:
    row, csv = await uploads.upload(b"a;b"), await uploads.upload(b"a;b", filename="a.csv")
    for wanted in (ref(row), ref(csv), ref(row, "text/html"), ref(row)):
        await uploads.attachments.file(wanted, OWNER)
    assert [mime for _, mime, _ in uploads.google.uploads] == ["text/plain", "text/csv", "text/html"]


async def test_an_upload_goes_on_when_its_request_breaks_off(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    uploads.google.may_go_on = asyncio.Event()
    request = asyncio.create_task(uploads.attachments.file(ref(row), OWNER))
    await uploads.google.began.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    uploads.attachments._running = running = Running(1, uploads.attachments._running)
    second = asyncio.create_task(uploads.attachments.file(ref(row), OWNER))
    await running.are_there.wait()
    uploads.google.may_go_on.set()
    assert (await second).name == "files/1"
    assert len(uploads.google.uploads) == 1


async def test_a_failure_is_told_to_all_who_wait_and_the_next_request_tries_again(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    uploads.google.failure = GeminiError(429, "quota", "RESOURCE_EXHAUSTED")
    uploads.google.may_go_on = asyncio.Event()
    uploads.attachments._running = running = Running(3)
    calls = [asyncio.create_task(uploads.attachments.file(ref(row), OWNER)) for _ in range(3)]
    await running.are_there.wait()
    uploads.google.may_go_on.set()
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(failure, "status", None) for failure in failures] == [429, 429, 429]
    assert (await uploads.attachments.file(ref(row), OWNER)).name == "files/1"


async def test_what_google_lost_is_uploaded_again(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    lost = await uploads.attachments.file(ref(row), OWNER)
    await uploads.attachments.forget(OWNER.id, [lost.name, lost.name])
    assert (await uploads.attachments.file(ref(row), OWNER)).name == "files/2"


@pytest.mark.parametrize("size", [1, 2, 3, 800_000, 2_000_001])
@pytest.mark.parametrize("start", [0, 1, 786_431, 786_433])
async def test_inline_media_is_uploaded_whole_from_any_offset(uploads: GoogleUploads, size: int, start: int) -> None:
    content = hashlib.shake_128(b"seed").digest(size)
    uploads.google.start = start = min(start, size)
    media = Inline("image/png", pybase64.b64encode_as_string(content))
    first = await uploads.attachments.media(media, "p", OWNER)
    assert uploads.google.uploads == [("key-1", "image/png", content[start:])]
    assert await uploads.attachments.media(media, "p", OWNER) == first


async def test_a_file_whose_bytes_are_gone_is_refused_by_name(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    await uploads.store.blobs.delete(row.blob_key)
    with pytest.raises(ApiError) as refused:
        await uploads.attachments.file(ref(row), OWNER)
    assert (refused.value.code, refused.value.param) == ("file_not_found", "p")


async def test_a_file_whose_bytes_go_before_it_is_uploaded_is_refused_by_name(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    await uploads.attachments.known(ref(row), OWNER)
    await uploads.store.blobs.delete(row.blob_key)
    with pytest.raises(ApiError) as refused:
        await uploads.attachments.file(ref(row), OWNER)
    assert (refused.value.code, refused.value.param) == ("file_not_found", "p")


async def test_a_file_larger_than_google_takes_is_refused_by_name(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    row.bytes = MAX_BYTES + 1
    await uploads.store.files.create(row)
    with pytest.raises(ApiError) as refused:
        await uploads.attachments.file(ref(row), OWNER)
    assert (refused.value.code, refused.value.param) == ("file_too_large", "p")


async def test_a_file_is_read_whole_if_it_is_not_too_large(uploads: GoogleUploads) -> None:
    row = await uploads.upload(b"words")
    read = await uploads.attachments.read(ref(row), OWNER.id, 5)
    assert (read.mime, pybase64.b64decode(read.data)) == ("text/plain", b"words")
    with pytest.raises(ApiError) as refused:
        await uploads.attachments.read(ref(row), OWNER.id, 4)
    assert (refused.value.code, refused.value.param) == ("file_too_large", "p")
