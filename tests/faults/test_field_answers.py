"""Answers as Gemini gives them on bad days: names with a namespace, flattened and streamed arguments, broken calls."""

from typing import Any

import orjson
import pytest
from tests.support.answers import answer_context, comparable, fold, merged, native, streamed, whole

from gemgate.api.chat.response import completion_from_gemini
from gemgate.errors import ApiError
from gemgate.translation.notes import Notes

QUESTION = {
    "type": "object",
    "properties": {
        "header": {"type": "string"},
        "options": {"type": "array", "items": {"type": "object", "properties": {"label": {"type": "string"}}}},
    },
}
ASK = {
    "type": "object",
    "properties": {
        "questions": {"type": "array", "items": {"$ref": "#/$defs/Question"}},
        "filter": {
            "anyOf": [{"type": "object", "properties": {"x.y": {}, "deep": {"type": "object"}}}, {"type": "null"}]
        },
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
        "grid": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "server.port": {"type": "integer"},
        "a[0]": {"type": "string"},
        "text": {"type": "string"},
    },
    "$defs": {"Question": QUESTION},
}
FUNCTIONS = {"ask": ASK, "replaceInFile": {"type": "object", "properties": {"path": {"type": "string"}}}}


def call(name: str, args: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args or {}}, **more}


def both(*events: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The message of an answer, which is the same streamed and buffered."""
    context = {"functions": FUNCTIONS, **changes}
    completion = whole(merged(events), **context)
    assert comparable(fold(streamed(*events, **context))) == comparable(completion)
    choice: dict[str, Any] = completion["choices"][0]
    return choice


def calls(choice: dict[str, Any]) -> list[tuple[str, Any]]:
    shown = choice["message"].get("tool_calls") or []
    return [(each["function"]["name"], orjson.loads(each["function"]["arguments"])) for each in shown]


def notes(*parts: dict[str, Any], finish: str = "STOP", **changes: Any) -> list[str]:
    noted = Notes()
    context = answer_context(functions=FUNCTIONS, **changes)
    answer: Any = native(*parts, finishReason=finish)
    completion_from_gemini([answer], context, fallback_id="x", created=0, notes=noted)
    return noted.adjusted


@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        (
            {"questions[0].header": "A", "questions[0].options[0].label": "L", "questions[1].header": "B"},
            {"questions": [{"header": "A", "options": [{"label": "L"}]}, {"header": "B"}]},
        ),
        ({"questions[1].header": "B", "questions[0].header": "A"}, {"questions": [{"header": "A"}, {"header": "B"}]}),
        ({"questions[0]": {"header": "A"}}, {"questions": [{"header": "A"}]}),
        ({"questions.0.header": "A"}, {"questions": [{"header": "A"}]}),
        ({"questions": [{"options[0].label": "L"}]}, {"questions": [{"options": [{"label": "L"}]}]}),
        ({"questions": [], "questions[0].header": "A"}, {"questions": [{"header": "A"}]}),
        ({"filter.x.y": 1, "filter.deep.z": 2, "text": "t"}, {"filter": {"x.y": 1, "deep": {"z": 2}}, "text": "t"}),
        ({"tags[0]": "a", "tags[1]": "b"}, {"tags": ["a", "b"]}),
        ({"questions[0][header]": "A"}, {"questions": [{"header": "A"}]}),
        ({"grid[0][0]": 1, "grid[0][1]": 2, "grid[1][0]": 3}, {"grid": [[1, 2], [3]]}),
    ],
)
def test_flattened_arguments_are_nested_as_they_were_declared(flat: dict[str, Any], nested: dict[str, Any]) -> None:
    choice = both(native(call("ask", flat)), native(finishReason="STOP"))
    assert calls(choice) == [("ask", nested)]
    assert notes(call("ask", flat)) == ["choices[0].tool_calls[].arguments of ask: flattened names->nested"]


@pytest.mark.parametrize(
    "args",
    [
        {"server.port": 1, "a[0]": "x"},
        {"unknown[0].a": 1, "other.name": 2},
        {"text.more": 1, "text[0]": 2},
        {"questions[x].header": 1, "questions[0": 2, "questions.header": 3, "questions[]": 4},
        {"questions[0]": "x", "questions[0].header": "A"},
        {"filter": {"free.key": 1, "k[0]": 2}},
        {"questions": [{"header": "a.b[0]"}]},
    ],
)
def test_names_that_are_not_flattened_stay_as_they_are(args: dict[str, Any]) -> None:
    assert calls(both(native(call("ask", args), finishReason="STOP"))) == [("ask", args)]
    assert notes(call("ask", args)) == []


@pytest.mark.parametrize(
    "name",
    [
        "default_api:replaceInFile",
        "default_api.replaceInFile",
        "functions.replaceInFile",
        "Default_API:replaceInFile",
        "default_api:default_api.replaceInFile",
        "tool_code.replaceInFile",
    ],
)
@pytest.mark.parametrize("finish", ["STOP", "UNEXPECTED_TOOL_CALL"])
def test_a_namespace_before_a_declared_name_is_taken_off(name: str, finish: str) -> None:
    part = call(name, {"path": "a"}, thoughtSignature="c2ln")
    choice = both(native(part, finishReason=finish))
    assert calls(choice) == [("replaceInFile", {"path": "a"})]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["native_finish_reason"] == finish
    shown = choice["message"]["tool_calls"][0]
    assert shown["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert notes(part, finish=finish)[0] == f"choices[0].tool_calls[].name={name}->replaceInFile"


def test_a_declared_name_with_a_namespace_is_left_alone() -> None:
    functions: dict[str, Any] = {"default_api:f": {}, "f": {}}
    assert calls(both(native(call("default_api:f"), finishReason="STOP"), functions=functions)) == [
        ("default_api:f", {})
    ]


@pytest.mark.parametrize("name", ["unknown", "default_api:unknown", "other:ask"])
def test_the_call_of_an_unknown_function_stays_as_it_is(name: str) -> None:
    choice = both(native(call("ask")), native(call(name)), native(finishReason="STOP"))
    assert calls(choice) == [("ask", {}), (name, {})]


@pytest.mark.parametrize("name", ["unknown", "default_api:unknown"])
def test_an_unexpected_call_of_an_unknown_function_is_an_error_when_there_is_nothing_else(name: str) -> None:
    events = [native(call(name)), native(finishReason="UNEXPECTED_TOOL_CALL", finishMessage=f"undeclared: {name}")]
    for attempt in (lambda: whole(merged(events), functions=FUNCTIONS), lambda: streamed(*events, functions=FUNCTIONS)):
        with pytest.raises(ApiError) as caught:
            attempt()
        assert caught.value.code == "upstream_unexpected_tool_call"
        assert name in caught.value.message


REASONS = [
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
]


@pytest.mark.parametrize("reason", REASONS)
def test_text_before_gemini_broke_off_is_the_answer(reason: str) -> None:
    choice = both(native({"text": "I will "}), native({"text": "look."}), native(finishReason=reason))
    assert choice["message"]["content"] == "I will look."
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", reason)
    assert notes({"text": "x"}, finish=reason) == [f"choices[0].finish_reason={reason}->stop"]


@pytest.mark.parametrize("reason", REASONS)
def test_whole_calls_before_gemini_broke_off_are_the_answer(reason: str) -> None:
    choice = both(native(call("ask", {"text": "t"})), native(call("unknown")), native(finishReason=reason))
    assert calls(choice) == [("ask", {"text": "t"})]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("tool_calls", reason)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("parts", [[], [{"text": "hm", "thought": True}]])
def test_nothing_but_thoughts_before_gemini_broke_off_is_an_error(reason: str, parts: list[dict[str, Any]]) -> None:
    with pytest.raises(ApiError) as caught:
        whole(native(*parts, finishReason=reason), functions=FUNCTIONS)
    assert (caught.value.status, caught.value.code) == (502, f"upstream_{reason.lower()}")


def frame(name: str = "", *pieces: tuple[str, Any], more: bool = True) -> dict[str, Any]:
    kinds = {str: "stringValue", bool: "boolValue", int: "numberValue", float: "numberValue"}
    function: dict[str, Any] = {"name": name} if name else {}
    if pieces:
        named = [(path, kinds.get(type(value), "nullValue"), value) for path, value in pieces]
        function["partialArgs"] = [{"jsonPath": path, kind: value} for path, kind, value in named]
    return native({"functionCall": {**function, **({"willContinue": True} if more else {})}})


STOP = native(finishReason="STOP")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [frame("f"), frame("", ("$.city", "Tokyo")), frame("", ("$.unit", "celsius"), more=False)],
            [("f", {"city": "Tokyo", "unit": "celsius"})],
        ),
        (
            [frame("f"), frame("", ("$.text", "Hello ")), frame("", ("$.text", "World")), frame(more=False)],
            [("f", {"text": "Hello World"})],
        ),
        (
            [frame("f", ("$.a", 1)), frame("", ("$.b", True), ("$.c", None), ("$.d", 0.5)), frame(more=False)],
            [("f", {"a": 1, "b": True, "c": None, "d": 0.5})],
        ),
        (
            [
                frame("f"),
                frame("", ("$.l[0].n", "a")),
                frame("", ("$.l[0].n", "b"), ("$.l[1].n", "c")),
                frame(more=False),
            ],
            [("f", {"l": [{"n": "ab"}, {"n": "c"}]})],
        ),
        ([frame("f"), frame("", ("$['a.b']", "x")), frame(more=False)], [("f", {"a.b": "x"})]),
        (
            [frame("f"), frame("", ("$.a", "1")), frame("g"), frame("", ("$.b", "2")), frame(more=False)],
            [("f", {"a": "1"}), ("g", {"b": "2"})],
        ),
        ([frame("f"), frame("", ("$.a", "1"))], [("f", {"a": "1"})]),
        ([frame("f"), frame(more=False), native(call("g", {"x": 1}))], [("f", {}), ("g", {"x": 1})]),
        ([frame("", ("$.a", "1"))], []),
        ([native({"text": "t"}), frame(more=False)], []),
        ([frame("f"), frame("", ("$", "x"), ("nonsense[", "y"), ("$[0]", "z")), frame(more=False)], [("f", {})]),
    ],
)
@pytest.mark.parametrize("functions", [{}, {"f": {}, "g": {}}])
def test_frames_of_streamed_arguments_are_one_call(
    events: list[dict[str, Any]], expected: list[tuple[str, Any]], functions: dict[str, Any]
) -> None:
    has_answer = expected or any("text" in str(event) for event in events)
    choice = both(*events, STOP, functions=functions) if has_answer else {"message": {}}
    assert calls(choice) == expected


def test_a_call_that_was_cut_in_the_middle_of_its_arguments_is_not_given() -> None:
    events = [native({"text": "Well"}), frame("f"), frame("", ("$.path", "/")), native(finishReason="MAX_TOKENS")]
    choice = both(*events, functions={})
    assert calls(choice) == []
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("meta", "completion"),
    [
        ((533, 1337, 217, 1870), 1337),
        ((10, 10, 5, 20), 10),
        ((5, 7, 3, 12), 7),
        ((100, 50, 20, 150), 50),
        ((10, 10, 5, 25), 15),
        ((10, 5, 5, 20), 10),
        ((10, 10, 0, 20), 10),
    ],
)
def test_thoughts_that_are_counted_as_candidates_are_counted_once(meta: tuple[int, ...], completion: int) -> None:
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")
    answer = {**native({"text": "x"}, finishReason="STOP"), "usageMetadata": dict(zip(names, meta, strict=True))}
    for usage in (whole(answer)["usage"], streamed(answer)[-1]["usage"]):
        assert usage["completion_tokens"] == completion
        assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"] == meta[3]
        assert usage["completion_tokens_details"]["reasoning_tokens"] == meta[2]


def test_thoughts_within_candidates_are_counted_once_in_each_call_and_beside_tools() -> None:
    inside = {"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 3, "totalTokenCount": 12}
    apart = {"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 3, "totalTokenCount": 15}
    with_tools = {**inside, "toolUsePromptTokenCount": 4, "totalTokenCount": 16}
    answers = [
        {**native({"text": "x"}, finishReason="STOP"), "usageMetadata": meta} for meta in (inside, apart, with_tools)
    ]
    assert whole(*answers)["usage"]["completion_tokens"] == 7 + 10 + 7


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ("\n```\n[1, 2]\n```\n", "[1, 2]"),
        ('```JSON\n{"a": "```"}```', '{"a": "```"}'),
        ('~~~json\n{"a": 1}\n~~~', '{"a": 1}'),
        ("````json\n[1]\n````", "[1]"),
        ('```json {"a": 1}```', '{"a": 1}'),
    ],
)
def test_json_in_one_fence_is_unwrapped_where_json_was_asked_for(text: str, content: str) -> None:
    assert (
        whole(native({"text": text}, finishReason="STOP"), is_json=True)["choices"][0]["message"]["content"] == content
    )
    assert notes({"text": text}, is_json=True) == ["choices[0].content=fence->JSON"]
    assert whole(native({"text": text}, finishReason="STOP"))["choices"][0]["message"]["content"] == text


@pytest.mark.parametrize(
    "text",
    [
        'Here:\n```json\n{"a": 1}\n```',
        '```json\n{"a": 1}\n```\nDone.',
        "```json\n{broken\n```",
        "```\ntext\n```",
        "```",
        "```json5\n{}\n```",
        "```json\n{}\n```\n```json\n{}\n```",
        "~~~json\n{}\n```",
        "~~",
    ],
)
def test_text_that_is_not_one_fence_of_json_stays_as_it_is(text: str) -> None:
    assert whole(native({"text": text}, finishReason="STOP"), is_json=True)["choices"][0]["message"]["content"] == text


def test_an_empty_answer_is_an_empty_text_and_null_only_beside_calls_or_a_refusal() -> None:
    assert both(native(finishReason="STOP"))["message"]["content"] == ""
    assert both(native(call("ask"), finishReason="STOP"))["message"]["content"] is None
    assert both(native(finishReason="SAFETY"))["message"]["content"] is None
