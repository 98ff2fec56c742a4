"""Tools of OpenAI's that are functions to Gemini: how each is declared, and its calls and outputs as items."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from gemgate.api.responses.items import Item, wrong_type
from gemgate.api.responses.wire import Json
from gemgate.errors import ApiError
from gemgate.translation.call_arguments import parse_arguments
from gemgate.translation.notes import Notes

Arguments = dict[str, object]


class ToolIdentity(NamedTuple):
    """A tool as its caller knows it; `kind` is the type of the tool."""

    kind: str
    name: str
    namespace: str | None = None

    @property
    def key(self) -> str:
        """The name to make Gemini's from: `namespace__name` within a namespace."""
        return f"{self.namespace}__{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class ToolKind:
    """How the calls of one type of tool look.

    Attributes:
        item: The type of an item that is a call.
        prefix: What the ids of such items begin with.
        read: The arguments of a call in the history.
        write: The fields of a call in an answer, from its arguments.
        events: What its events are called and the field that is streamed; None when it comes as a whole.
    """

    item: str
    prefix: str
    read: Callable[[Item, Notes], Arguments]
    write: Callable[[ToolIdentity, Arguments], dict[str, object]]
    events: tuple[str, str] | None = None


_STRINGS = {"type": "array", "items": {"type": "string"}}
_MILLISECONDS = {"type": "integer", "description": "The most time that it may take, in milliseconds."}

DECLARED: dict[str, tuple[str, dict[str, object]]] = {
    "local_shell": (
        "Runs a command on the user's machine and gives its output.",
        {
            "type": "object",
            "properties": {
                "command": {**_STRINGS, "description": "The program and its arguments."},
                "working_directory": {"type": "string"},
                "timeout_ms": _MILLISECONDS,
            },
            "required": ["command"],
        },
    ),
    "shell": (
        "Runs shell commands on the user's machine and gives the output of each.",
        {
            "type": "object",
            "properties": {
                "commands": {**_STRINGS, "description": "Command lines, each for a shell."},
                "timeout_ms": _MILLISECONDS,
                "max_output_length": {"type": "integer", "description": "Characters of output to give at most."},
            },
            "required": ["commands"],
        },
    ),
    "apply_patch": (
        "Creates, updates or deletes one file on the user's machine.",
        {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
                "path": {"type": "string", "description": "The path of the file."},
                "diff": {
                    "type": "string",
                    "description": "What changes, in the V4A format: lines that begin with a space, '+' or '-', below "
                    "'@@' lines with their context. Left out when the file is deleted.",
                },
            },
            "required": ["type", "path"],
        },
    ),
}
"""Description and parameters of the tools that OpenAI has trained its models on, and Gemini does not know."""


def _read_function(item: Item, notes: Notes) -> Arguments:
    return parse_arguments(item.fields.get("arguments"), f"{item.param}.arguments", notes)


def _write_function(tool: ToolIdentity, args: Arguments) -> dict[str, object]:
    return {"name": tool.name, "arguments": orjson.dumps(args).decode(), **_namespace(tool)}


def _read_custom(item: Item, _notes: Notes) -> Arguments:
    return {"input": item.text_field("input")}


def _write_custom(tool: ToolIdentity, args: Arguments) -> dict[str, object]:
    return {"name": tool.name, "input": free_text(args), **_namespace(tool)}


def free_text(args: Arguments) -> str:
    """The input of a custom tool: the argument `input`, else the only text there is, else all of it as JSON."""
    if isinstance(args.get("input"), str):
        return str(args["input"])
    texts = [value for value in args.values() if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else orjson.dumps(args).decode() if args else ""


def _write_search(_tool: ToolIdentity, args: Arguments) -> dict[str, object]:
    return {"execution": "client", "arguments": args}


def _object(item: Item, name: str) -> dict[str, object]:
    value = item.fields.get(name)
    if not isinstance(value, dict):
        raise wrong_type(f"{item.param}.{name}", "an object", value)
    return {key: inner for key, inner in value.items() if inner is not None}


def _read_local_shell(item: Item, _notes: Notes) -> Arguments:
    action = _object(item, "action")
    action.pop("type", None)
    return action


def _write_local_shell(_tool: ToolIdentity, args: Arguments) -> dict[str, object]:
    command = args.get("command")
    words = command if isinstance(command, list) else ["sh", "-c", str(command or "")]
    action: dict[str, object] = {"type": "exec", "command": [str(word) for word in words], "env": {}}
    action |= {name: args[name] for name in ("working_directory", "timeout_ms") if args.get(name) is not None}
    return {"action": action}


def _write_shell(_tool: ToolIdentity, args: Arguments) -> dict[str, object]:
    commands = args.get("commands")
    lines = commands if isinstance(commands, list) else [commands or ""]
    action = {
        "commands": [str(line) for line in lines],
        "timeout_ms": args.get("timeout_ms"),
        "max_output_length": args.get("max_output_length"),
    }
    return {"action": action}


def _write_patch(_tool: ToolIdentity, args: Arguments) -> dict[str, object]:
    operation = {"type": str(args.get("type") or "update_file"), "path": str(args.get("path") or "")}
    if operation["type"] != "delete_file":
        operation["diff"] = str(args.get("diff") or "")
    return {"operation": operation}


def _namespace(tool: ToolIdentity) -> dict[str, str]:
    return {"namespace": tool.namespace} if tool.namespace else {}


KINDS: dict[str, ToolKind] = {
    "function": ToolKind(
        "function_call", "fc_", _read_function, _write_function, ("response.function_call_arguments", "arguments")
    ),
    "custom": ToolKind(
        "custom_tool_call", "ctc_", _read_custom, _write_custom, ("response.custom_tool_call_input", "input")
    ),
    "tool_search": ToolKind("tool_search_call", "tsc_", _read_function, _write_search),
    "local_shell": ToolKind("local_shell_call", "lsh_", _read_local_shell, _write_local_shell),
    "shell": ToolKind("shell_call", "sh_", lambda item, _: _object(item, "action"), _write_shell),
    "apply_patch": ToolKind("apply_patch_call", "apc_", lambda item, _: _object(item, "operation"), _write_patch),
}
"""By the type of the tool."""

CALL_ITEMS = {kind.item: name for name, kind in KINDS.items()}
"""The type of the tool that an item of this type calls."""

OUTPUT_ITEMS = {
    "function_call_output": "function",
    "custom_tool_call_output": "custom",
    "tool_search_output": "tool_search",
    "local_shell_call_output": "local_shell",
    "shell_call_output": "shell",
    "apply_patch_call_output": "apply_patch",
}
"""The type of the tool whose call an item of this type answers."""


def called(item: Item) -> ToolIdentity:
    """The tool that an item calls.

    Raises:
        ApiError: 400, it does not name one.
    """
    kind = CALL_ITEMS[item.kind]
    if kind not in ("function", "custom"):
        return ToolIdentity(kind, kind)
    namespace = item.fields.get("namespace")
    return ToolIdentity(kind, item.text_field("name"), namespace if isinstance(namespace, str) and namespace else None)


def call_id_of(item: Item) -> str:
    """The id that a call and its output have in common.

    Raises:
        ApiError: 400, it has none.
    """
    value = item.fields.get("call_id")
    if value is None and item.kind in ("local_shell_call_output", "tool_search_call", "local_shell_call"):
        value = item.fields.get("id")
    if isinstance(value, str) and value:
        return value
    if value is None or value == "":
        param = f"{item.param}.call_id"
        raise ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    raise wrong_type(f"{item.param}.call_id", "a string", value)


def output_of(item: Item) -> Json | str | None:
    """The output of a call as the object or the text that Gemini gets, where it is not content parts."""
    fields = item.fields
    if item.kind == "shell_call_output":
        return {"output": fields.get("output")}
    if item.kind == "apply_patch_call_output":
        return {"status": fields.get("status"), "output": fields.get("output") or ""}
    if item.kind == "tool_search_output":
        tools = fields.get("tools")
        named = [str(tool.get("name")) for tool in tools or () if isinstance(tool, dict) and tool.get("name")]
        return {"tools": named}
    output = fields.get("output")
    return output if isinstance(output, (str, dict)) or output is None else orjson.dumps(output).decode()


def call_events(item: Json, index: int, names: tuple[str, str] | None) -> Iterator[Json]:
    """The events of a call that has all its arguments, in the order in which OpenAI sends them.

    `names` are those of a `ToolKind`: of its events, and of the field that is streamed.
    """
    begun = {**item, "status": "in_progress"}
    if names is not None:
        begun[names[1]] = ""
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if names is not None:
        event, name = names
        place = {"item_id": item["id"], "output_index": index}
        if item[name]:
            yield {"type": f"{event}.delta", **place, "delta": item[name]}
        yield {"type": f"{event}.done", **place, name: item[name]}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}
