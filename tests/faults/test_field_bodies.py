"""Bodies that JavaScript clients have damaged: half of a surrogate pair, where an emoji was cut."""

from typing import Any

import orjson
import pytest
from tests.support.chat import chat_options

from gemgate.api.chat.request import to_gemini
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.errors import ApiError
from gemgate.translation.validation import parse

BODY = rb"""{"model": "gemini-2.5-flash", "messages": [
    {"role": "system", "content": "system HALF"},
    {"role": "user", "content": "cut HALF", "name": "HALF"},
    {"role": "assistant", "content": null, "tool_calls": [
        {"id": "c", "type": "function", "function": {
            "name": "f", "arguments": "{\"a\": \"HALF\", \"b\": \"\HALF\"}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "result HALF"}]},
    {"role": "user", "content": [{"type": "text", "text": "HALF end"}]}],
  "tools": [{"type": "function", "function": {"name": "f", "description": "does HALF"}}]}"""


def native(raw: bytes) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(orjson.dumps(to_gemini(parse(ChatCompletionRequest, raw), chat_options()).body))
    return body


@pytest.mark.parametrize("half", [rb"\ud83d", rb"\ude00", rb"\uD83D", rb"\ude00\ud83d"])
def test_half_an_emoji_becomes_the_replacement_character_wherever_it_is(half: bytes) -> None:
    body = native(BODY.replace(b"HALF", half))
    shown = "\ufffd" * (len(half) // 6)
    assert body["systemInstruction"] == {"parts": [{"text": f"system {shown}"}]}
    turns = body["contents"]
    assert turns[0]["parts"] == [{"text": f"cut {shown}"}]
    assert turns[1]["parts"][0]["functionCall"]["args"] == {"a": shown, "b": shown}
    assert turns[2]["parts"][0]["functionResponse"]["response"] == {"result": f"result {shown}"}
    assert turns[3]["parts"] == [{"text": f"{shown} end"}]
    assert body["tools"][0]["functionDeclarations"][0]["description"] == f"does {shown}"


def test_whole_emojis_and_escaped_backslashes_stay_as_they_are() -> None:
    raw = rb'{"model": "m", "messages": [{"role": "user", "content": "\ud83d\ude00 \\ud83d \ud83d"}]}'
    assert parse(ChatCompletionRequest, raw).messages[0]["content"] == "\U0001f600 \\ud83d \ufffd"


def test_half_an_emoji_and_a_large_number_go_together() -> None:
    large = 123456789012345678901234567890
    raw = rb'{"model": "m", "metadata": {"id": %d}, "messages": [{"role": "user", "content": "\ud83d"}]}' % large
    assert parse(ChatCompletionRequest, raw).metadata == {"id": large}


def test_half_an_emoji_in_a_key_of_an_object_is_replaced() -> None:
    raw = rb'{"model": "m", "messages": [{"role": "user", "content": "x"}], "metadata": {"\ud83d": "1"}}'
    assert parse(ChatCompletionRequest, raw).metadata == {"\ufffd": "1"}


def test_half_an_emoji_in_a_result_that_is_json_is_replaced_and_the_result_stays_an_object() -> None:
    raw = BODY.replace(b"result HALF", rb"{\"n\": \"\\ud83d\"}").replace(rb"\HALF", b"x").replace(b"HALF", b"x")
    assert native(raw)["contents"][2]["parts"][0]["functionResponse"]["response"] == {"n": "\ufffd"}


def test_a_body_that_is_broken_otherwise_is_still_refused() -> None:
    with pytest.raises(ApiError) as caught:
        parse(ChatCompletionRequest, rb'{"model": "m", "messages": [{"role": "user", "content": "\ud83d')
    assert caught.value.code == "invalid_json"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"\xed\xa0\xbd", "\ufffd"),
        (b"a\xed\xb8\x80b", "a\ufffdb"),
        (b"\xed\xa0\xbd\xed\xb8\x80", "\U0001f600"),
        ("\U0001f600\xe9".encode() + b"\xed\xa0\xbd", "\U0001f600\xe9\ufffd"),
    ],
)
def test_half_an_emoji_that_was_written_as_bytes_is_replaced_too(written: bytes, read: str) -> None:
    raw = b'{"model": "m", "messages": [{"role": "user", "content": "HALF"}]}'.replace(b"HALF", written)
    assert parse(ChatCompletionRequest, raw).messages[0]["content"] == read


def test_a_byte_order_mark_before_a_body_says_nothing() -> None:
    raw = b'\xef\xbb\xbf{"model": "m", "messages": [{"role": "user", "content": "x"}]}'
    assert parse(ChatCompletionRequest, raw).messages[0]["content"] == "x"


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(ApiError) as caught:
        parse(ChatCompletionRequest, b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}')
    assert caught.value.code == "invalid_json"
