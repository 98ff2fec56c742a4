"""What Google refuses for one method takes nothing else away: not from other methods, nor from other callers."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, bad_key, daily, detail, failure, overloaded, quota

from gemgate.upstream.client import SIDE_CALL_SECONDS

pytestmark = pytest.mark.slow

KEY = "AIzaSyTheGatewaysOwnKeyOfThirtyNineXXXX"
OTHER_KEY = "AIzaSyTheGatewaysOtherKeyOfThirtyNineXX"
MODEL = "gemini-2.5-flash"
EMBEDDER = "gemini-embedding-001"
HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
VECTORS = {"embeddings": [{"values": [1.0, 0.0]}]}
NATIVE = {"x-goog-api-key": "anything"}

CHAT = ("POST", "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]})
EMBEDDINGS = ("POST", "/v1/embeddings", {"model": EMBEDDER, "input": "Hi"})
MODELS = ("GET", "/v1/models", None)


def blocked(method: str = "google.ai.generativelanguage.v1beta.GenerativeService.CountTokens") -> httpx.Response:
    """Google's answer to a method that the key is not allowed."""
    return failure(
        403,
        f"Requests to this API generativelanguage.googleapis.com method {method} are blocked.",
        detail("ErrorInfo", reason="API_KEY_SERVICE_BLOCKED", domain="googleapis.com"),
        reason="PERMISSION_DENIED",
    )


def free_tier() -> httpx.Response:
    """The answer to a project without any quota for caches."""
    message = "Quota exceeded for metric: TotalCachedContentStorageTokensPerModelFreeTier, limit: 0"
    return failure(429, message, reason="RESOURCE_EXHAUSTED")


def google_refusing(fits: Callable[[httpx.Request], bool], refusal: httpx.Response) -> FakeGoogle:
    """Google, which refuses the calls that `fits` says, and answers all others."""

    def answer(request: httpx.Request) -> Any:
        path = request.url.path
        if fits(request):
            return refusal
        if path.endswith("/models"):
            return httpx.Response(200, json={"models": [{"name": f"models/{MODEL}"}]})
        if "batchEmbedContents" in path:
            return httpx.Response(200, json=VECTORS)
        if "countTokens" in path:
            return httpx.Response(200, json={"totalTokens": 3})
        return HELLO

    return FakeGoogle(answer)


def calls(word: str) -> Callable[[httpx.Request], bool]:
    """Fits the calls whose path holds `word`."""
    return lambda request: word in request.url.path


async def ask(client: httpx.AsyncClient, what: tuple[str, str, Any]) -> httpx.Response:
    verb, path, body = what
    return await client.request(verb, path, json=body, headers=NATIVE if "v1beta" in path else {})


NATIVE_METHODS = [
    ("countTokens", ("POST", f"/v1beta/models/{MODEL}:countTokens", {"contents": []})),
    ("batchGenerateContent", ("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {}})),
    ("generateAnswer", ("POST", f"/v1beta/models/{MODEL}:generateAnswer", {"contents": []})),
    ("predict", ("POST", f"/v1beta/models/{MODEL}:predict", {"instances": []})),
    ("cachedContents", ("GET", "/v1beta/cachedContents", None)),
    ("cachedContents", ("POST", "/v1beta/cachedContents", {"model": f"models/{MODEL}"})),
    ("tunedModels", ("GET", "/v1beta/tunedModels", None)),
    ("fileSearchStores", ("GET", "/v1beta/fileSearchStores", None)),
    ("/batches", ("GET", "/v1beta/batches", None)),
]
REFUSALS = [("quota", quota()), ("daily", daily()), ("no quota", free_tier()), ("blocked", blocked())]


@pytest.mark.parametrize("refusal", [each for _, each in REFUSALS], ids=[name for name, _ in REFUSALS])
@pytest.mark.parametrize(
    ("word", "method"), NATIVE_METHODS, ids=[f"{verb} {word}" for word, (verb, *_) in NATIVE_METHODS]
)
async def test_a_refused_native_method_leaves_chat_embeddings_and_models_alone(
    word: str, method: tuple[str, str, Any], refusal: httpx.Response
) -> None:
    google = google_refusing(calls(word), refusal)
    async with in_process(gateway_app(google, gemini_api_key=KEY)) as client:
        assert (await ask(client, method)).status_code in (403, 429, 503)
        for other in (CHAT, EMBEDDINGS, MODELS):
            assert (await ask(client, other)).status_code == 200, other


@pytest.mark.parametrize("refusal", [each for _, each in REFUSALS], ids=[name for name, _ in REFUSALS])
async def test_a_refused_list_of_models_leaves_the_rest_alone(refusal: httpx.Response) -> None:
    google = google_refusing(lambda request: request.url.path.endswith("/models"), refusal)
    async with in_process(gateway_app(google, gemini_api_key=KEY)) as client:
        assert (await ask(client, MODELS)).status_code >= 400
        for other in (CHAT, EMBEDDINGS, ("GET", "/v1beta/cachedContents", None)):
            assert (await ask(client, other)).status_code == 200, other


async def test_failures_of_one_method_open_no_circuit_for_another() -> None:
    google = google_refusing(calls("countTokens"), overloaded())
    async with in_process(gateway_app(google, gemini_api_key=KEY, retries=0)) as client:
        for _ in range(60):
            await ask(client, NATIVE_METHODS[0][1])
        assert (await ask(client, NATIVE_METHODS[0][1])).json()["error"]["message"].startswith("The Gemini API fails")
        assert (await ask(client, CHAT)).status_code == 200


@pytest.mark.parametrize(
    "refusal",
    [quota(), daily(), blocked(), overloaded(), bad_key(), failure(401), failure(403)],
    ids=["quota", "daily", "blocked", "overloaded", "bad key", "401", "403"],
)
async def test_tokens_that_cannot_be_counted_cost_nobody_anything(refusal: httpx.Response) -> None:
    google = google_refusing(calls("countTokens"), refusal)
    async with in_process(gateway_app(google, gemini_api_key=KEY)) as client:
        for _ in range(3):
            answer = await ask(client, EMBEDDINGS)
            assert answer.status_code == 200
            assert answer.headers["x-gemgate-adjusted"] == "usage=unknown->0"
        assert google.methods.count("countTokens") == 3, "the call is not made again"
        assert (await ask(client, CHAT)).status_code == 200
        google.answers = [httpx.Response(200, json={"totalTokens": 3})]
        assert (await ask(client, NATIVE_METHODS[0][1])).status_code == 200, "nothing has cooled down"


async def test_the_vectors_do_not_wait_for_tokens_that_are_never_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SIDE_CALL_SECONDS <= 2
    monkeypatch.setattr("gemgate.api.embeddings.routes.SIDE_CALL_SECONDS", 0.05)
    never = asyncio.Event()

    async def held(request: httpx.Request) -> httpx.Response:
        if "countTokens" in request.url.path:
            await never.wait()
        return httpx.Response(200, json={"embeddings": VECTORS["embeddings"] * 100})

    google = FakeGoogle(held)
    async with in_process(gateway_app(google, gemini_api_key=KEY)) as client:
        answer = await ask(client, ("POST", "/v1/embeddings", {"model": EMBEDDER, "input": ["Hi"] * 600}))
    assert answer.status_code == 200
    assert len(answer.json()["data"]) == 600


async def test_a_method_that_one_key_may_not_use_is_asked_of_another_key() -> None:
    google = google_refusing(
        lambda request: "countTokens" in request.url.path and request.headers["x-goog-api-key"] == KEY, blocked()
    )
    async with in_process(gateway_app(google, gemini_api_key=f"{KEY},{OTHER_KEY}")) as client:
        for _ in range(4):
            assert (await ask(client, NATIVE_METHODS[0][1])).status_code == 200
        assert google.keys.count(KEY) == 1, "the refused key is not asked again"
        google.requests.clear()
        for _ in range(4):
            assert (await ask(client, CHAT)).status_code == 200
        assert sorted(google.keys) == sorted([KEY, OTHER_KEY] * 2)


@pytest.mark.parametrize("key", ["A", "KEY", "API", "I", "key", "valid"])
async def test_what_google_says_is_judged_before_a_short_key_is_hidden_in_it(key: str) -> None:
    refusal = failure(403, "no", detail("ErrorInfo", reason="API_KEY_INVALID"), reason="PERMISSION_DENIED")
    async with in_process(gateway_app(FakeGoogle(refusal), gemini_api_key=key)) as client:
        answer = await ask(client, CHAT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "upstream_key_rejected")


@pytest.mark.parametrize("key", ["key", "API", "placeholder", "your-api-key"])
async def test_a_placeholder_for_a_key_leaves_googles_words_whole(key: str) -> None:
    said = "API key not valid. Please pass a valid API key."
    refusal = failure(400, said, reason="INVALID_ARGUMENT")
    async with in_process(gateway_app(FakeGoogle(refusal))) as client:
        verb, path, body = CHAT
        answer = await client.request(verb, path, json=body, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 401
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("key", ["key", "A", "demo"])
async def test_a_placeholder_for_a_key_leaves_native_answers_whole(key: str) -> None:
    google = FakeGoogle({"candidates": [{"content": {"parts": [{"text": "A key opens a demo door"}]}}]})
    path = "/v1beta/models/gemini-2.5-flash:"
    async with in_process(gateway_app(google, gemini_api_key=key)) as client:
        for method in ("generateContent", "streamGenerateContent?alt=sse"):
            answer = await client.post(path + method, json={"contents": [{"parts": [{"text": "Hi"}]}]})
            assert "A key opens a demo door" in answer.text
