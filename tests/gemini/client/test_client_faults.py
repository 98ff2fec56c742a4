"""Every way in which a network and a service fail, over real sockets."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.support.raw_upstream import (
    LAST_CHUNK,
    MAX_SECONDS,
    STREAM_HEAD,
    Peer,
    RawUpstream,
    Script,
    answer,
    chunk,
    once,
    sse,
    unused_port,
)

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.errors import Failure, GeminiError, TransportError

KEY = "AIzaSyExampleExampleExampleExampleExa"
MODEL = "gemini-2.5-flash"
BODY = {"contents": [{"parts": [{"text": "hi"}]}]}
HELLO = {"candidates": [{"content": {"parts": [{"text": "Hellö"}]}}]}
SHORT = 0.1
OPTIONS = ClientOptions(connect_timeout=MAX_SECONDS, first_byte_timeout=MAX_SECONDS, event_timeout=MAX_SECONDS)
SSE_LENGTH_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

Call = Callable[[GeminiClient], Awaitable[Any]]


async def generate(client: GeminiClient) -> Any:
    return await client.generate(MODEL, BODY, KEY)


async def stream(client: GeminiClient) -> Any:
    return await collect(client, [])


async def collect(client: GeminiClient, events: list[Any]) -> list[Any]:
    async with client.stream(MODEL, BODY, KEY) as batches:
        async for batch in batches:
            assert batch
            events += batch
    return events


def to(url: str, **options: Any) -> GeminiClient:
    return GeminiClient(replace(OPTIONS, upstream=url, **options))


async def failure_of(script: Script, call: Call, **options: Any) -> GeminiError:
    """The error that `call` raises when the upstream does what `script` says."""
    async with RawUpstream(script) as upstream, to(upstream.url, **options) as client:
        with pytest.raises(GeminiError) as failed:
            await call(client)
    assert KEY not in str(failed.value)
    return failed.value


async def failure_in_mid_stream(script: Script, **options: Any) -> tuple[list[Any], GeminiError]:
    """The events that came before the error, and the error."""
    events: list[Any] = []
    error = await failure_of(script, lambda client: collect(client, events), **options)
    return events, error


def is_failure(error: GeminiError, failure: Failure, status: int = 502) -> bool:
    return isinstance(error, TransportError) and (error.failure, error.reason, error.status) == (
        failure,
        failure,
        status,
    )


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


both = pytest.mark.parametrize("call", [generate, stream])


@both
async def test_a_refused_connection_is_a_502(call: Call) -> None:
    async with to(f"http://127.0.0.1:{unused_port()}") as client:
        with pytest.raises(TransportError) as failed:
            await call(client)
    assert is_failure(failed.value, Failure.CONNECT_FAILED)


async def test_an_unknown_host_is_a_failed_connection() -> None:
    async with to("http://gemini.invalid") as client:
        with pytest.raises(TransportError) as failed:
            await generate(client)
    assert is_failure(failed.value, Failure.CONNECT_FAILED)


async def test_a_peer_that_speaks_no_tls_fails_the_handshake() -> None:
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with RawUpstream(plain) as upstream, to(upstream.url.replace("http:", "https:")) as client:
        with pytest.raises(TransportError) as failed:
            await generate(client)
    assert is_failure(failed.value, Failure.TLS_FAILED)


async def test_a_handshake_that_never_ends_is_a_connect_timeout() -> None:
    async def mute(peer: Peer) -> None:
        await peer.gone()

    async with RawUpstream(mute) as upstream:
        client = to(upstream.url.replace("http:", "https:"), connect_timeout=SHORT)
        async with client:
            with pytest.raises(TransportError) as failed:
                await generate(client)
    assert is_failure(failed.value, Failure.CONNECT_TIMEOUT, 504)


async def test_a_full_pool_is_a_connect_timeout() -> None:
    async with RawUpstream(silent) as upstream:
        client = to(upstream.url, max_connections=1, connect_timeout=SHORT)
        async with client:
            first = asyncio.create_task(generate(client))
            await upstream.asked.wait()
            with pytest.raises(TransportError) as failed:
                await generate(client)
            first.cancel()
            await asyncio.wait([first])
    assert is_failure(failed.value, Failure.CONNECT_TIMEOUT, 504)


@both
async def test_a_reset_before_the_headers_is_a_lost_connection(call: Call) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    assert is_failure(await failure_of(script, call), Failure.CONNECTION_LOST)


@both
async def test_a_close_before_the_headers_is_a_lost_connection(call: Call) -> None:
    assert is_failure(await failure_of(once(), call), Failure.CONNECTION_LOST)
    assert is_failure(await failure_of(once(b"HTTP/1.1 200 OK\r\nContent-"), call), Failure.CONNECTION_LOST)


@both
async def test_an_answer_that_is_not_http_is_an_invalid_body(call: Call) -> None:
    assert is_failure(await failure_of(once(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), call), Failure.INVALID_BODY)


@both
async def test_a_reset_after_the_headers_is_a_cut_answer(call: Call) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD)
        peer.reset()

    error = await failure_of(script, call)
    assert error.reason in (
        Failure.ANSWER_CUT,
        Failure.CONNECTION_LOST,
    )  # the kernel may drop the headers with the rest
    assert error.status == 502


async def test_a_reset_in_mid_event_comes_after_the_events_before_it() -> None:
    read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + chunk(sse(HELLO, HELLO) + b'data: {"candida'))
        await read.wait()
        peer.reset()

    async with RawUpstream(script) as upstream, to(upstream.url) as client, client.stream(MODEL, BODY, KEY) as batches:
        assert await anext(batches) == [HELLO, HELLO]
        read.set()
        with pytest.raises(TransportError) as failed:
            await anext(batches)
    assert is_failure(failed.value, Failure.ANSWER_CUT)


@pytest.mark.parametrize(
    "cut",
    [
        STREAM_HEAD + chunk(sse(HELLO)),
        STREAM_HEAD + chunk(sse(HELLO)) + b"ff\r\ndata: {",
        SSE_LENGTH_HEAD + b"Content-Length: 5000\r\n\r\n" + sse(HELLO),
        SSE_LENGTH_HEAD + b"Connection: close\r\n\r\n" + sse(HELLO) + b'data: {"can',
        STREAM_HEAD + chunk(sse(HELLO)) + chunk(b'data: {"can') + LAST_CHUNK,
        STREAM_HEAD + chunk(sse(HELLO)) + chunk(b'{\n"error": {') + LAST_CHUNK,
    ],
    ids=[
        "no last chunk",
        "inside a chunk",
        "wrong length",
        "inside an event, close",
        "inside an event",
        "inside an error",
    ],
)
async def test_an_early_end_is_a_cut_answer_after_the_good_events(cut: bytes) -> None:
    events, error = await failure_in_mid_stream(once(cut))
    assert events == [HELLO]
    assert is_failure(error, Failure.ANSWER_CUT)


async def test_an_end_between_events_is_no_error_of_the_transport() -> None:
    script = once(SSE_LENGTH_HEAD + b"Connection: close\r\n\r\n" + sse(HELLO))
    async with RawUpstream(script) as upstream, to(upstream.url) as client:
        assert await stream(client) == [HELLO]


@pytest.mark.parametrize("length", [10, 9999])
async def test_a_wrong_length_of_a_buffered_answer_is_an_error(length: int) -> None:
    error = await failure_of(once(answer(200, HELLO, {"content-length": str(length)})), generate)
    assert is_failure(error, Failure.ANSWER_CUT if length > 1000 else Failure.INVALID_BODY)


@pytest.mark.parametrize("bad", [b"zz\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloXX"])
async def test_a_broken_chunk_is_an_error_at_the_latest_when_events_are_overdue(bad: bytes) -> None:
    read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + chunk(sse(HELLO)))
        await read.wait()
        await peer.send(bad)
        await peer.gone()

    async with RawUpstream(script) as upstream:
        client = to(upstream.url, event_timeout=SHORT)
        async with client, client.stream(MODEL, BODY, KEY) as batches:
            assert await anext(batches) == [HELLO]
            read.set()
            with pytest.raises(TransportError) as failed:
                await anext(batches)
    # aiohttp 3.14 closes the connection and forgets to tell the reader of the body.
    assert failed.value.failure in (Failure.EVENT_TIMEOUT, Failure.ANSWER_CUT)


async def test_a_connection_that_was_closed_between_two_reads_is_a_cut_answer() -> None:
    read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + chunk(sse(HELLO)))
        await read.wait()
        await peer.send(b"zz\r\n")
        await peer.gone()

    async with RawUpstream(script) as upstream, to(upstream.url) as client, client.stream(MODEL, BODY, KEY) as batches:
        assert await anext(batches) == [HELLO]
        read.set()
        await upstream.settled()
        with pytest.raises(TransportError) as failed:
            await anext(batches)
    assert is_failure(failed.value, Failure.ANSWER_CUT)


@both
@pytest.mark.parametrize(
    ("content", "encoding", "failure"),
    [
        (gzip.compress(orjson.dumps(HELLO))[:-4], "gzip", Failure.ANSWER_CUT),
        (gzip.compress(orjson.dumps(HELLO))[:20], "gzip", Failure.ANSWER_CUT),
        (orjson.dumps(HELLO), "gzip", Failure.INVALID_BODY),
        (gzip.compress(orjson.dumps(HELLO))[:-8] + b"\0" * 8, "gzip", Failure.INVALID_BODY),
        (orjson.dumps(HELLO), "br", Failure.INVALID_BODY),
    ],
    ids=["no trailer", "cut", "not compressed", "wrong sum", "unknown"],
)
async def test_a_broken_compression_is_an_error(call: Call, content: bytes, encoding: str, failure: Failure) -> None:
    error = await failure_of(once(answer(200, content, {"content-encoding": encoding})), call)
    assert is_failure(error, failure)


@both
async def test_a_web_page_is_an_error_that_does_not_show_it(call: Call) -> None:
    page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx inside</body></html>"
    error = await failure_of(once(answer(502, page, {"content-type": "text/html"})), call)
    assert (error.status, error.reason) == (502, "UNKNOWN")
    assert error.message == "The Gemini API answered 502 with a web page instead of JSON: 502 Bad Gateway"
    error = await failure_of(once(answer(200, page, {"content-type": "text/html"})), call)
    assert is_failure(error, Failure.INVALID_BODY)


@both
@pytest.mark.parametrize("content", [b'{"candidates": [', b'{"a": "\xff\xfe"}', b"[1]", b"5", b"null", b"OK", b"{}{}"])
async def test_an_answer_that_is_no_json_object_is_a_502(call: Call, content: bytes) -> None:
    error = await failure_of(once(answer(200, content)), call)
    assert isinstance(error, TransportError)
    assert error.failure in (Failure.INVALID_BODY, Failure.ANSWER_CUT)
    assert error.status == 502


async def test_an_empty_buffered_answer_is_a_502() -> None:
    assert is_failure(await failure_of(once(answer(200, b"")), generate), Failure.INVALID_BODY)


async def test_invalid_utf8_in_a_stream_comes_after_the_good_events() -> None:
    events, error = await failure_in_mid_stream(once(STREAM_HEAD + chunk(sse(HELLO) + b'data: {"a": "\xff"}\r\n\r\n')))
    assert events == [HELLO]
    assert is_failure(error, Failure.INVALID_BODY)


@both
@pytest.mark.parametrize("location", ["/elsewhere", "http://127.0.0.1:1/", "http://[", ""])
async def test_a_redirect_is_an_error_and_not_followed(call: Call, location: str) -> None:
    async with RawUpstream(once(answer(302, b"", {"location": location}))) as upstream, to(upstream.url) as client:
        with pytest.raises(TransportError) as failed:
            await call(client)
    assert failed.value.status == 502
    assert len(upstream.requests) == 1


@both
@pytest.mark.parametrize("wrap", [False, True])
async def test_an_error_object_under_status_200_is_an_error(call: Call, wrap: bool) -> None:
    refusal = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    error = await failure_of(once(answer(200, orjson.dumps([refusal] if wrap else refusal))), call)
    assert (error.status, error.reason, error.message) == (503, "UNAVAILABLE", "The model is overloaded.")


@both
async def test_an_error_whose_body_is_cut_keeps_its_status(call: Call) -> None:
    error = await failure_of(once(answer(429, b'{"error": {"code": 4', {"content-length": "500"})), call)
    assert (error.status, error.reason) == (429, "RESOURCE_EXHAUSTED")


async def test_an_error_body_without_an_end_is_not_read_for_ever() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD.replace(b"200 OK", b"500 Broken"))
        while True:
            await peer.send(chunk(b"x" * 65_536))

    error = await failure_of(script, stream)
    assert (error.status, len(error.message)) == (500, 300)


async def test_a_stream_in_single_bytes_gives_the_same_events() -> None:
    body = sse(HELLO, HELLO)
    pieces = [STREAM_HEAD[at : at + 1] for at in range(len(STREAM_HEAD))]
    pieces += [chunk(body[at : at + 1]) for at in range(len(body))]
    async with RawUpstream(once(*pieces, LAST_CHUNK)) as upstream, to(upstream.url) as client:
        assert await stream(client) == [HELLO, HELLO]


async def test_a_line_of_many_megabytes_is_one_event() -> None:
    image = {"candidates": [{"content": {"parts": [{"inlineData": {"data": "A" * 8_000_000}}]}}]}
    body = sse(HELLO, image, HELLO)
    async with RawUpstream(once(STREAM_HEAD, chunk(body), LAST_CHUNK)) as upstream, to(upstream.url) as client:
        assert await stream(client) == [HELLO, image, HELLO]


async def test_a_line_without_end_is_given_up_after_the_good_events_before_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(sse(HELLO) + b"data: "))
        while True:
            await peer.send(chunk(b"x" * 65_536))

    events, error = await failure_in_mid_stream(script, max_answer_bytes=1_000_000)
    assert events == [HELLO]
    assert is_failure(error, Failure.TOO_LARGE)


async def test_an_error_without_end_is_given_up_too() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(b'{"error": [\n'))
        while True:
            await peer.send(chunk(b"}\n" * 1000))

    error = await failure_of(script, stream, max_answer_bytes=1_000_000)
    assert is_failure(error, Failure.TOO_LARGE)


async def test_a_buffered_answer_without_end_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD.replace(b"text/event-stream", b"application/json"))
        while True:
            await peer.send(chunk(b" " * 65_536))

    assert is_failure(await failure_of(script, generate, max_answer_bytes=1_000_000), Failure.TOO_LARGE)


@both
async def test_a_small_answer_that_inflates_to_a_large_one_is_given_up(call: Call) -> None:
    bomb = gzip.compress(b" " * 5_000_000) + gzip.compress(b" " * 5_000_000)
    error = await failure_of(once(answer(200, bomb, {"content-encoding": "gzip"})), call, max_answer_bytes=1_000_000)
    assert is_failure(error, Failure.TOO_LARGE)


async def test_a_request_and_an_answer_of_many_megabytes_go_through() -> None:
    body = {"data": "A" * 8_000_000}
    async with RawUpstream(once(answer(200, body))) as upstream, to(upstream.url) as client:
        assert await client.generate(MODEL, body, KEY) == body
    assert upstream.requests[0].json == body


@both
async def test_no_headers_in_time_is_a_first_byte_timeout(call: Call) -> None:
    assert is_failure(await failure_of(silent, call, first_byte_timeout=SHORT), Failure.FIRST_BYTE_TIMEOUT, 504)


@both
async def test_headers_alone_are_no_first_byte(call: Call) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD)
        await peer.gone()

    error = await failure_of(script, call, first_byte_timeout=SHORT, event_timeout=SHORT)
    assert is_failure(error, Failure.FIRST_BYTE_TIMEOUT, 504)


async def test_silence_after_an_event_is_an_event_timeout() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(sse(HELLO)))
        await peer.gone()

    events, error = await failure_in_mid_stream(script, event_timeout=SHORT)
    assert events == [HELLO]
    assert is_failure(error, Failure.EVENT_TIMEOUT, 504)


async def test_the_event_timeout_starts_anew_with_each_read_and_not_while_the_caller_works() -> None:
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(sse(HELLO)))
        await more.wait()
        await peer.send(chunk(sse(HELLO)), LAST_CHUNK)

    async with RawUpstream(script) as upstream:
        client = to(upstream.url, event_timeout=SHORT)
        async with client, client.stream(MODEL, BODY, KEY) as batches:
            assert await anext(batches) == [HELLO]
            asyncio.get_running_loop().call_later(2 * SHORT, more.set)
            await more.wait()
            assert await anext(batches) == [HELLO]


async def test_the_whole_call_has_a_deadline_however_busy_it_is() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD)
        while True:
            await peer.send(chunk(sse(HELLO)))

    events, error = await failure_in_mid_stream(script, request_timeout=SHORT, event_timeout=2 * SHORT)
    assert events
    assert is_failure(error, Failure.REQUEST_TIMEOUT, 504)


@both
async def test_the_deadline_counts_before_the_first_byte_too(call: Call) -> None:
    assert is_failure(await failure_of(silent, call, request_timeout=SHORT), Failure.REQUEST_TIMEOUT, 504)


async def test_a_timeout_closes_the_connection() -> None:
    async with RawUpstream(silent) as upstream, to(upstream.url, first_byte_timeout=SHORT) as client:
        with pytest.raises(TransportError):
            await generate(client)
        await upstream.settled()


async def endless(peer: Peer) -> None:
    await peer.request()
    await peer.send(STREAM_HEAD, chunk(sse(HELLO)))
    await peer.gone()


async def test_leaving_a_stream_early_closes_its_connection_at_once() -> None:
    async with RawUpstream(endless, once(answer(200, HELLO))) as upstream, to(upstream.url) as client:
        async with client.stream(MODEL, BODY, KEY) as batches:
            assert await anext(batches) == [HELLO]
        await upstream.settled()
        assert await client.generate(MODEL, BODY, KEY) == HELLO
        assert upstream.connections == 2


async def test_an_exception_inside_the_stream_closes_its_connection() -> None:
    async with RawUpstream(endless) as upstream, to(upstream.url) as client:
        with pytest.raises(KeyError):
            async with client.stream(MODEL, BODY, KEY):
                raise KeyError
        await upstream.settled()


async def cancelled_when(reached: asyncio.Event, script: Script, call: Call) -> None:
    """Cancels `call` at a point that the upstream or the caller marks; the upstream must see the connection close."""
    async with RawUpstream(script) as upstream, to(upstream.url) as client:
        task = asyncio.ensure_future(call(client))
        async with asyncio.timeout(MAX_SECONDS):
            await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.settled()


@both
async def test_cancelling_before_the_headers_closes_the_connection(call: Call) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    asked = asyncio.Event()
    await cancelled_when(asked, script, call)


async def test_cancelling_a_waiting_stream_closes_its_connection() -> None:
    async def wait_for_more(client: GeminiClient) -> None:
        async with client.stream(MODEL, BODY, KEY) as batches:
            assert await anext(batches) == [HELLO]
            waiting.set()
            await anext(batches)

    waiting = asyncio.Event()
    await cancelled_when(waiting, endless, wait_for_more)


async def test_cancelling_while_an_error_is_read_closes_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD.replace(b"200 OK", b"429 Slow"), chunk(b"{"))
        sent.set()
        await peer.gone()

    sent = asyncio.Event()
    await cancelled_when(sent, script, stream)


async def test_closing_the_client_closes_idle_connections_and_leaves_no_task() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(200, HELLO))
        await peer.gone()

    before = asyncio.all_tasks()
    async with RawUpstream(script, endless, silent) as upstream:
        async with to(upstream.url, first_byte_timeout=SHORT) as client:
            await client.generate(MODEL, BODY, KEY)
        await upstream.settled()
        async with to(upstream.url, first_byte_timeout=SHORT) as client:
            async with client.stream(MODEL, BODY, KEY) as batches:
                await anext(batches)
            with pytest.raises(TransportError):
                await client.generate(MODEL, BODY, KEY)
        await upstream.settled()
    if left := asyncio.all_tasks() - before:
        _, pending = await asyncio.wait(left, timeout=MAX_SECONDS)
        assert not pending
