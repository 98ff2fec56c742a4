"""Histories as agents send them: cut, condensed, damaged, and of other models."""

from typing import Any

import pytest
from tests.support.chat import (
    FLASH_3,
    FLASH_25,
    USER,
    assistant_calls,
    chat_options,
    function_tool,
    tool_result,
    translate,
)

from gemgate.api.chat.request import ChatTranslation
from gemgate.emulator.families import find
from gemgate.emulator.rules import refusal
from gemgate.errors import ApiError

CALL = assistant_calls(("c", "f", "{}"))
RESULT = tool_result("c", "x")
SYSTEM = {"role": "system", "content": "Be brief."}
TEXT = {"role": "assistant", "content": "Let me see."}
EMPTY = {"role": "user", "content": ""}


def accepted(translation: ChatTranslation) -> ChatTranslation:
    """The translation, which Google takes."""
    family = find(translation.model.removeprefix("models/"))
    assert family is not None
    refused = refusal(family, dict(translation.body))
    assert refused is None, refused
    return translation


@pytest.mark.parametrize("model", [FLASH_25, FLASH_3])
@pytest.mark.parametrize(
    ("messages", "note"),
    [
        ([CALL, RESULT, USER], "messages[0]=+user"),
        ([CALL, RESULT], "messages[0]=+user"),
        ([SYSTEM, CALL, RESULT, USER], "messages[1]=+user"),
        ([TEXT, CALL, RESULT, USER], "messages[0]=+user"),
        ([SYSTEM, TEXT, CALL, RESULT, USER], "messages[1]=+user"),
        ([EMPTY, CALL, RESULT, USER], "messages[1]=+user"),
        ([{"role": "user", "content": []}, TEXT, CALL, RESULT, USER], "messages[1]=+user"),
        ([{"role": "assistant", "content": ""}, CALL, RESULT, USER], "messages[0]=+user"),
        (
            [
                {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
                {"role": "function", "name": "f", "content": "x"},
            ],
            "messages[0]=+user",
        ),
    ],
)
def test_a_history_that_begins_with_a_call_gets_a_user_turn_first(
    model: str, messages: list[dict[str, Any]], note: str
) -> None:
    translation = accepted(translate(model=model, messages=messages, tools=[function_tool("f")]))
    first, second = translation.body["contents"][:2]
    assert first["role"] == "user"
    assert second["role"] == "model"
    assert translation.notes.adjusted == [note]


@pytest.mark.parametrize(
    "messages",
    [
        [USER, CALL, RESULT],
        [USER, TEXT, CALL, RESULT, USER],
        [USER, CALL, RESULT, TEXT, assistant_calls(("d", "f", "{}")), tool_result("d", "y")],
        [USER, CALL, RESULT, EMPTY, assistant_calls(("d", "f", "{}")), tool_result("d", "y")],
    ],
)
def test_a_history_that_begins_with_the_user_is_left_alone(messages: list[dict[str, Any]]) -> None:
    translation = accepted(translate(messages=messages, tools=[function_tool("f")]))
    assert translation.body["contents"][0]["parts"] == [{"text": "Hi"}]
    assert translation.notes.adjusted == []


def test_a_history_that_begins_with_text_of_the_model_is_left_alone() -> None:
    assert translate(messages=[TEXT, USER]).body["contents"][0]["role"] == "model"


def history(arguments: Any, **message: Any) -> list[dict[str, Any]]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [USER, {"role": "assistant", "content": None, "tool_calls": [call], **message}, RESULT]


def args(translation: ChatTranslation) -> Any:
    return accepted(translation).body["contents"][1]["parts"][0]["functionCall"]["args"]


@pytest.mark.parametrize("arguments", ["[]", "", None, "null", "[ ]", " ", [], {}, "{}", '""'])
def test_no_arguments_are_an_empty_object_without_a_word(arguments: Any) -> None:
    translation = translate(messages=history(arguments))
    assert args(translation) == {}
    assert translation.notes.adjusted == []


def test_a_call_without_the_field_has_no_arguments() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f"}}
    assert args(translate(messages=[USER, {"role": "assistant", "tool_calls": [call]}, RESULT])) == {}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"path": "a.py", "text": "cut he', {"path": "a.py", "text": "cut he"}),
        ('{"text": "cut \\', {"text": "cut "}),
        ('{"text": "cut \\u00', {"text": "cut "}),
        ('{"text": "a quote \\"', {"text": 'a quote "'}),
        ('{"items": [{"a": 1}, {"b": "x', {"items": [{"a": 1}, {"b": "x"}]}),
        ('{"items": [1, 2,', {"items": [1, 2]}),
        ('{"a": 1', {"a": 1}),
        ('{"text": "two\nlines"}', {"text": "two\nlines"}),
        ('{"a": 1, "b": [1, 2,],}', {"a": 1, "b": [1, 2]}),
        ('{"a": 1}{"b": 2}', {"a": 1}),
        ('{"a": 1}\n{"b": 2}', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
    ],
)
def test_damaged_arguments_are_repaired_and_the_header_names_the_message(
    arguments: str, expected: dict[str, Any]
) -> None:
    translation = translate(messages=history(arguments))
    assert args(translation) == expected
    assert translation.notes.adjusted == ["messages[1].tool_calls[0].function.arguments->repaired"]


@pytest.mark.parametrize(
    "arguments", ["call it with 5", "[1, 2]", "5", "true", '"text"', "{a: 1}", '{"a": tru', "[" * 5000]
)
def test_arguments_that_are_no_object_are_kept_as_text(arguments: str) -> None:
    translation = translate(messages=history(arguments))
    assert args(translation) == {"_raw": arguments}
    assert translation.notes.adjusted == ["messages[1].tool_calls[0].function.arguments->_raw"]


@pytest.mark.parametrize("arguments", ["call it with 5", "[1, 2]", '{"a": "cut', '{"a": 1}{"b": 2}'])
def test_arguments_that_are_no_object_are_refused_under_the_strict_policy(arguments: str) -> None:
    with pytest.raises(ApiError) as caught:
        translate(chat_options(unsupported_params="strict"), messages=history(arguments))
    assert (caught.value.status, caught.value.param) == (400, "messages[1].tool_calls[0].function.arguments")


def test_damaged_arguments_of_a_legacy_call_are_repaired_too() -> None:
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": "cut'}}
    translation = translate(messages=[USER, call, {"role": "function", "name": "f", "content": "x"}])
    assert args(translation) == {"a": "cut"}
    assert translation.notes.adjusted == ["messages[1].function_call.arguments->repaired"]


LARGE = 123456789012345678901234567890


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f'{{"id": {LARGE}}}', {"id": str(LARGE)}),
        (f'{{"ids": [{-LARGE}, 7, {{"id": {2**64}}}]}}', {"ids": [str(-LARGE), 7, {"id": str(2**64)}]}),
        ('{"id": 10000000000000001}', {"id": "10000000000000001"}),
        ('{"id": 9007199254740992, "x": -0.5, "s": "12345678901234567890"}',) * 2,
    ],
)
def test_integers_that_a_double_cannot_hold_keep_their_digits(text: str, value: Any) -> None:
    import orjson

    value = orjson.loads(value) if isinstance(value, str) else value
    translation = accepted(translate(messages=[*history(text)[:2], tool_result("c", text)]))
    turns = translation.body["contents"]
    assert turns[1]["parts"][0]["functionCall"]["args"] == value
    assert turns[2]["parts"][0]["functionResponse"]["response"] == value


def test_integers_in_bare_objects_keep_their_digits() -> None:
    content = {"ids": [LARGE, 1]}
    turns = translate(messages=[*history({"id": LARGE})[:2], tool_result("c", content)]).body["contents"]
    assert turns[1]["parts"][0]["functionCall"]["args"] == {"id": str(LARGE)}
    assert turns[2]["parts"][0]["functionResponse"]["response"] == {"ids": [str(LARGE), 1]}


@pytest.mark.parametrize(
    ("texts", "response"),
    [
        (["line one", "line two"], {"result": "line one\nline two"}),
        (["a", "b", "c"], {"result": "a\nb\nc"}),
        (["a", "", "c"], {"result": "a\nc"}),
        (['{"a":1}', '{"b":2}'], {"result": [{"a": 1}, {"b": 2}]}),
        (["[1]", ' {"b":2}', "[]"], {"result": [[1], {"b": 2}, []]}),
        (['{"a":1}', "and text"], {"result": '{"a":1}\nand text'}),
        (['{"a":1}', "{broken"], {"result": '{"a":1}\n{broken'}),
        (["1.10", "2.0"], {"result": "1.10\n2.0"}),
        (['{"a":1}'], {"a": 1}),
        (['{"a":1}', ""], {"a": 1}),
        ([f'{{"id":{LARGE}}}', "{}"], {"result": [{"id": str(LARGE)}, {}]}),
        (["", ""], {"result": ""}),
    ],
)
@pytest.mark.parametrize("role", ["tool", "function"])
def test_several_blocks_of_a_result_stay_apart(texts: list[str], response: dict[str, Any], role: str) -> None:
    parts = [{"type": "text", "text": text} for text in texts]
    result = {"role": role, "tool_call_id": "c", "name": "f", "content": parts}
    translation = accepted(translate(messages=[USER, CALL, result]))
    assert translation.body["contents"][2]["parts"][0]["functionResponse"]["response"] == response


def test_blocks_that_refer_to_parts_are_text() -> None:
    parts = [{"type": "text", "text": '{"$ref":"#/a"}'}, {"type": "text", "text": '{"b":2}'}]
    translation = translate(messages=[USER, CALL, tool_result("c", parts)])
    response = translation.body["contents"][2]["parts"][0]["functionResponse"]["response"]
    assert response == {"result": '[{"$ref":"#/a"},{"b":2}]'}


@pytest.mark.parametrize(
    ("messages", "cut"),
    [
        ([USER, {"role": "assistant", "content": "plan"}, {"role": "assistant", "content": "draft"}], [1, 2]),
        ([USER, {"role": "assistant", "content": "answer"}, EMPTY], [1]),
        ([USER, {"role": "assistant", "content": ""}, {"role": "assistant", "content": "draft"}], [2]),
        ([USER, TEXT, EMPTY, TEXT, {"role": "user", "content": [{"type": "text", "text": ""}]}], [1, 3]),
        ([USER, CALL, RESULT, TEXT], [3]),
        ([USER, TEXT, {"role": "system", "content": ""}], [1]),
    ],
)
def test_each_message_of_the_assistants_that_is_cut_at_the_end_is_named(
    messages: list[dict[str, Any]], cut: list[int]
) -> None:
    translation = accepted(translate(model="gemini-3.6-flash", messages=messages))
    assert translation.notes.adjusted == [f"messages[{index}]->none" for index in cut]
    assert translation.body["contents"][-1]["role"] == "user"


def test_a_refused_message_of_the_assistants_is_named_by_its_own_place() -> None:
    options = chat_options(trailing_assistant="reject")
    with pytest.raises(ApiError) as caught:
        translate(options, model="gemini-3.6-flash", messages=[USER, TEXT, EMPTY])
    assert caught.value.param == "messages[1]"
