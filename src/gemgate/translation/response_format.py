"""`response_format`, and the hidden function that replaces it where a model takes no JSON format beside tools."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import orjson

from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.schema.convert_schema import (
    ConvertedSchema,
    SchemaBudget,
    UnsupportedSchemaError,
    is_object_schema,
    known_gemini_schema,
    object_root,
)
from gemgate.gemini.types import GenerationConfig
from gemgate.translation.notes import Notes
from gemgate.translation.tool_plan import ToolPlan, declared_names

_HIDDEN_NAME = "final_answer"


@dataclass(frozen=True, slots=True)
class HiddenFunction:
    """A function that carries the response format.

    Attributes:
        name: Gemini's name of it.
        unwrap: None when the arguments are the answer; else the argument that holds it.
        is_text: Whether that argument is JSON text already.
    """

    name: str
    unwrap: str | None = None
    is_text: bool = False

    def content(self, args: dict[str, object]) -> str:
        """The arguments of its call as the content of the answer."""
        value = args if self.unwrap is None else args.get(self.unwrap)
        return value if self.is_text and isinstance(value, str) else orjson.dumps(value).decode()


class Format(NamedTuple):
    """What the caller wants the answer to be."""

    kind: Literal["text", "json_object", "json_schema"] = "text"
    schema: dict[str, object] | None = None


def schema_format(schema: object, description: str | None, param: str, notes: Notes, schemas: SchemaBudget) -> Format:
    """The format of an answer that follows `schema`, which is at `param`; it is paid from `schemas`.

    Raises:
        ApiError: 400 when the schema is missing or cannot be represented.
    """
    if schema is None:
        raise ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    try:
        converted = known_gemini_schema(schema, param=param, budget=schemas)
    except UnsupportedSchemaError as error:
        raise ApiError(400, str(error), param=param, code="invalid_json_schema") from error
    for change in converted.changes:
        notes.adjust(f"{param}.{change}")
    found = converted.schema
    if description and "description" not in found and "$ref" not in found:
        found = {**found, "description": description}
    return Format("json_schema", found)


def apply_format(
    wanted: Format,
    plan: ToolPlan,
    config: GenerationConfig,
    facts: ModelFacts,
    notes: Notes,
    name: str = "response_format",
) -> HiddenFunction | None:
    """Put the format into `config`, or into a hidden function of `plan`, which is returned.

    `name` is that of the parameter which asks for the format. A required call leaves no text to give a format to.

    Gemini 2.5 and older answer functions together with a JSON format with 400 "Function calling with a response mime
    type: 'application/json' is unsupported" (recorded).
    """
    if wanted.kind == "text":
        return None
    if plan.declarations and not facts.json_with_tools:
        mode = plan.calling.get("mode")
        if mode == "ANY":
            notes.adjust(f"{name}->none")
            return None
        if mode != "NONE":
            notes.adjust(f"{name}->function")
            return _hide(wanted, plan)
        plan.declarations = []
        notes.adjust("tools->none")
    config["responseMimeType"] = "application/json"
    if wanted.schema is not None:
        config["responseJsonSchema"] = wanted.schema
    return None


def _hide(wanted: Format, plan: ToolPlan) -> HiddenFunction:
    name = plan.names.to_gemini(_HIDDEN_NAME)
    declared = declared_names(plan)
    while name in declared:
        name += "_"
    hidden, parameters = _hidden_parameters(name, wanted)
    allowed = plan.calling.get("allowedFunctionNames")
    plan.calling = {"mode": "ANY"}
    if allowed is not None:
        plan.calling["allowedFunctionNames"] = [*allowed, name]
    plan.declarations.append(
        {
            "name": name,
            "description": "Gives the final answer to the user. Call it when no other function is needed.",
            "parametersJsonSchema": parameters,
        }
    )
    return hidden


def _hidden_parameters(name: str, wanted: Format) -> tuple[HiddenFunction, dict[str, object]]:
    if wanted.schema is None:
        text: dict[str, object] = {"type": "string", "description": "The answer: a JSON object, as text."}
        return HiddenFunction(name, "json", is_text=True), _only("json", text)
    if is_object_schema(wanted.schema):
        root = object_root(ConvertedSchema(wanted.schema, ()), param="response_format")
        return HiddenFunction(name), root.schema
    definitions = {"$defs": wanted.schema["$defs"]} if "$defs" in wanted.schema else {}
    inner = {key: value for key, value in wanted.schema.items() if key != "$defs"}
    return HiddenFunction(name, "value"), _only("value", inner) | definitions


def _only(name: str, schema: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": {name: schema}, "required": [name]}
