"""What happens on real sockets when a client goes, and when Gemini lets a stream wait."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import orjson
import pytest
from openai import OpenAI
from tests.support.raw_upstream import LAST_CHUNK, STREAM_HEAD, BackgroundUpstream, Peer, answer, chunk, sse
from tests.support.stack import KEY, OPENAI, Stack, gateway, stack

MODEL = "gemini-2.5-flash"
AT_ONCE = 5.0
PATIENCE = 30.0
NEVER = 60
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])


def body(said: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": said}], **more}


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with stack() as running:
        yield running


@contextmanager
def connection(origin: str, request: dict[str, Any]) -> Iterator[socket.socket]:
    """A socket on which `request` was sent."""
    host, port = origin.removeprefix("http://").split(":")
    content = orjson.dumps(request)
    head = (
        f"POST {OPENAI}/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
        client.sendall(head.encode() + content)
        yield client


def read_until(client: socket.socket, mark: bytes) -> bytes:
    """What came, up to and with `mark` and the rest of that read."""
    seen = b""
    while mark not in seen:
        piece = client.recv(65_536)
        assert piece, f"closed before {mark!r}: {seen!r}"
        seen += piece
    return seen


def vanish(client: socket.socket, *, reset: bool) -> None:
    """Close with RST, as a killed process with unread data does, or with FIN."""
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def closes_upstream(servers: Stack, before: int) -> float:
    """The seconds until the emulator saw the gateway leave."""
    began = time.monotonic()
    assert servers.seen.wait_for_disconnects(before + 1, PATIENCE), "the upstream connection stayed open"
    return time.monotonic() - began


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "killed"])
@WAYS
def test_a_client_that_goes_before_the_first_byte_ends_the_call(servers: Stack, stream: bool, reset: bool) -> None:
    asked, left = len(servers.seen.requests), len(servers.seen.disconnects)
    with connection(servers.gateway, body(f"Hello [[emulator: slow-start {NEVER}]]", stream=stream)) as client:
        assert servers.seen.wait_for_requests(asked + 1, PATIENCE)
        vanish(client, reset=reset)
        assert closes_upstream(servers, left) < AT_ONCE


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "killed"])
@pytest.mark.parametrize("n", [1, 2])
def test_a_client_that_goes_in_mid_stream_ends_every_call(servers: Stack, n: int, reset: bool) -> None:
    left = len(servers.seen.disconnects)
    said = f"Hello, and a little more than one event holds [[emulator: slow-stream {NEVER}]]"
    asked = body(said, stream=True, n=n) | {"model": "gemini-3-flash-preview"}
    with connection(servers.gateway, asked) as client:
        read_until(client, b'"index":%d,"delta":{"content":"You' % (n - 1))
        vanish(client, reset=reset)
        assert closes_upstream(servers, left + n - 1) < AT_ONCE
    assert all(each.sent > 0 for each in list(servers.seen.disconnects)[left:])


def test_a_client_that_goes_while_two_calls_wait_ends_both(servers: Stack) -> None:
    asked, left = len(servers.seen.requests), len(servers.seen.disconnects)
    request = body(f"Hello [[emulator: slow-start {NEVER}]]", n=2) | {"model": "gemini-3-flash-preview"}
    with connection(servers.gateway, request) as client:
        assert servers.seen.wait_for_requests(asked + 2, PATIENCE)
        vanish(client, reset=True)
        assert closes_upstream(servers, left + 1) < AT_ONCE


def test_leaving_the_sdks_stream_early_ends_the_call(servers: Stack) -> None:
    left = len(servers.seen.disconnects)
    asked: Any = body(f"Hello, and a little more [[emulator: slow-stream {NEVER}]]", stream=True)
    with OpenAI(api_key=KEY, base_url=servers.base(), max_retries=0) as client:
        stream = client.chat.completions.create(**asked)
        assert next(iter(stream)).choices
        stream.close()
        assert closes_upstream(servers, left) < AT_ONCE


def test_the_gateway_serves_on_after_clients_have_gone(servers: Stack) -> None:
    asked: Any = body("Hello")
    with OpenAI(api_key=KEY, base_url=servers.base(), max_retries=0) as client:
        assert client.chat.completions.create(**asked).choices[0].finish_reason == "stop"


def test_a_refusal_in_time_is_a_status_and_no_stream(servers: Stack) -> None:
    with connection(servers.gateway, body("Hello [[emulator: 429 7]]", stream=True)) as client:
        answer = read_until(client, b'"code"')
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"content-type: application/json" in answer
    assert b"retry-after: 7\r\n" in answer


class HeldAnswer:
    """A script that reads one request, and sends nothing until it is told what."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._raw = b""

    def answer(self, raw: bytes) -> None:
        """Let the request be answered with these bytes."""
        self._raw = raw
        self._told.set()

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        assert await asyncio.to_thread(self._told.wait, PATIENCE)
        await peer.send(self._raw)
        await peer.gone()


EVENT = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "At last."}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
    "responseId": "r",
}
ANSWERED = STREAM_HEAD + chunk(sse(EVENT)) + LAST_CHUNK
OVERLOADED = answer(503, {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})


@pytest.fixture
def slow() -> Iterator[tuple[HeldAnswer, str]]:
    """An upstream that waits to be told, and a gateway that soon gives up waiting for its first event."""
    held = HeldAnswer()
    with (
        BackgroundUpstream(held) as upstream,
        gateway(upstream.url, stream_start_after=0.05, keepalive_interval=0.05, retries=0) as origin,
    ):
        yield held, origin


def test_a_stream_that_starts_late_is_kept_alive_and_goes_on(slow: tuple[HeldAnswer, str]) -> None:
    held, origin = slow
    with connection(origin, body("Hello", stream=True)) as client:
        waiting = read_until(client, b": keep-alive\n\n")
        waiting += read_until(client, b": keep-alive\n\n")
        assert waiting.startswith(b"HTTP/1.1 200 ")
        assert b"data:" not in waiting
        held.answer(ANSWERED)
        rest = read_until(client, b"data: [DONE]\n\n")
    assert b'"content":"At last."' in rest
    assert b'"finish_reason":"stop"' in rest
    assert b"\nid:" not in waiting + rest


def test_a_refusal_that_comes_late_ends_the_stream_without_done(slow: tuple[HeldAnswer, str]) -> None:
    held, origin = slow
    with connection(origin, body("Hello", stream=True)) as client:
        assert b"data:" not in read_until(client, b": keep-alive\n\n")
        held.answer(OVERLOADED)
        rest = read_until(client, b"\r\n0\r\n\r\n")
    assert b'data: {"error":{"message":"The model is overloaded.","type":"server_error"' in rest
    assert b'"code":"server_overloaded"' in rest
    assert b"[DONE]" not in rest


@pytest.mark.parametrize("fails", [False, True], ids=["answered", "refused"])
def test_openai_python_survives_keep_alive_comments(slow: tuple[HeldAnswer, str], fails: bool) -> None:
    held, origin = slow
    asked: Any = body("Hello", stream=True)
    with OpenAI(api_key=KEY, base_url=origin + OPENAI, max_retries=0, timeout=PATIENCE) as client:
        stream = client.chat.completions.create(**asked)
        if fails:
            held.answer(OVERLOADED)
            with pytest.raises(openai.APIError, match="overloaded") as caught:
                list(stream)
            assert caught.value.code == "server_overloaded"
            return
        held.answer(ANSWERED)
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "At last."
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_client_that_goes_while_a_stream_is_kept_alive_ends_the_call(servers: Stack) -> None:
    left = len(servers.seen.disconnects)
    with (
        gateway(servers.emulator, stream_start_after=0.05, keepalive_interval=0.05) as origin,
        connection(origin, body(f"Hello [[emulator: slow-start {NEVER}]]", stream=True)) as client,
    ):
        read_until(client, b": keep-alive\n\n")
        vanish(client, reset=False)
        assert closes_upstream(servers, left) < AT_ONCE
