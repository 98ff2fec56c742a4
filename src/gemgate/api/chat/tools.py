"""`tools`, `tool_choice` and what goes with them."""

from typing import Any

from gemgate.api.chat.wire import ChatCompletionRequest, ToolDefinition
from gemgate.errors import ApiError, missing_field
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import FunctionDeclaration
from gemgate.translation.built_in_tools import built_in_tool, searches_live, untyped_tool
from gemgate.translation.function_names import NameMap
from gemgate.translation.mcp_servers import add_server, mcp_server
from gemgate.translation.notes import Notes
from gemgate.translation.options import CachedSearch
from gemgate.translation.tool_plan import ToolPlan, declare, declared_names, named_mode, text_parameters
from gemgate.wire import Function, TextFunction

_CHOICE = frozenset({"type", "name", "function", "custom", "allowed_tools", "mode", "tools"})


def plan_tools(
    request: ChatCompletionRequest,
    native_tools: list[Any],
    facts: ModelFacts,
    notes: Notes,
    cached_search: CachedSearch = "drop",
) -> ToolPlan:
    """Translate tools and tool choice.

    `native_tools` is `extra_body.google.tools` in camelCase; they are sent as they are. `cached_search` is what the
    operator wants of a search that may not ask the web.

    Raises:
        ApiError: 400 for a tool that Gemini lacks, a bad schema, a choice that names no tool, or a mix the model
            refuses.
    """
    plan = ToolPlan(NameMap())
    functions = _functions(request) if request.tools or request.functions else []
    for _, function in functions:
        plan.names.reserve(function.name)
    for param, function in functions:
        declare(plan, function, param, notes)
    for index, tool in enumerate(request.tools or []):
        param = f"tools[{index}]"
        if not _is_search(tool) or searches_live(_fields(tool), param, cached_search, notes):
            _add_other(plan, tool, param, facts, notes)
    if request.web_search_options is not None:
        _add_search(plan, request.web_search_options, notes)
    for index, native in enumerate(native_tools):
        plan.declarations.extend(_native_declarations(native, f"extra_body.google.tools[{index}]"))
        if native:
            plan.built_in.append(native)
    if plan.declarations and plan.built_in and not facts.builtin_with_functions:
        _refuse_the_mix(request.model, plan)
    if plan.declarations or request.tool_choice is not None or request.function_call is not None:
        _choose(plan, request, facts, notes)
    return plan


def _is_search(tool: ToolDefinition) -> bool:
    return tool.type is not None and tool.type.startswith("web_search")


def _fields(tool: ToolDefinition) -> dict[str, object]:
    return {"type": tool.type, **(tool.model_extra or {})}


def _add_other(plan: ToolPlan, tool: ToolDefinition, param: str, facts: ModelFacts, notes: Notes) -> None:
    """Add a tool of Google's, and name what is beside a function."""
    kind, given = _kind(tool), tool.model_extra or {}
    if kind in ("function", "custom"):
        _note_rest(tool, kind, f"{param}.", notes)
        return
    if kind == "mcp":
        if (server := mcp_server(given, param, facts, notes)) is not None:
            add_server(plan, server, param)
        return
    if kind:
        notes.drop_unknown({"function": tool.function, "custom": tool.custom}, f"{param}.")
        _add_built_in(plan, built_in_tool(kind, given, param, notes), param, notes)
        return
    native = untyped_tool(given, param, notes)
    if not native:
        raise missing_field(f"{param}.type")
    plan.declarations.extend(_native_declarations(native, param))
    if native:
        _add_built_in(plan, native, param, notes)


def _add_built_in(plan: ToolPlan, native: dict[str, object], param: str, notes: Notes) -> None:
    if native in plan.built_in:
        notes.adjust(f"{param}->none: it is the same as another")
    else:
        plan.built_in.append(native)  # type: ignore[arg-type]  # its keys are Tool's


def _kind(tool: ToolDefinition) -> str:
    """The type of a tool; a function may come without it, and so may Google's own tools, whose type is empty."""
    if tool.type:
        return tool.type
    if tool.function is not None or isinstance((tool.model_extra or {}).get("name"), str):
        return "function"
    return "custom" if tool.custom is not None else ""


def _note_rest(tool: ToolDefinition, kind: str, prefix: str, notes: Notes) -> None:
    """Name what is beside a function, or in a custom tool, and says nothing to Gemini."""
    if kind == "custom" or tool.function is not None:  # else they are the function's own
        notes.drop_unknown(tool.model_extra, prefix)
    if kind == "function":
        notes.drop_unknown({"custom": tool.custom}, prefix)
        return
    notes.drop_unknown({"function": tool.function}, prefix)
    known = ("name", "description", "format")
    notes.drop_unknown(
        {key: value for key, value in (tool.custom or {}).items() if key not in known}, f"{prefix}custom."
    )


def _native_declarations(native: dict[str, object], param: str) -> list[FunctionDeclaration]:
    declarations: object = native.pop("functionDeclarations", [])
    if not isinstance(declarations, list) or not all(isinstance(known, dict) for known in declarations):
        msg = f"'{param}.function_declarations' must be a list of objects."
        raise ApiError(400, msg, param=param, code="invalid_type")
    return declarations


def refuse_many_tools(request: ChatCompletionRequest, maximum: int) -> None:
    """Each tool costs time on the way and tokens at Google.

    Raises:
        ApiError: 400, for more than `most` tools.
    """
    for param, tools in (("tools", request.tools), ("functions", request.functions)):
        if len(tools or ()) > maximum:
            msg = (
                f"Invalid '{param}': expected at most {maximum} items, but got {len(tools or ())} instead. "
                "The gateway's operator sets the limit with GEMGATE_MAX_TOOLS."
            )
            raise ApiError(400, msg, param=param, code="array_above_max_length")


def _functions(request: ChatCompletionRequest) -> list[tuple[str, Function]]:
    found = [(f"functions[{index}]", function) for index, function in enumerate(request.functions or [])]
    for index, tool in enumerate(request.tools or []):
        kind = _kind(tool)
        if kind == "function":
            found.append(_function(tool, f"tools[{index}]"))
        elif kind == "custom":
            found.append((f"tools[{index}].custom", _custom_function(tool, f"tools[{index}].custom")))
    return found


def _function(tool: ToolDefinition, param: str) -> tuple[str, Function]:
    """The function of a tool, and where it is: in the Responses API its fields are beside the type."""
    if tool.function is not None:
        return f"{param}.function", tool.function
    flat = tool.model_extra or {}
    if not isinstance(flat.get("name"), str):
        raise missing_field(f"{param}.function")
    for name, kinds in (("description", str), ("strict", bool)):
        if flat.get(name) is not None and not isinstance(flat[name], kinds):
            raise ApiError(400, f"Invalid type for '{param}.{name}'.", param=f"{param}.{name}", code="invalid_type")
    return param, Function.model_validate(flat)


def _custom_function(tool: ToolDefinition, param: str) -> Function:
    custom = tool.custom or {}
    if not isinstance(custom.get("name"), str):
        raise missing_field(f"{param}.name")
    description = custom.get("description")
    if description is not None and not isinstance(description, str):
        raise ApiError(
            400, f"Invalid type for '{param}.description'.", param=f"{param}.description", code="invalid_type"
        )
    parameters = text_parameters(custom.get("format"))
    return TextFunction(name=custom["name"], description=description, parameters=parameters)


def _add_search(plan: ToolPlan, options: dict[str, object], notes: Notes) -> None:
    notes.drop_unknown(options, "web_search_options.")
    if not any("googleSearch" in tool for tool in plan.built_in):
        plan.built_in.append({"googleSearch": {}})


def _refuse_the_mix(model: str, plan: ToolPlan) -> None:
    built_in = ", ".join(name for tool in plan.built_in for name in tool)
    msg = (
        f"{model} does not take functions and built-in tools ({built_in}) in one request. "
        "Send one kind, or use Gemini 3 or later, which takes both."
    )
    raise ApiError(400, msg, param="tools", code="unsupported_value")


def _choose(plan: ToolPlan, request: ChatCompletionRequest, facts: ModelFacts, notes: Notes) -> None:
    choice: object = request.tool_choice if request.tool_choice is not None else request.function_call
    param = "tool_choice" if request.tool_choice is not None else "function_call"
    choice = named_mode(choice, notes, param)
    if isinstance(choice, dict):
        notes.drop_unknown({key: value for key, value in choice.items() if key not in _CHOICE}, f"{param}.")
        for kind in ("function", "custom"):
            named = choice.get(kind)
            if isinstance(named, dict):
                others = {key: value for key, value in named.items() if key != "name"}
                notes.drop_unknown(others, f"{param}.{kind}.")
    if choice is None or choice == "auto":
        if plan.declarations and facts.validated and (plan.strict or plan.built_in):
            plan.calling["mode"] = "VALIDATED"
        return
    if choice == "none":
        plan.calling["mode"] = "NONE"
        return
    if not plan.declarations:
        msg = f"'{param}' is {choice!r}, but 'tools' has no functions."
        raise ApiError(400, msg, param=param, code="invalid_value")
    if choice == "required":
        plan.calling["mode"] = "ANY"
    elif isinstance(choice, dict):
        _choose_by_name(plan, choice, param, facts)
    else:
        msg = f"'{param}' is {choice!r}; it can be none, auto, required, or an object that names a function."
        raise ApiError(400, msg, param=param, code="invalid_value")


def _choose_by_name(plan: ToolPlan, choice: dict[str, object], param: str, facts: ModelFacts) -> None:
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        allowed = allowed if isinstance(allowed, dict) else choice
        tools = allowed.get("tools")
        tools = tools if isinstance(tools, list) else []
        mode = "ANY" if allowed.get("mode") == "required" else "VALIDATED"
        declared = declared_names(plan)
        chosen = (_chosen(plan, declared, tool, f"{param}.allowed_tools.tools[{i}]") for i, tool in enumerate(tools))
        names = list(dict.fromkeys(chosen))
    else:
        mode, names = "ANY", [_chosen(plan, declared_names(plan), choice, param)]
    if not names:
        raise missing_field(f"{param}.allowed_tools.tools")
    if mode == "VALIDATED" and not facts.validated:
        allowed_names = frozenset(names)
        plan.declarations = [known for known in plan.declarations if known.get("name") in allowed_names]
        return
    plan.calling = {"mode": mode, "allowedFunctionNames": names}


def _chosen(plan: ToolPlan, declared: frozenset[str], choice: object, param: str) -> str:
    inner = choice if isinstance(choice, dict) else {}
    for kind in ("function", "custom"):
        if isinstance(inner.get(kind), dict):
            inner, param = inner[kind], f"{param}.{kind}"
    name = inner.get("name")
    if not isinstance(name, str):
        raise missing_field(f"{param}.name")
    native = plan.names.to_gemini(name)
    if native not in declared:
        msg = f"'{param}.name' is {name[:80]!r}, and no function in 'tools' has that name."
        raise ApiError(400, msg, param=f"{param}.name", code="invalid_value")
    return native
