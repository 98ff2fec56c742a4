"""Leaves out of a native request what its model is known to have refused."""

from collections.abc import Collection
from typing import Any, cast

import orjson

from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.refused_values import (
    digest_of_value,
    displaced_digest,
    is_displaced,
    parameters_digest,
    schema_digest,
    signed_parts,
)
from gemgate.gemini.schema.simpler import simpler
from gemgate.gemini.types import Content, FunctionDeclaration, GenerateContentRequest, Tool
from gemgate.gemini.vertex.differences import without
from gemgate.translation.extra_body import snake
from gemgate.translation.notes import Notes
from gemgate.translation.thought_signatures import NO_SIGNATURE

_BESIDE = frozenset({"store", "serviceTier"})
_GO_ON = "Continue."


def leave_out_refused(body: GenerateContentRequest, facts: ModelFacts, refused: Collection[str], notes: Notes) -> None:
    """Take refused fields out of `body`, and put the documented stand-ins where refused values are.

    What the caller wrote into `extra_body.google` stays: it is theirs to decide.

    Args:
        body: The native request, which is changed.
        facts: What is believed of its model.
        refused: Digests of values that the model has refused.
        notes: Where it is noted.
    """
    for name in facts.refused_fields:
        _drop_field(cast("dict[str, Any]", body), name, notes)
    if refused:
        _replace_signatures(body, refused, notes)
        _part_turns(body, refused, notes)
        _simplify_schema(body, refused, facts, notes)
        _simplify_parameters(body, refused, notes)


def _drop_field(body: dict[str, Any], name: str, notes: Notes) -> None:
    if "." in name:
        if (changed := without(body, name)) is not body:
            body.clear()
            body.update(changed)
            notes.drop(".".join(snake(step) for step in name.split(".")))
        return
    if name in _BESIDE:
        if body.pop(name, None):
            notes.drop(snake(name))
        return
    config = body.get("generationConfig") or {}
    if name in config and f"generation_config.{name}" not in notes.explicit:
        del config[name]
        notes.drop(snake(name))
        if not config:
            del body["generationConfig"]


def _replace_signatures(body: GenerateContentRequest, refused: Collection[str], notes: Notes) -> None:
    """The documented stand-in on the first call of a turn; no signature elsewhere."""
    signed = list(signed_parts(body))
    if all(digest_of_value(part["thoughtSignature"]) not in refused for part in signed):
        return
    for part in signed:
        if "functionCall" in part:
            part["thoughtSignature"] = NO_SIGNATURE
        else:
            del part["thoughtSignature"]
    notes.adjust("messages[].thought_signature->none")


def _part_turns(body: GenerateContentRequest, refused: Collection[str], notes: Notes) -> None:
    """A turn of the user before each turn of calls that has no text of the user before it."""
    if displaced_digest(body) not in refused:
        return
    turns: list[Content] = []
    for index, content in enumerate(body["contents"]):
        if is_displaced(body["contents"], index):
            turns.append({"role": "user", "parts": [{"text": _GO_ON}]})
        turns.append(content)
    body["contents"] = turns
    notes.adjust("messages=+user")


def _simplify_schema(body: GenerateContentRequest, refused: Collection[str], facts: ModelFacts, notes: Notes) -> None:
    """Of a schema with too many states, enums and limits are said in words; or all of it, if that is refused too."""
    if schema_digest(body) not in refused or "generation_config.responseJsonSchema" in notes.explicit:
        return
    config = body["generationConfig"]
    schema = config["responseJsonSchema"]
    if not isinstance(schema, dict):
        return
    config["responseJsonSchema"] = simpler(schema)
    if schema_digest(body) not in refused:
        notes.adjust("response_format.json_schema.schema=limits->description")
        return
    _move_schema(body, schema, facts, notes)


def _simplify_parameters(body: GenerateContentRequest, refused: Collection[str], notes: Notes) -> None:
    """Of functions whose schemas have too many states together, enums and limits are said in words."""
    if parameters_digest(body) not in refused or "tools" in notes.explicit:
        return
    body["tools"] = [_simpler_tool(tool) for tool in body["tools"]]
    notes.adjust("tools[].function.parameters=limits->description")


def _simpler_tool(tool: Tool) -> Tool:
    declared = tool.get("functionDeclarations")
    if not declared:
        return tool
    return {**tool, "functionDeclarations": [_simpler_function(function) for function in declared]}


def _simpler_function(function: FunctionDeclaration) -> FunctionDeclaration:
    schema = function.get("parametersJsonSchema")
    return {**function, "parametersJsonSchema": simpler(schema)} if isinstance(schema, dict) else function


def _move_schema(body: GenerateContentRequest, schema: object, facts: ModelFacts, notes: Notes) -> None:
    """A schema in words; the answer is JSON all the same."""
    del body["generationConfig"]["responseJsonSchema"]
    text = f"Answer with JSON that follows this JSON Schema: {orjson.dumps(schema).decode()}"
    if facts.system_instruction:
        system = body.get("systemInstruction") or {}
        body["systemInstruction"] = {**system, "parts": [*(system.get("parts") or ()), {"text": text}]}
    else:
        last = body["contents"][-1]
        body["contents"] = [*body["contents"][:-1], {**last, "parts": [*last["parts"], {"text": text}]}]
    notes.adjust("response_format.json_schema.schema->prompt")
