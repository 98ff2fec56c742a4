"""Google's event streams as proxies need them: not held back, and kept alive where the operator wants it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, overloaded, sse

STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
BODY = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


async def stream(google: FakeGoogle, **settings: object) -> httpx.Response:
    async with in_process(gateway_app(google, **settings)) as client:
        return await client.post(STREAM, json=BODY)


async def test_an_event_stream_is_not_held_back_by_proxies() -> None:
    answer = await stream(FakeGoogle(sse(HELLO)))
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["cache-control"] == "no-cache"


async def late(_request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(0.3)
    return sse(HELLO)


async def test_no_comment_is_sent_unless_it_is_asked_for() -> None:
    assert b"keep-alive" not in (await stream(FakeGoogle(late))).content


@pytest.mark.parametrize("key", ["", "AIzaSyTheGatewaysOwnKeyOfThirtyNineXXXX"])
async def test_comments_come_before_the_first_event_and_leave_events_whole(key: str) -> None:
    answer = await stream(FakeGoogle(late), native_keepalive_interval=0.05, gemini_api_key=key)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.content.startswith(b": keep-alive\n\n")
    events = [line for line in answer.content.splitlines() if line.startswith(b"data: ")]
    assert [orjson.loads(line.removeprefix(b"data: ")) for line in events] == [HELLO]


class _Slow(httpx.AsyncByteStream):
    """An event in halves, with pauses."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        event = b"data: " + orjson.dumps(HELLO) + b"\r\n\r\n"
        for piece in (event[:20], event[20:], event):
            yield piece
            await asyncio.sleep(0.2)


async def test_a_comment_comes_between_events_and_not_within_one() -> None:
    slow = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=_Slow())
    answer = await stream(FakeGoogle(lambda _: slow), native_keepalive_interval=0.05)
    events = answer.content.replace(b": keep-alive\n\n", b"")
    event = b"data: " + orjson.dumps(HELLO) + b"\r\n\r\n"
    assert events == event * 2
    assert b": keep-alive\n\n" in answer.content[len(event) :]
    assert answer.content.startswith(event)


async def test_a_refusal_before_a_comment_keeps_its_status() -> None:
    answer = await stream(FakeGoogle(overloaded()), native_keepalive_interval=30, retries=0)
    assert answer.status_code == 503


async def test_a_refusal_after_a_comment_is_an_event() -> None:
    async def refused(_request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.3)
        return overloaded()

    answer = await stream(FakeGoogle(refused), native_keepalive_interval=0.05, retries=0)
    last = answer.content.strip().splitlines()[-1]
    assert orjson.loads(last.removeprefix(b"data: "))["error"]["code"] == 503
