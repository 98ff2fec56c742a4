"""Compaction by an item and by an endpoint, the way back, and the count of an input."""

from typing import Any

import httpx
import pytest
from openai.types.responses import Response
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle
from tests.support.responses import FLASH_25, WEATHER, kinds, read_events

from gemgate.api.responses.carrier import SUMMARY_PREFIX

SUMMARY = native({"text": "We said hello.", "thoughtSignature": "c2ln"}, finishReason="STOP") | {
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
}
ANSWER = native({"text": "Hello"}, finishReason="STOP")
CALL = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
ITEMS: list[Any] = [
    {"role": "developer", "content": "Be kind"},
    {"role": "user", "content": "Hi"},
    CALL,
    {"type": "function_call_output", "call_id": "c", "output": "sunny"},
    {"role": "assistant", "content": "Sunny."},
]
TRIGGER = {"type": "compaction_trigger"}


async def post(google: FakeGoogle, path: str = "/v1/responses", **body: Any) -> httpx.Response:
    async with in_process(gateway_app(google, retries=0, secret=["s"])) as client:
        return await client.post(path, json={"model": FLASH_25, "store": False, **body})


@pytest.mark.parametrize("stream", [False, True])
async def test_a_trigger_gives_exactly_one_item_and_asks_for_a_summary_without_tools(stream: bool) -> None:
    google = FakeGoogle(SUMMARY)
    answer = await post(google, input=[*ITEMS, TRIGGER], tools=[WEATHER], stream=stream)
    if stream:
        events = read_events(answer.content)
        assert kinds(events) == ["created", "in_progress", "output_item.added", "output_item.done", "completed"]
        response = events[-1]["response"]
        assert events[-2]["item"] == response["output"][0]
    else:
        response = answer.json()
    (item,) = response["output"]
    assert item["type"] == "compaction"
    assert item["encrypted_content"].startswith(SUMMARY_PREFIX)
    assert "hello" not in item["encrypted_content"]
    assert response["status"] == "completed"
    assert response["usage"]["input_tokens"] == 9
    Response.model_validate(response)
    (sent,) = google.bodies
    assert "tools" not in sent
    assert sent["systemInstruction"] == {"parts": [{"text": "Be kind"}]}
    assert "Summarise" in sent["contents"][-1]["parts"][-1]["text"]


async def test_a_compaction_comes_back_as_text_of_the_user() -> None:
    google = FakeGoogle(SUMMARY, ANSWER)
    async with in_process(gateway_app(google, retries=0, secret=["s"])) as client:
        body = {"model": FLASH_25, "store": False, "input": [*ITEMS, TRIGGER]}
        (item,) = (await client.post("/v1/responses", json=body)).json()["output"]
        body["input"] = [{"role": "user", "content": "Hi"}, item, {"role": "user", "content": "Go on"}]
        assert (await client.post("/v1/responses", json=body)).status_code == 200
    parts = google.bodies[1]["contents"][0]["parts"]
    assert parts[1]["text"] == "Summary of the conversation so far:\n\nWe said hello."


@pytest.mark.parametrize("foreign", ["gAAAAABfoo", "ggc1.foo", "", None])
async def test_a_compaction_of_another_service_is_a_400(foreign: Any) -> None:
    items = [{"type": "compaction", "encrypted_content": foreign}, {"role": "user", "content": "Hi"}]
    answer = await post(FakeGoogle(ANSWER), input=items)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input[0].encrypted_content"


async def test_a_trigger_in_the_middle_is_a_400() -> None:
    answer = await post(FakeGoogle(ANSWER), input=[TRIGGER, {"role": "user", "content": "Hi"}])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input[0]")


async def test_no_summary_is_an_error() -> None:
    answer = await post(FakeGoogle(native(finishReason="STOP")), input=[*ITEMS, TRIGGER])
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_no_answer")


async def test_the_endpoint_keeps_the_users_messages_before_the_item() -> None:
    google = FakeGoogle(SUMMARY)
    answer = await post(google, "/v1/responses/compact", input=ITEMS, prompt_cache_key="k")
    body = answer.json()
    assert body["object"] == "response.compaction"
    message, item = body["output"]
    assert message["content"] == [{"type": "input_text", "text": "Hi"}]
    assert message["id"].startswith("msg_")
    assert item["type"] == "compaction"
    assert google.methods == ["generateContent"]


async def test_the_endpoint_needs_a_model() -> None:
    async with in_process(gateway_app(FakeGoogle(SUMMARY))) as client:
        answer = await client.post("/v1/responses/compact", json={"input": "Hi"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


async def test_the_input_is_counted_with_instructions_and_tools() -> None:
    google = FakeGoogle(httpx.Response(200, json={"totalTokens": 11}))
    answer = await post(google, "/v1/responses/input_tokens", input="Hi", instructions="Be kind", tools=[WEATHER])
    assert answer.json() == {"object": "response.input_tokens", "input_tokens": 11}
    ((path, body),) = google.calls
    assert path == f"models/{FLASH_25}:countTokens"
    asked = body["generateContentRequest"]
    assert asked["model"] == f"models/{FLASH_25}"
    assert asked["systemInstruction"] == {"parts": [{"text": "Be kind"}]}
    assert asked["tools"][0]["functionDeclarations"][0]["name"] == "get_weather"
    assert "store" not in asked


@pytest.mark.parametrize("path", ["/v1/responses/compact", "/v1/responses/input_tokens"])
async def test_a_dry_run_calls_nobody(path: str) -> None:
    google = FakeGoogle(ANSWER)
    async with in_process(gateway_app(google)) as client:
        answer = await client.post(path, json={"model": FLASH_25, "input": "Hi"}, headers={"x-gemgate-dry-run": "1"})
    assert answer.json()["object"] == "gemgate.dry_run"
    assert google.requests == []
