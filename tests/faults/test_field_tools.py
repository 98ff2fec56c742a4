"""Tools as agents declare them."""

from typing import Any

import pytest
from tests.faults.test_field_histories import accepted
from tests.support.chat import FLASH_3, FLASH_25, function_tool, translate

from gemgate.errors import ApiError

EMPTY = {"type": "object", "properties": {}}
MISSING = object()


def ping(parameters: Any = MISSING, **function: Any) -> dict[str, Any]:
    given = {} if parameters is MISSING else {"parameters": parameters}
    return {"type": "function", "function": {"name": "ping", **given, **function}}


def declarations(**body: Any) -> list[Any]:
    found: list[Any] = accepted(translate(**body)).body["tools"][0]["functionDeclarations"]
    return found


@pytest.mark.parametrize("parameters", [MISSING, None, {}, EMPTY, {"type": "object"}, {"properties": {}}])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "ping"}}},
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"name": "ping"}]}}},
        {"response_format": {"type": "json_object"}},
        {"model": FLASH_3, "tool_choice": "required"},
    ],
)
def test_a_function_without_arguments_takes_an_empty_object_in_every_mode(
    parameters: Any, body: dict[str, Any]
) -> None:
    found = declarations(tools=[ping(parameters), function_tool("other")], **body)
    assert found[0]["parametersJsonSchema"] == EMPTY


def test_a_strict_function_without_arguments_takes_an_empty_object() -> None:
    assert declarations(tools=[ping(strict=True)])[0]["parametersJsonSchema"] == EMPTY


def test_a_legacy_function_without_arguments_takes_an_empty_object() -> None:
    found = declarations(functions=[{"name": "ping"}], function_call={"name": "ping"})
    assert found[0]["parametersJsonSchema"] == EMPTY


@pytest.mark.parametrize("model", [FLASH_25, FLASH_3])
def test_a_native_function_without_arguments_takes_an_empty_object_where_a_call_is_required(model: str) -> None:
    native = {"google": {"tools": [{"function_declarations": [{"name": "native"}]}]}}
    found = declarations(model=model, tools=[ping()], tool_choice="required", extra_body=native)
    assert [declaration["parametersJsonSchema"] for declaration in found] == [EMPTY, EMPTY]
    assert declarations(model=model, extra_body=native) == [{"name": "native"}]


def test_the_same_tool_twice_is_sent_once_and_named() -> None:
    tools = [function_tool("f"), function_tool("g"), function_tool("f"), {"type": "web_search"}, {"type": "web_search"}]
    translation = translate(model=FLASH_3, tools=tools)
    assert [declaration["name"] for declaration in translation.body["tools"][0]["functionDeclarations"]] == ["f", "g"]
    assert translation.body["tools"][1:] == [{"googleSearch": {}}]
    assert translation.notes.adjusted == [
        "tools[2].function->none: it is the same as another",
        "tools[4]->none: it is the same as another",
    ]


@pytest.mark.parametrize("other", [{"description": "x"}, {"parameters": {}}, {"strict": True}])
def test_two_tools_of_one_name_that_differ_are_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        translate(tools=[function_tool("f"), function_tool("f", **other)])
    assert caught.value.param == "tools[1].function.name"


@pytest.mark.parametrize(
    ("schema", "expected", "dropped"),
    [
        ({"type": "string", "properties": {"x": {}}, "required": ["x"]}, {"type": "string"}, "properties, required"),
        ({"type": "string", "items": {"type": "string"}}, {"type": "string"}, "items"),
        ({"type": ["integer", "null"], "items": {}}, {"type": ["integer", "null"]}, "items"),
        ({"type": "object", "items": {"type": "string"}}, {"type": "object"}, "items"),
        ({"type": "array", "items": {}, "properties": {"x": {}}}, {"type": "array", "items": {}}, "properties"),
        ({"type": "string", "enum": ["", "a"]}, {"type": "string", "enum": ["a"]}, "'' in enum"),
        ({"type": "string", "enum": [""]}, {"type": "string"}, "'' in enum"),
        ({"enum": ["a", ""]}, {"type": "string", "enum": ["a"]}, "'' in enum"),
    ],
)
def test_what_a_type_cannot_have_is_taken_out_and_named(schema: Any, expected: Any, dropped: str) -> None:
    tool = function_tool("f", parameters={"type": "object", "properties": {"a": schema}})
    translation = accepted(translate(tools=[tool]))
    (declaration,) = translation.body["tools"][0]["functionDeclarations"]
    parameters: Any = declaration["parametersJsonSchema"]
    assert parameters["properties"]["a"] == expected
    assert translation.notes.adjusted == [f"tools[0].function.parameters.properties.a: {dropped} dropped"]
