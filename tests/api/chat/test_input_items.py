"""A body of the Responses API that was sent to chat completions."""

from typing import Any

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
