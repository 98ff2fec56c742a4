"""Every type of item, tool and event of the official client has a fate, and meets it."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
from openai.types.responses import ResponseStreamEvent
from openai.types.responses.response_input_param import ResponseInputItemParam
from openai.types.responses.tool_param import ToolParam
from tests.api.responses.test_mcp import CALL as MCP_CALL
from tests.api.responses.test_mcp import OUTPUT as MCP_OUTPUT
from tests.support.answers import native
from tests.support.chat import chat_options
from tests.support.responses import FLASH_3, FLASH_25, WEATHER, streamed, translate

from gemgate.api.responses.support import EVENTS, ITEMS, TOOLS
from gemgate.errors import ApiError

USER: dict[str, Any] = {"role": "user", "content": "Hi"}
SHELL = {"commands": ["ls"]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

CALLS: dict[str, dict[str, Any]] = {
    "function_call": {"name": "get_weather", "arguments": "{}"},
    "custom_tool_call": {"name": "apply", "input": "x"},
    "tool_search_call": {"execution": "client", "arguments": {"query": "mail"}},
    "local_shell_call": {"id": "lsh_1", "action": {"type": "exec", "command": ["ls"], "env": {}}},
    "shell_call": {"action": SHELL},
    "apply_patch_call": {"operation": {"type": "delete_file", "path": "a"}},
}
OUTPUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "function_call_output": ("function_call", {"output": "x"}),
    "custom_tool_call_output": ("custom_tool_call", {"output": "x"}),
    "tool_search_output": ("tool_search_call", {"tools": [WEATHER], "execution": "client"}),
    "local_shell_call_output": ("local_shell_call", {"id": "lsho_1", "output": "x"}),
    "shell_call_output": ("shell_call", {"output": [{"stdout": "a", "stderr": "", "outcome": {"type": "timeout"}}]}),
    "apply_patch_call_output": ("apply_patch_call", {"status": "completed"}),
}
OTHERS: dict[str, dict[str, Any]] = {
    "message": {"role": "assistant", "content": "Hello"},
    "reasoning": {"id": "rs_1", "summary": [], "content": None},
    "item_reference": {"id": "rs_1"},
    "mcp_call": {"id": "mcp_1", "name": "look", "arguments": "{}", "server_label": "docs", "output": "x"},
    "mcp_list_tools": {"id": "mcpl_1", "server_label": "docs", "tools": []},
    "mcp_approval_request": {"id": "mcpr_1", "name": "look", "arguments": "{}", "server_label": "docs"},
    "mcp_approval_response": {"approval_request_id": "mcpr_1", "approve": True},
    "web_search_call": {"id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    "file_search_call": {"id": "fs_1", "status": "completed", "queries": ["q"]},
    "code_interpreter_call": {
        "id": "ci_1",
        "code": "1",
        "container_id": "cntr_1",
        "outputs": [],
        "status": "completed",
    },
    "image_generation_call": {"id": "ig_1", "result": PIXEL, "status": "completed"},
    "computer_call": {"id": "cu_1", "call_id": "c", "action": {"type": "wait"}, "status": "completed"},
    "computer_call_output": {"call_id": "c", "output": {"type": "computer_screenshot", "image_url": "data:,"}},
    "program": {"id": "cm_1", "call_id": "c", "code": "1", "fingerprint": "f"},
    "program_output": {"id": "cmo_1", "call_id": "c", "result": "1", "status": "completed"},
    "additional_tools": {"role": "developer", "tools": [WEATHER]},
    "configuration_update": {"reasoning": {"effort": "low"}},
}
APART = {"compaction", "compaction_trigger"}
"""What the encryption and the routes are needed for: their tests are in `test_compaction.py`."""


def types_of(union: Any) -> Iterator[str]:
    """The values of `type` in the members of a union of the official client."""
    for member in get_args(union):
        hint = get_type_hints(member)["type"]
        for literal in (hint, *get_args(hint)):
            yield from (each for each in get_args(literal) if isinstance(each, str))


def test_every_type_of_item_has_a_fate_and_a_sample() -> None:
    assert set(ITEMS) == set(types_of(ResponseInputItemParam))
    assert set(ITEMS) == CALLS.keys() | OUTPUTS.keys() | OTHERS.keys() | APART


def history(kind: str) -> list[dict[str, Any]]:
    """An input with an item of this type, and what belongs to it."""
    if kind in CALLS:
        output = next(each for each, (call, _) in OUTPUTS.items() if call == kind)
        return history(output)
    if kind in OUTPUTS:
        call, fields = OUTPUTS[kind]
        return [USER, {"type": call, "call_id": "c", **CALLS[call]}, {"type": kind, "call_id": "c", **fields}]
    return [USER, {"type": kind, **OTHERS[kind]}, USER]


@pytest.mark.parametrize("kind", sorted(CALLS.keys() | OUTPUTS.keys() | OTHERS.keys()))
def test_an_item_meets_its_fate(kind: str) -> None:
    translation = translate(input=history(kind), model=FLASH_3)
    left_out = [f"input[1].type={kind}"] if ITEMS[kind].kind == "dropped" else []
    assert translation.notes.dropped == left_out
    assert translation.notes.adjusted == []
    is_sent = translation.body != translate(input=[USER, USER], model=FLASH_3).body
    assert is_sent == (ITEMS[kind].kind == "mapped")
    if left_out:
        with pytest.raises(ApiError):
            translate(chat_options(unsupported_params="strict"), input=history(kind), model=FLASH_3)


SAMPLES: dict[str, dict[str, Any]] = {
    "function": WEATHER,
    "custom": {"name": "apply"},
    "namespace": {"name": "mail", "description": "Mail.", "tools": [WEATHER]},
    "tool_search": {"execution": "client"},
    "file_search": {"vector_store_ids": ["fileSearchStores/a"]},
    "code_interpreter": {"container": {"type": "auto"}},
    "mcp": {"server_label": "docs", "server_url": "https://mcp.example/mcp", "require_approval": "never"},
    "computer_use_preview": {"display_width": 1, "display_height": 1, "environment": "linux"},
}
MODELS = {"image_generation": "gemini-3-pro-image"}


def test_every_type_of_tool_has_a_fate() -> None:
    assert set(TOOLS) == set(types_of(ToolParam))


@pytest.mark.parametrize("kind", sorted(TOOLS))
def test_a_tool_meets_its_fate(kind: str) -> None:
    tool = {**SAMPLES.get(kind, {}), "type": kind}
    model = MODELS.get(kind, FLASH_25)
    if TOOLS[kind].kind == "rejected":
        with pytest.raises(ApiError) as caught:
            translate(tools=[tool], model=model)
        assert caught.value.param == "tools[0].type"
        return
    translation = translate(chat_options(unsupported_params="strict"), tools=[tool], model=model)
    assert translation.notes.adjusted == []
    assert "tools" in translation.body or "responseModalities" in translation.body["generationConfig"]


SEARCH = {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "a", "args": {"queries": ["q"]}}}
FOUND = {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "a", "response": {}}}
FILES = {"toolCall": {"toolType": "FILE_SEARCH", "id": "b", "args": {"queries": ["q"]}}}
CITED = {
    "groundingChunks": [{"web": {"uri": "https://example.com/", "title": "example.com"}}],
    "groundingSupports": [{"segment": {"endIndex": 5, "text": "Hello"}, "groundingChunkIndices": [0]}],
}
BUSY: list[Any] = [
    native({"text": "**Plan**\n\nI look.", "thought": True}),
    native(SEARCH, FOUND),
    native(FILES),
    native({"executableCode": {"language": "PYTHON", "code": "1"}}),
    native({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
    native(
        {"functionCall": {"name": "get_weather", "args": {}}},
        {"functionCall": {"name": "apply", "args": {"input": "x"}}},
    ),
    native({"inlineData": {"mimeType": "image/png", "data": PIXEL}}),
    native({"text": "Hello"}, finishReason="STOP", groundingMetadata=CITED),
]
"""An answer with an item of every type that Gemini can give one of."""

OF_THE_WHOLE = {"response.queued", "response.failed", "response.incomplete", "error"}
"""Events that the tests of the background and of failures see."""


def test_every_type_of_event_has_a_fate_and_those_that_are_sent_are_sent() -> None:
    members = get_args(get_args(ResponseStreamEvent)[0])
    assert set(EVENTS) == {get_args(each.model_fields["type"].annotation)[0] for each in members}
    tools = [WEATHER, {"type": "custom", "name": "apply"}]
    seen = {event["type"] for event in streamed(*BUSY, tools=tools, model=FLASH_3)}
    server: list[Any] = [SAMPLES["mcp"] | {"type": "mcp"}]
    answered = native(MCP_CALL, MCP_OUTPUT, MCP_CALL, finishReason="STOP")
    seen |= {event["type"] for event in streamed(answered, tools=server)}
    draws: list[Any] = [{"type": "image_generation", "partial_images": 1}]
    seen |= {event["type"] for event in streamed(*BUSY, tools=draws, model=MODELS["image_generation"])}
    assert seen | OF_THE_WHOLE == {kind for kind, (sent, _) in EVENTS.items() if sent == "sent"}
