"""Callers that read nothing, send slowly or vanish, through the whole gateway: what they held is given back."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from tests.faults.hostile import (
    EVENT,
    HEAD,
    KEY,
    PATH,
    PATIENCE,
    SHORT,
    Faults,
    faults,
    nothing_left_behind,
    wait_until,
)
from tests.support.raw_upstream import LAST_CHUNK, Peer, chunk, sse

MEGABYTE = 1_048_576
LARGE = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "x" * 65_536}]}, "index": 0},
    ]
}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])


@pytest.fixture(scope="module")
def running() -> Iterator[Faults]:
    with faults(
        body_timeout=SHORT,
        header_timeout=SHORT,
        send_timeout=SHORT,
        first_byte_timeout=60,
        event_timeout=60,
        request_timeout=60,
    ) as each:
        yield each


@contextmanager
def caller(
    running: Faults,
    sent: bytes | None = None,
    *,
    stream: bool = True,
    narrow: bool = False,
    path: str = PATH,
    asked: dict[str, Any] | None = None,
) -> Iterator[socket.socket]:
    """A socket on which a chat request was sent, or another one: the whole of it, or `sent` alone."""
    host, port = running.origin.removeprefix("http://").split(":")
    body = orjson.dumps(
        asked or {"model": "gemini-2.5-flash", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    )
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        if narrow:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        client.sendall(head + body if sent is None else sent.replace(b"HEAD", head))
        yield client


class Flood:
    """An upstream that has more to say than anybody reads, and counts what it got rid of."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = False

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        piece = chunk(sse(LARGE))
        try:
            while True:
                await peer.send(piece)
                self.sent += len(piece)
        finally:
            self.ended = True


def test_a_client_that_never_reads_stops_the_upstream_and_is_cut_off(running: Faults) -> None:
    flood = Flood()
    with nothing_left_behind(running):
        running.upstream.script = flood
        with caller(running, narrow=True):
            wait_until(lambda: flood.ended, "the upstream's connection stays open")
    assert flood.sent < 32 * MEGABYTE  # buffers of two sockets and of the gateway, whatever the stream's length


@BOTH
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "killed"])
def test_a_client_that_vanishes_ends_the_call(running: Faults, stream: bool, reset: bool) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def patient(peer: Peer) -> None:
        await peer.request()
        if stream:
            await peer.send(HEAD, chunk(sse(EVENT)))
        asked.set()
        await peer.gone()
        ended.set()

    with nothing_left_behind(running):
        running.upstream.script = patient
        with caller(running, stream=stream) as client:
            if stream:
                assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
            wait_until(asked.is_set, "the upstream is not asked")
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(ended.is_set, "the upstream's connection stays open")


ELSEWHERE: list[tuple[str, dict[str, Any]]] = [
    ("/v1/completions", {"model": "gemini-2.5-flash", "prompt": "a", "stream": True}),
    ("/v1/completions", {"model": "gemini-2.5-flash", "prompt": "a"}),
    ("/v1/moderations", {"input": "a"}),
    ("/v1/moderations", {"input": "a", "model": "gemini-3.5-flash-lite"}),
    (
        "/v1/decisions",
        {"model": "gemini-decision-1", "input": "a", "questions": [{"type": "predicate", "instructions": "i"}]},
    ),
]


@pytest.mark.parametrize(("path", "asked"), ELSEWHERE)
def test_a_client_that_vanishes_ends_the_call_of_each_endpoint(
    running: Faults, path: str, asked: dict[str, Any]
) -> None:
    is_asked, ended, stream = asyncio.Event(), asyncio.Event(), "stream" in asked

    async def patient(peer: Peer) -> None:
        await peer.request()
        if stream:
            await peer.send(HEAD, chunk(sse(EVENT)))
        is_asked.set()
        await peer.gone()
        ended.set()

    with nothing_left_behind(running):
        running.upstream.script = patient
        with caller(running, path=path, asked=asked) as client:
            if stream:
                assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
            wait_until(is_asked.is_set, "the upstream is not asked")
        wait_until(ended.is_set, "the upstream's connection stays open")


@pytest.mark.parametrize(
    ("sent", "code"),
    [(b"POST /v1/ch", b"request_timeout"), (b'HEAD{"model": ', b"request_timeout"), (b"HEAD", b"request_timeout")],
    ids=["in the head", "in the body", "before the body"],
)
def test_a_client_that_stops_sending_is_told_and_let_go(running: Faults, sent: bytes, code: bytes) -> None:
    with nothing_left_behind(running), caller(running, sent) as client:
        seen = b""
        while piece := client.recv(65_536):
            seen += piece
    assert seen.startswith(b"HTTP/1.1 408 ")
    assert code in seen


@pytest.mark.parametrize(
    "sent", [b"", b"POST /v1/ch", b'HEAD{"model": '], ids=["nothing", "half a head", "half a body"]
)
def test_a_client_that_vanishes_while_sending_leaves_nothing(running: Faults, sent: bytes) -> None:
    with nothing_left_behind(running), caller(running, sent):
        pass


def test_a_slow_reader_gets_the_whole_stream_and_holds_the_upstream_back(running: Faults) -> None:
    count = 100

    async def much(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        for _ in range(count):
            await peer.send(chunk(sse(LARGE)))
        last: dict[str, Any] = {"candidates": [{"finishReason": "STOP", "index": 0}]}
        await peer.send(chunk(sse(last)), LAST_CHUNK)

    with nothing_left_behind(running):
        running.upstream.script = much
        with caller(running, narrow=True) as client:
            seen = b""
            while not seen.endswith(b"0\r\n\r\n"):
                piece = client.recv(16_384)
                assert piece, "the reader was cut off"
                seen += piece
    assert seen.count(b"x" * 65_536) + seen.count(b"\r\nx") >= 1
    assert b"data: [DONE]" in seen
    assert seen.count(b"x") > count * 65_536
