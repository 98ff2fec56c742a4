import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response
from tests.support.apps import app_with
from tests.support.server import serve

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.settings import Settings
from gemgate.web.sse import (
    DONE,
    KEEP_ALIVE,
    EventBatches,
    error_frame,
    frame,
    respond,
)

HELLO = frame({"text": "hello"})
PATIENCE = 30.0


class Source:
    """An iterator of batches that a test drives from its own thread, and that notes how it ended."""

    def __init__(self, script: Callable[["Source"], EventBatches]) -> None:
        self.started, self.closed = threading.Event(), threading.Event()
        self.cancelled = False
        self._script = script
        self._go = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def batches(self) -> EventBatches:
        self._loop = asyncio.get_running_loop()
        self.started.set()
        script = self._script(self)
        try:
            async for batch in script:
                yield batch
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            await script.aclose()
            self.closed.set()

    async def wait(self) -> None:
        await self._go.wait()

    def release(self) -> None:
        assert self.started.wait(PATIENCE)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._go.set)


def settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, **changes)


def app_for(source: Source, **changes: Any) -> Any:
    async def endpoint(request: Request) -> Response:
        return respond(request, source.batches(), settings(**changes), lambda: {"x-extra": "1"})

    return app_with(endpoint)


async def say_hello(_: Source) -> EventBatches:
    yield HELLO
    yield HELLO + DONE


async def wait_then_hello(source: Source) -> EventBatches:
    await source.wait()
    yield HELLO


async def hello_then_wait(source: Source) -> EventBatches:
    yield HELLO
    await source.wait()
    yield DONE


async def nothing(_: Source) -> EventBatches:
    nobody: list[bytes] = []
    for batch in nobody:
        yield batch


def failing(error: Exception, *before: bytes) -> Callable[[Source], EventBatches]:
    async def script(source: Source) -> EventBatches:
        for batch in before:
            yield batch
        raise error

    return script


def events(body: bytes) -> list[Any]:
    return [orjson.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]


def test_a_frame_is_one_data_line_and_a_blank_line() -> None:
    assert frame({"a": "ü\n"}) == 'data: {"a":"ü\\n"}\n\n'.encode()
    assert DONE == b"data: [DONE]\n\n"


def test_an_error_frame_holds_openais_error_object() -> None:
    assert events(error_frame(ApiError(502, "cut", type="server_error", code="stream_truncated"))) == [
        {"error": {"message": "cut", "type": "server_error", "param": None, "code": "stream_truncated"}}
    ]


def test_a_stream_is_what_the_source_yields_and_nothing_else() -> None:
    with serve(app_for(Source(say_hello))) as url:
        answer = httpx.post(url)
    assert answer.content == HELLO + HELLO + DONE


def test_a_stream_has_the_headers_that_proxies_and_clients_need() -> None:
    with serve(app_for(Source(say_hello))) as url:
        answer = httpx.post(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-extra"] == "1"
    assert answer.headers["x-request-id"].startswith("req_")


def test_an_error_before_the_first_event_is_an_http_status() -> None:
    error = ApiError(429, "slow down", code="rate_limit_exceeded", headers={"retry-after": "7"})
    with serve(app_for(Source(failing(error)))) as url:
        answer = httpx.post(url)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


def test_an_error_of_google_before_the_first_event_is_an_http_status() -> None:
    with serve(app_for(Source(failing(GeminiError(503, "overloaded", "UNAVAILABLE"))))) as url:
        answer = httpx.post(url)
    assert (answer.status_code, answer.headers["x-google-status"]) == (503, "UNAVAILABLE")


def test_a_source_without_events_is_an_empty_answer() -> None:
    with serve(app_for(Source(nothing))) as url:
        answer = httpx.post(url)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_silent_source_is_answered_with_200_and_kept_alive_until_it_speaks() -> None:
    source = Source(wait_then_hello)
    with (
        serve(app_for(source, stream_start_after=0.01, keepalive_interval=0.02)) as url,
        httpx.stream("POST", url) as answer,
    ):
        assert answer.status_code == 200
        body = b""
        for chunk in answer.iter_raw():
            body += chunk
            if body.count(KEEP_ALIVE) == 3:
                source.release()
    assert not source.cancelled
    assert KEEP_ALIVE == b": keep-alive\n\n"
    assert body.replace(KEEP_ALIVE, b"") == HELLO


def test_keep_alive_comments_go_on_between_events_and_carry_no_id() -> None:
    source = Source(hello_then_wait)
    with serve(app_for(source, keepalive_interval=0.02)) as url, httpx.stream("POST", url) as answer:
        body = b""
        for chunk in answer.iter_raw():
            body += chunk
            if body.count(KEEP_ALIVE) == 2:
                source.release()
    assert body.replace(KEEP_ALIVE, b"") == HELLO + DONE
    assert b"id:" not in body


def test_an_error_after_the_headers_is_an_event_without_done() -> None:
    async def script(source: Source) -> EventBatches:
        await source.wait()
        raise ApiError(504, "too late", type="server_error", code="timeout")
        yield HELLO  # it makes this a generator

    source = Source(script)
    with serve(app_for(source, stream_start_after=0.01)) as url, httpx.stream("POST", url) as answer:
        assert answer.status_code == 200
        source.release()
        body = answer.read()
    assert body.startswith(KEEP_ALIVE)
    assert [event["error"]["code"] for event in events(body)] == ["timeout"]
    assert b"[DONE]" not in body


def test_an_error_in_mid_stream_is_an_event_without_done() -> None:
    error = GeminiError(503, "The model is overloaded.", "UNAVAILABLE")
    with serve(app_for(Source(failing(error, HELLO)))) as url:
        answer = httpx.post(url)
    assert answer.content.startswith(HELLO)
    assert events(answer.content)[1]["error"]["code"] == "server_overloaded"
    assert b"[DONE]" not in answer.content


def test_a_bug_in_mid_stream_is_told_without_internals() -> None:
    with serve(app_for(Source(failing(KeyError("internal detail"), HELLO)))) as url:
        answer = httpx.post(url)
    assert events(answer.content)[1]["error"]["type"] == "server_error"
    assert b"internal detail" not in answer.content


def request_raw(url: str) -> socket.socket:
    client = socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 0), timeout=PATIENCE)
    client.sendall(b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n")
    return client


def read_until(client: socket.socket, marker: bytes) -> None:
    received = b""
    while marker not in received:
        received += client.recv(65536)


def test_a_client_that_goes_in_mid_stream_closes_the_source() -> None:
    source = Source(hello_then_wait)
    with serve(app_for(source)) as url:
        with request_raw(url) as client:
            read_until(client, HELLO)
        assert source.closed.wait(PATIENCE)


def test_a_client_that_goes_before_the_first_event_closes_the_source() -> None:
    source = Source(wait_then_hello)
    with serve(app_for(source)) as url:
        with request_raw(url):
            assert source.started.wait(PATIENCE)
        assert source.closed.wait(PATIENCE)
    assert source.cancelled


def test_a_client_that_goes_while_it_is_kept_alive_closes_the_source() -> None:
    source = Source(wait_then_hello)
    with serve(app_for(source, stream_start_after=0.01)) as url:
        with request_raw(url) as client:
            read_until(client, KEEP_ALIVE)
        assert source.closed.wait(PATIENCE)
    assert source.cancelled


def test_a_client_that_stops_reading_and_goes_closes_the_source() -> None:
    async def flood(_: Source) -> EventBatches:
        while True:
            yield frame({"text": "x" * 65536})
            await asyncio.sleep(0)  # as a read from Google would, it lets others run

    source = Source(flood)
    with serve(app_for(source)) as url:
        with request_raw(url) as client:
            read_until(client, b"data:")
        assert source.closed.wait(PATIENCE)


def test_a_stopping_server_lets_a_stream_finish() -> None:
    source = Source(hello_then_wait)
    with serve(app_for(source)) as url:
        client = request_raw(url)
        read_until(client, HELLO)
        stopping = threading.Timer(0.1, source.release)
        stopping.start()
    with client:
        assert client.makefile("rb").read().endswith(b"%x\r\n%s\r\n0\r\n\r\n" % (len(DONE), DONE))


def test_a_stream_that_outlasts_the_servers_patience_ends_with_an_error_event() -> None:
    source = Source(hello_then_wait)
    with serve(app_for(source), timeout_graceful_shutdown=0) as url:
        client = request_raw(url)
        read_until(client, HELLO)
    with client:
        rest = client.makefile("rb").read()
    assert b'"code":"server_shutting_down"' in rest
    assert rest.endswith(b"0\r\n\r\n")
    assert source.closed.is_set()


async def test_a_stream_that_is_cancelled_before_it_begins_closes_the_source() -> None:
    source = Source(wait_then_hello)
    request = Request({"type": "http", "method": "POST", "headers": []}, receive=asyncio.Event().wait)  # type: ignore[arg-type]
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    response = respond(request, source.batches(), settings())
    answering = asyncio.ensure_future(response(request.scope, request.receive, send))
    await asyncio.to_thread(source.started.wait, PATIENCE)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert source.closed.is_set()
    assert not sent


async def test_no_piece_overtakes_a_comment_that_is_being_sent() -> None:
    source, taken = Source(wait_then_hello), asyncio.Event()
    request = Request({"type": "http", "method": "POST", "headers": []}, receive=asyncio.Event().wait)  # type: ignore[arg-type]
    sent: list[bytes] = []

    async def slow(message: Any) -> None:
        sent.append(message.get("body", b"head"))
        if message.get("body") == KEEP_ALIVE:
            source.release()
            await asyncio.sleep(0.02)
            taken.set()
        elif message.get("body"):
            assert taken.is_set()

    await respond(request, source.batches(), settings(stream_start_after=0.01))(request.scope, request.receive, slow)
    assert sent == [b"head", KEEP_ALIVE, HELLO, b""]


class Counting:
    """A voice whose words have numbers, as the events of a stream beside them."""

    def __init__(self) -> None:
        self._number = 0

    def next(self) -> bytes:
        self._number += 1
        return frame({"number": self._number})

    def silence(self) -> bytes:
        return KEEP_ALIVE + self.next()

    def failure(self, error: ApiError) -> bytes:
        raise error


@pytest.mark.parametrize("slow_part", ["head", "silence", "piece"])
async def test_no_word_of_the_voice_is_asked_for_while_a_piece_waits_to_be_sent(slow_part: str) -> None:
    voice, sent = Counting(), b""

    async def pieces() -> EventBatches:
        for _ in range(5):
            yield voice.next()
            await asyncio.sleep(0.01)

    async def send(message: Any) -> None:
        nonlocal sent
        body = message.get("body", b"")
        kind = "head" if "status" in message else "silence" if body.startswith(KEEP_ALIVE) else "piece"
        if kind == slow_part:
            await asyncio.sleep(0.015)
        sent += body

    request = Request({"type": "http", "method": "POST", "headers": []}, receive=asyncio.Event().wait)  # type: ignore[arg-type]
    changes = settings(stream_start_after=0.001, keepalive_interval=0.002)
    await respond(request, pieces(), changes, voice=voice)(request.scope, request.receive, send)
    numbers = [event["number"] for event in events(sent)]
    assert numbers == list(range(1, len(numbers) + 1))
