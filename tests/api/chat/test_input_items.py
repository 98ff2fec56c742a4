"""A body of the Responses API that was sent to chat completions."""

from typing import Any

import orjson
import pytest
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle

from gemgate.api.chat.completion import parse_chat
from gemgate.errors import ApiError

ANSWER = native({"text": "Hello"}, finishReason="STOP")
FLAT = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
ITEMS: list[Any] = [
    {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
    {"type": "function_call", "call_id": "a", "name": "get_weather", "arguments": "{}"},
    {"type": "function_call", "call_id": "b", "name": "get_weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "a", "output": "sunny"},
    {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "rainy"}]},
]


async def sent(google: FakeGoogle, **body: Any) -> Any:
    async with in_process(gateway_app(google, retries=0)) as client:
        answer = await client.post("/v1/chat/completions", json={"model": "gemini-2.5-flash", **body})
    assert answer.status_code == 200, answer.text
    assert answer.json()["object"] == "chat.completion"
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    return google.bodies[-1]


async def test_items_and_flat_tools_are_answered_in_the_form_of_chat() -> None:
    native_request = await sent(FakeGoogle(ANSWER), input=ITEMS, tools=[FLAT], instructions="Be kind")
    assert native_request["systemInstruction"] == {"parts": [{"text": "Be kind"}]}
    assert [turn["role"] for turn in native_request["contents"]] == ["user", "model", "user"]
    assert len(native_request["contents"][1]["parts"]) == 3
    assert len(native_request["contents"][2]["parts"]) == 2
    assert native_request["tools"][0]["functionDeclarations"][0]["name"] == "get_weather"


async def test_text_length_and_format_are_understood() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    text = {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}}
    native_request = await sent(FakeGoogle(ANSWER), input="Hi", max_output_tokens=50, text=text)
    assert native_request["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    config = native_request["generationConfig"]
    assert (config["maxOutputTokens"], config["responseMimeType"]) == (50, "application/json")


async def test_a_stream_is_one_of_chunks() -> None:
    google = FakeGoogle(ANSWER)
    body = {"model": "gemini-2.5-flash", "input": ITEMS, "tools": [FLAT], "stream": True}
    async with in_process(gateway_app(google, retries=0)) as client:
        answer = await client.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    chunks = [orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "Hello"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "event: response." not in answer.text


async def test_a_call_is_answered_as_chats_are() -> None:
    call = native({"functionCall": {"name": "get_weather", "args": {}}}, finishReason="STOP")
    choice = {"type": "function", "name": "get_weather"}
    google = FakeGoogle(call)
    async with in_process(gateway_app(google, retries=0)) as client:
        body = {"model": "gemini-2.5-flash", "input": "Hi", "tools": [FLAT], "tool_choice": choice}
        answer = (await client.post("/v1/chat/completions", json=body)).json()
    (made,) = answer["choices"][0]["message"]["tool_calls"]
    assert (made["type"], made["function"]) == ("function", {"name": "get_weather", "arguments": "{}"})
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    calling = google.bodies[0]["toolConfig"]["functionCallingConfig"]
    assert calling["allowedFunctionNames"] == ["get_weather"]


async def test_images_reasoning_and_what_only_responses_have_are_understood() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}
    asked = [{"role": "user", "content": [{"type": "input_text", "text": "What is it?"}, image]}]
    more = {"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"], "store": False}
    native_request = await sent(FakeGoogle(ANSWER), input=asked, prompt_cache_key="k", **more)
    parts = native_request["contents"][0]["parts"]
    assert parts[0] == {"text": "What is it?"}
    assert parts[1]["inlineData"]["mimeType"] == "image/png"
    assert native_request["generationConfig"]["thinkingConfig"]


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b'{"model": "m"}', "messages"),
        (b'{"model": "m", "input": 5}', "messages"),
        (b'{"model": "m", "input": []}', "messages"),
        (b'{"model": "m", "input": [{"type": "hologram"}]}', "messages[0].role"),
        (b'{"model": "m", "input": [null]}', "messages[0]"),
    ],
)
def test_what_is_neither_is_refused_as_before(raw: bytes, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_chat(raw)
    assert caught.value.param == param
