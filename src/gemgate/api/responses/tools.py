"""`tools`, with those that items of the input bring, and what Gemini gets in their place."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gemgate.api.responses.hosted_tools import GOOGLES, hosted_kind, is_googles, native_name, native_tool
from gemgate.api.responses.image_tool import image_config, partial_images
from gemgate.api.responses.items import Item, wrong_type
from gemgate.api.responses.request_tools import ResponseTools
from gemgate.api.responses.tool_choice import choose
from gemgate.api.responses.tool_kinds import DECLARED, KINDS, ToolIdentity
from gemgate.api.responses.wire import Json, ResponseRequest
from gemgate.errors import ApiError, missing_field
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.translation.built_in_tools import searches_live
from gemgate.translation.mcp_servers import add_server, mcp_server, native_servers
from gemgate.translation.notes import Notes
from gemgate.translation.options import CachedSearch, Options
from gemgate.translation.tool_plan import (
    declare,
    schema_elsewhere,
    text_parameters,
)
from gemgate.wire import Function

_REFUSED = frozenset({"computer", "computer_use_preview", "programmatic_tool_calling"})


_NESTED = ("function", "custom")
"""Types whose fields may be in an object of their own, as chat has them."""

_FUNCTION_FIELDS = frozenset({"name", "description", "parameters", "strict", "type", "namespace"})
_CUSTOM_FIELDS = frozenset({"name", "description", "format", "type", "namespace"})
_NAMESPACE_FIELDS = frozenset({"type", "name", "description", "tools"})


class _Listed(NamedTuple):
    """A tool, its type, the parameter that names it, and whether the request itself lists it."""

    tool: Json
    kind: str
    param: str
    is_asked: bool


def plan_response_tools(
    request: ResponseRequest, items: Sequence[Item], facts: ModelFacts, notes: Notes, options: Options
) -> ResponseTools:
    """Translate tools and tool choice.

    Raises:
        ApiError: 400 for a tool that cannot be left out, a bad schema, too many tools, or a choice that names no tool.
    """
    tools = ResponseTools()
    listed = [entry for entry in _listed(request, items, notes) if _is_usable(entry, notes)]
    if len(listed) > options.max_tools:
        msg = (
            f"Invalid 'tools': expected at most {options.max_tools} items, but got {len(listed)} instead. "
            "The gateway's operator sets the limit with GEMGATE_MAX_TOOLS."
        )
        raise ApiError(400, msg, param="tools", code="array_above_max_length")
    is_searched = any(entry.kind == "tool_search" for entry in listed)
    functions = [found for entry in listed if (found := _function(entry, is_searched, notes))]
    for identity, _, _ in functions:
        tools.plan.names.reserve(tools.key(identity))
    for identity, function, entry in functions:
        _declare(tools, identity, function, entry, notes)
    for entry in listed:
        _add_hosted(tools, entry, facts, notes, options.cached_search)
    choose(tools, request.tool_choice, facts, notes)
    return tools


def _listed(request: ResponseRequest, items: Sequence[Item], notes: Notes) -> Iterator[_Listed]:
    for index, tool in enumerate(request.tools or ()):
        yield from _flat(tool, f"tools[{index}]", notes, is_asked=True)
    for item in items:
        if item.kind in ("additional_tools", "tool_search_output"):
            found = item.fields.get("tools")
            if not isinstance(found, list):
                raise wrong_type(f"{item.param}.tools", "an array", found)
            for index, tool in enumerate(found):
                yield from _flat(tool, f"{item.param}.tools[{index}]", notes, is_asked=False)


def _flat(tool: object, param: str, notes: Notes, *, is_asked: bool) -> Iterator[_Listed]:
    """A tool, or the members of a namespace, each with the name of it."""
    if not isinstance(tool, dict):
        raise wrong_type(param, "an object", tool)
    kind = _kind(tool, param)
    if kind != "namespace":
        yield _Listed(tool, kind, param, is_asked)
        return
    if not isinstance(tool.get("name"), str):
        raise missing_field(f"{param}.name")
    members = tool.get("tools")
    if not isinstance(members, list):
        raise wrong_type(f"{param}.tools", "an array", members)
    notes.drop_unknown({name: value for name, value in tool.items() if name not in _NAMESPACE_FIELDS}, f"{param}.")
    for index, member in enumerate(members):
        for entry in _flat(member, f"{param}.tools[{index}]", notes, is_asked=is_asked):
            yield entry._replace(tool={**entry.tool, "namespace": tool["name"]})


def _kind(tool: dict[str, object], param: str) -> str:
    """The type of a tool; functions and Google's own tools may come without it."""
    kind = tool.get("type")
    if isinstance(kind, str) and kind:
        return kind
    if kind is None:
        if (nested := next((name for name in _NESTED if isinstance(tool.get(name), dict)), None)) is not None:
            return nested
        if is_googles(tool):
            return GOOGLES
        if isinstance(tool.get("name"), str):
            return "function"
    raise missing_field(f"{param}.type")


def _is_usable(entry: _Listed, notes: Notes) -> bool:
    """Whether a tool is known; one that is not is left out, because the request may do without it.

    Raises:
        ApiError: 400 under the strict policy, and for tools that answers would be made of.
    """
    kind = entry.kind
    if kind in _REFUSED:
        msg = f"'{entry.param}.type' is '{kind}', which Gemini has no counterpart of: leave the tool out."
        raise ApiError(400, msg, param=f"{entry.param}.type", code="unsupported_value")
    if kind == GOOGLES or kind in KINDS:
        return True
    if (hosted := hosted_kind(kind)) in ("image_generation", "mcp") or native_name(hosted):
        return True
    notes.drop(f"{entry.param}.type={kind}")
    return False


def _function(entry: _Listed, is_searched: bool, notes: Notes) -> tuple[ToolIdentity, Function, _Listed] | None:
    tool, kind, param, _ = entry
    if kind == "tool_search":
        if tool.get("execution") != "client":
            notes.adjust(f"{param}.type=tool_search->all tools")
            return None
        parameters = tool.get("parameters") or {"type": "object", "properties": {"query": {"type": "string"}}}
        wanted = _description(tool, param) or "Finds more tools by what they are to do."
        function = Function(name=kind, description=wanted, parameters=parameters)
        return ToolIdentity(kind, kind), function, entry
    if kind in DECLARED:
        environment = tool.get("environment")
        if isinstance(environment, dict) and environment.get("type", "local") != "local":
            msg = f"'{param}.environment' is a container, and the gateway runs none: use the type 'local'."
            raise ApiError(400, msg, param=f"{param}.environment", code="unsupported_value")
        known, parameters = DECLARED[kind]
        return ToolIdentity(kind, kind), Function(name=kind, description=known, parameters=parameters), entry
    if kind not in KINDS:
        return None
    inner = tool.get(kind)
    if isinstance(inner, dict):  # chat's nesting
        others = {name: value for name, value in tool.items() if name not in (kind, "type", "namespace")}
        notes.drop_unknown(others, f"{param}.")
        tool = {**inner, "namespace": tool.get("namespace")}
        param = f"{param}.{kind}"
    name = tool.get("name")
    if not isinstance(name, str):
        raise missing_field(f"{param}.name")
    parameters = tool.get("parameters") if kind == "function" else text_parameters(tool.get("format"))
    if kind == "function" and parameters is None:
        tool = dict(tool)
        parameters = schema_elsewhere(tool)
    _note_rest(tool, _FUNCTION_FIELDS if kind == "function" else _CUSTOM_FIELDS, param, is_searched, notes)
    if not name:
        raise ApiError(400, f"'{param}.name' is empty.", param=f"{param}.name", code="invalid_value")
    identity = ToolIdentity(kind, name, tool.get("namespace"))
    description = _description(tool, param)
    strict = kind == "function" and tool.get("strict") is True
    return identity, Function(name=identity.key, description=description, parameters=parameters, strict=strict), entry


def _note_rest(tool: dict[str, object], known: frozenset[str], param: str, is_searched: bool, notes: Notes) -> None:
    """Name what nobody reads of a function; tools that a search would load later are all declared at once."""
    for name, value in tool.items():
        if name in known or value is None or value is False:
            continue
        if (name == "defer_loading" and is_searched) or (name == "allowed_callers" and value == ["direct"]):
            continue
        notes.drop(f"{param}.{name}")


def _description(tool: dict[str, object], param: str) -> str | None:
    description = tool.get("description")
    if description is not None and not isinstance(description, str):
        raise wrong_type(f"{param}.description", "a string", description)
    return description


def _declare(tools: ResponseTools, identity: ToolIdentity, function: Function, entry: _Listed, notes: Notes) -> None:
    native = tools.native_name(identity)
    if not entry.is_asked and native in tools.plan.declared:
        return  # found again by a search, or repeated with each request
    key = tools.key(identity)
    named = function if function.name == key else function.model_copy(update={"name": key})
    declare(tools.plan, named, entry.param, notes)
    tools.identities[native] = identity


def _add_hosted(
    tools: ResponseTools, entry: _Listed, facts: ModelFacts, notes: Notes, cached_search: CachedSearch
) -> None:
    tool, kind, param, _ = entry
    if kind in KINDS:
        return
    hosted, plan, left_out = hosted_kind(kind), tools.plan, f"{param}.type={kind}" if kind else param
    if hosted == "image_generation" and facts.images:
        tools.draws = True
        tools.image_config = image_config(tool, param, facts, notes)
        tools.shows_partial_images = partial_images(tool, param, notes) > 0
        return
    if hosted == "web_search" and not searches_live(tool, param, cached_search, notes):
        return
    if hosted == "image_generation":
        notes.drop(left_out)
        return
    if hosted == "mcp":
        _add_server(tools, entry, facts, notes)
        return
    native = native_tool(hosted, tool, param, notes)
    declared = native.pop("functionDeclarations", None)
    functions: list[Any] = [each for each in declared if isinstance(each, dict)] if isinstance(declared, list) else []
    plan.declarations.extend(functions)
    if native and plan.declarations and not facts.builtin_with_functions:
        notes.drop(left_out)
        return
    known = {name for each in plan.built_in for name in each}
    if native and native.keys() <= known:
        notes.adjust(f"{param}->none: there is such a tool already")
    elif native:
        plan.built_in.append(native)  # type: ignore[arg-type]  # its keys are Tool's
        tools.servers |= native_servers(native)


def _add_server(tools: ResponseTools, entry: _Listed, facts: ModelFacts, notes: Notes) -> None:
    if tools.plan.declarations and not facts.builtin_with_functions:
        notes.drop(f"{entry.param}.type={entry.kind}")
        return
    server = mcp_server(entry.tool, entry.param, facts, notes)
    if server is None:
        return
    if not entry.is_asked and server.label in tools.servers.values():
        return  # repeated with each request
    add_server(tools.plan, server, entry.param)
    tools.servers[server.name] = server.label
