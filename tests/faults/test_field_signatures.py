"""Thought signatures that clients send back: damaged, of other vendors, and in the spellings of other gateways."""

from typing import Any

import pytest
from tests.faults.spellings import SIGNATURE, SIGNED
from tests.faults.test_field_histories import accepted
from tests.support.chat import FLASH_3, FLASH_25, USER, chat_options, tool_result, translate

from gemgate.api.chat.messages import unsigned_calls
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.translation.thought_signatures import NO_SIGNATURE, call_key

WRONG = ["bad sig!", "###", "not!valid!!signature@@", '{"type": "reasoning.encrypted"}', "abcde", "YQ=", "a b", "é"]
CODE = {"code": "1", "language": "PYTHON"}
GOOD = "c2lnbmF0dXJl"


def spelled(signature: str) -> dict[str, Any]:
    return {"extra_content": {"google": {"thought_signature": signature}}}


def call(**fields: Any) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, **fields}


def of_call(one: dict[str, Any], *, model: str = FLASH_3, options: Any = None, **message: Any) -> tuple[Any, list[str]]:
    """The signature on the first call, and the notes."""
    messages = [USER, {"role": "assistant", "content": None, "tool_calls": [one], **message}, tool_result("c", "x")]
    translation = accepted(translate(options, model=model, messages=messages))
    return translation.body["contents"][1]["parts"][0].get("thoughtSignature"), translation.notes.adjusted


NOTE = "messages[1].tool_calls[0].thought_signature->"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_value_that_is_no_signature_is_replaced_on_a_call(wrong: str) -> None:
    assert of_call(call(**spelled(wrong))) == (NO_SIGNATURE, [f"{NOTE}placeholder"])
    assert of_call(call(**spelled(wrong)), model=FLASH_25) == (None, [f"{NOTE}none"])
    stored = chat_options()
    stored.signatures.put(call_key("", "c", "f", {}), GOOD)
    assert of_call(call(**spelled(wrong)), options=stored) == (GOOD, [f"{NOTE}stored"])


@pytest.mark.parametrize("wrong", WRONG)
def test_a_value_that_is_no_signature_is_left_out_on_text_and_on_parts(wrong: str) -> None:
    google = {"thought_signature": wrong, "parts": [{"executableCode": CODE, "thoughtSignature": wrong}]}
    image = {"type": "image_url", "image_url": {"url": "gs://b/o.png"}, **spelled(wrong)}
    message = {"role": "assistant", "content": "hello", "images": [image], "extra_content": {"google": google}}
    translation = accepted(translate(model=FLASH_3, messages=[USER, message, USER]))
    assert not any("thoughtSignature" in part for part in translation.body["contents"][1]["parts"])
    assert translation.notes.adjusted == ["messages[1].thought_signature->none"]


@pytest.mark.parametrize("good", [GOOD, "c2lnbmF0dXI", "-_-_", "a+/=", "QUI="])
def test_base64_in_both_alphabets_is_passed_on(good: str) -> None:
    assert of_call(call(**spelled(good))) == (good, [])


def test_a_wrong_value_gives_way_to_a_right_one_in_another_spelling() -> None:
    assert of_call(call(**spelled("bad sig!"), thought_signature=GOOD)) == (GOOD, [])


def test_the_store_is_asked_for_calls_with_a_wrong_value() -> None:
    body = {"model": FLASH_3, "messages": [{"role": "assistant", "tool_calls": [call(**spelled("###"))]}]}
    assert len(unsigned_calls(ChatCompletionRequest.model_validate(body).messages, "")) == 1


@pytest.mark.parametrize("message", SIGNED)
def test_signatures_in_other_gateways_fields_for_thoughts_are_read(message: dict[str, Any]) -> None:
    signature, notes = of_call(call(), **message)
    assert signature == SIGNATURE
    assert len(notes) == 1
    said = {"content": "Well.", **message}
    if isinstance(said["content"], list):
        said["content"] = [*said["content"], {"type": "text", "text": "Well."}]
    turns = accepted(translate(model=FLASH_3, messages=[USER, {"role": "assistant", **said}, USER])).body["contents"]
    if "c" not in str(message.get("reasoning_details")).replace("reasoning.encrypted", ""):
        assert turns[1]["parts"] == [{"text": "Well.", "thoughtSignature": SIGNATURE}]


def test_googles_content_may_be_called_vertex() -> None:
    assert of_call(call(extra_content={"vertex": {"thought_signature": GOOD}})) == (GOOD, [])


@pytest.mark.parametrize(
    "detail",
    [
        {"type": "reasoning.encrypted", "data": GOOD, "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": GOOD, "id": "another"},
    ],
)
def test_signatures_of_other_models_and_other_calls_are_not_read(detail: dict[str, Any]) -> None:
    assert of_call(call(), reasoning_details=[detail])[0] == NO_SIGNATURE


def test_what_is_stored_goes_before_the_fields_for_thoughts() -> None:
    stored = chat_options()
    stored.signatures.put(call_key("", "c", "f", {}), "c3RvcmVk")
    assert of_call(call(), options=stored, reasoning_signature=GOOD)[0] == "c3RvcmVk"
