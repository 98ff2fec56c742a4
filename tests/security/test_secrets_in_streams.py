"""Google names the gateway's Gemini key in what it answers natively: callers never see it, however it is cut."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.support.raw_upstream import LAST_CHUNK, STREAM_HEAD, Peer, RawUpstream, Script, always, answer, chunk, sse
from tests.support.stack import gateway

from gemgate.api.native.key_filter import KeyFilter

KEY = "AIzaSyTheGatewaysKeyInAStreamOfNineChar"
CALLER = "sk-gemgate-the-caller-of-native-streams-1"
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
HEADERS = {"x-goog-api-key": CALLER}
STARS = "*" * len(KEY)
FIRST = sse({"candidates": [{"content": {"parts": [{"text": "Hi, A AI AIza AIzaSyThe"}]}}]})
MESSAGE = f"Permission denied: Consumer 'api_key:{KEY}' has been suspended."
LAST = sse({"error": {"code": 403, "message": MESSAGE, "status": "PERMISSION_DENIED"}})


@asynccontextmanager
async def before(script: Script, **settings: Any) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """A gateway with a key of its own before `script`: its origin, and a client of it."""
    chosen = {"gemini_api_key": (KEY,), "client_keys": (CALLER,), "retries": 0} | settings
    async with RawUpstream(script) as upstream, httpx.AsyncClient(headers=HEADERS, timeout=20) as client:
        with gateway(upstream.url, **chosen) as origin:
            yield origin, client


def pieces(*parts: bytes) -> Script:
    """An answer of these chunks, each on its own."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, *(chunk(part) for part in parts), LAST_CHUNK)

    return script


@pytest.mark.parametrize("cut", [0, 1, 4, 20, len(KEY) - 1, len(KEY)])
async def test_the_key_in_an_event_of_a_stream_is_hidden_wherever_it_is_cut(cut: int) -> None:
    start = LAST.index(KEY.encode()) + cut
    async with before(pieces(FIRST, LAST[:start], LAST[start:])) as (origin, client):
        found = await client.post(origin + STREAM, json={"contents": []})
    assert found.status_code == 200
    assert found.content == FIRST + LAST.replace(KEY.encode(), STARS.encode())


async def test_the_key_in_single_bytes_is_hidden() -> None:
    bytes_of_it = [LAST[index : index + 1] for index in range(len(LAST))]
    async with before(pieces(FIRST, *bytes_of_it)) as (origin, client):
        found = await client.post(origin + STREAM, json={"contents": []})
    assert found.content == FIRST + LAST.replace(KEY.encode(), STARS.encode())


async def test_a_stream_that_ends_within_the_key_tells_none_of_it() -> None:
    start = LAST.index(KEY.encode()) + len(KEY) - 2
    async with before(pieces(FIRST, LAST[:start])) as (origin, client):
        found = await client.post(origin + STREAM, json={"contents": []})
    assert KEY[:9] not in found.text.removeprefix(FIRST.decode())
    assert len(found.content) == len(FIRST) + start


async def test_a_stream_that_breaks_within_the_key_tells_none_of_it() -> None:
    start = LAST.index(KEY.encode()) + len(KEY) - 2

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(FIRST), chunk(LAST[:start]))
        peer.reset()

    async with before(script) as (origin, client):
        found = await client.post(origin + STREAM, json={"contents": []})
    assert KEY[:9] not in found.text.removeprefix(FIRST.decode())


async def test_bytes_without_the_key_stay_as_they_are_and_come_at_once() -> None:
    parts = [FIRST, b": \xff\x00 AIzaSyTheGatewaysKeyInAStreamOfNineCha\r\n\r\n", FIRST * 50]

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(FIRST))
        await seen.wait()
        await peer.send(*(chunk(part) for part in parts), LAST_CHUNK)

    seen = asyncio.Event()
    async with before(script) as (origin, client), client.stream("POST", origin + STREAM, json={}) as found:
        content = b""
        async with asyncio.timeout(20):
            async for piece in found.aiter_bytes():
                content += piece
                if content.startswith(FIRST):
                    seen.set()
    assert content == FIRST + b"".join(parts)


@pytest.mark.parametrize("packed", [False, True])
async def test_the_key_in_a_good_answer_and_in_its_headers_is_hidden(packed: bool) -> None:
    body = b'{"models": [], "note": "' + KEY.encode() + b'"}'
    headers = {"server-timing": f"gfe; desc={KEY}", "retry-after": KEY}
    if packed:
        body = gzip.compress(body)
        headers |= {"content-encoding": "gzip", "content-length": str(len(body))}
    async with before(always(answer(200, body, headers))) as (origin, client):
        for path in ("/v1beta/models", "/v1beta/models/gemini-2.5-flash", "/v1beta/files/abc"):
            found = await client.get(origin + path)
            assert KEY not in found.text + repr(found.headers)


@pytest.mark.parametrize("status", [400, 403, 429, 500])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (STREAM, {"contents": []}),
        ("/v1/chat/completions", {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}),
    ],
    ids=["native", "chat"],
)
async def test_the_key_in_every_part_of_a_refusal_is_hidden(status: int, path: str, body: Mapping[str, Any]) -> None:
    error = {"code": status, "message": MESSAGE, "status": f"DENIED_{KEY}", "details": [{"@type": "x", KEY: KEY}]}
    headers = {"server-timing": f"gfe; desc={KEY}", "retry-after": f"1{KEY}"}
    async with before(always(answer(status, {"error": error}, headers))) as (origin, client):
        found = await client.post(origin + path, json=body)
    assert found.status_code >= 400
    assert KEY not in found.text + repr(found.headers)


def test_a_filter_gives_on_all_that_no_key_can_follow() -> None:
    hidden = KeyFilter("abab-c")
    assert hidden.feed(b"xyz") == b"xyz"
    assert hidden.feed(b"ab") == b""
    assert hidden.feed(b"ab") == b""
    assert hidden.feed(b"ab-c!") == b"ab******!"
    assert hidden.feed(b"abab-") == b""
    assert hidden.finish() == b"abab-"
