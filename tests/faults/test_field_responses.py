"""The Responses API reads and names what chat does: other spellings, Google's tools, unknown keys, odd histories."""

from typing import Any

import pytest
from tests.faults.spellings import RESPONSE_SPELLINGS, SCHEMA, Spelling
from tests.support.answers import native
from tests.support.chat import chat_options
from tests.support.responses import NEWEST, events_of, translate, untested, whole

from gemgate.api.responses.completion import whole_response
from gemgate.errors import ApiError

USER = {"role": "user", "content": "Hi"}
TEXT = {"role": "assistant", "content": "Well"}
F = {"type": "function", "name": "f"}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "x"}


@pytest.mark.parametrize("spelling", RESPONSE_SPELLINGS, ids=lambda spelling: str(spelling.written)[:60])
def test_a_spelling_of_a_response_means_what_the_table_says(spelling: Spelling) -> None:
    translation = translate(model=spelling.model, **spelling.written)
    body: dict[str, Any] = dict(translation.body)
    assert {name: body.get(name) for name in spelling.native} == spelling.native
    assert spelling.native.get("generationConfig") == body.get("generationConfig")
    assert (translation.notes.adjusted, translation.notes.dropped) == (spelling.adjusted, spelling.dropped)


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"tools": [{**F, "cache_control": {"type": "ephemeral"}}]}, ["tools[0].cache_control"]),
        ({"tools": [{**F, "defer_loading": True}]}, ["tools[0].defer_loading"]),
        ({"tools": [{**F, "defer_loading": False, "allowed_callers": ["direct"]}]}, []),
        ({"tools": [{"type": "tool_search"}, {**F, "defer_loading": True}]}, []),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "x": 1}, "y": 1}]},
            ["tools[0].y", "tools[0].function.x"],
        ),
        ({"tools": [{"type": "custom", "name": "c", "x": 1}]}, ["tools[0].x"]),
        (
            {"tools": [{"type": "namespace", "name": "n", "tools": [{**F, "x": 1}], "y": 1}]},
            ["tools[0].y", "tools[0].tools[0].x"],
        ),
        ({"tools": [{"type": "web_search", "search_context_size": "low"}]}, ["tools[0].search_context_size"]),
        (
            {"tools": [{"type": "web_search_preview", "web_search_preview": {"search_context_size": "low"}}]},
            ["tools[0].web_search_preview.search_context_size"],
        ),
        ({"tools": [{"type": "web_search", "search_context_size": "medium", "external_web_access": True}]}, []),
        ({"tools": [{"type": "google_search", "exclude_domains": ["a.com"]}]}, ["tools[0].exclude_domains"]),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, []),
        ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, ["tools[0].container"]),
        ({"tools": [F], "tool_choice": {**F, "x": 1}}, ["tool_choice.x"]),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "x": 1}}}, ["text.format.x"]),
        ({"text": {"format": {"type": "text", "schema": SCHEMA}}}, ["text.format.schema"]),
        ({"reasoning": {"effort": "low", "made_up": 1}}, ["reasoning.made_up"]),
        ({"thinking": {"type": "disabled", "x": 1}}, ["thinking.x"]),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "x", "cache_control": {}}]}]},
            ["input[].content[].cache_control"],
        ),
        (
            {
                "input": [
                    USER,
                    {
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "x", "annotations": [], "logprobs": []}],
                    },
                    USER,
                ]
            },
            [],
        ),
    ],
)
def test_a_key_of_a_response_that_nobody_reads_is_named(body: dict[str, Any], dropped: list[str]) -> None:
    assert translate(**body).notes.dropped == dropped


@pytest.mark.parametrize(
    ("body", "native_thinking", "notes"),
    [
        ({"reasoning": {"max_tokens": 50000}}, {"thinkingBudget": 24576}, ["reasoning.max_tokens=50000->24576"]),
        (
            {"reasoning": {"effort": "low", "max_tokens": 5}},
            {"thinkingBudget": 1024},
            ["reasoning.max_tokens->reasoning.effort=low"],
        ),
        (
            {"reasoning": {"effort": "low"}, "reasoning_effort": "high"},
            {"thinkingBudget": 1024},
            ["reasoning_effort->reasoning.effort=low"],
        ),
        ({"reasoning": {"exclude": True, "summary": "auto"}}, {"includeThoughts": False}, []),
        ({"model": "gemini-2.0-flash", "reasoning": {"exclude": True, "summary": "auto"}}, None, []),
    ],
)
def test_reasoning_of_a_response_is_chats(body: dict[str, Any], native_thinking: Any, notes: list[str]) -> None:
    translation = translate(**body)
    assert translation.body.get("generationConfig", {}).get("thinkingConfig") == native_thinking
    assert translation.notes.adjusted == notes


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"thinking": "on"}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "reasoning.max_tokens"),
        ({"reasoning_effort": "huge"}, "reasoning.effort"),
        ({"safetySettings": "none"}, "extra_body.google.safety_settings"),
        ({"tools": [{"type": 5}]}, "tools[0].type"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "file_search"}]}, "tools[0].vector_store_ids"),
    ],
)
def test_a_spelling_of_a_response_that_cannot_be_read_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        untested(**body)
    assert caught.value.param == param


def test_googles_own_declarations_are_functions_of_the_response() -> None:
    declared = {"name": "g", "parameters": {"type": "OBJECT", "properties": {}}}
    tools = [{"functionDeclarations": [declared]}]
    assert translate(tools=tools).body["tools"] == [{"functionDeclarations": [declared]}]
    answer = native({"functionCall": {"name": "g", "args": {}}}, finishReason="STOP")
    assert [item["name"] for item in whole(answer, tools=tools)["output"] if item["type"] == "function_call"] == ["g"]


def test_one_of_googles_own_declarations_can_be_chosen_and_a_second_search_is_named() -> None:
    tools = [{"functionDeclarations": [{"name": "g"}]}]
    choice = {"type": "function", "name": "g"}
    config = translate(tools=tools, tool_choice=choice).body["toolConfig"]["functionCallingConfig"]
    assert config == {"mode": "ANY", "allowedFunctionNames": ["g"]}
    translation = translate(tools=[{"type": "web_search"}, {"googleSearch": {}}])
    assert translation.body["tools"] == [{"googleSearch": {}}]
    assert translation.notes.adjusted == ["tools[1]->none: there is such a tool already"]


@pytest.mark.parametrize("choice", [{"type": "tool", "name": "f"}, {"name": "f"}])
def test_a_choice_by_name_alone_is_a_function(choice: dict[str, Any]) -> None:
    calling = translate(tools=[F, {**F, "name": "g"}], tool_choice=choice).body["toolConfig"]["functionCallingConfig"]
    assert calling == {"mode": "ANY", "allowedFunctionNames": ["f"]}


@pytest.mark.parametrize(
    ("items", "note"),
    [
        ([CALL, OUTPUT, USER], "input[0]=+user"),
        ([{"role": "system", "content": "Be brief."}, CALL, OUTPUT], "input[1]=+user"),
        ([{"role": "user", "content": []}, TEXT, CALL, OUTPUT], "input[1]=+user"),
    ],
)
def test_a_response_that_goes_on_from_a_call_gets_a_user_turn_first(items: list[dict[str, Any]], note: str) -> None:
    translation = translate(input=items, tools=[F])
    assert [turn["role"] for turn in translation.body["contents"][:2]] == ["user", "model"]
    assert translation.notes.adjusted == [note]


@pytest.mark.parametrize(
    ("items", "cut"),
    [
        ([USER, TEXT, TEXT], [1, 2]),
        ([USER, TEXT, {"role": "user", "content": ""}], [1]),
        ([USER, {"role": "assistant", "content": ""}, TEXT], [2]),
        ([USER, CALL, OUTPUT, TEXT], [3]),
    ],
)
def test_each_item_of_the_models_that_is_cut_at_the_end_is_named(items: list[dict[str, Any]], cut: list[int]) -> None:
    translation = translate(model=NEWEST, input=items)
    assert [note for note in translation.notes.adjusted if "->none" in note] == [f"input[{i}]->none" for i in cut]
    with pytest.raises(ApiError) as caught:
        translate(chat_options(trailing_assistant="reject"), model=NEWEST, input=items)
    assert caught.value.param == f"input[{cut[-1]}]"


def test_a_second_output_of_a_call_is_named() -> None:
    translation = translate(input=[USER, CALL, OUTPUT, {**OUTPUT, "output": "y"}], tools=[F])
    assert translation.notes.adjusted == ["input[3]->none: its call has an output already"]


def test_a_thought_among_the_content_is_left_out_and_named() -> None:
    parts = [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "output_text", "text": "x"}]
    translation = translate(input=[USER, {"role": "assistant", "content": parts}, USER])
    assert translation.body["contents"][1]["parts"] == [{"text": "x"}]
    assert translation.notes.adjusted == ["input[].content[].thinking->none"]


BROKEN = ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"]


def answered(answer: Any, **body: Any) -> tuple[list[Any], list[str]]:
    """What a response shows of a native answer, and the notes."""
    translation = untested(**body)
    response = whole_response(events_of(**body), translation, [answer])
    shown = [
        item["content"][0]["text"] if item["type"] == "message" else item["name"]
        for item in response["output"]
        if item["type"] in ("message", "function_call")
    ]
    return shown, translation.notes.adjusted


@pytest.mark.parametrize("reason", BROKEN)
@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([{"text": "Well"}], ["Well"]),
        ([{"functionCall": {"name": "f", "args": {}}}], ["f"]),
        ([{"text": "Well"}, {"functionCall": {"name": "unknown", "args": {}}}], ["Well"]),
        ([{"functionCall": {"name": "default_api:f", "args": {}}}], ["f"]),
    ],
)
def test_what_came_before_gemini_broke_off_is_the_response(reason: str, parts: list[Any], shown: list[str]) -> None:
    found, notes = answered(native(*parts, finishReason=reason), tools=[F])
    assert found == shown
    assert notes[-1] == f"output.finish_reason={reason}->completed"


@pytest.mark.parametrize("reason", BROKEN)
@pytest.mark.parametrize(
    "parts",
    [[], [{"text": ""}], [{"thought": True, "text": "hm"}], [{"functionCall": {"name": "unknown", "args": {}}}]],
)
def test_nothing_before_gemini_broke_off_is_an_error_of_the_response(reason: str, parts: list[Any]) -> None:
    with pytest.raises(ApiError) as caught:
        answered(native(*parts, finishReason=reason), tools=[F])
    assert (caught.value.status, caught.value.code) == (502, f"upstream_{reason.lower()}")


def test_json_in_one_fence_is_unwrapped_in_a_response() -> None:
    fenced = native({"text": '```json\n{"a": 1}\n```'}, finishReason="STOP")
    wanted = {"format": {"type": "json_object"}}
    assert answered(fenced, text=wanted) == (['{"a": 1}'], ["output.content=fence->JSON"])
    assert answered(fenced)[0] == ['```json\n{"a": 1}\n```']
    two = native({"text": "```json\n{}\n```"}, {"text": "Done."}, finishReason="STOP")
    assert answered(two, text=wanted) == (["```json\n{}\n```Done."], [])


def test_arguments_that_were_flattened_are_named_in_a_response() -> None:
    schema = {"type": "object", "properties": {"q": {"type": "array", "items": {"type": "string"}}}}
    answer = native({"functionCall": {"name": "f", "args": {"q[0]": "x"}}}, finishReason="STOP")
    assert answered(answer, tools=[{**F, "parameters": schema}])[1] == [
        "output.tool_calls[].arguments of f: flattened names->nested"
    ]
