"""What the client gives to those who hand answers on: refusals as they came, bodies as they are, more patience."""

import gzip
from dataclasses import replace

import httpx
import orjson
import pytest
from tests.support.raw_upstream import Peer, RawUpstream, always, answer

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.errors import Failure, GeminiError, TransportError

KEY = "AIzaSyExampleExampleExampleExampleExa"
SHORT = 0.05


async def test_a_refusal_is_there_as_it_came_but_for_the_key() -> None:
    body = b'{"error": {"code": 403,   "message": "%b may not", "status": "PERMISSION_DENIED"}}'
    sent = answer(403, body % KEY.encode(), {"x-goog-upload-status": "active"})
    async with RawUpstream(always(sent)) as upstream, GeminiClient(ClientOptions(upstream.url)) as client:
        with pytest.raises(GeminiError) as caught:
            await client.open("GET", client.url("/v1beta/models"), key=KEY)
    refusal = caught.value.refusal
    assert refusal is not None
    assert (refusal.status, refusal.body) == (403, body % b"***")
    assert refusal.headers["x-goog-upload-status"] == "active"


async def test_no_answer_is_no_refusal() -> None:
    def lost(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("lost")

    client = GeminiClient(ClientOptions(), transport=httpx.MockTransport(lost))
    with pytest.raises(TransportError) as caught:
        await client.open("GET", client.url("/v1beta/models"), key=KEY)
    assert caught.value.refusal is None


async def test_a_body_that_is_left_encoded_is_what_was_sent() -> None:
    packed = gzip.compress(orjson.dumps({"models": []}))
    sent = answer(200, packed, {"content-encoding": "gzip"})
    async with RawUpstream(always(sent)) as upstream, GeminiClient(ClientOptions(upstream.url)) as client:
        found = await client.open("GET", client.url("/v1beta/models"), key=KEY)
        found.leave_encoded()
        assert b"".join([piece async for piece in found]) == packed
        await found.aclose()


async def test_patience_replaces_the_time_to_the_first_byte() -> None:
    async def late(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    options = ClientOptions(first_byte_timeout=60, request_timeout=60)
    async with RawUpstream(late) as upstream, GeminiClient(replace(options, upstream=upstream.url)) as client:
        with pytest.raises(TransportError) as caught:
            await client.open("GET", client.url("/v1beta/models"), key=KEY, first_byte_timeout=SHORT)
    assert caught.value.failure is Failure.FIRST_BYTE_TIMEOUT


async def test_a_name_may_come_twice_in_a_query() -> None:
    client = GeminiClient(ClientOptions())
    url = client.url("/v1beta/models", httpx.QueryParams([("a", "1"), ("a", "2")]))
    assert url.query == b"a=1&a=2"
