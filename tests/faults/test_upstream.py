"""Every way in which the upstream fails, through the whole gateway: a right answer in time, and nothing left behind."""

import asyncio
import gzip
import socket
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from tests.faults.hostile import (
    EVENT,
    HEAD,
    LAST_EVENT,
    SHORT,
    WHOLE,
    Faults,
    Outcome,
    faults,
    nothing_left_behind,
    outcome,
)
from tests.support.raw_upstream import LAST_CHUNK, Peer, Script, answer, chunk, once, sse, unused_port

JSON_HEAD = HEAD.replace(b"text/event-stream", b"application/json")
GOOD = HEAD + chunk(sse(EVENT))
PAGE = b"<html><head><title>Sorry</title></head><body>down</body></html>"
REFUSAL = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])

CUT = Outcome(502, "stream_truncated", "", done=False)
LOST = Outcome(502, "connection_lost", "", done=False)
NO_ANSWER = Outcome(502, "invalid_body", "", done=False)
TOO_LATE = Outcome(504, "timeout", "", done=False)
TOO_LARGE = Outcome(502, "answer_too_large", "", done=False)
OVERLOADED = Outcome(503, "server_overloaded", "", done=False)


def after_hel(code: str) -> Outcome:
    """A stream that had begun, and ended with an error event."""
    return Outcome(200, code, "Hel", done=False)


@pytest.fixture(scope="module")
def running() -> Iterator[Faults]:
    with faults(max_answer_bytes=4_000_000) as each:
        yield each


async def gone_at_once(peer: Peer) -> None:
    await peer.request()


async def reset_before_headers(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def reset_after_headers(peer: Peer) -> None:
    await peer.request()
    await peer.send(HEAD)
    await asyncio.sleep(SHORT / 5)  # lets the headers arrive: a reset takes away what is not read
    peer.reset()


async def reset_in_mid_event(peer: Peer) -> None:
    await peer.request()
    await peer.send(GOOD + chunk(b'data: {"cand'))
    await asyncio.sleep(SHORT / 5)
    peer.reset()


async def blackhole(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def headers_and_silence(peer: Peer) -> None:
    await peer.request()
    await peer.send(HEAD)
    await peer.gone()


async def event_and_silence(peer: Peer) -> None:
    await peer.request()
    await peer.send(GOOD)
    await peer.gone()


async def endless_headers(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000_000):
        await peer.send(b"x-header-%d: value\r\n" % number)


async def one_endless_header(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nx-header: ")
    while True:
        await peer.send(b"a" * 65_536)


async def endless_hints(peer: Peer) -> None:
    await peer.request()
    while True:
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        await asyncio.sleep(0.001)


async def a_long_line(peer: Peer) -> None:
    """A hundred megabytes without the end of a line."""
    await peer.request()
    await peer.send(GOOD + chunk(b'data: {"text": "'))
    for _ in range(1600):
        await peer.send(chunk(b"x" * 65_536))
    await peer.gone()


async def endless_answer(peer: Peer) -> None:
    await peer.request()
    await peer.send(JSON_HEAD)
    while True:
        await peer.send(chunk(b" " * 65_536))


async def trickled_answer(peer: Peer) -> None:
    await peer.request()
    body = sse(EVENT, LAST_EVENT)
    await peer.send(HEAD)
    for at in range(len(body)):
        await peer.send(chunk(body[at : at + 1]))
        await asyncio.sleep(SHORT / 3)


async def trickled_headers(peer: Peer) -> None:
    await peer.request()
    for at in range(len(HEAD)):
        await peer.send(HEAD[at : at + 1])
        await asyncio.sleep(SHORT / 3)


async def endless_events(peer: Peer) -> None:
    await peer.request()
    await peer.send(HEAD)
    while True:
        await peer.send(chunk(sse({"candidates": []})))
        await asyncio.sleep(0.001)


def raw(status: int, body: bytes | dict[str, Any], **headers: str) -> Script:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return once(answer(status, body, {"connection": "close", **fields}))


def streamed(*pieces: bytes) -> Script:
    return once(HEAD, *map(chunk, pieces), LAST_CHUNK)


PACKED = gzip.compress(orjson.dumps(WHOLE))

# name: the script, what a caller of a whole answer sees, what one of a stream sees
FAULTS: dict[str, tuple[Script, Outcome | None, Outcome | None]] = {
    "gone at once": (gone_at_once, LOST, LOST),
    "reset before the headers": (reset_before_headers, LOST, LOST),
    "reset after the headers": (reset_after_headers, CUT, CUT),
    "reset in mid-event": (reset_in_mid_event, CUT, after_hel("stream_truncated")),
    "silence": (blackhole, TOO_LATE, TOO_LATE),
    "silence after the headers": (headers_and_silence, TOO_LATE, TOO_LATE),
    "silence after an event": (event_and_silence, TOO_LATE, after_hel("timeout")),
    "no HTTP": (once(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), NO_ANSWER, NO_ANSWER),
    "endless headers": (endless_headers, None, None),
    "one endless header": (one_endless_header, NO_ANSWER, NO_ANSWER),
    "endless 103s": (endless_hints, TOO_LATE, TOO_LATE),
    "a 103 and then the answer": (
        once(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", answer(200, WHOLE, {"connection": "close"})),
        Outcome(200, None, "Hello", done=True),
        Outcome(200, None, "Hello", done=True),
    ),
    "a 204": (once(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"), NO_ANSWER, CUT),
    "a redirect": (raw(302, b"", location="http://127.0.0.1:1/"), Outcome(502, "redirect", "", done=False), None),
    "a 304": (raw(304, b""), Outcome(502, "redirect", "", done=False), None),
    "an unknown status": (raw(799, b"{}"), NO_ANSWER, NO_ANSWER),
    "a web page": (raw(200, PAGE, content_type="text/html"), NO_ANSWER, NO_ANSWER),
    "a web page under 502": (raw(502, PAGE, content_type="text/html"), Outcome(502, None, "", done=False), None),
    "gzip that stops": (raw(200, PACKED[:-9], content_encoding="gzip"), CUT, CUT),
    "gzip that is none": (raw(200, WHOLE, content_encoding="gzip"), NO_ANSWER, NO_ANSWER),
    "gzip that is a bomb": (raw(200, gzip.compress(b" " * 9_000_000), content_encoding="gzip"), TOO_LARGE, TOO_LARGE),
    "a length that is too long": (raw(200, WHOLE, content_length="9999"), CUT, None),
    "a length that is too short": (raw(200, WHOLE, content_length="20"), NO_ANSWER, None),
    "a line of 100 MB": (a_long_line, TOO_LARGE, after_hel("answer_too_large")),
    "an answer without end": (endless_answer, TOO_LARGE, TOO_LARGE),
    "invalid UTF-8": (raw(200, b'{"a": "\xff"}'), NO_ANSWER, CUT),
    "invalid JSON": (raw(200, b'{"candidates": [,]}'), NO_ANSWER, CUT),
    "nothing": (raw(200, b""), NO_ANSWER, CUT),
    "invalid UTF-8 in mid-stream": (
        streamed(sse(EVENT), b'data: {"a": "\xff"}\r\n\r\n'),
        None,
        after_hel("invalid_body"),
    ),
    "invalid JSON in mid-stream": (streamed(sse(EVENT), b"data: {,}\r\n\r\n"), None, after_hel("invalid_body")),
    "an end after an event": (streamed(sse(EVENT)), None, after_hel("stream_truncated")),
    "an end in mid-event": (streamed(sse(EVENT), b'data: {"cand'), None, after_hel("stream_truncated")),
    "no last chunk": (once(GOOD), CUT, after_hel("stream_truncated")),
    "a broken chunk": (once(GOOD, b"zz\r\n"), None, None),
    "an error under 200": (raw(200, REFUSAL), OVERLOADED, OVERLOADED),
    "an error in mid-stream": (streamed(sse(EVENT), sse(REFUSAL)), None, after_hel("server_overloaded")),
    "an answer byte by byte that never ends": (trickled_answer, TOO_LATE, TOO_LATE),
    "headers byte by byte that never end": (trickled_headers, TOO_LATE, TOO_LATE),
    "events without end": (endless_events, TOO_LATE, None),
}


@BOTH
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_upstream_is_a_clean_answer_and_leaves_nothing_behind(
    running: Faults, fault: str, stream: bool
) -> None:
    script, buffered, streaming = FAULTS[fault]
    with nothing_left_behind(running):
        running.upstream.script = script
        seen = outcome(running.ask(stream=stream), stream=stream)
    expected = streaming if stream else buffered
    if expected is None:  # what cannot be told apart on the way, or does not differ from the other kind of answer
        assert seen.status in (200, 502, 504)
        assert seen.code is not None or seen.status == 502
        assert not seen.done
    else:
        assert seen == expected


def test_frames_that_come_twice_are_passed_on_once_each(running: Faults) -> None:
    with nothing_left_behind(running):
        running.upstream.script = streamed(sse(EVENT), sse(EVENT), sse(LAST_EVENT), sse(LAST_EVENT))
        answered = running.ask(stream=True)
    seen = outcome(answered, stream=True)
    assert (seen.code, seen.done) == (None, True)
    assert answered.text.count('"finish_reason":"stop"') == 1
    assert answered.text.count('"role":"assistant"') == 1


@BOTH
def test_a_refused_connection_is_a_502(stream: bool) -> None:
    with faults(upstream=f"http://127.0.0.1:{unused_port()}") as each:
        assert outcome(each.ask(stream=stream), stream=stream) == Outcome(502, "connect_failed", "", done=False)


@BOTH
def test_a_host_that_swallows_packets_is_a_504(stream: bool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # they fill the queue, so that the kernel drops what comes
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        with faults(upstream=f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=SHORT) as each:
            assert outcome(each.ask(stream=stream), stream=stream) == TOO_LATE
        for client in waiting:
            client.close()


@BOTH
def test_a_failed_handshake_is_a_502(running: Faults, stream: bool) -> None:
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    running.upstream.script = plain
    with faults(upstream=running.upstream.url.replace("http:", "https:")) as each:
        assert outcome(each.ask(stream=stream), stream=stream) == Outcome(502, "tls_failed", "", done=False)
