"""Chat completions that Vertex AI answers, over a real socket: where it is asked, as whom, and for what."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from tests.support.raw_upstream import LAST_CHUNK, STREAM_HEAD, Peer, RawUpstream, answer, chunk, sse
from tests.support.vertex import FRESH, PROJECT, TOKEN, FakeTokens, vertex_gateway

pytestmark = pytest.mark.integration

MODELS = f"/v1/projects/{PROJECT}/locations/global/publishers/google/models"
ASKED = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}
REFUSED = {"error": {"code": 401, "message": "Request had invalid authentication credentials.", "status": "X"}}


def native(text: str, **fields: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, **fields}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5, "trafficType": "ON_DEMAND_FLEX"}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash", "responseId": "r"}


async def answers(peer: Peer) -> None:
    """Vertex AI, which takes the fresh token alone after it has refused the first."""
    while True:
        asked = await peer.request()
        if asked.headers.get("authorization") == "Bearer ya29.expired-0123456789":
            await peer.send(answer(401, REFUSED))
        elif "stream" in asked.target:
            await peer.send(STREAM_HEAD + chunk(sse(native("Hel"), native("lo", finishReason="STOP"))) + LAST_CHUNK)
        else:
            await peer.send(answer(200, native("Hello", finishReason="STOP")))


@pytest.fixture
async def vertex() -> AsyncIterator[RawUpstream]:
    async with RawUpstream(answers) as upstream:
        yield upstream


async def chat(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json=ASKED | fields)


async def test_a_whole_answer_comes_from_the_project_and_its_location(vertex: RawUpstream) -> None:
    async with vertex_gateway(vertex_endpoint=vertex.url) as client:
        answered = await chat(client)
    assert answered.status_code == 200, answered.text
    body = answered.json()
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert body["service_tier"] == "flex"
    (asked,) = vertex.requests
    assert (asked.method, asked.target) == ("POST", f"{MODELS}/gemini-2.5-flash:generateContent")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert "x-goog-api-key" not in asked.headers
    assert "store" not in asked.json
    assert "x-gemgate-dropped-params" not in answered.headers


async def test_a_streamed_answer_comes_from_there_too(vertex: RawUpstream) -> None:
    async with vertex_gateway(vertex_endpoint=vertex.url) as client:
        answered = await chat(client, stream=True)
    chunks = [orjson.loads(line[6:]) for line in answered.text.splitlines() if line.startswith("data: {")]
    assert "".join(each["choices"][0]["delta"].get("content") or "" for each in chunks) == "Hello"
    (asked,) = vertex.requests
    assert asked.target == f"{MODELS}/gemini-2.5-flash:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_token_that_is_refused_is_replaced_once_and_no_caller_sees_it(
    vertex: RawUpstream, *, stream: bool
) -> None:
    tokens = FakeTokens("ya29.expired-0123456789", FRESH)
    async with vertex_gateway(tokens=tokens, vertex_endpoint=vertex.url) as client:
        assert tokens.is_open
        answered = await chat(client, stream=stream)
    assert answered.status_code == 200, answered.text
    assert tokens.stale == ["ya29.expired-0123456789"]
    assert [asked.headers["authorization"][-10:] for asked in vertex.requests] == ["0123456789"] * 2
    first, second = vertex.requests
    assert (first.target, first.body) == (second.target, second.body)
    assert not tokens.is_open


async def test_express_mode_sends_a_key_and_names_no_project(vertex: RawUpstream) -> None:
    async with vertex_gateway(vertex_endpoint=vertex.url, google_cloud_project=None, vertex_api_key="AQ.key") as client:
        answered = await chat(client)
    assert answered.status_code == 200, answered.text
    (asked,) = vertex.requests
    assert asked.target == "/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    assert asked.headers["x-goog-api-key"] == "AQ.key"
    assert "authorization" not in asked.headers
