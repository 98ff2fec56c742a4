"""Streams are asked for again until something of them was given on, and never after that. Over real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from tests.support.clock import FakeClock
from tests.support.raw_upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Peer,
    RawUpstream,
    Script,
    always,
    answer,
    chunk,
    once,
    sse,
)
from tests.upstream.support import BODY, EMPTY, HELLO, MALFORMED, MODEL

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.errors import GeminiError, TransportError
from gemgate.upstream.client import Upstream
from gemgate.upstream.key_pool import KeyPool
from gemgate.upstream.retry import RetryOptions, Shared

ONE, TWO = "key-one", "key-two"
START = {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]}
THOUGHT = {"candidates": [{"content": {"parts": [{"text": "Hm", "thought": True}]}}]}
FIRST_EMPTY = {"candidates": [{"content": {"parts": [{"text": ""}]}}]}
OVERLOADED = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
QUOTA = {"error": {"code": 429, "message": "Please retry in 48s.", "status": "RESOURCE_EXHAUSTED"}}


def stream(*events: Any) -> Script:
    """A whole stream, an event a read."""
    return once(STREAM_HEAD, *(chunk(sse(event)) for event in events), LAST_CHUNK)


def cut(*events: Any) -> Script:
    """A stream that is reset after these events."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, *(chunk(sse(event)) for event in events))
        await peer.gone()

    async def reset(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, *(chunk(sse(event)) for event in events))
        peer.reset()

    return reset if not events else script


@asynccontextmanager
async def to(google: RawUpstream, *keys: str, event_timeout: float = 300, **options: Any) -> AsyncIterator[Upstream]:
    clock = FakeClock()
    shared = Shared(
        pool=KeyPool(keys, clock=clock),
        options=RetryOptions(**options),
        clock=clock,
        sleep=clock.sleep,
    )
    async with GeminiClient(ClientOptions(google.url, event_timeout=event_timeout)) as client:
        yield Upstream(client, shared)


async def events_of(way: Upstream) -> list[Any]:
    got: list[Any] = []
    await collect(way, got)
    return got


async def collect(way: Upstream, got: list[Any]) -> None:
    async with way.stream(MODEL, BODY, None) as batches:
        async for _, events in batches:
            got += events


@pytest.mark.parametrize(
    "bad",
    [
        once(answer(503, OVERLOADED)),
        once(),
        cut(),
        stream(OVERLOADED),
        once(STREAM_HEAD, chunk(orjson.dumps(OVERLOADED, option=orjson.OPT_INDENT_2)), LAST_CHUNK),
        stream(FIRST_EMPTY, OVERLOADED),
        stream(FIRST_EMPTY, MALFORMED),
        stream(EMPTY),
        stream(),
    ],
    ids=[
        "503",
        "no answer",
        "reset after the headers",
        "error as first event",
        "bare error as first event",
        "error after an empty event",
        "malformed call",
        "empty STOP",
        "no event",
    ],
)
async def test_a_stream_that_has_shown_nothing_is_asked_for_again(bad: Script) -> None:
    async with RawUpstream(bad, stream(START, HELLO)) as google, to(google, ONE) as way:
        assert await events_of(way) == [START, HELLO]
        assert way.snapshot().keys[0].in_flight == 0
    first, second = google.requests
    assert (first.body, first.target, first.headers) == (second.body, second.target, second.headers)


@pytest.mark.parametrize("shown", [START, THOUGHT], ids=["text", "thought"])
@pytest.mark.parametrize("fault", [OVERLOADED, QUOTA])
async def test_a_stream_that_has_shown_something_is_not_asked_for_again(shown: Any, fault: Any) -> None:
    async with RawUpstream(stream(shown, fault), stream(HELLO)) as google, to(google, ONE) as way:
        got: list[Any] = []
        with pytest.raises(GeminiError) as caught:
            await collect(way, got)
        assert caught.value.status == fault["error"]["code"]
        assert way.snapshot().keys[0].in_flight == 0
        assert bool(way.snapshot().keys[0].models) is (fault is QUOTA)
    assert got == [shown]
    assert len(google.requests) == 1


async def test_a_stream_that_breaks_off_after_something_ends_with_that_failure() -> None:
    async with RawUpstream(cut(START), stream(HELLO)) as google, to(google, ONE, event_timeout=0.2) as way:
        with pytest.raises(TransportError):
            await events_of(way)
    assert len(google.requests) == 1


async def test_an_empty_stream_is_given_on_the_second_time_with_all_its_events() -> None:
    async with RawUpstream(stream(FIRST_EMPTY, EMPTY), stream(FIRST_EMPTY, EMPTY)) as google, to(google, ONE) as way:
        assert await events_of(way) == [FIRST_EMPTY, EMPTY]
    assert len(google.requests) == 2


async def test_an_empty_stream_is_given_on_if_the_operator_wants_that() -> None:
    async with RawUpstream(stream(EMPTY)) as google, to(google, ONE, retry_empty=False) as way:
        assert await events_of(way) == [EMPTY]
    assert len(google.requests) == 1


async def test_events_before_the_first_content_are_kept() -> None:
    async with RawUpstream(stream(FIRST_EMPTY, FIRST_EMPTY, START, HELLO)) as google, to(google, ONE) as way:
        assert await events_of(way) == [FIRST_EMPTY, FIRST_EMPTY, START, HELLO]
    assert len(google.requests) == 1


async def test_another_key_takes_over_a_stream_that_was_refused() -> None:
    async with RawUpstream(once(answer(429, QUOTA)), stream(HELLO)) as google, to(google, ONE, TWO) as way:
        assert await events_of(way) == [HELLO]
        assert [len(key.models) for key in way.snapshot().keys] == [1, 0]
    assert [request.headers["x-goog-api-key"] for request in google.requests] == [ONE, TWO]


async def test_a_stream_that_fails_each_time_raises_on_entering() -> None:
    async with RawUpstream(always(answer(503, OVERLOADED))) as google, to(google, ONE, retries=1) as way:
        steady = way.stream(MODEL, BODY, None)
        with pytest.raises(GeminiError) as caught:
            await steady.__aenter__()
        assert way.snapshot().keys[0].in_flight == 0
        with pytest.raises(StopAsyncIteration):
            await anext(steady)
    assert caught.value.is_final
    assert len(google.requests) == 2


async def test_a_stream_that_is_left_closes_its_connection() -> None:
    left = []

    async def endless(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(sse(START)))
        await peer.gone()
        left.append(True)

    async with RawUpstream(endless) as google, to(google, ONE) as way:
        async with way.stream(MODEL, BODY, None) as batches:
            assert await anext(aiter(batches)) == (0, [START])
        await google.settled()
    assert left == [True]
