"""Schemas for tests: the shortest ones by name, and what holds for every converted schema."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from gemgate.gemini.schema import convert_schema as schemas
from gemgate.gemini.schema.convert_schema import to_gemini_schema

Json = dict[str, Any]
STR: Json = {"type": "string"}
INT: Json = {"type": "integer"}
OBJ: Json = {"type": "object"}
NULL: Json = {"type": "null"}

_REFERENCES = ("$id", "$defs", "$ref", "$anchor")
_VALUES = ("type", "format", "title", "description", "enum", "minimum", "maximum", "anyOf", "oneOf")
_PARTS = ("items", "prefixItems", "minItems", "maxItems", "properties", "additionalProperties", "required")
SUPPORTED = frozenset((*_REFERENCES, *_VALUES, *_PARTS, "propertyOrdering"))


def props(**properties: Any) -> Json:
    """An object with these properties."""
    return {"type": "object", "properties": properties}


def convert(schema: object) -> Json:
    """The converted schema alone."""
    return to_gemini_schema(schema, param="p").schema


def changes(schema: object) -> tuple[str, ...]:
    """The notes alone."""
    return to_gemini_schema(schema, param="p").changes


def same_order(left: object, right: object) -> bool:
    """Whether both are the same to the byte."""
    return orjson.dumps(left) == orjson.dumps(right)


def children(schema: Json) -> Iterator[Json]:
    """The schemas directly inside a converted one."""
    for key in ("properties", "$defs"):
        yield from schema.get(key, {}).values()
    for key in ("anyOf", "oneOf", "prefixItems"):
        yield from schema.get(key, [])
    for key in ("items", "additionalProperties"):
        if not isinstance(schema.get(key, True), bool):
            yield schema[key]


def assert_gemini_takes(root: Json) -> None:
    """What Google's reference asks of a schema: known keywords, refs that resolve and stand alone, sound values."""
    definitions = root.get("$defs", {})
    todo = [root]
    while todo:
        schema = todo.pop()
        assert schema.keys() <= SUPPORTED, schema
        if "$ref" in schema:
            assert all(key.startswith("$") for key in schema)
            assert schema["$ref"].removeprefix("#/$defs/") in definitions
        for value in schema.get("enum", []):
            assert isinstance(value, str | int | float)
            assert not isinstance(value, bool)
        assert set(schema.get("required", [])) <= set(schema.get("properties", {}))
        assert schema is root or "$defs" not in schema
        todo += children(schema)
    Draft202012Validator.check_schema({key: value for key, value in root.items() if key != "$id"})
    assert not _endless(root, definitions)


def _endless(root: Json, definitions: Json) -> bool:
    """Whether some cycle of references passes no optional property."""
    links = {name: set(_forced(schema)) for name, schema in definitions.items()}
    while free := [name for name, targets in links.items() if not targets & links.keys()]:
        for name in free:
            del links[name]
    return bool(links)


def _forced(schema: Json) -> Iterator[str]:
    if "$ref" in schema:
        yield schema["$ref"].removeprefix("#/$defs/")
    for name, item in schema.get("properties", {}).items():
        if name in schema.get("required", []):
            yield from _forced(item)
    for key in ("anyOf", "oneOf", "prefixItems"):
        for item in schema.get(key, []):
            yield from _forced(item)
    if "items" in schema:
        yield from _forced(schema["items"])


def gemini_validator(schema: Json) -> Draft202012Validator:
    """A validator that reads `oneOf` as `anyOf`, as Gemini does."""
    return Draft202012Validator(_any_of({key: value for key, value in schema.items() if key != "$id"}))


def _any_of(schema: Json) -> Json:
    out: Json = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            out[key] = {name: _any_of(item) for name, item in value.items()}
        elif key in ("anyOf", "oneOf", "prefixItems"):
            out[key] = [_any_of(item) for item in value]
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = _any_of(value)
        else:
            out[key] = value
    if "oneOf" in out:
        out.setdefault("allOf", []).append({"anyOf": out.pop("oneOf")})
    return out


@pytest.fixture(scope="session", autouse=True)
def unchanged_schemas() -> Iterator[None]:
    """At the end of all tests, what was remembered is what the conversion gives: nobody has changed it."""
    yield
    for text, known in schemas._KNOWN._kept.items():
        assert known == to_gemini_schema(orjson.loads(text), param="p")
    for text, known in schemas._KNOWN_FUNCTIONS._kept.items():
        assert known == schemas._function(to_gemini_schema(orjson.loads(text), param="p"), "p")
