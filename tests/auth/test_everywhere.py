"""Limits hold on every endpoint of the application, and each is charged what Google says."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.auth.support import bearer, key_of, settings_with, write_keys
from tests.support.clock import FakeClock
from tests.support.gateway import gateway_app, in_process

from gemgate.api.moderations.categories import CATEGORIES
from gemgate.translation.speech.samples import wav_head

pytestmark = pytest.mark.integration

Json = dict[str, Any]

USAGE = {"promptTokenCount": 100, "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 150}
ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
    "usageMetadata": USAGE,
}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="  # a pixel
IMAGE = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]},
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": USAGE,
}
SPEECH: dict[str, Any] = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [{"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}}],
            },
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": USAGE,
}
SCORES: dict[str, Any] = {
    **ANSWER,
    "candidates": [
        {
            "content": {"parts": [{"text": orjson.dumps({each.id: 0.1 for each in CATEGORIES}).decode()}]},
            "finishReason": "STOP",
        }
    ],
}
AUDIO = wav_head(4_800) + bytes(4_800)
QUESTION = {"type": "predicate", "instructions": "Is it kind?"}
DECIDED: dict[str, Any] = {
    "answers": {"q0": {"type": "noul", "noul": 0.9, "confidence": 0.9}},
    "usage": {"total_input_tokens": 150, "total_output_tokens": 0, "total_tokens": 150},
}
MODEL = "gemini-2.5-flash"
JUDGE = "gemini-3.5-flash-lite"
USER = [{"role": "user", "content": "Hi"}]
MINUTE = 1000


def google(request: httpx.Request) -> httpx.Response:
    method = request.url.path.rpartition(":")[2]
    if method == "streamGenerateContent":
        answer = SPEECH if "tts" in request.url.path else ANSWER
        return httpx.Response(
            200, headers={"content-type": "text/event-stream"}, content=b"data: " + orjson.dumps(answer) + b"\r\n\r\n"
        )
    answers: dict[str, Any] = {
        "generateContent": IMAGE if "image" in request.url.path else SCORES if JUDGE in request.url.path else ANSWER,
        "/v1beta/decisions": DECIDED,
        "batchEmbedContents": {"embeddings": [{"values": [0.6, 0.8]}]},
        "countTokens": {"totalTokens": 150},
    }
    return httpx.Response(200, json=answers.get(method, {"models": [{"name": f"models/{MODEL}"}]}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


@pytest.fixture
async def client(tmp_path: Path, path: Path) -> AsyncIterator[httpx.AsyncClient]:
    write_keys(path, web={"limits": {"requests_per_minute": 3, "tokens_per_minute": MINUTE}})
    app = gateway_app(google, **{"data_dir": tmp_path, **settings_with(path)})
    async with in_process(app) as client:
        app.state.services.quotas._clock = FakeClock()  # time stands still
        del client.headers["authorization"]
        yield client


def post(url: str, body: Json) -> Json:
    return {"method": "POST", "url": url, "json": body, "headers": bearer("web")}


def hears(url: str, **fields: str) -> Json:
    return {"method": "POST", "url": url, "data": fields, "files": {"file": ("a.wav", AUDIO)}, "headers": bearer("web")}


NATIVE = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
ASKS_GOOGLE = [
    post("/v1/chat/completions", {"model": MODEL, "messages": USER}),
    post("/v1/chat/completions", {"model": MODEL, "messages": USER, "stream": True}),
    post("/v1beta/openai/chat/completions", {"model": MODEL, "messages": USER}),
    post("/v1/completions", {"model": MODEL, "prompt": "Hi"}),
    post("/v1/moderations", {"model": JUDGE, "input": "Hi"}),
    post("/v1/decisions", {"model": "gemini-decision-1", "input": "Hi", "questions": [QUESTION]}),
    post("/v1/images/variations", {"model": "gemini-2.5-flash-image", "image": PNG}),
    post("/v1/embeddings", {"model": "gemini-embedding-001", "input": "Hi"}),
    post("/v1/images/generations", {"model": "gemini-2.5-flash-image", "prompt": "Hi"}),
    post("/v1/audio/speech", {"model": "gemini-3.8-flash-tts", "input": "Hi", "voice": "Kore"}),
    hears("/v1/audio/transcriptions"),
    hears("/v1/audio/transcriptions", stream="true"),
    hears("/v1/audio/translations"),
    post("/v1/images/generations", {"model": "gemini-2.5-flash-image", "prompt": "Hi", "stream": True}),
    post(f"/v1beta/models/{MODEL}:generateContent", NATIVE),
    post(f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", NATIVE),
    post("/v1beta/decisions", {"model": "gemini-decision-1", "input": "Hi", "questions": {"q": {"type": "noul"}}}),
    {**post(f"/v1beta/models/{MODEL}:generateContent", NATIVE), "headers": {"x-goog-api-key": key_of("web")}},
    {**post(f"/v1beta/models/{MODEL}:generateContent?key={key_of('web')}", NATIVE), "headers": {}},
]
OTHERS = [
    {"method": "GET", "url": "/v1/models", "headers": bearer("web")},
    {"method": "GET", "url": "/v1beta/models", "headers": bearer("web")},
    {"method": "GET", "url": "/v1/files", "headers": bearer("web")},
    {"method": "GET", "url": "/v1/batches", "headers": bearer("web")},
    {
        "method": "POST",
        "url": "/v1/files",
        "headers": bearer("web"),
        "data": {"purpose": "batch"},
        "files": {"file": b"{}"},
    },
    post("/v1/uploads", {"filename": "a", "purpose": "batch", "bytes": 1, "mime_type": "text/plain"}),
]


def shown(request: Json) -> str:
    is_stream = (request.get("json") or request.get("data") or {}).get("stream")
    return f"{request['url'].partition('key=')[0]}{' stream' if is_stream else ''}"


@pytest.mark.parametrize("request_", ASKS_GOOGLE + OTHERS, ids=shown)
async def test_every_request_counts_and_one_too_many_is_refused(client: httpx.AsyncClient, request_: Json) -> None:
    answers = [await client.request(**request_) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[3].headers["retry-after"] == "20"
    error = answers[3].json()["error"]
    is_google = request_["url"].startswith(("/v1beta/models", "/v1beta/decisions"))
    assert (
        (error["status"], error["code"]) == ("RESOURCE_EXHAUSTED", 429)
        if is_google
        else (error["code"] == "rate_limit_exceeded")
    )
    assert "Rate limit reached for the key 'web'" in error["message"]


@pytest.mark.parametrize("request_", ASKS_GOOGLE, ids=shown)
async def test_what_asks_google_is_charged_what_google_says(client: httpx.AsyncClient, request_: Json) -> None:
    await client.request(**request_)
    answer = await client.get("/v1/models", headers=bearer("web"))
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(MINUTE - 150)


@pytest.mark.parametrize("request_", OTHERS, ids=shown)
async def test_what_does_not_costs_no_tokens(client: httpx.AsyncClient, request_: Json) -> None:
    await client.request(**request_)
    answer = await client.get("/v1/models", headers=bearer("web"))
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(MINUTE)


async def test_what_google_refuses_costs_no_tokens(client: httpx.AsyncClient) -> None:
    refused = await client.request(**post("/v1/chat/completions", {"model": MODEL, "messages": []}))
    assert refused.status_code == 400
    assert int(refused.headers["x-ratelimit-remaining-tokens"]) < MINUTE
    answer = await client.get("/v1/models", headers=bearer("web"))
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(MINUTE)


async def test_bytes_that_are_called_json_are_no_text(client: httpx.AsyncClient) -> None:
    url = "/upload/v1beta/files?upload_id=none"
    headers = {**bearer("web"), "content-type": "application/json"}
    answer = await client.post(url, content=b"word " * 1000, headers=headers)
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(MINUTE)


@pytest.mark.parametrize("url", ["/healthz", "/readyz", "/metrics"])
async def test_health_and_metrics_know_no_limits(client: httpx.AsyncClient, url: str) -> None:
    for _ in range(5):
        answer = await client.get(url, headers=bearer("web"))
        assert answer.status_code == 200
        assert "x-ratelimit-remaining-requests" not in answer.headers


async def test_a_refusal_is_counted_for_its_route_and_its_caller(client: httpx.AsyncClient) -> None:
    for _ in range(4):
        await client.request(**ASKS_GOOGLE[0])
    told = (await client.get("/metrics")).text
    (line,) = [line for line in told.splitlines() if line.startswith("gemgate_requests_total") and '"429"' in line]
    assert 'caller="web"' in line
    assert "/chat/completions" in line
