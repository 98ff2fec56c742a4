"""How many modules a request goes through, and how often one calls another: what a reader has to follow."""

from pathlib import Path

import orjson
import pytest
from tests.support.journey import Journey, connected, traced
from tests.support.raw_upstream import LAST_CHUNK, STREAM_HEAD, Peer, RawUpstream, answer, chunk, sse

pytestmark = pytest.mark.integration

KEY = "sk-journey-0123456789"
UPLOAD = b"x-goog-upload-command: %b\r\n"


def request(path: str, body: bytes, headers: bytes = b"content-type: application/json\r\n") -> bytes:
    head = b"POST %b HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n%b\r\n"
    return head % (path.encode(), KEY.encode(), len(body), headers) + body


def event(text: str, **fields: object) -> dict[str, object]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **fields}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r"}


async def journey_of(asked: list[bytes], script: object, directory: Path) -> Journey:
    """Of these requests, after they were made twice before."""
    settings = {"gemini_api_key": "AIza-journey", "client_keys": KEY}
    async with RawUpstream(script) as google, connected(google.url, directory, **settings) as caller:  # type: ignore[arg-type]
        for _ in range(2):
            for one in asked:
                await caller.ask(one)
        with traced() as journey:
            for one in asked:
                assert (await caller.ask(one)).startswith(b"HTTP/1.1 200")
    return journey


async def test_a_streamed_chat_goes_through_few_modules(tmp_path: Path) -> None:
    async def google(peer: Peer) -> None:
        usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
        events = sse(event("Hello"), event(" there", finishReason="STOP") | {"usageMetadata": usage})
        while True:
            await peer.request()
            await peer.send(STREAM_HEAD + chunk(events) + LAST_CHUNK)

    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    body = orjson.dumps({"model": "gemini-2.5-flash", "messages": messages, "stream": True})
    journey = await journey_of([request("/v1/chat/completions", body)], google, tmp_path)
    found = (len(journey.files), journey.crossed, len(journey.stack))
    assert all(number <= bound for number, bound in zip(found, (40, 120, 12), strict=True)), str(journey)
