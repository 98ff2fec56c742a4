"""Calls that Google makes itself at MCP servers, as items: in an answer, and in the history.

In Gemini's answer such a call is a `functionCall` of a function that nobody has declared, and Google's own
`functionResponse` comes behind it, from the model as well (recorded). The tools of a server are not shown:
`mcp_list_tools` never comes.
"""

from collections.abc import Callable, Iterator, Sequence

import orjson

from gemgate.api.responses.items import Item
from gemgate.api.responses.wire import Json
from gemgate.gemini.parts import DecodedCall
from gemgate.gemini.types import Part
from gemgate.translation.call_arguments import parse_arguments
from gemgate.translation.notes import Notes

_NO_OUTPUT = {"type": "mcp_protocol_error", "code": -32603, "message": "Gemini has given no output of the call."}
_RESULTS = ("result", "output", "content")


def native_call(call: DecodedCall) -> Part:
    """The part that a call came as."""
    part: Part = {"functionCall": {"name": call.name, "args": call.args}}
    if call.id:
        part["functionCall"]["id"] = call.id
    if call.signature:
        part["thoughtSignature"] = call.signature
    return part


def mcp_call_items(parts: Sequence[Part], label_of: Callable[[str], str]) -> Iterator[Json]:
    """The items, without their ids, of the calls in `parts`, each with the output that belongs to it.

    Args:
        parts: Calls and outputs. An output has the id of its call, or is the next one of that name.
        label_of: The label of the server that has a tool.
    """
    outputs = [part["functionResponse"] for part in parts if "functionResponse" in part]
    for part in parts:
        if (call := part.get("functionCall")) is None:
            continue
        name, native_id = call["name"], call.get("id")
        found = next((each for each in outputs if native_id and each.get("id") == native_id), None)
        found = found or next((each for each in outputs if each.get("name") == name and not each.get("id")), None)
        if found is not None:
            outputs.remove(found)
        output, error = (None, _NO_OUTPUT) if found is None else _outcome(found.get("response"))
        yield {
            "type": "mcp_call",
            "status": "completed" if error is None else "failed",
            "approval_request_id": None,
            "arguments": orjson.dumps(call.get("args") or {}).decode(),
            "error": error,
            "name": name,
            "output": output,
            "server_label": label_of(name),
        }


def _outcome(response: object) -> tuple[str | None, Json | None]:
    """The output of a call and its error, of which one is None."""
    found = response if isinstance(response, dict) else {}
    inner = next((value for name in ("result", "output") if isinstance(value := found.get(name), dict)), found)
    if inner.get("isError") or found.get("isError") or found.get("error"):
        content = inner.get("content") or found.get("error") or found
        return None, {"type": "mcp_tool_execution_error", "content": content}
    return _text(inner), None


def _text(response: Json) -> str:
    """The text that an output is made of; JSON, where it is made of more."""
    named = [name for name in _RESULTS if name in response]
    value = response[named[0]] if named and (len(response) == 1 or named == ["content"]) else response
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(_is_text(block) for block in value):
        return "\n".join(block["text"] for block in value)
    return orjson.dumps(value).decode()


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)


def mcp_call_events(item: Json, index: int) -> Iterator[Json]:
    """The events of a call that has its output, in the order in which OpenAI sends them."""
    place = {"item_id": item["id"], "output_index": index}
    begun = {**item, "status": "in_progress", "arguments": "", "output": None, "error": None}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    yield {"type": "response.mcp_call.in_progress", **place}
    yield {"type": "response.mcp_call_arguments.delta", **place, "delta": item["arguments"]}
    yield {"type": "response.mcp_call_arguments.done", **place, "arguments": item["arguments"]}
    yield {"type": f"response.mcp_call.{item['status']}", **place}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def read_mcp_call(item: Item, notes: Notes) -> tuple[str, Json, str | Json]:
    """The name, the arguments and the output of a call in the history.

    Raises:
        ApiError: 400, it has no name, or arguments that are no JSON.
    """
    args = parse_arguments(item.fields.get("arguments"), f"{item.param}.arguments", notes)
    output, error = item.fields.get("output"), item.fields.get("error")
    if isinstance(output, str):
        return item.text_field("name"), args, output
    return item.text_field("name"), args, {"error": error or "no output"}
