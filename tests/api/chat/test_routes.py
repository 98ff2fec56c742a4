"""One exchange a test: an OpenAI request in, the native request out, a native answer in, an OpenAI answer out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
import respx
from tests.support.gateway import CALLER, gateway_app, in_process

from gemgate.media.errors import MediaError
from gemgate.media.fetch import MediaFetcher
from gemgate.media.inline import Inline

UPSTREAM = "https://generativelanguage.googleapis.com"
FLASH = f"{UPSTREAM}/v1beta/models/gemini-2.5-flash:generateContent"
FLASH_35 = f"{UPSTREAM}/v1beta/models/gemini-3.5-flash:generateContent"
HI = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "Hello"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 1, "totalTokenCount": 3},
    "modelVersion": "gemini-2.5-flash",
    "responseId": "R1",
}


@asynccontextmanager
async def gateway(google: respx.MockRouter, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway whose callers bring their keys."""
    async with in_process(gateway_app(google.async_handler, **settings), headers={}) as client:
        yield client


@pytest.fixture
def google() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


async def test_a_buffered_chat_is_one_exchange(google: respx.MockRouter) -> None:
    route = google.post(FLASH).respond(json=ANSWER)
    async with gateway(google) as client:
        response = await client.post("/v1/chat/completions", json={**HI, "user": "u"}, headers=CALLER)
    sent = route.calls.last.request
    assert orjson.loads(sent.content) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "store": False}
    assert sent.headers["x-goog-api-key"] == "caller-key"
    assert "authorization" not in sent.headers
    assert response.headers["x-gemgate-dropped-params"] == "user"
    completion = response.json()
    assert completion.pop("created") > 0
    assert completion == {
        "id": "chatcmpl-R1",
        "object": "chat.completion",
        "model": "gemini-2.5-flash",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
                "native_finish_reason": "STOP",
            }
        ],
        "usage": {
            "prompt_tokens": 2,
            "completion_tokens": 1,
            "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "system_fingerprint": "gemini-2.5-flash",
    }


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai", "/v1beta"])
async def test_chat_is_served_below_every_base_url(google: respx.MockRouter, prefix: str) -> None:
    google.post(FLASH).respond(json=ANSWER)
    async with gateway(google) as client:
        response = await client.post(f"{prefix}/chat/completions", json=HI, headers=CALLER)
    assert response.json()["choices"][0]["message"]["content"] == "Hello"


async def test_several_choices_of_a_model_without_candidate_count_are_several_calls(google: respx.MockRouter) -> None:
    answers = [{**ANSWER, "responseId": "A"}, {**ANSWER, "responseId": "B"}]
    route = google.post(FLASH_35).mock(side_effect=[httpx.Response(200, json=answer) for answer in answers])
    async with gateway(google) as client:
        response = await client.post(
            "/v1/chat/completions", json={**HI, "model": "gemini-3.5-flash", "n": 2}, headers=CALLER
        )
    completion = response.json()
    assert route.call_count == 2
    assert [choice["index"] for choice in completion["choices"]] == [0, 1]
    assert completion["usage"]["total_tokens"] == 6


async def test_one_failure_of_several_calls_is_the_answer(google: respx.MockRouter) -> None:
    failure = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    google.post(FLASH_35).mock(side_effect=[httpx.Response(200, json=ANSWER), httpx.Response(503, json=failure)])
    async with gateway(google, retries=0) as client:
        response = await client.post(
            "/v1/chat/completions", json={**HI, "model": "gemini-3.5-flash", "n": 2}, headers=CALLER
        )
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "server_overloaded"


async def test_a_number_that_json_cannot_carry_is_the_callers_mistake_dry_or_not(google: respx.MockRouter) -> None:
    async with gateway(google) as client:
        for dry in ({}, {"x-gemgate-dry-run": "true"}):
            response = await client.post("/v1/chat/completions", json={**HI, "top_k": 10**20}, headers=CALLER | dry)
            assert response.status_code == 400
            assert "64-bit" in response.json()["error"]["message"]
    assert not google.calls


async def test_a_dry_run_shows_the_native_request_and_calls_nobody(google: respx.MockRouter) -> None:
    body = {**HI, "n": 2, "stream": True, "user": "u", "seed": 2**31}
    async with gateway(google) as client:
        response = await client.post("/v1/chat/completions", json=body, headers=CALLER | {"x-gemgate-dry-run": "true"})
    assert not google.calls
    assert response.json() == {
        "object": "gemgate.dry_run",
        "method": "POST",
        "path": "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "body": {
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"seed": -(2**31), "candidateCount": 2},
            "store": False,
        },
        "calls": 1,
        "dropped_params": ["user"],
        "adjusted": ["seed=2147483648->-2147483648"],
    }
    assert response.headers["x-gemgate-dropped-params"] == "user"


async def test_googles_refusal_keeps_its_status_in_openais_shape(google: respx.MockRouter) -> None:
    bad_key = {
        "error": {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
        }
    }
    google.post(FLASH).respond(400, json=bad_key)
    async with gateway(google) as client:
        response = await client.post("/v1/chat/completions", json=HI, headers=CALLER)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert response.headers["x-google-status"] == "INVALID_ARGUMENT"


async def test_a_validation_error_names_the_path_of_the_parameter(google: respx.MockRouter) -> None:
    body = {**HI, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]}
    async with gateway(google) as client:
        response = await client.post("/v1/chat/completions", json=body, headers=CALLER)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "messages[0].content[1].type"


@pytest.mark.parametrize("model", ["../secret", "a/b:c", "x?y", "a%2fb", "ü", " ", "models/", "a\r\nb"])
async def test_a_name_that_is_no_models_never_reaches_a_path(google: respx.MockRouter, model: str) -> None:
    async with gateway(google) as client:
        response = await client.post("/v1/chat/completions", json={**HI, "model": model}, headers=CALLER)
        dry = await client.post(
            "/v1/chat/completions", json={**HI, "model": model}, headers=CALLER | {"x-gemgate-dry-run": "true"}
        )
    assert not google.calls
    assert response.status_code == dry.status_code == 400
    assert response.json()["error"]["param"] == "model"


class TestRemoteMedia:
    URL = "https://example.com/cat.png"

    def body(self, *urls: str) -> dict[str, Any]:
        content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return {**HI, "messages": [{"role": "user", "content": content}]}

    async def test_remote_media_is_fetched_before_translation(
        self, google: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fetch(self: MediaFetcher, url: str, _budget: object = None) -> Inline:
            return Inline("image/png", "iVBORw0KGgo=")

        monkeypatch.setattr(MediaFetcher, "fetch", fetch)
        route = google.post(FLASH).respond(json=ANSWER)
        async with gateway(google) as client:
            await client.post("/v1/chat/completions", json=self.body(self.URL, self.URL), headers=CALLER)
        blob = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
        assert orjson.loads(route.calls.last.request.content)["contents"][0]["parts"] == [blob, blob]

    async def test_remote_media_that_cannot_be_fetched_is_refused_by_name(
        self, google: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fetch(self: MediaFetcher, url: str, _budget: object = None) -> Inline:
            raise MediaError("gone", "media_unreachable")

        monkeypatch.setattr(MediaFetcher, "fetch", fetch)
        async with gateway(google) as client:
            response = await client.post("/v1/chat/completions", json=self.body(self.URL), headers=CALLER)
        assert response.status_code == 400
        error = response.json()["error"]
        assert (error["param"], error["code"]) == ("messages[0].content[0].image_url.url", "media_unreachable")

    async def test_remote_media_is_not_fetched_from_private_addresses(self, google: respx.MockRouter) -> None:
        async with gateway(google) as client:
            response = await client.post(
                "/v1/chat/completions", json=self.body("https://169.254.169.254/latest"), headers=CALLER
            )
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "forbidden_url"

    async def test_remote_media_is_bounded_in_number(self, google: respx.MockRouter) -> None:
        async with gateway(google, media_max_urls=1) as client:
            response = await client.post(
                "/v1/chat/completions", json=self.body(self.URL, self.URL + "?2"), headers=CALLER
            )
        assert response.json()["error"]["param"] == "messages[0].content[1].image_url.url"

    async def test_remote_media_stays_unfetched_in_a_dry_run_and_where_google_fetches(
        self, google: respx.MockRouter
    ) -> None:
        dry = CALLER | {"x-gemgate-dry-run": "1"}
        async with gateway(google) as client:
            response = await client.post("/v1/chat/completions", json=self.body(self.URL), headers=dry)
            assert response.json()["body"]["contents"][0]["parts"][0]["inlineData"]["data"] == ""
        async with gateway(google, remote_media="google") as client:
            response = await client.post("/v1/chat/completions", json=self.body(self.URL), headers=dry)
            assert response.json()["body"]["contents"][0]["parts"] == [
                {"fileData": {"fileUri": self.URL, "mimeType": "image/png"}}
            ]
