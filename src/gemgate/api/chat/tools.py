"""`tools`, `tool_choice` and what goes with them."""

from typing import Any

from gemgate.api.chat.wire import ChatCompletionRequest, ToolDefinition
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import Tool
from gemgate.translation.extra_body import camel
from gemgate.translation.function_names import NameMap
from gemgate.translation.notes import Notes
from gemgate.translation.tool_plan import ToolPlan, declare, declared_names, missing
from gemgate.wire import Function

# The type of an OpenAI tool, and the native tool that does its work.
_BUILT_IN = {
    "web_search": "googleSearch",
    "web_search_preview": "googleSearch",
    "google_search": "googleSearch",
    "url_context": "urlContext",
    "code_execution": "codeExecution",
    "code_interpreter": "codeExecution",
    "google_maps": "googleMaps",
    "file_search": "fileSearch",
}
_CHOICE = frozenset({"type", "name", "function", "custom", "allowed_tools", "mode", "tools"})
_OPENAI_ONLY_OPTIONS = frozenset(
    {"container", "search_context_size", "user_location", "filters", "vector_store_ids", "max_num_results"}
)


def plan_tools(request: ChatCompletionRequest, native_tools: list[Any], facts: ModelFacts, notes: Notes) -> ToolPlan:
    """Translate tools and tool choice.

    `native_tools` is `extra_body.google.tools` in camelCase; they are sent as they are.

    Raises:
        ApiError: 400 for a tool that Gemini lacks, a bad schema, a choice that names no tool, or a mix the model
            refuses.
    """
    plan = ToolPlan(NameMap())
    functions = _functions(request)
    for _, function in functions:
        plan.names.reserve(function.name)
    for param, function in functions:
        declare(plan, function, param, notes)
    for index, tool in enumerate(request.tools or []):
        if tool.type in {"function", "custom"}:
            _note_rest(tool, f"tools[{index}].", notes)
        else:
            plan.built_in.append(_built_in(tool, f"tools[{index}]", notes))
    if request.web_search_options is not None:
        _add_search(plan, request.web_search_options, notes)
    for index, native in enumerate(native_tools):
        plan.declarations.extend(_native_declarations(native, f"extra_body.google.tools[{index}]"))
        if native:
            plan.built_in.append(native)
    if plan.declarations and plan.built_in and not facts.builtin_with_functions:
        _refuse_the_mix(request.model, plan)
    _choose(plan, request, facts, notes)
    return plan


def _note_rest(tool: ToolDefinition, prefix: str, notes: Notes) -> None:
    """Name what is beside a function, or in a custom tool, and says nothing to Gemini."""
    notes.drop_unknown(tool.model_extra, prefix)
    if tool.type == "function":
        notes.drop_unknown({"custom": tool.custom}, prefix)
        return
    notes.drop_unknown({"function": tool.function}, prefix)
    known = ("name", "description", "format")
    notes.drop_unknown(
        {key: value for key, value in (tool.custom or {}).items() if key not in known}, f"{prefix}custom."
    )


def _native_declarations(native: dict[str, Any], param: str) -> list[Any]:
    declarations: Any = native.pop("functionDeclarations", [])
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
        if tool.type == "function":
            if tool.function is None:
                raise missing(f"tools[{index}].function")
            found.append((f"tools[{index}].function", tool.function))
        elif tool.type == "custom":
            found.append((f"tools[{index}].custom", _custom_function(tool, f"tools[{index}].custom")))
    return found


def _custom_function(tool: ToolDefinition, param: str) -> Function:
    custom = tool.custom or {}
    if not isinstance(custom.get("name"), str):
        raise missing(f"{param}.name")
    hint = "The input of the tool, as plain text."
    grammar = (custom.get("format") or {}).get("grammar") if isinstance(custom.get("format"), dict) else None
    if isinstance(grammar, dict):
        hint += f" It must follow this {grammar.get('syntax', '')} grammar:\n{grammar.get('definition', '')}"
    parameters = {
        "type": "object",
        "properties": {"input": {"type": "string", "description": hint}},
        "required": ["input"],
    }
    return Function(name=custom["name"], description=custom.get("description"), parameters=parameters, custom=True)


def _built_in(tool: ToolDefinition, param: str, notes: Notes) -> Tool:
    kind = tool.type
    # OpenAI dates its previews: web_search_preview_2025_03_11.
    native = "googleSearch" if kind.startswith("web_search") else _BUILT_IN.get(kind)
    if native is None:
        msg = (
            f"'{param}.type' is {kind!r}, which Gemini has no counterpart of. Known are function, custom and "
            f"{', '.join(_BUILT_IN)}; other native tools go to extra_body.google.tools."
        )
        raise ApiError(400, msg, param=f"{param}.type", code="invalid_value")
    options = dict(tool.model_extra or {})
    for name in options.keys() & _OPENAI_ONLY_OPTIONS:
        notes.drop(f"{param}.{name}")
        del options[name]
    return {native: camel(options)}  # type: ignore[misc]  # the key is one of Tool's


def _add_search(plan: ToolPlan, options: dict[str, Any], notes: Notes) -> None:
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
    choice: Any = request.tool_choice if request.tool_choice is not None else request.function_call
    param = "tool_choice" if request.tool_choice is not None else "function_call"
    if isinstance(choice, dict):
        notes.drop_unknown({key: value for key, value in choice.items() if key not in _CHOICE}, f"{param}.")
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


def _choose_by_name(plan: ToolPlan, choice: dict[str, Any], param: str, facts: ModelFacts) -> None:
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
        raise missing(f"{param}.allowed_tools.tools")
    if mode == "VALIDATED" and not facts.validated:
        allowed_names = frozenset(names)
        plan.declarations = [known for known in plan.declarations if known.get("name") in allowed_names]
        return
    plan.calling = {"mode": mode, "allowedFunctionNames": names}


def _chosen(plan: ToolPlan, declared: frozenset[str], choice: Any, param: str) -> str:
    inner = choice if isinstance(choice, dict) else {}
    for kind in ("function", "custom"):
        if isinstance(inner.get(kind), dict):
            inner, param = inner[kind], f"{param}.{kind}"
    name = inner.get("name")
    if not isinstance(name, str):
        raise missing(f"{param}.name")
    native = plan.names.to_gemini(name)
    if native not in declared:
        msg = f"'{param}.name' is {name[:80]!r}, and no function in 'tools' has that name."
        raise ApiError(400, msg, param=f"{param}.name", code="invalid_value")
    return native
