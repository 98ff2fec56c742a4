import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.support.files import KEY, LOST, OPTIONS, Handler, Scripted, error, files_over, mocked
from tests.support.raw_upstream import RawUpstream
from tests.support.uploads import NAME, Reader, Store

from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.errors import (
    Failure,
    GeminiError,
    InvalidNameError,
    TransportError,
)
from gemgate.gemini.file_types import MAX_BYTES, GeminiFile
from gemgate.gemini.uploads import Source

CONTENT = bytes(range(256)) * 4
HOME = OPTIONS.upstream
NATIVE = {"name": NAME, "sizeBytes": "4", "state": "ACTIVE", "mimeType": "video/mp4"}


UPLOAD_URL = f"{HOME}/upload/v1beta/files?upload_id=u1&upload_protocol=resumable"


def started(url: str = UPLOAD_URL) -> httpx.Response:
    return httpx.Response(200, headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"})


def status(text: str, received: str | None = None, code: int = 200) -> httpx.Response:
    headers = {"x-goog-upload-status": text}
    return httpx.Response(
        code, headers=headers if received is None else {**headers, "x-goog-upload-size-received": received}
    )


def done(size: int = 1024) -> httpx.Response:
    return httpx.Response(200, json={"file": {**NATIVE, "sizeBytes": str(size)}})


async def upload_to(handler: Handler, reader: Reader | None = None, **options: Any) -> GeminiFile:
    chosen: dict[str, Any] = {"mime_type": "text/plain", "display_name": "a", "name": NAME, "size": 1024, **options}
    async with mocked(handler) as client:
        return await files_over(client, attempts=3).upload(reader or Reader(CONTENT), key=KEY, **chosen)


async def failed_upload(handler: Handler, reader: Reader | None = None, **options: Any) -> GeminiError:
    with pytest.raises(GeminiError) as failed:
        await upload_to(handler, reader, **options)
    assert KEY not in str(failed.value)
    return failed.value


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/upload/v1beta/files?upload_id=1",
        "http://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=1",
        "https://generativelanguage.googleapis.com:8443/upload",
        "https://generativelanguage.googleapis.com@evil.example/upload",
        "https://user:pw@generativelanguage.googleapis.com/upload",
        "https://generativelanguage.googleapis.com.evil.example/upload",
        "https://generativelanguage.googleapis.com\\@evil.example/upload",
        "//evil.example/upload",
        "file:///etc/passwd",
        "http://127.0.0.1/upload",
        "https://[::1/upload",
        "https://x:99999999/upload",
        "https://\u2025/",
    ],
)
async def test_nothing_is_sent_to_another_server(url: str) -> None:
    seen: list[httpx.URL] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, headers=[(b"x-goog-upload-url", url.encode())])

    refusal = await failed_upload(handler)
    assert isinstance(refusal, TransportError)
    assert refusal.failure in (Failure.REDIRECT, Failure.INVALID_BODY)
    assert seen == [f"{HOME}/upload/v1beta/files"]


@pytest.mark.parametrize("url", [UPLOAD_URL, UPLOAD_URL.replace(".com/", ".com:443/"), UPLOAD_URL.removeprefix(HOME)])
async def test_an_address_on_the_upstream_is_used_as_it_is(url: str) -> None:
    scripted = Scripted(start=[started(url)], finalize=[done()])
    assert (await upload_to(scripted)).size == 1024


async def test_an_address_elsewhere_cannot_be_opened_at_all() -> None:
    async with mocked(lambda _: httpx.Response(200)) as client:
        with pytest.raises(TransportError, match="another server"):
            await client.open("GET", httpx.URL("https://evil.example/"), key=KEY)


async def test_a_start_without_an_address_is_no_start() -> None:
    refusal = await failed_upload(Scripted(start=[httpx.Response(200)]))
    assert "did not say where" in refusal.message


async def test_a_start_that_fails_is_made_again() -> None:
    scripted = Scripted(start=[error(503), LOST, started()], finalize=[done()])
    await upload_to(scripted)
    assert scripted.asked == ["start", "start", "start", "finalize"]


async def test_a_start_is_not_tried_for_ever() -> None:
    scripted = Scripted(start=[error(503)])
    assert (await failed_upload(scripted)).status == 503
    assert scripted.asked == ["start"] * 3


@pytest.mark.parametrize("code", [400, 401, 403, 409, 429])
async def test_a_refusal_is_given_at_once(code: int) -> None:
    scripted = Scripted(start=[started()], finalize=[error(code, f"no {KEY}")])
    assert (await failed_upload(scripted)).status == code
    assert scripted.asked == ["start", "finalize"]


async def test_a_redirect_of_an_upload_is_not_followed() -> None:
    scripted = Scripted(start=[httpx.Response(302, headers={"location": "https://evil.example/"})])
    refusal = await failed_upload(scripted)
    assert isinstance(refusal, TransportError)
    assert refusal.failure is Failure.REDIRECT
    assert scripted.asked == ["start"]


async def test_an_overloaded_google_is_asked_what_it_has() -> None:
    reader = Reader(CONTENT)
    scripted = Scripted(start=[started()], finalize=[error(503), done()], query=[error(500), status("active", "512")])
    await upload_to(scripted, reader)
    assert scripted.asked == ["start", "finalize", "query", "query", "finalize"]
    assert reader.opened == [0, 512]


async def test_all_bytes_there_but_not_finished_is_finished() -> None:
    scripted = Scripted(start=[started()], finalize=[LOST, done()], query=[status("active", "1024")])
    reader = Reader(CONTENT)
    await upload_to(scripted, reader)
    assert scripted.asked == ["start", "finalize", "query", "finalize"]


@pytest.mark.parametrize(
    "reply", [status("cancelled"), status("active"), status("active", "x"), status("active", "1025"), status("")]
)
async def test_an_upload_that_google_gave_up_is_over(reply: httpx.Response) -> None:
    scripted = Scripted(start=[started()], finalize=[LOST], query=[reply])
    assert "does not go on" in (await failed_upload(scripted)).message
    assert scripted.asked == ["start", "finalize", "query"]


async def test_a_forgotten_upload_whose_file_is_there_is_done() -> None:
    stored = httpx.Response(200, json={**NATIVE, "sizeBytes": "1024"})
    scripted = Scripted(start=[started()], finalize=[LOST], query=[error(404)], get=[stored])
    assert (await upload_to(scripted)).name == NAME


async def test_a_forgotten_upload_without_a_file_is_googles_refusal() -> None:
    scripted = Scripted(start=[started()], finalize=[LOST], query=[error(410, "gone")], get=[error(403)])
    refusal = await failed_upload(scripted)
    assert (refusal.status, refusal.message) == (410, "gone")


async def test_a_file_of_another_size_is_a_failure() -> None:
    refusal = await failed_upload(Scripted(start=[started()], finalize=[done(1000)]))
    assert refusal.message == "The Gemini API stored 1000 of the 1024 bytes that were uploaded."


async def test_an_answer_before_the_chunk_was_read_is_not_believed() -> None:
    class Hasty(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0)
            return started() if request.headers["x-goog-upload-command"] == "start" else status("active", "0")

    async with GeminiClient(OPTIONS, transport=Hasty()) as client:
        with pytest.raises(TransportError, match="before it had the whole chunk"):
            await files_over(client, attempts=2).upload(
                Reader(CONTENT), size=1024, mime_type="text/plain", display_name="a", key=KEY
            )


@pytest.mark.parametrize("kind", ["", "text", "text/", "a/b\r\nx: y", "é/x"])
async def test_what_is_no_media_type_is_not_sent(kind: str) -> None:
    refusal = await failed_upload(Scripted(), mime_type=kind)
    assert (refusal.status, "is not a media type" in refusal.message) == (400, True)


async def test_a_file_that_google_would_not_take_is_not_begun() -> None:
    refusal = await failed_upload(Scripted(), size=MAX_BYTES + 1)
    assert (refusal.status, "more than the" in refusal.message) == (400, True)


async def test_a_bad_name_for_a_file_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidNameError):
        await upload_to(Scripted(), name="files/../x")


async def socket_upload(open_at: Any, size: int) -> None:
    store = Store()
    async with RawUpstream(store) as upstream, GeminiClient(replace(OPTIONS, upstream=upstream.url)) as client:
        try:
            await files_over(client).upload(open_at, size=size, mime_type="a/b", display_name="a", key=KEY, name=NAME)
        finally:
            assert not store.is_final
            assert [command for command, *_ in store.commands].count("query") == 0


class DiskError(OSError):
    pass


async def test_an_error_of_the_source_comes_out_as_it_is() -> None:
    async def source(offset: int) -> AsyncIterator[bytes]:
        yield b"some"
        raise DiskError("the disk is gone")

    with pytest.raises(DiskError, match="the disk is gone"):
        await socket_upload(source, 100)


async def test_a_source_that_ends_too_soon_makes_no_file() -> None:
    with pytest.raises(EOFError, match="ended after 1024 bytes"):
        await socket_upload(Reader(CONTENT), 2000)


async def test_a_source_may_give_empty_pieces_and_be_no_generator() -> None:
    class Plain:
        def __init__(self) -> None:
            self.pieces = [b"", b"ab", b"", b"cd"]

        def __aiter__(self) -> "Plain":
            return self

        async def __anext__(self) -> bytes:
            if not self.pieces:
                raise StopAsyncIteration
            return self.pieces.pop(0)

    source = Source(lambda _: Plain(), 0)
    assert [await source.read(3), await source.read(3)] == [b"ab", b"cd"]
    await source.aclose()
    with pytest.raises(EOFError):
        await source.read(1)


async def test_closing_a_source_waits_for_a_read_that_is_under_way() -> None:
    go = asyncio.Event()
    closed: list[bool] = []

    async def pieces(offset: int) -> AsyncIterator[bytes]:
        try:
            await go.wait()
            yield b"x"
        finally:
            closed.append(True)

    source = Source(pieces, 0)
    reading = asyncio.create_task(source.read(1))
    await asyncio.sleep(0)
    closing = asyncio.create_task(source.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    go.set()
    assert await reading == b"x"
    await closing
    assert closed == [True]


async def test_a_cancelled_upload_closes_its_source_and_its_connection() -> None:
    stuck, never = asyncio.Event(), asyncio.Event()
    closed: list[bool] = []

    async def source(offset: int) -> AsyncIterator[bytes]:
        try:
            yield b"x"
            stuck.set()
            await never.wait()
        finally:
            closed.append(True)

    task = asyncio.create_task(socket_upload(source, 100))
    await stuck.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == [True]
