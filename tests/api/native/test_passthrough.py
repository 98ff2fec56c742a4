"""Bytes, headers and failures on their way through, over real sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from tests.api.native.support import ANSWER, GENERATE, OWN_KEY, error_of, own, running_gateway
from tests.support.raw_upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Peer,
    RawUpstream,
    always,
    answer,
    chunk,
    in_turn,
    once,
    sse,
)
from tests.support.stack import gateway

STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
HELLO = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}
WAIT = 10.0


@pytest.fixture
def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=WAIT, headers=own())


def test_both_bodies_are_the_same_bytes() -> None:
    body = b'{ "contents":[],\n"generation_config" : {"temperature": 0.10} , "unheard_of": "\\u00fc" }'
    with running_gateway() as running:
        found = running.client.post(GENERATE, content=body, headers=own(**{"content-type": "application/json"}))
        assert running.google.raw_bodies == [body]
        assert found.content == ANSWER
        assert found.headers["content-type"] == "application/json"


def test_what_belongs_to_the_hop_stays_behind() -> None:
    sent = {"set-cookie": "a=b", "alt-svc": "h3", "server": "ESF", "x-guploader-uploadid": "u", "etag": '"1"'}
    given = {
        "cookie": "a=b",
        "x-forwarded-for": "1.2.3.4",
        "user-agent": "mine",
        "te": "trailers",
        "x-server-timeout": "9",
    }
    with running_gateway(lambda _: httpx.Response(200, content=ANSWER, headers=sent)) as running:
        found = running.client.post(GENERATE, json={}, headers=own(**given, **{"x-goog-api-client": "sdk/1"}))
        seen = running.google.last.headers
        assert not {"cookie", "x-forwarded-for", "te"} & set(seen)
        assert seen["user-agent"].startswith("gemgate/")
        assert (seen["x-server-timeout"], seen["x-goog-api-client"]) == ("9", "sdk/1")
        assert not {"set-cookie", "alt-svc", "x-guploader-uploadid"} & set(found.headers)
        assert found.headers.get("server") != "ESF"
        assert found.headers["etag"] == '"1"'
        assert found.headers["x-request-id"]


@pytest.mark.parametrize(
    ("offered", "asked"),
    [("gzip, br", "gzip"), ("br", "identity"), ("", "identity"), ("gzip;q=0", "identity"), ("gzip;q=0.5", "gzip")],
)
def test_a_packed_answer_is_asked_for_only_where_the_caller_can_read_it(offered: str, asked: str) -> None:
    with running_gateway() as running:
        running.client.get("/v1beta/models", headers=own(**{"accept-encoding": offered}))
        assert running.google.last.headers["accept-encoding"] == asked


async def test_a_packed_answer_stays_packed(client: httpx.AsyncClient) -> None:
    packed = gzip.compress(orjson.dumps({"models": []}))
    sent = answer(200, packed, {"content-encoding": "gzip"})
    async with RawUpstream(always(sent)) as upstream, client:
        with gateway(upstream.url) as origin:
            async with client.stream("GET", f"{origin}/v1beta/models") as found:
                raw = b"".join([piece async for piece in found.aiter_raw()])
    assert raw == packed
    assert found.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("status", [400, 404, 429, 499, 500, 503])
def test_googles_refusal_is_handed_on_as_it_came(status: int) -> None:
    body = b'{\n  "error": {"code": %d,  "message": "No.", "status": "X", "details": [{"a": 1}]}}' % status
    headers = {"content-type": "application/json; charset=UTF-8", "retry-after": "7"}
    with running_gateway(lambda _: httpx.Response(status, content=body, headers=headers)) as running:
        found = running.client.post(GENERATE, json={}, headers=own())
        assert (found.status_code, found.content) == (status, body)
        assert found.headers["retry-after"] == "7"


def test_a_refused_stream_has_the_status_of_the_refusal() -> None:
    with running_gateway(lambda _: httpx.Response(400, json={"error": {"code": 400}})) as running:
        assert running.client.post(STREAM, json={}, headers=own()).status_code == 400


def test_no_answer_is_an_error_in_googles_shape() -> None:
    def lost(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with running_gateway(lost) as running:
        found = running.client.post(GENERATE, json={}, headers=own())
        assert error_of(found)["status"] == "UNAVAILABLE"
        assert found.status_code == 502


def test_a_call_is_made_again_before_the_answer_begins() -> None:
    answers = iter([httpx.Response(503, json={"error": {"code": 503}}), httpx.Response(200, content=ANSWER)])
    with running_gateway(lambda _: next(answers), retries=1) as running:
        assert running.client.post(GENERATE, json={"a": 1}, headers=own()).content == ANSWER
        assert running.google.raw_bodies == [b'{"a":1}'] * 2


def test_a_body_that_is_too_large_is_refused_in_googles_shape() -> None:
    with running_gateway(max_body_bytes=10) as running:
        found = running.client.post(GENERATE, content=b"x" * 11, headers=own())
        assert found.status_code == 413
        assert error_of(found)["details"][0]["reason"] == "REQUEST_TOO_LARGE"
        assert not running.google.requests


async def test_the_first_event_arrives_before_the_last_is_sent(client: httpx.AsyncClient) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(sse(HELLO)))
        await go_on.wait()
        await peer.send(chunk(sse(HELLO)), LAST_CHUNK)

    async with RawUpstream(script) as upstream, client, asyncio.timeout(WAIT):
        with gateway(upstream.url) as origin:
            async with client.stream("POST", origin + STREAM, json={}) as found:
                pieces = found.aiter_raw()
                assert await anext(pieces) == sse(HELLO)
                go_on.set()
                assert b"".join([piece async for piece in pieces]) == sse(HELLO)
    assert found.headers["content-type"] == "text/event-stream"


async def test_an_upload_reaches_google_while_it_is_being_sent(client: httpx.AsyncClient) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 10" in head.lower()
        assert await peer.reader.readexactly(5) == b"first"
        began.set()
        assert await peer.reader.readexactly(5) == b"later"
        await peer.send(answer(200, {"file": {"name": "files/a"}}))
        ended.set()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await began.wait()
        yield b"later"

    headers = {"x-goog-upload-protocol": "raw", "content-length": "10", "content-type": "text/plain"}
    async with RawUpstream(script) as upstream, client, asyncio.timeout(WAIT):
        with gateway(upstream.url) as origin:
            found = await client.post(f"{origin}/upload/v1beta/files", content=body(), headers=headers)
        await ended.wait()
    assert found.json() == {"file": {"name": "files/a"}}


async def test_a_stream_that_breaks_ends_with_an_event_in_googles_shape(client: httpx.AsyncClient) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(sse(HELLO)))
        peer.reset()

    async with RawUpstream(script) as upstream, client:
        with gateway(upstream.url) as origin:
            found = await client.post(origin + STREAM, json={})
    first, last, _ = found.content.split(b"\r\n\r\n")
    assert first + b"\r\n\r\n" == sse(HELLO)
    error = orjson.loads(last.removeprefix(b"data: "))["error"]
    assert (error["code"], error["status"]) == (502, "UNAVAILABLE")


async def test_an_answer_that_breaks_is_not_taken_for_whole(client: httpx.AsyncClient) -> None:
    cut = answer(200, b"x" * 100, {"content-length": "200"})
    async with RawUpstream(once(cut)) as upstream, client:
        with gateway(upstream.url) as origin, pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"{origin}/v1beta/files/a")


async def test_a_caller_who_goes_ends_the_call_to_google(client: httpx.AsyncClient) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(sse(HELLO)))
        await peer.gone()
        gone.set()

    async with RawUpstream(script) as upstream, client, asyncio.timeout(WAIT):
        with gateway(upstream.url) as origin:
            async with client.stream("POST", origin + STREAM, json={}) as found:
                await anext(found.aiter_raw())
            await gone.wait()


async def test_a_download_is_followed_here_with_the_key_and_the_range(client: httpx.AsyncClient) -> None:
    place = "/download/v1beta/files/a:download?alt=media"
    first = answer(302, {"error": {"code": 302}}, {"location": place})
    second = answer(206, b"world", {"content-range": "bytes 6-10/11", "content-type": "video/mp4"})
    async with RawUpstream(in_turn(first, second)) as upstream, client:
        with gateway(upstream.url) as origin:
            headers = {"range": "bytes=6-"}
            found = await client.get(f"{origin}/v1beta/files/a:download?alt=media", headers=headers)
    assert (found.status_code, found.content, found.headers["content-range"]) == (206, b"world", "bytes 6-10/11")
    assert "location" not in found.headers
    assert [request.target for request in upstream.requests] == ["/v1beta/files/a:download?alt=media", place]
    assert [request.headers["x-goog-api-key"] for request in upstream.requests] == [OWN_KEY] * 2


async def test_a_redirect_to_another_server_is_not_followed(client: httpx.AsyncClient) -> None:
    sent = answer(302, b"", {"location": "https://evil.example/x"})
    async with RawUpstream(always(sent)) as upstream, client:
        with gateway(upstream.url) as origin:
            found = await client.get(f"{origin}/v1beta/files/a:download?alt=media")
    assert error_of(found)["code"] == 502
    assert len(upstream.requests) == 1


def test_models_tokens_and_paths_are_counted() -> None:
    body = orjson.dumps({"candidates": [], "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 12}})
    with running_gateway(lambda _: httpx.Response(200, content=body)) as running:
        running.client.post(GENERATE, json={}, headers=own())
        running.client.get("/v1beta/files/some-name", headers=own())
        told = running.client.get("/metrics").text
    assert 'route="/v1beta/models/{name}:generateContent"' in told
    assert 'route="/v1beta/files/{name}"' in told
    assert "some-name" not in told
    lines = [line for line in told.splitlines() if "gemini-2.5-flash" in line and "token" in line]
    assert any(line.endswith(" 5.0") for line in lines)
