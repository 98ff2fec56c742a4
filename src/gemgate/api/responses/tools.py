"""`tools` and `tool_choice`, with the tools that items of the input bring."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gemgate.api.responses.items import Item, wrong_type
from gemgate.api.responses.tool_kinds import DECLARED, KINDS, ToolIdentity
from gemgate.api.responses.wire import ResponseRequest
from gemgate.errors import ApiError, missing_field
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.translation.function_names import NameMap
from gemgate.translation.notes import Notes
from gemgate.translation.tool_plan import ToolPlan, declare, text_parameters
from gemgate.wire import Function

_SEARCHES = ("web_search", "web_search_preview")
_HOSTED = {"code_interpreter": "codeExecution", "file_search": "fileSearch", "web_search": "googleSearch"}
_DATES = "_20"  # OpenAI dates some of its types: web_search_2025_08_26
_REFUSED = frozenset({"computer", "computer_use_preview", "programmatic_tool_calling"})


class _Listed(NamedTuple):
    """A tool, the parameter that names it, and whether the request itself lists it."""

    tool: dict[str, Any]
    param: str
    is_asked: bool


@dataclass(slots=True)
class ResponseTools:
    """The tools of a request, in Gemini's terms and in the caller's.

    Attributes:
        plan: Gemini's.
        identities: By Gemini's name, what the caller's tool is.
        draws: Whether images are asked for.
        allowed: Gemini's names of the only functions whose calls may be shown; None: all.
    """

    plan: ToolPlan = field(default_factory=lambda: ToolPlan(NameMap()))
    identities: dict[str, ToolIdentity] = field(default_factory=dict)
    draws: bool = False
    allowed: frozenset[str] | None = None
    _owners: dict[str, tuple[str | None, str]] = field(default_factory=dict)

    def key(self, tool: ToolIdentity) -> str:
        """The name to make Gemini's from: `namespace__name` within a namespace, unless another tool is called so."""
        key, owner = tool.key, (tool.namespace, tool.name)
        while self._owners.setdefault(key, owner) != owner:
            key += "_"
        return key

    def native_name(self, tool: ToolIdentity) -> str:
        """Gemini's name of a tool, declared or not."""
        return self.plan.names.to_gemini(self.key(tool))

    def identity(self, native: str) -> ToolIdentity:
        """The tool that Gemini calls; a name that was never sent is a function's."""
        return self.identities.get(native) or ToolIdentity("function", self.plan.names.from_gemini(native))


def plan_response_tools(
    request: ResponseRequest, items: Sequence[Item], facts: ModelFacts, notes: Notes, maximum: int
) -> ResponseTools:
    """Translate tools and tool choice.

    Raises:
        ApiError: 400 for a tool that cannot be left out, a bad schema, too many tools, or a choice that names no tool.
    """
    tools = ResponseTools()
    listed = [entry for entry in _listed(request, items) if _is_usable(entry, notes)]
    if len(listed) > maximum:
        msg = (
            f"Invalid 'tools': expected at most {maximum} items, but got {len(listed)} instead. "
            "The gateway's operator sets the limit with GEMGATE_MAX_TOOLS."
        )
        raise ApiError(400, msg, param="tools", code="array_above_max_length")
    functions = [found for entry in listed if (found := _function(entry, notes))]
    for identity, _, _ in functions:
        tools.plan.names.reserve(tools.key(identity))
    for identity, function, entry in functions:
        _declare(tools, identity, function, entry, notes)
    for entry in listed:
        _add_hosted(tools, entry, facts, notes)
    _choose(tools, request.tool_choice, facts, notes)
    return tools


def _listed(request: ResponseRequest, items: Sequence[Item]) -> Iterator[_Listed]:
    for index, tool in enumerate(request.tools or ()):
        yield from _flat(tool, f"tools[{index}]", is_asked=True)
    for item in items:
        if item.kind in ("additional_tools", "tool_search_output"):
            found = item.fields.get("tools")
            if not isinstance(found, list):
                raise wrong_type(f"{item.param}.tools", "an array", found)
            for index, tool in enumerate(found):
                yield from _flat(tool, f"{item.param}.tools[{index}]", is_asked=False)


def _flat(tool: Any, param: str, *, is_asked: bool) -> Iterator[_Listed]:
    """A tool, or the members of a namespace, each with the name of it."""
    if not isinstance(tool, dict):
        raise wrong_type(param, "an object", tool)
    if not isinstance(tool.get("type"), str):
        raise missing_field(f"{param}.type")
    if tool["type"] != "namespace":
        yield _Listed(tool, param, is_asked)
        return
    if not isinstance(tool.get("name"), str):
        raise missing_field(f"{param}.name")
    members = tool.get("tools")
    if not isinstance(members, list):
        raise wrong_type(f"{param}.tools", "an array", members)
    for index, member in enumerate(members):
        for entry in _flat(member, f"{param}.tools[{index}]", is_asked=is_asked):
            yield entry._replace(tool={**entry.tool, "namespace": tool["name"]})


def _is_usable(entry: _Listed, notes: Notes) -> bool:
    """Whether a tool is known; one that is not is left out, because the request may do without it.

    Raises:
        ApiError: 400 under the strict policy, and for tools that answers would be made of.
    """
    kind = entry.tool["type"]
    if kind in _REFUSED:
        msg = f"'{entry.param}.type' is '{kind}', which Gemini has no counterpart of: leave the tool out."
        raise ApiError(400, msg, param=f"{entry.param}.type", code="unsupported_value")
    if kind in KINDS or _hosted_kind(kind) in (*_HOSTED, "image_generation", "mcp"):
        return True
    notes.drop(f"{entry.param}.type={kind}")
    return False


def _hosted_kind(kind: str) -> str:
    base = kind.partition(_DATES)[0]
    return "web_search" if base in _SEARCHES else base


def _function(entry: _Listed, notes: Notes) -> tuple[ToolIdentity, Function, _Listed] | None:
    tool, param = entry.tool, entry.param
    kind = tool["type"]
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
        tool = {**inner, "type": kind}
        param = f"{param}.{kind}"
    name = tool.get("name")
    if not isinstance(name, str):
        raise missing_field(f"{param}.name")
    if not name:
        raise ApiError(400, f"'{param}.name' is empty.", param=f"{param}.name", code="invalid_value")
    identity = ToolIdentity(kind, name, tool.get("namespace"))
    description = _description(tool, param)
    parameters = tool.get("parameters") if kind == "function" else text_parameters(tool.get("format"))
    strict = kind == "function" and tool.get("strict") is True
    return identity, Function(name=identity.key, description=description, parameters=parameters, strict=strict), entry


def _description(tool: dict[str, Any], param: str) -> str | None:
    description = tool.get("description")
    if description is not None and not isinstance(description, str):
        raise wrong_type(f"{param}.description", "a string", description)
    return description


def _declare(tools: ResponseTools, identity: ToolIdentity, function: Function, entry: _Listed, notes: Notes) -> None:
    native = tools.native_name(identity)
    if not entry.is_asked and native in tools.plan.declared:
        return  # found again by a search, or repeated with each request
    declare(tools.plan, function.model_copy(update={"name": tools.key(identity)}), entry.param, notes)
    tools.identities[native] = identity


def _add_hosted(tools: ResponseTools, entry: _Listed, facts: ModelFacts, notes: Notes) -> None:
    kind, plan = _hosted_kind(entry.tool["type"]), tools.plan
    if kind == "image_generation" and facts.images:
        tools.draws = True
        return
    if kind == "web_search" and entry.tool.get("external_web_access") is False:
        notes.drop(f"{entry.param}.type={entry.tool['type']}")  # results of a cache are wanted, and there is none
        return
    if kind in ("image_generation", "mcp"):
        notes.drop(f"{entry.param}.type={kind}")
        return
    name = _HOSTED.get(kind)
    if name is None:
        return
    if plan.declarations and not facts.builtin_with_functions:
        notes.drop(f"{entry.param}.type={entry.tool['type']}")
        return
    native: dict[str, Any] = {}
    if kind == "file_search":
        native["fileSearchStoreNames"] = _stores(entry)
        if entry.tool.get("max_num_results") is not None:
            native["topK"] = entry.tool["max_num_results"]
    for option in _OPTIONS[kind]:
        if entry.tool.get(option) not in (None, {}, []):
            notes.drop(f"{entry.param}.{option}")
    if not any(name in known for known in plan.built_in):
        plan.built_in.append({name: native})  # type: ignore[misc]  # the key is one of Tool's


_OPTIONS = {
    "web_search": ("filters", "user_location"),
    "code_interpreter": (),
    "file_search": ("filters", "ranking_options"),
}
"""What changes the results of a tool, and has no counterpart."""


def _stores(entry: _Listed) -> list[str]:
    ids = entry.tool.get("vector_store_ids")
    if not isinstance(ids, list) or not ids:
        raise missing_field(f"{entry.param}.vector_store_ids")
    for index, name in enumerate(ids):
        if not isinstance(name, str) or not name.startswith("fileSearchStores/"):
            param = f"{entry.param}.vector_store_ids[{index}]"
            msg = f"Vector store with id '{str(name)[:80]}' not found: name one of Google's, 'fileSearchStores/…'."
            raise ApiError(404, msg, param=param, code="invalid_value")
    return [str(name) for name in ids]


def _choose(tools: ResponseTools, choice: str | dict[str, Any] | None, facts: ModelFacts, notes: Notes) -> None:
    plan = tools.plan
    if choice is None or choice == "auto":
        if plan.declarations and facts.validated and (plan.strict or plan.built_in):
            plan.calling["mode"] = "VALIDATED"
    elif choice == "none":
        plan.calling["mode"] = "NONE"
        plan.built_in = []
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


def _choose_tool(tools: ResponseTools, choice: dict[str, Any], facts: ModelFacts, notes: Notes) -> None:
    kind = choice.get("type")
    if kind == "allowed_tools":
        _allow(tools, choice, facts, notes)
    elif kind in KINDS:
        names = [_chosen(tools, choice, "tool_choice")]
        tools.plan.calling = {"mode": "ANY", "allowedFunctionNames": names}
    else:
        # Gemini cannot be made to use a built-in tool.
        notes.adjust(f"tool_choice.type={kind}->auto")


def _allow(tools: ResponseTools, choice: dict[str, Any], facts: ModelFacts, notes: Notes) -> None:
    inner = choice.get("allowed_tools")
    inner = inner if isinstance(inner, dict) else choice
    wanted = inner.get("tools")
    if not isinstance(wanted, list) or not wanted:
        raise missing_field("tool_choice.tools")
    names: list[str] = []
    hosted: set[str] = set()
    for index, tool in enumerate(wanted):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind in KINDS:
            names.append(_chosen(tools, tool, f"tool_choice.tools[{index}]"))
        else:
            hosted.add(_HOSTED.get(_hosted_kind(str(kind)), ""))
    plan = tools.plan
    plan.built_in = [tool for tool in plan.built_in if tool.keys() & hosted]
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


def _chosen(tools: ResponseTools, choice: dict[str, Any], param: str) -> str:
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
    raise _no_tool(f"{param}.name", name)


def _no_tool(param: str, name: str) -> ApiError:
    msg = f"'{param}' is {name[:80]!r}, and no function in 'tools' has that name."
    return ApiError(400, msg, param=param, code="invalid_value")
