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

pytestmark = pytest.mark.slow

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


COUNT = httpx.Response(200, json={"totalTokens": 5000})
MANAGED: dict[str, Any] = {"context_management": [{"type": "compaction", "compact_threshold": 40}]}
LONG: list[Any] = [
    {"role": "developer", "content": "Be kind"},
    {"role": "user", "content": "Hello there, who are you?"},
    {"role": "assistant", "content": "A model."},
    {"role": "user", "content": "What is the weather?"},
]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_above_its_threshold_is_compacted_before_it_is_answered(stream: bool) -> None:
    google = FakeGoogle(COUNT, SUMMARY, ANSWER)
    answer = await post(google, input=LONG, tools=[WEATHER], stream=stream, **MANAGED)
    if stream:
        events = read_events(answer.content)
        assert kinds(events)[:5] == [
            *("created", "in_progress", "output_item.added", "output_item.done", "output_item.added")
        ]
        assert [event.get("output_index") for event in events[2:5]] == [0, 0, 1]
        response = events[-1]["response"]
    else:
        response = answer.json()
    item, message = response["output"]
    assert (item["type"], message["content"][0]["text"]) == ("compaction", "Hello")
    assert item["encrypted_content"].startswith(SUMMARY_PREFIX)
    assert response["usage"]["input_tokens"] >= 9  # the summary is paid for as well
    Response.model_validate(response)
    counted, summarised, asked = google.bodies
    assert "generateContentRequest" in counted
    assert "tools" not in summarised
    assert asked["tools"]
    assert asked["systemInstruction"] == {"parts": [{"text": "Be kind"}]}
    (turn,) = asked["contents"]
    assert [part["text"] for part in turn["parts"]] == [
        "Summary of the conversation so far:\n\nWe said hello.",
        "What is the weather?",
    ]


async def test_a_compaction_that_an_answer_began_with_stands_for_all_before_it() -> None:
    google = FakeGoogle(COUNT, SUMMARY, ANSWER, ANSWER)
    async with in_process(gateway_app(google, retries=0, secret=["s"])) as client:
        body: dict[str, Any] = {"model": FLASH_25, "store": False, "input": LONG}
        output = (await client.post("/v1/responses", json={**body, **MANAGED})).json()["output"]
        body["input"] = [*LONG, *output, {"role": "user", "content": "Go on"}]
        assert (await client.post("/v1/responses", json=body)).status_code == 200
    asked = google.bodies[-1]
    assert asked["systemInstruction"] == {"parts": [{"text": "Be kind"}]}
    assert [[part["text"] for part in turn["parts"]] for turn in asked["contents"]] == [
        ["Summary of the conversation so far:\n\nWe said hello."],
        ["Hello"],
        ["Go on"],
    ]


async def test_the_last_calls_and_their_outputs_are_answered_as_they_are() -> None:
    google = FakeGoogle(COUNT, SUMMARY, ANSWER)
    other = {**CALL, "call_id": "d"}
    earlier = [other, {"type": "function_call_output", "call_id": "d", "output": "rain"}]
    last = [CALL, {"type": "function_call_output", "call_id": "c", "output": "sunny"}]
    await post(google, input=[*LONG, *earlier, *last], tools=[WEATHER], **MANAGED)
    user, call, response = google.bodies[-1]["contents"]
    assert user["parts"][-1]["text"] == "What is the weather?"
    assert len(call["parts"]) == 1
    assert response["parts"][0]["functionResponse"]["response"] == {"result": "sunny"}


@pytest.mark.parametrize(
    ("body", "methods"),
    [
        ({"input": LONG, "context_management": [{"type": "compaction", "compact_threshold": 9000}]}, 1),  # by its bytes
        ({"input": LONG, "context_management": [{"type": "compaction"}]}, 1),
        ({"input": LONG, "context_management": []}, 1),
        ({"input": "Hi", **MANAGED}, 1),  # nothing could be left out
    ],
)
async def test_a_conversation_that_is_short_enough_is_answered_at_once(body: Any, methods: int) -> None:
    google = FakeGoogle(ANSWER)
    answer = await post(google, **body)
    assert [item["type"] for item in answer.json()["output"]] == ["message"]
    assert len(google.methods) == methods


async def test_google_says_how_long_a_conversation_is() -> None:
    google = FakeGoogle(httpx.Response(200, json={"totalTokens": 40}), ANSWER)
    answer = await post(google, input=LONG, **MANAGED)
    assert [item["type"] for item in answer.json()["output"]] == ["message"]
    assert google.methods == ["countTokens", "generateContent"]


async def test_a_summary_that_fails_is_said_and_the_conversation_is_answered_as_it_is() -> None:
    refused = httpx.Response(400, json={"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}})
    google = FakeGoogle(COUNT, refused, ANSWER)
    answer = await post(google, input=LONG, **MANAGED)
    assert [item["type"] for item in answer.json()["output"]] == ["message"]
    assert answer.headers["x-gemgate-adjusted"] == "context_management->none"
    assert len(google.bodies[-1]["contents"]) == 3


async def test_a_prompt_that_is_blocked_behind_a_compaction_is_a_400() -> None:
    google = FakeGoogle(COUNT, SUMMARY, {"promptFeedback": {"blockReason": "SAFETY"}})
    answer = await post(google, input=LONG, **MANAGED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_prompt")


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("compaction", "context_management"),
        (["compaction"], "context_management[0]"),
        ([{"type": "clear"}], "context_management[0].type"),
        ([{"type": "compaction", "compact_threshold": 0}], "context_management[0].compact_threshold"),
        ([{"type": "compaction", "compact_threshold": True}], "context_management[0].compact_threshold"),
    ],
)
async def test_a_management_of_context_that_cannot_be_read_is_a_400(given: Any, param: str) -> None:
    answer = await post(FakeGoogle(ANSWER), input="Hi", context_management=given)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
