"""`tool_choice`: which of the planned tools Gemini may call, and whether it must."""

from collections.abc import Collection
from typing import Any

from gemgate.api.responses.hosted_tools import hosted_kind, native_name
from gemgate.api.responses.request_tools import ResponseTools
from gemgate.api.responses.tool_kinds import KINDS
from gemgate.api.responses.wire import Json
from gemgate.errors import ApiError, missing_field
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import Tool
from gemgate.translation.mcp_servers import servers_of
from gemgate.translation.notes import Notes
from gemgate.translation.tool_plan import declared_names, named_mode

_CHOICE_FIELDS = frozenset({"type", "name", "namespace", "function", "custom", "allowed_tools", "mode", "tools"})


def choose(tools: ResponseTools, choice: str | dict[str, object] | None, facts: ModelFacts, notes: Notes) -> None:
    """Narrow the planned `tools` to what the caller has chosen.

    Raises:
        ApiError: 400 for a choice that cannot be read, or that names no tool.
    """
    plan = tools.plan
    choice = named_mode(choice, notes, "tool_choice")
    if choice is None or choice == "auto":
        if plan.declarations and facts.validated and (plan.strict or plan.built_in):
            plan.calling["mode"] = "VALIDATED"
    elif choice == "none":
        plan.calling["mode"] = "NONE"
        plan.built_in = []
        tools.servers = {}
    elif choice == "required":
        if plan.declarations:
            plan.calling["mode"] = "ANY"
        elif plan.built_in:
            notes.adjust("tool_choice=required->auto")
        else:
            raise _no_tool("tool_choice", choice)
    elif isinstance(choice, dict):
        _choose_tool(tools, choice, facts, notes)
    else:
        msg = f"'tool_choice' is {choice[:80]!r}; it can be none, auto, required, or an object that names a tool."
        raise ApiError(400, msg, param="tool_choice", code="invalid_value")


def _choose_tool(tools: ResponseTools, choice: dict[str, object], facts: ModelFacts, notes: Notes) -> None:
    kind = choice.get("type")
    notes.drop_unknown({name: value for name, value in choice.items() if name not in _CHOICE_FIELDS}, "tool_choice.")
    if kind in (None, "tool") and isinstance(choice.get("name"), str):
        kind, choice = "function", {**choice, "type": "function"}
    if kind == "allowed_tools":
        _allow(tools, choice, facts, notes)
    elif kind in KINDS:
        names = [_chosen(tools, choice, "tool_choice")]
        tools.plan.calling = {"mode": "ANY", "allowedFunctionNames": names}
    else:
        # Gemini cannot be made to use a built-in tool.
        notes.adjust(f"tool_choice.type={kind}->auto")


def _allow(tools: ResponseTools, choice: dict[str, object], facts: ModelFacts, notes: Notes) -> None:
    inner = choice.get("allowed_tools")
    inner = inner if isinstance(inner, dict) else choice
    wanted = inner.get("tools")
    if not isinstance(wanted, list) or not wanted:
        raise missing_field("tool_choice.tools")
    names: list[str] = []
    hosted: set[str] = set()
    labels: set[str] = set()
    for index, tool in enumerate(wanted):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind in KINDS:
            names.append(_chosen(tools, tool, f"tool_choice.tools[{index}]"))
        elif kind == "mcp":
            labels.add(str(tool.get("server_label")))
        else:
            hosted.add(native_name(hosted_kind(str(kind))) or "")
    plan = tools.plan
    tools.servers = {native: label for native, label in tools.servers.items() if label in labels}
    plan.built_in = [tool for known in plan.built_in if (tool := _allowed(known, hosted, tools.servers))]
    tools.allowed = frozenset(names)
    is_required = inner.get("mode") == "required"
    if not names:
        plan.declarations = []
        if is_required:
            notes.adjust("tool_choice.mode=required->auto")
    elif is_required:
        plan.calling = {"mode": "ANY", "allowedFunctionNames": list(dict.fromkeys(names))}
    elif facts.validated:
        plan.calling = {"mode": "VALIDATED", "allowedFunctionNames": list(dict.fromkeys(names))}
    else:
        plan.declarations = [known for known in plan.declarations if known.get("name") in tools.allowed]


def _allowed(tool: Tool, hosted: Collection[str], servers: Collection[str]) -> Tool | None:
    """A built-in tool as far as it may be used; None: not at all."""
    if tool.keys() & hosted:
        return tool
    left = [server for server in servers_of(tool) if server.get("name") in servers]
    return {"mcpServers": left} if left else None


def _chosen(tools: ResponseTools, choice: Json, param: str) -> str:
    kind = choice["type"]
    inner = choice.get(kind)
    if isinstance(inner, dict):  # chat's nesting
        choice, param = inner, f"{param}.{kind}"
    if kind not in ("function", "custom"):
        name: Any = kind
    else:
        name = choice.get("name")
        if not isinstance(name, str):
            raise missing_field(f"{param}.name")
    namespace = choice.get("namespace")
    for native, identity in tools.identities.items():
        if identity.name == name and (namespace is None or identity.namespace == namespace):
            return native
    if name in declared_names(tools.plan):  # one of Google's own declarations
        return str(name)
    raise _no_tool(f"{param}.name", name)


def _no_tool(param: str, name: str) -> ApiError:
    msg = f"'{param}' is {name[:80]!r}, and no function in 'tools' has that name."
    return ApiError(400, msg, param=param, code="invalid_value")
