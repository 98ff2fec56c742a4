"""`GET /models` and `GET /models/{model}`, from the caller to Google and back."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest
from tests.support.clock import FakeClock
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, failure
from tests.support.server import serve

from gemgate.gemini.model_list import ModelList

pytestmark = pytest.mark.slow

MODELS = {
    "models": [
        {"name": "models/gemini-2.5-flash", "supportedGenerationMethods": ["generateContent"], "thinking": True},
        {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]},
    ]
}
DOWN = failure(503, "The service is unavailable.", reason="UNAVAILABLE")


async def get(path: str, **headers: str) -> httpx.Response:
    async with in_process(gateway_app(FakeGoogle(MODELS))) as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize(("prefix", "before"), [("/v1", ""), ("/v1beta/openai", "models/")])
async def test_the_list_has_bare_names_or_googles_by_its_prefix(prefix: str, before: str) -> None:
    response = await get(f"{prefix}/models")
    listed = response.json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == [f"{before}gemini-2.5-flash", f"{before}gemini-embedding-001"]
    assert {(type(model["created"]), model["owned_by"], model["object"]) for model in listed["data"]} == {
        (int, "google", "model")
    }
    assert "x-gemgate-stale" not in response.headers


@pytest.mark.parametrize("name", ["gemini-2.5-flash", "models/gemini-2.5-flash", "models%2Fgemini-2.5-flash"])
@pytest.mark.parametrize(("prefix", "before"), [("/v1", ""), ("/v1beta/openai", "models/")])
async def test_a_model_is_found_by_either_spelling(prefix: str, before: str, name: str) -> None:
    model = (await get(f"{prefix}/models/{name}")).json()
    assert (model["id"], model["object"]) == (f"{before}gemini-2.5-flash", "model")
    assert model["capabilities"]["thinking"] == "budget"


@pytest.mark.parametrize("name", ["gpt-9", "models/gpt-9", "tunedModels/x", "..%2Fsecret", "x" * 5000])
async def test_a_model_that_google_does_not_list_is_openais_404(name: str) -> None:
    response = await get(f"/v1/models/{name}")
    error = response.json()["error"]
    assert response.status_code == 404
    assert error["message"].endswith("` does not exist or you do not have access to it.")
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "model", "model_not_found")
    assert len(error["message"]) < 300


@pytest.mark.parametrize("name", ["gemini-2.5-flash", "models%2Fgemini-2.5-flash"])
async def test_deleting_a_model_is_refused_with_the_reason(name: str) -> None:
    async with in_process(gateway_app(FakeGoogle(MODELS))) as client:
        response = await client.delete(f"/v1/models/{name}")
    assert response.status_code == 403
    assert "cannot be deleted" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/models"), ("GET", "/v1/models/x"), ("DELETE", "/v1/models/x")]
)
@pytest.mark.parametrize("dry_run", ["true", "false"])
async def test_models_are_only_for_who_presents_a_key(method: str, path: str, dry_run: str) -> None:
    google = FakeGoogle(MODELS)
    async with in_process(gateway_app(google)) as client:
        response = await client.request(method, path, headers={"authorization": "", "x-gemgate-dry-run": dry_run})
    assert (response.status_code, google.requests) == (401, [])


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/gemini-2.5-flash"])
async def test_a_dry_run_shows_the_native_request_and_calls_nobody(path: str) -> None:
    google = FakeGoogle(MODELS)
    async with in_process(gateway_app(google)) as client:
        response = await client.get(path, headers={"x-gemgate-dry-run": "true"})
    assert google.requests == []
    assert response.json() == {
        "object": "gemgate.dry_run",
        "method": "GET",
        "path": "/v1beta/models?pageSize=1000",
        "body": None,
        "calls": 1,
        "dropped_params": [],
        "adjusted": [],
    }


async def test_the_list_is_kept_and_told_to_be_old_while_google_is_down() -> None:
    google, clock = FakeGoogle(MODELS), FakeClock()
    app = gateway_app(google, retries=0)
    async with in_process(app) as client, ModelList(app.state.services.gemini, ttl=300, clock=clock) as models:
        app.state.services = replace(app.state.services, models=models)
        fresh = await client.get("/v1/models")
        await client.get("/v1/models/gemini-2.5-flash")
        assert len(google.requests) == 1
        google.answers = [DOWN]
        clock.now += 300
        stale = await client.get("/v1/models")
        one = await client.get("/v1/models/gemini-2.5-flash")
        assert (await client.get("/v1/models/gpt-9")).status_code == 404
    assert stale.content == fresh.content
    assert set(google.keys) == {"caller-key"}
    assert stale.headers["x-gemgate-stale"] == one.headers["x-gemgate-stale"] == "true"
    assert len(google.requests) == 2


async def test_without_an_old_list_googles_failure_is_the_answer() -> None:
    google = FakeGoogle(DOWN)
    async with in_process(gateway_app(google)) as client:
        response = await client.get("/v1/models")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "server_overloaded")


async def test_many_who_ask_at_once_cost_one_call() -> None:
    google = FakeGoogle(MODELS)
    async with in_process(gateway_app(google)) as client:
        answers = await asyncio.gather(*(client.get("/v1/models") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(google.requests) == 1


async def test_the_operators_facts_are_what_a_model_can_do() -> None:
    facts = {"gemini-2.5-*": {"thinking": "level", "levels": ["LOW"]}}
    async with in_process(gateway_app(FakeGoogle(MODELS), model_facts=facts)) as client:
        capabilities: Any = (await client.get("/v1/models/gemini-2.5-flash")).json()["capabilities"]
    assert (capabilities["thinking"], capabilities["thinking_levels"]) == ("levels", ["low"])


def test_the_official_client_lists_finds_and_is_refused() -> None:
    with (
        serve(gateway_app(FakeGoogle(MODELS))) as origin,
        openai.OpenAI(api_key="caller-key", base_url=f"{origin}/v1", max_retries=0) as client,
    ):
        assert [model.id for model in client.models.list()] == ["gemini-2.5-flash", "gemini-embedding-001"]
        assert client.models.retrieve("models/gemini-2.5-flash").id == "gemini-2.5-flash"
        with pytest.raises(openai.NotFoundError) as missing:
            client.models.retrieve("gpt-9")
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.PermissionDeniedError):
            client.models.delete("gemini-2.5-flash")
