"""Tools as agents declare them."""

from typing import Any

import pytest
from tests.faults.test_field_histories import accepted
from tests.support.chat import FLASH_3, FLASH_25, function_tool, translate

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
