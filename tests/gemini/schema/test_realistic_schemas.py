"""Schemas as clients send them: pydantic, zod, MCP servers; and those in recorded traffic."""

from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from tests.support.schemas import Json, assert_gemini_takes, gemini_validator, props

from gemgate.gemini.schema.convert_schema import function_parameters, to_gemini_schema

RECORDED = Path(__file__).parents[4] / "shared" / "recorded"


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(gt=0, le=9)] = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    weight: Annotated[float, Field(gt=0, multiple_of=0.5)]


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=40, pattern="^[A-Z]", description="Full name")]
    nick: str | None = None
    favourite: Color | None = Field(None, description="A colour")
    level: Level
    active: Literal[True] | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    pair: tuple[int, str]
    tags: Annotated[set[str], Field(max_length=3)]
    extra: dict[str, int]
    manager: "Person | None"
    reports: "list[Person]" = []


class Expr(BaseModel):
    op: Literal["+", "-"]
    left: "Expr | int"
    right: "Expr | int"


PERSON: Json = {
    "name": "Ada",
    "nick": "a",
    "favourite": "red",
    "level": 2,
    "active": True,
    "pet": {"kind": "dog", "weight": 1.5},
    "pair": [1, "x"],
    "tags": ["a", "b"],
    "extra": {"n": 1},
    "manager": None,
}
PERSON["reports"] = [PERSON | {"nick": None, "favourite": None, "pet": {"kind": "cat"}}]

ZOD: Json = {
    "$ref": "#/definitions/ui",
    "definitions": {
        "ui": {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["div", "button"]},
                "label": {"type": "string", "format": "email"},
                "size": {"type": "number", "exclusiveMinimum": 0},
                "children": {"type": "array", "items": {"$ref": "#/definitions/ui"}},
                "first": {"anyOf": [{"$ref": "#/definitions/ui/properties/children/items"}, {"type": "null"}]},
                "same": {"$ref": "#/definitions/ui/properties/label", "description": "As label"},
            },
            "required": ["type", "label", "children"],
            "additionalProperties": False,
        }
    },
    "$schema": "http://json-schema.org/draft-07/schema#",
}

MCP: Json = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "filter": {"type": ["string", "null"], "default": None, "x-order": 2},
        "target": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z]+$"},
            "additionalProperties": {"type": "string"},
        },
        "limit": {"type": "integer", "minimum": 0, "exclusiveMaximum": True, "maximum": 100},
        "where": {"$ref": "#/$defs/Where", "description": "A filter"},
        "id": {"type": "string"},
        "name": {"type": "string"},
    },
    "required": ["target"],
    "anyOf": [{"required": ["id"]}, {"required": ["name"]}],
    "$defs": {
        "Where": {
            "oneOf": [
                {"type": "object", "properties": {"eq": {"const": 1}}, "required": ["eq"]},
                {"type": "object", "properties": {"and": {"type": "array", "items": {"$ref": "#/$defs/Where"}}}},
            ]
        }
    },
    "if": {"required": ["id"]},
    "then": {"not": {"required": ["name"]}},
}

OPENAPI: Json = {
    "components": {
        "schemas": {
            "Pet": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "format": "int64"}}},
            "Status": {"type": "string", "enum": ["on", "off"], "nullable": True},
        }
    },
    "allOf": [
        {"$ref": "#/components/schemas/Pet"},
        {
            "type": "object",
            "properties": {"status": {"$ref": "#/components/schemas/Status"}, "code": {"type": "string"}},
        },
    ],
}

CASES: dict[str, tuple[Json, list[Any]]] = {
    "pydantic": (Person.model_json_schema(), [PERSON, PERSON | {"manager": PERSON}]),
    "pydantic_serialized": (Person.model_json_schema(mode="serialization"), [PERSON]),
    "pydantic_recursion": (
        Expr.model_json_schema(),
        [{"op": "+", "left": 1, "right": {"op": "-", "left": {"op": "+", "left": 1, "right": 1}, "right": 2}}],
    ),
    "pydantic_union": (TypeAdapter(list[Cat | Dog | None]).json_schema(), [[None, {"kind": "cat", "lives": 1}], []]),
    "zod": (ZOD, [{"type": "div", "label": "a@b.c", "children": [{"type": "button", "label": "x", "children": []}]}]),
    "mcp": (MCP, [{"target": {"a": "b"}, "id": "1", "limit": 99, "where": {"and": [{"eq": 1}]}, "filter": None}]),
    "openapi": (OPENAPI, [{"id": 1, "status": "on", "code": "x"}, {"id": 2, "more": []}]),
}


@pytest.mark.parametrize(("schema", "instances"), CASES.values(), ids=CASES.keys())
def test_real_schemas_are_taken_and_stay_as_wide(schema: Json, instances: list[Any]) -> None:
    result = to_gemini_schema(schema, param="p").schema
    assert_gemini_takes(result)
    for instance in instances:
        gemini_validator(result).validate(instance)
    assert orjson.dumps(to_gemini_schema(result, param="p").schema) == orjson.dumps(result)


def test_a_pydantic_model_keeps_its_shape() -> None:
    result = to_gemini_schema(Person.model_json_schema(), param="p")
    person = result.schema["$defs"]["Person"]
    assert list(person["properties"]) == list(Person.model_fields)
    assert person["additionalProperties"] is False
    assert person["properties"]["level"] == {"$ref": "#/$defs/Level"}
    assert person["properties"]["name"]["description"] == (
        "Full name. At most 40 characters. At least 1 character. Must match ^[A-Z]."
    )
    assert "manager" not in person["required"]
    assert "$defs.Person.properties.manager: recursive, so no longer required" in result.changes
    assert result.schema["$defs"]["Cat"]["properties"]["lives"]["minimum"] == 1


def test_a_zod_schema_becomes_the_parameters_of_a_function() -> None:
    result = function_parameters(ZOD, param="p")
    assert result is not None
    assert result.schema["type"] == "object"
    assert result.schema["required"] == ["type", "label"]
    assert result.changes == (
        "$defs.ui.properties.label: format moved to the description",
        "$defs.ui.properties.size: exclusiveMinimum moved to the description",
        "$defs.label: format moved to the description",
        "$defs.ui.properties.children: recursive, so no longer required",
    )


def test_an_mcp_tool_loses_nothing_in_silence() -> None:
    result = to_gemini_schema(MCP, param="p")
    assert result.changes == (
        "properties.filter: default moved to the description",
        "properties.filter: x-order dropped",
        "properties.target: propertyNames moved to the description",
        "root: anyOf, if moved to the description",
    )
    assert result.schema["properties"]["limit"] == {"type": "integer", "minimum": 0, "maximum": 99}
    assert result.schema["properties"]["where"] == {"anyOf": [{"$ref": "#/$defs/Where"}], "description": "A filter"}


def recorded_schemas() -> list[Json]:
    """Schemas in the JSON Schema fields of recorded requests that Gemini accepted."""
    found: dict[bytes, Json] = {}

    def collect(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                collect(item)
        elif isinstance(value, dict):
            for key, item in value.items():
                if key in ("parametersJsonSchema", "responseJsonSchema", "parameters_json_schema"):
                    found[orjson.dumps(item)] = item
                else:
                    collect(item)

    for file in sorted(RECORDED.glob("*.jsonl")):
        for line in file.read_bytes().splitlines():
            exchange = orjson.loads(line)
            if (exchange.get("response") or {}).get("status") == 200:
                collect((exchange.get("request") or {}).get("body"))
    return list(found.values())


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded traffic is not here")
def test_schemas_that_gemini_accepted_still_convert() -> None:
    schemas = recorded_schemas()
    assert len(schemas) > 50
    for schema in schemas:
        result = to_gemini_schema(schema, param="p").schema
        assert_gemini_takes(result)
        assert orjson.dumps(to_gemini_schema(result, param="p").schema) == orjson.dumps(result)


def test_an_argument_that_is_always_there_is_enough_for_parameters() -> None:
    assert function_parameters(props(a={}), param="p") is not None
