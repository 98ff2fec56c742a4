"""A gateway before the emulator as Vertex AI: it refuses what Vertex AI refuses, so that flows prove the table."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from tests.support.vertex import FakeTokens, holding, vertex_gateway

from gemgate.cli.check import check_keys
from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread
from gemgate.settings import Settings

pytestmark = pytest.mark.integration

MODEL = "gemini-3.8-flash"
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    with serve_in_thread(app=create_emulator()) as url:
        yield url


@pytest.fixture(scope="module")
def token(emulator: str) -> str:
    """An access token of the machine that the emulator says it is."""
    url = f"{emulator}/computeMetadata/v1/instance/service-accounts/default/token"
    given: str = httpx.get(url, headers={"metadata-flavor": "Google"}).json()["access_token"]
    return given


@pytest.fixture
async def client(emulator: str, token: str) -> AsyncIterator[httpx.AsyncClient]:
    async with vertex_gateway(tokens=FakeTokens(token), vertex_endpoint=emulator) as client:
        yield client


async def ask(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answered = await client.post(path, json={"model": MODEL, **body})
    assert answered.status_code == 200, answered.text
    return answered.json() if not body.get("stream") else answered.text


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
async def test_a_conversation_with_tools_goes_to_its_end(client: httpx.AsyncClient, prefix: str) -> None:
    path = f"{prefix}/chat/completions"
    messages: list[dict[str, Any]] = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]
    first = await ask(client, path, messages=messages, tools=[WEATHER], tool_choice="required", service_tier="flex")
    message = first["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert first["service_tier"] == "flex"
    messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}]
    last = await ask(client, path, messages=messages, tools=[WEATHER])
    assert last["choices"][0]["finish_reason"] == "stop"
    stream = await ask(client, path, messages=messages, tools=[WEATHER], stream=True)
    assert stream.rstrip().endswith("data: [DONE]")


async def test_responses_embeddings_counts_and_models_are_there(client: httpx.AsyncClient) -> None:
    made = await ask(client, "/v1/responses", input="Hello", tools=[{"type": "web_search"}])
    assert made["status"] == "completed"
    counted = await ask(client, "/v1/responses/input_tokens", input="Hello", instructions="Be short.")
    assert counted["input_tokens"] > 0
    for model, size in (("gemini-embedding-001", 128), ("gemini-embedding-2", 128)):
        found = await ask(client, "/v1/embeddings", model=model, input=["a", "b"], dimensions=size)
        assert [len(item["embedding"]) for item in found["data"]] == [size, size]
        assert found["usage"]["prompt_tokens"] > 0
    names = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
    assert MODEL in names


async def test_a_model_that_its_location_lacks_is_missing(emulator: str, token: str) -> None:
    settings: dict[str, Any] = {"vertex_endpoint": emulator, "google_cloud_location": "us-central1"}
    async with vertex_gateway(tokens=FakeTokens(token), **settings) as client:
        refused = await client.post(
            "/v1/chat/completions", json={"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
        )
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found"), refused.text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Vertex AI in my-project, global, works"),
        ({"google_cloud_location": "us-central1", "models": f"x={MODEL}"}, "GEMGATE_VERTEX_LOCATIONS"),
        ({"google_cloud_location": "mars-east1"}, "is not Vertex AI: check the location"),
        ({"vertex_endpoint": "http://127.0.0.1:1"}, "cannot be reached"),
    ],
)
async def test_the_check_says_in_a_sentence_what_is_missing(
    emulator: str, token: str, more: dict[str, Any], said: str
) -> None:
    fields = {"upstream": "vertex", "google_cloud_project": "my-project", "vertex_endpoint": emulator, **more}
    with holding(FakeTokens(token)):
        (found,) = await check_keys(Settings(_env_file=None, gemini_api_key=(), client_keys=(), **fields))
    assert said in found.sentence
    assert found.is_good is not bool(more)


@pytest.mark.parametrize(
    ("bucket", "said"),
    [
        ("a-bucket", "gs://a-bucket works"),
        ("missing-bucket", "GEMGATE_VERTEX_BUCKET does not exist"),
        ("foreign-bucket", "it needs the role roles/storage.objectUser"),
    ],
)
async def test_the_check_writes_into_the_bucket(emulator: str, token: str, bucket: str, said: str) -> None:
    place = {"vertex_endpoint": emulator, "vertex_storage_endpoint": f"{emulator}/storage", "vertex_bucket": bucket}
    fields: dict[str, Any] = {"upstream": "vertex", "google_cloud_project": "my-project", **place}
    with holding(FakeTokens(token)):
        way, found = await check_keys(Settings(_env_file=None, gemini_api_key=(), client_keys=(), **fields))
    assert way.is_good
    assert said in found.sentence
    assert found.is_good is (bucket == "a-bucket")


async def test_the_check_repeats_why_no_token_came(emulator: str) -> None:
    tokens = FakeTokens()
    tokens.failure = "there are no Google credentials: name a file in GOOGLE_APPLICATION_CREDENTIALS"
    fields: dict[str, Any] = {"upstream": "vertex", "google_cloud_project": "my-project", "vertex_endpoint": emulator}
    with holding(tokens):
        (found,) = await check_keys(Settings(_env_file=None, gemini_api_key=(), client_keys=(), **fields))
    assert not found.is_good
    assert "there are no Google credentials" in found.sentence
