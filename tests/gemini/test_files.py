from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from tests.support.clock import FakeClock
from tests.support.files import KEY, LOST, OPTIONS, Scripted, error, files_over, mocked
from tests.support.raw_upstream import LAST_CHUNK, Peer, RawUpstream, answer, chunk
from tests.support.uploads import NAME

from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.gemini.file_types import FileState, MissingFileError, file_from_wire

HOME = OPTIONS.upstream
CONTENT = bytes(range(256)) * 4
DENIED = {"code": 403, "message": f"You do not have permission to access the File {NAME} or it may not exist."}
NATIVE = {"name": NAME, "sizeBytes": "4", "state": "ACTIVE", "mimeType": "video/mp4"}


async def test_a_file_is_asked_for_by_its_name() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        return httpx.Response(200, json=NATIVE if request.method == "GET" else {})

    async with mocked(handler) as client:
        files = files_over(client)
        assert (await files.get(NAME, key=KEY)).size == 4
        await files.delete(NAME, key=KEY)
    assert seen == [f"GET /v1beta/{NAME}", f"DELETE /v1beta/{NAME}"]


MISSING = [httpx.Response(403, json={"error": {**DENIED, "status": "PERMISSION_DENIED"}}), error(404, "not here")]


@pytest.mark.parametrize("response", MISSING)
async def test_googles_403_for_a_missing_file_is_a_404(response: httpx.Response) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(response.status_code, content=response.content)

    async def downloaded() -> None:
        async with files.download(NAME, key=KEY):
            pass

    async with mocked(handler) as client:
        files = files_over(client)
        for call in (files.get(NAME, key=KEY), files.delete(NAME, key=KEY), downloaded()):
            with pytest.raises(MissingFileError) as failed:
                await call
            assert (failed.value.status, failed.value.reason) == (404, "NOT_FOUND")
            assert failed.value.message in (DENIED["message"], "not here")


SWITCHED_OFF = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}


@pytest.mark.parametrize(
    "body",
    [
        {"code": 403, "message": "Method doesn't allow unregistered callers (callers without established identity)."},
        {"code": 403, "message": "The API was not found in this project.", "details": [SWITCHED_OFF]},
    ],
)
async def test_another_403_is_no_missing_file(body: dict[str, Any]) -> None:
    async with mocked(lambda _: httpx.Response(403, json={"error": body})) as client:
        with pytest.raises(GeminiError) as failed:
            await files_over(client).get(NAME, key=KEY)
    assert not isinstance(failed.value, MissingFileError)
    assert failed.value.status == 403


def looks(*answers: httpx.Response | Exception) -> Scripted:
    return Scripted(get=list(answers))


def in_state(state: str, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={**NATIVE, "state": state, **more})


PROCESSING = file_from_wire({**NATIVE, "state": "PROCESSING"})


async def test_a_video_is_waited_for() -> None:
    clock, scripted = (
        FakeClock(),
        looks(in_state("PROCESSING"), error(503), LOST, in_state("PROCESSING"), in_state("ACTIVE")),
    )
    async with mocked(scripted) as client:
        file = await files_over(client, clock).wait_until_active(PROCESSING, key=KEY)
    assert file.state is FileState.ACTIVE
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


async def test_a_file_that_is_ready_is_not_asked_about() -> None:
    ready = file_from_wire(NATIVE)
    async with mocked(looks()) as client:
        assert await files_over(client).wait_until_active(ready, key=KEY) is ready


async def test_waiting_has_an_end() -> None:
    clock = FakeClock()
    async with mocked(looks(in_state("PROCESSING"))) as client:
        with pytest.raises(TransportError, match="still processing files/chosen-by-us after 40 seconds") as failed:
            await files_over(client, clock).wait_until_active(PROCESSING, key=KEY, within=40)
    assert failed.value.failure is Failure.REQUEST_TIMEOUT
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize(("reason", "end"), [({"error": {"code": 3, "message": "no video"}}, ": no video"), ({}, ".")])
async def test_a_file_that_cannot_be_processed_says_why(reason: dict[str, Any], end: str) -> None:
    async with mocked(looks(in_state("FAILED", **reason))) as client:
        with pytest.raises(GeminiError) as failed:
            await files_over(client).wait_until_active(PROCESSING, key=KEY)
    assert (failed.value.status, failed.value.reason) == (400, "FAILED_PRECONDITION")
    assert failed.value.message.endswith(f"{NAME}{end}")


async def test_a_file_that_goes_away_is_not_waited_for() -> None:
    async with mocked(looks(*MISSING[:1])) as client:
        with pytest.raises(MissingFileError):
            await files_over(client).wait_until_active(PROCESSING, key=KEY)


# Downloads

PATH = f"/v1beta/{NAME}:download?alt=media"
REDIRECTED = f"/download{PATH}"


async def downloaded_from(upstream_url: str, **options: Any) -> bytes:
    async with (
        GeminiClient(replace(OPTIONS, upstream=upstream_url, **options)) as client,
        files_over(client).download(NAME, key=KEY) as pieces,
    ):
        return b"".join([piece async for piece in pieces])


def serving(
    content: bytes, head: str = "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n", *, relative: bool = False
) -> Any:
    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            if request.target == PATH:
                home = "" if relative else f"http://{request.headers['host']}"
                refusal = {"error": {"code": 302, "message": "Unknown Error.", "status": "UNKNOWN"}}
                await peer.send(answer(302, refusal, {"location": home + REDIRECTED}))
            else:
                await peer.send((head % len(content)).encode(), content)

    return script


@pytest.mark.parametrize("relative", [True, False])
async def test_a_download_follows_one_redirect_and_shows_the_key_again(relative: bool) -> None:
    async with RawUpstream(serving(CONTENT * 1000, relative=relative)) as upstream:
        assert await downloaded_from(upstream.url) == CONTENT * 1000
    assert [request.target for request in upstream.requests] == [PATH, REDIRECTED]
    assert [request.headers["x-goog-api-key"] for request in upstream.requests] == [KEY, KEY]
    assert upstream.connections == 1


async def test_a_download_without_a_redirect_is_taken_too() -> None:
    async with (
        mocked(lambda _: httpx.Response(200, content=CONTENT)) as client,
        files_over(client).download(NAME, key=KEY) as pieces,
    ):
        assert b"".join([piece async for piece in pieces]) == CONTENT


@pytest.mark.parametrize("location", ["https://evil.example/", "//evil.example/x", "http://[", f"{HOME}:444/x"])
async def test_a_download_is_not_followed_to_another_server(location: str) -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(302, headers={"location": location}, json={})

    async with mocked(handler) as client:
        with pytest.raises(TransportError):
            async with files_over(client).download(NAME, key=KEY):
                pass
    assert len(seen) == 1


@pytest.mark.parametrize("first", [302, 301, 307])
async def test_only_one_redirect_is_followed_and_only_a_302(first: int) -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(302 if len(seen) > 1 else first, headers={"location": REDIRECTED}, json={})

    async with mocked(handler) as client:
        with pytest.raises(TransportError) as failed:
            async with files_over(client).download(NAME, key=KEY):
                pass
    assert failed.value.failure is Failure.REDIRECT
    assert len(seen) == (2 if first == 302 else 1)


async def test_a_302_without_a_place_is_a_failure() -> None:
    async with mocked(lambda _: httpx.Response(302, json={})) as client:
        with pytest.raises(TransportError) as failed:
            async with files_over(client).download(NAME, key=KEY):
                pass
    assert failed.value.failure is Failure.REDIRECT


async def test_a_download_that_is_cut_is_a_failure_and_never_a_short_file() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", b"short")

    async with RawUpstream(script) as upstream:
        with pytest.raises(TransportError) as failed:
            await downloaded_from(upstream.url)
    assert failed.value.failure is Failure.ANSWER_CUT


async def test_a_download_that_stands_still_is_a_failure() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk(b"some"))
        await peer.gone()

    async with RawUpstream(script) as upstream:
        with pytest.raises(TransportError) as failed:
            await downloaded_from(upstream.url, event_timeout=0.05)
    assert failed.value.failure is Failure.EVENT_TIMEOUT


async def test_a_download_that_is_left_closes_its_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk(b"some"))
        await peer.gone()

    async with RawUpstream(script) as upstream, GeminiClient(replace(OPTIONS, upstream=upstream.url)) as client:
        async with files_over(client).download(NAME, key=KEY) as pieces:
            assert await anext(pieces) == b"some"
        await upstream.settled()


async def test_chunked_downloads_are_whole_at_their_last_chunk() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk(b"so"), chunk(b"me"), LAST_CHUNK
        )

    async with RawUpstream(script) as upstream:
        assert await downloaded_from(upstream.url) == b"some"


async def test_an_uploaded_file_cannot_be_downloaded() -> None:
    refusal = error(400, "File is not downloadable.", "FAILED_PRECONDITION")
    async with mocked(lambda _: httpx.Response(400, content=orjson.dumps(refusal.json()))) as client:
        with pytest.raises(GeminiError, match="not downloadable"):
            async with files_over(client).download(NAME, key=KEY):
                pass
