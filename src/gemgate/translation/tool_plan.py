"""The tools of a request in Gemini's terms, in whatever form its endpoint takes them."""

from dataclasses import dataclass, field
from typing import TypeVar

from gemgate.errors import ApiError
from gemgate.gemini.schema.convert_schema import (
    NO_PARAMETERS,
    SchemaBudget,
    UnsupportedSchemaError,
    function_parameters,
)
from gemgate.gemini.types import (
    FunctionCallingConfig,
    FunctionDeclaration,
    Tool,
    ToolConfig,
)
from gemgate.translation.function_names import NameMap, is_recognizable
from gemgate.translation.notes import Notes
from gemgate.wire import Function, TextFunction

_SCHEMAS = frozenset({"parameters", "parametersJsonSchema"})


T = TypeVar("T")


@dataclass(slots=True)
class ToolPlan:
    """The tools of a request, in Gemini's terms.

    Attributes:
        declarations: All functions; they travel in one `tools` entry.
        built_in: Built-in tools, an entry each.
        calling: The function calling config; empty when the model may decide.
        names: The callers' names and Gemini's.
        declared: Names (Gemini's) of the functions of `tools` and `functions`.
        given: The functions by those names, as they were given.
        custom: Names (Gemini's) of custom tools, which take free text.
        strict: Whether one of the functions asks for arguments that keep to its schema.
        schemas: What is left of the schemas that the whole request may hold.
    """

    names: NameMap
    declarations: list[FunctionDeclaration] = field(default_factory=list)
    built_in: list[Tool] = field(default_factory=list)
    calling: FunctionCallingConfig = field(default_factory=FunctionCallingConfig)
    declared: set[str] = field(default_factory=set)
    given: dict[str, Function] = field(default_factory=dict)
    custom: set[str] = field(default_factory=set)
    strict: bool = False
    schemas: SchemaBudget = field(default_factory=SchemaBudget)

    @property
    def server_side_calls(self) -> bool:
        """Whether Google runs some of the calls itself (MCP servers)."""
        return any("mcpServers" in tool for tool in self.built_in)

    def tools(self) -> list[Tool]:
        """The native `tools`."""
        if self.calling.get("mode") in {"ANY", "VALIDATED"}:
            for declaration in self.declarations:  # Google's answer to one without a schema is a 400
                if declaration.keys().isdisjoint(_SCHEMAS):
                    declaration["parametersJsonSchema"] = NO_PARAMETERS
        functions: list[Tool] = [{"functionDeclarations": self.declarations}] if self.declarations else []
        return functions + self.built_in

    def tool_config(self) -> ToolConfig:
        """The native `toolConfig`; empty when there is nothing to say."""
        config: ToolConfig = {}
        if self.declarations and self.calling:
            config["functionCallingConfig"] = self.calling
        if self.declarations and self.built_in:
            config["includeServerSideToolInvocations"] = True
        return config


def drop_functions(plan: ToolPlan, notes: Notes) -> None:
    """Leave the functions out, for a model that takes none; what is built into Google stays."""
    if plan.declarations and "tools" not in notes.explicit:
        notes.drop("tools")
        plan.declarations = []
        plan.calling = FunctionCallingConfig()


def declare(plan: ToolPlan, function: Function, param: str, notes: Notes) -> None:
    """Add a function, which is at `param`, to the plan.

    Raises:
        ApiError: 400 for a name that is empty or taken, and for parameters that are not a schema.
    """
    if not function.name:
        raise ApiError(400, f"'{param}.name' is empty.", param=f"{param}.name", code="invalid_value")
    native = plan.names.to_gemini(function.name)
    if native in plan.declared and plan.given.get(native) == function:
        notes.adjust(f"{param}->none: it is the same as another")
        return
    if native in plan.declared:
        msg = f"'{param}.name' is {function.name!r}, and another tool has that name: names must differ."
        raise ApiError(400, msg, param=f"{param}.name", code="invalid_value")
    parameters = function.parameters
    if function.model_extra:
        extra = dict(function.model_extra)
        if parameters is None:
            parameters = schema_elsewhere(extra)
        notes.drop_unknown(extra, f"{param}.")
    if native != function.name:
        notes.adjust(f"{param}.name={function.name}->{native}")
    plan.declared.add(native)
    plan.given[native] = function
    description = function.description or function.name
    if native != function.name and function.name not in description and not is_recognizable(native, function.name):
        description = f"{description.rstrip()}\nThe conversation calls this function {function.name!r}."
    declaration: FunctionDeclaration = {"name": native, "description": description}
    _add_parameters(plan, declaration, parameters, f"{param}.parameters", notes)
    plan.declarations.append(declaration)
    plan.strict = plan.strict or bool(function.strict)
    if isinstance(function, TextFunction):
        plan.custom.add(native)


def text_parameters(form: object) -> dict[str, object]:
    """The parameters of a custom tool, which takes text; with the grammar that its `format` says the text must follow.

    Chat has the grammar in `format.grammar`, the Responses API in `format` itself.
    """
    hint = "The input of the tool, as plain text."
    if isinstance(form, dict) and (form.get("type") == "grammar" or "grammar" in form):
        grammar = form["grammar"] if isinstance(form.get("grammar"), dict) else form
        hint += f" It must follow this {grammar.get('syntax', '')} grammar:\n{grammar.get('definition', '')}"
    return {
        "type": "object",
        "properties": {"input": {"type": "string", "description": hint}},
        "required": ["input"],
    }


def _add_parameters(
    plan: ToolPlan, declaration: FunctionDeclaration, parameters: object, param: str, notes: Notes
) -> None:
    try:
        converted = function_parameters(parameters, param=param, budget=plan.schemas)
    except UnsupportedSchemaError as error:
        raise ApiError(400, str(error), param=param, code="invalid_function_parameters") from error
    declaration["parametersJsonSchema"] = converted.schema
    for change in converted.changes:
        notes.adjust(f"{param}.{change}")


def named_mode(choice: T, notes: Notes, param: str) -> T | str:
    """`choice`, or the mode that it names in the words of another API: `any`, `AUTO`, `{"type": "auto"}`."""
    kind = choice.get("type") if isinstance(choice, dict) else choice
    mode = _MODES.get(kind.lower()) if isinstance(kind, str) else None
    if mode is None or (isinstance(choice, dict) and not choice.keys().isdisjoint(_NAMES)):
        return choice
    if isinstance(choice, dict):
        notes.drop_unknown({name: value for name, value in choice.items() if name != "type"}, f"{param}.")
    return mode


_MODES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
_NAMES = frozenset({"name", "function", "custom", "tools", "allowed_tools"})
"""Fields of a choice that name tools."""


def schema_elsewhere(given: dict[str, object]) -> object:
    """The parameters of a function by the names that other APIs have for them; they are taken out of `given`."""
    for name in _SCHEMA_NAMES:
        if isinstance(given.get(name), dict):
            return given.pop(name)
    return None


_SCHEMA_NAMES = ("input_schema", "inputSchema", "parameters_json_schema", "parametersJsonSchema")
"""Anthropic's, MCP's and Google's."""


def declared_names(plan: ToolPlan) -> frozenset[str]:
    """The names of all functions, native ones included, which may hold anything."""
    return frozenset(name for known in plan.declarations if isinstance(name := known.get("name"), str))
