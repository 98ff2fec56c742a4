"""How many modules a request goes through, and how often one calls another: what a reader has to follow.

ARCHITECTURE.md names them all.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from tests.support.journey import Connection, Journey, connected, traced
from tests.support.raw_upstream import LAST_CHUNK, STREAM_HEAD, Peer, RawUpstream, Script, answer, chunk, sse

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
KEY = "sk-journey-0123456789"
JSON_OF_A_CALLER = f"authorization: Bearer {KEY}\r\ncontent-type: application/json\r\n".encode()
STREAMED_CHAT = (40, 108, 120, 12)
RESUMABLE_UPLOADS = {
    "a caller's own key": ({}, (25, 97, 110, 12)),
    "the gateway's key": ({"gemini_api_key": "AIza-journey"}, (26, 97, 110, 12)),
    "client keys": ({"gemini_api_key": "AIza-journey", "client_keys": KEY}, (30, 108, 148, 12)),
}
"""At most: files; calls from one into another; these and those that only go on; and frames of the gateway's."""


def request(path: str, body: bytes, headers: bytes) -> bytes:
    head = b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\n%b\r\n"
    return head % (path.encode(), len(body), headers) + body


def event(text: str, **fields: object) -> dict[str, object]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **fields}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r"}


@asynccontextmanager
async def gateway_before(script: Script, directory: Path, **settings: str) -> AsyncIterator[Connection]:
    """A caller's connection to a gateway with these settings before a Google that follows `script`."""
    async with RawUpstream(script) as google, connected(google.url, directory, **settings) as caller:
        yield caller


async def test_a_streamed_chat_goes_through_few_modules(tmp_path: Path) -> None:
    async def google(peer: Peer) -> None:
        usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
        events = sse(event("Hello"), event(" there", finishReason="STOP") | {"usageMetadata": usage})
        while True:
            await peer.request()
            await peer.send(STREAM_HEAD + chunk(events) + LAST_CHUNK)

    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    body = orjson.dumps({"model": "gemini-2.5-flash", "messages": messages, "stream": True})
    asked = request("/v1/chat/completions", body, JSON_OF_A_CALLER)
    async with gateway_before(google, tmp_path, gemini_api_key="AIza-journey", client_keys=KEY) as caller:
        for _ in range(2):
            await caller.ask(asked)
        with traced() as journey:
            assert (await caller.ask(asked)).startswith(b"HTTP/1.1 200")
    assert_within(journey, STREAMED_CHAT)
    assert_named(journey, "## A streamed chat request")


@pytest.mark.parametrize("keys", RESUMABLE_UPLOADS)
async def test_a_resumable_upload_goes_through_few_modules(tmp_path: Path, keys: str) -> None:
    settings, bounds = RESUMABLE_UPLOADS[keys]

    async def google(peer: Peer) -> None:
        while True:
            asked = await peer.request()
            if "start" in asked.headers["x-goog-upload-command"]:
                host = asked.headers["host"]
                url = f"http://{host}/upload/v1beta/files?upload_id=x&upload_protocol=resumable"
                headers = {"x-goog-upload-url": url, "x-goog-upload-status": "active"}
                await peer.send(answer(200, {}, headers))
            else:
                await peer.send(answer(200, {"file": {"name": "files/x"}}, {"x-goog-upload-status": "final"}))

    async with gateway_before(google, tmp_path, **settings) as caller:
        for _ in range(2):
            await upload(caller)
        with traced() as journey:
            await upload(caller)
    assert_within(journey, bounds)
    assert_named(journey, "## A resumable upload")


async def upload(caller: Connection) -> None:
    """Start an upload, and send it in one chunk, which Google's libraries send no key with."""
    start = b"x-goog-upload-protocol: resumable\r\nx-goog-upload-command: start\r\n" + JSON_OF_A_CALLER
    head = (await caller.ask(request("/upload/v1beta/files", b"{}", start))).decode()
    url = next(line.partition(": ")[2] for line in head.splitlines() if line.startswith("x-goog-upload-url"))
    rest = b"x-goog-upload-command: upload, finalize\r\nx-goog-upload-offset: 0\r\n"
    answered = await caller.ask(request(url.partition("127.0.0.1")[2], b"content", rest))
    assert b"files/x" in answered


def assert_named(journey: Journey, title: str) -> None:
    """A section of ARCHITECTURE.md names each of its modules: such as `a/b.py`."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition(f"{title}\n")[2].partition("\n## ")[0]
    unnamed = sorted(journey.files - set(re.findall(r"`([\w/]+\.py)`", text)))
    assert not unnamed, "\n".join(unnamed)


def assert_within(journey: Journey, bounds: tuple[int, int, int, int]) -> None:
    """No further than these bounds."""
    found = (len(journey.files), journey.crossed - journey.resumed, journey.crossed, len(journey.stack))
    assert all(number <= bound for number, bound in zip(found, bounds, strict=True)), str(journey)
