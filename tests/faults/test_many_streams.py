"""A thousand streams at once on one worker: all are open before the first may end, and each comes whole."""

import asyncio
import resource
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from tests.faults.hostile import EVENT, KEY, LAST_EVENT, PATH
from tests.support.gateway import gateway_app
from tests.support.raw_upstream import LAST_CHUNK, STREAM_HEAD, Peer, RawUpstream, chunk, sse
from tests.support.server import serve

STREAMS = 1000
PATIENCE = 200.0
DESCRIPTORS = 5 * STREAMS
"""Four for a stream, whose ends are all in this process."""


@pytest.fixture(autouse=True)
def _many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        pytest.skip(f"this system allows {hard} open files, and the test needs {DESCRIPTORS}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def middle(number: int) -> dict[str, Any]:
    """An event with the text that only the stream of this number has."""
    return {**EVENT, "candidates": [{"content": {"role": "model", "parts": [{"text": f" {number} "}]}, "index": 0}]}


class StartTogether:
    """A script that sends the first event of each stream, and the others once all have begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.all_begun = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        asked = await peer.request()
        number = int(asked.json["contents"][0]["parts"][0]["text"])
        await peer.send(STREAM_HEAD + chunk(sse(EVENT)))
        self.begun += 1
        if self.begun == STREAMS:
            self.all_begun.set()
        async with asyncio.timeout(PATIENCE):
            await self.all_begun.wait()
        for _ in range(3):
            await peer.send(chunk(sse(middle(number))))
        await peer.send(chunk(sse(LAST_EVENT)) + LAST_CHUNK)


async def said(host: str, port: int, number: int) -> str:
    """What the stream of this number tells; empty unless it begins and ends as it must."""
    body = orjson.dumps(
        {"model": "gemini-2.5-flash", "stream": True, "messages": [{"role": "user", "content": str(number)}]}
    )
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(head.encode() + body)
    whole = (await reader.read(-1)).decode()
    writer.close()
    events = [line.removeprefix("data: ") for line in whole.splitlines() if line.startswith("data: ")]
    if not whole.startswith("HTTP/1.1 200 ") or events[-1] != "[DONE]":
        return ""
    deltas = [orjson.loads(event)["choices"][0]["delta"] for event in events[:-1]]
    return "".join(delta.get("content") or "" for delta in deltas)


async def test_a_thousand_streams_at_once_are_each_complete() -> None:
    script = StartTogether()
    async with RawUpstream(script) as google:
        # A thousand connections to one socket within a moment: on a busy machine some take longer than 10 s.
        patient = {"retries": 0, "connect_timeout": PATIENCE, "max_concurrent_requests_per_caller": STREAMS}
        with serve(gateway_app(upstream=google.url, **patient)) as origin:
            host, _, port = origin.removeprefix("http://").partition(":")
            async with asyncio.timeout(PATIENCE):
                told = await asyncio.gather(*(said(host, int(port), number) for number in range(STREAMS)))
    assert script.begun == STREAMS
    assert told == [f"Hel {number}  {number}  {number} lo" for number in range(STREAMS)]
