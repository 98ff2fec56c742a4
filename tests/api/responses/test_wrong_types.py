"""Any value in any field of an item or a tool: the request is followed or refused, and nothing crashes."""

from contextlib import suppress
from typing import Any

import pytest
from tests.support.responses import WEATHER, untested

from gemgate.api.responses.tool_kinds import CALL_ITEMS, OUTPUT_ITEMS
from gemgate.errors import ApiError

VALUES: list[Any] = [None, 5, "x", [], {}, [None], [5], [{}], {"a": 1}, True]
ITEMS = [
    *("message", "reasoning", "item_reference", "compaction", "additional_tools", "configuration_update"),
    *("web_search_call", "code_interpreter_call", "image_generation_call", "mcp_call", "hologram"),
    *CALL_ITEMS,
    *OUTPUT_ITEMS,
]
ITEM: dict[str, Any] = {
    "id": "x",
    "role": "user",
    "content": "c",
    "call_id": "c",
    "name": "n",
    "namespace": None,
    "arguments": "{}",
    "input": "i",
    "output": "o",
    "outputs": [],
    "tools": [],
    "action": {},
    "operation": {},
    "encrypted_content": "e",
    "reasoning": {},
    "text": {},
    "code": "",
    "result": "",
    "output_format": "png",
}
TOOLS = [
    *("function", "custom", "namespace", "tool_search", "web_search", "file_search", "code_interpreter"),
    *("image_generation", "mcp", "local_shell", "shell", "apply_patch", "hologram"),
]
TOOL: dict[str, Any] = {
    "name": "n",
    "parameters": None,
    "description": None,
    "strict": None,
    "format": None,
    "tools": [],
    "execution": "client",
    "environment": None,
    "vector_store_ids": ["fileSearchStores/a"],
    "max_num_results": 3,
    "function": None,
    "custom": None,
    "container": {},
}
CHOICES: list[Any] = [
    {"type": kind, **more}
    for kind in ["function", "custom", "allowed_tools", "web_search", "shell", None, 5]
    for more in ({}, {"name": 5}, {"tools": [5]}, {"tools": [{"type": "function"}]}, {"function": 5}, {"mode": 5})
]


def followed_or_refused(**body: Any) -> None:
    with suppress(ApiError):
        untested(**body)


@pytest.mark.parametrize("kind", ITEMS)
def test_any_value_in_any_field_of_an_item(kind: str) -> None:
    for name in [*ITEM, "type"]:
        for value in VALUES:
            followed_or_refused(input=[{"role": "user", "content": "Hi"}, {"type": kind, **ITEM, name: value}])


@pytest.mark.parametrize("kind", TOOLS)
def test_any_value_in_any_field_of_a_tool(kind: str) -> None:
    for name in [*TOOL, "type"]:
        for value in VALUES:
            followed_or_refused(tools=[{"type": kind, **TOOL, name: value}])


def test_any_choice() -> None:
    for choice in CHOICES:
        followed_or_refused(tools=[WEATHER], tool_choice=choice)


def test_a_wrong_update_of_the_configuration_is_named() -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "huge"}}
    with pytest.raises(ApiError) as caught:
        untested(input=[{"role": "user", "content": "Hi"}, update])
    assert caught.value.param == "input[1].reasoning.effort"
