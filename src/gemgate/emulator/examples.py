"""Makes a JSON value that satisfies a JSON Schema, with values from the prompt where they fit.

A small generator of our own: the libraries that do this (jsf, hypothesis-jsonschema) had their last releases in early
2024, are random by design, or bring a property testing framework into an application. `jsonschema` checks the result.
"""

import math
import random
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, UnknownType
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012
from rstr import Rstr

from gemgate.emulator.errors import invalid
from gemgate.emulator.hints import Hints, words

MAX_DEPTH = 6
_FORMATS = {
    "date-time": "2026-01-15T12:30:00Z",
    "date": "2026-01-15",
    "time": "12:30:00Z",
    "duration": "PT1H30M",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uri-reference": "/example",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "byte": "ZXhhbXBsZQ==",
    "binary": "ZXhhbXBsZQ==",
    "regex": "^example$",
    "json-pointer": "/example",
}
_PLACE_WORDS = frozenset(
    ["location", "city", "place", "town", "country", "region", "destination", "origin", "address", "capital", "state"]
)
_TEXT_WORDS = frozenset(
    [
        "query",
        "question",
        "prompt",
        "text",
        "message",
        "input",
        "content",
        "expression",
        "statement",
        "sentence",
        "task",
    ]
)
_COUNTED = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_NAMED = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
_VALUES = frozenset({"enum", "const", "default", "example", "examples", "required", "propertyOrdering"})
_UNBOUNDED = 10**9
_NO_FORMATS = FormatChecker(formats=())


def from_openapi(schema: object) -> object:
    """JSON Schema of Google's `Schema` message: types in lower case, counts as numbers, `nullable` as a type."""
    if isinstance(schema, list):
        return [from_openapi(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result: dict[str, object] = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: from_openapi(each) for name, each in value.items()}
        elif key in {"enum", "required", "example", "default", "propertyOrdering"}:
            result[key] = value
        elif key in _COUNTED:
            result[key] = int(value)
        elif key not in {"nullable", "type"}:
            result[key] = from_openapi(value)
    kind = str(schema.get("type", "")).lower()
    if kind not in {"", "type_unspecified"}:
        result["type"] = [kind, "null"] if schema.get("nullable") else kind
    return result


def satisfying(schema: object, hints: Hints) -> object:
    """A value that satisfies `schema` as far as Google's keywords go.

    Raises:
        ApiError: 400, the schema is invalid or refers to what is not there.
    """
    validator = checked(schema)
    attempts = [_Maker(schema, hints, generous=generous).make(schema, "", 0) for generous in (True, False)]
    return next((value for value in attempts if _satisfies(validator, value)), attempts[0])


def _satisfies(validator: Draft202012Validator, value: object) -> bool:
    try:
        return bool(validator.is_valid(value))
    except re.error:
        return True  # a pattern in a dialect that Python does not know: nobody here can tell


def checked(schema: object) -> Draft202012Validator:
    """A validator of `schema` that checks formats too; kept, because applications send the same schemas over and over.

    Raises:
        ApiError: 400, the schema is invalid.
    """
    return _checked(orjson.dumps(schema))


@lru_cache(maxsize=256)
def _checked(raw: bytes) -> Draft202012Validator:
    schema = orjson.loads(raw)
    try:
        Draft202012Validator.check_schema(schema, format_checker=_NO_FORMATS)
    except (SchemaError, UnknownType) as error:
        raise invalid(f"Invalid JSON schema: {getattr(error, 'message', error)}") from None
    for reference in references(schema):
        resolve(schema, reference)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def subschemas(schema: object) -> Iterator[dict[str, Any]]:
    """The schema and every schema inside it; names of properties and plain values are not taken for keywords."""
    if isinstance(schema, list):
        for each in schema:
            yield from subschemas(each)
    if not isinstance(schema, dict):
        return
    yield schema
    for key, each in schema.items():
        if key in _NAMED and isinstance(each, dict):
            yield from subschemas(list(each.values()))
        elif key not in _VALUES:
            yield from subschemas(each)


def references(schema: Any) -> Iterator[str]:
    """Every `$ref` inside the schema."""
    return (each["$ref"] for each in subschemas(schema) if isinstance(each.get("$ref"), str))


def resolve(root: object, reference: str) -> object:
    """What `reference` points to inside `root`.

    Raises:
        ApiError: 400, nothing is there.
    """
    resource = DRAFT202012.create_resource(root)
    base = resource.id() or ""
    try:
        return Registry().with_resource(base, resource).resolver(base).lookup(reference).contents
    except Unresolvable:
        raise invalid(f"Invalid JSON schema: reference {reference} can not be resolved.") from None


class _Maker:
    """One run over a schema; `generous` fills optional properties and lists too."""

    def __init__(self, root: object, hints: Hints, *, generous: bool) -> None:
        self.root = root
        self.hints = hints
        self.generous = generous
        self.numbers = list(hints.numbers)
        self.open: list[str] = []

    def make(self, schema: Any, name: str, depth: int, index: int = 0) -> Any:
        if not isinstance(schema, dict):
            return f"example {name}".strip()
        schema = _merged(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.choice(schema["enum"], index)
        if "$ref" in schema:
            return self.referred(schema["$ref"], name, depth, index)
        for union in ("anyOf", "oneOf"):
            if schema.get(union):
                rest = {key: value for key, value in schema.items() if key != union}
                return self.one_of(schema[union], rest, name, depth, index)
        return self.of_type(schema, name, depth, index)

    def of_type(self, schema: dict[str, object], name: str, depth: int, index: int) -> object:
        kind = _kind(schema)
        if kind == "object":
            return self.object(schema, depth)
        if kind == "array":
            return self.array(schema, name, depth)
        if kind in {"integer", "number"}:
            return self.number(schema, index, whole=kind == "integer")
        if kind == "boolean":
            return True
        return None if kind == "null" else self.string(schema, name, index)

    def referred(self, reference: str, name: str, depth: int, index: int) -> object:
        self.open.append(reference)
        try:
            return self.make(resolve(self.root, reference), name, depth, index)
        finally:
            self.open.pop()

    def one_of(self, options: list[object], rest: dict[str, object], name: str, depth: int, index: int) -> object:
        """The first option that is neither null nor a loop; at the bottom, null or whatever ends soonest."""
        ordered = [option for option in options if not self.loops(option) and _kind(option) != "null"]
        chosen = ordered[0] if ordered else next((o for o in options if _kind(o) == "null"), options[0])
        if isinstance(chosen, dict) and "$ref" not in chosen:
            chosen = {**rest, **chosen}
        return self.make(chosen, name, depth, index)

    def loops(self, schema: object) -> bool:
        """Whether making `schema` would come back to a reference that is being made."""
        return any(reference in self.open for reference in references(schema))

    def choice(self, values: list[object], index: int) -> object:
        said = set(words(self.hints.text))
        named = [value for value in values if isinstance(value, str) and value and set(words(value)) <= said]
        return named[0] if named and words(named[0]) else values[index % len(values)]

    def object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = list(schema.get("required") or ())
        order = schema.get("propertyOrdering") or list(properties)
        result: dict[str, Any] = {}
        for name in [*order, *(extra for extra in required if extra not in order)]:
            spec = properties.get(name, {})
            wanted = self.generous and depth < MAX_DEPTH and name in properties and not self.loops(spec)
            if name in required or wanted:
                result[name] = self.make(spec, name, depth + 1)
        more = schema.get("additionalProperties")
        minimum = max(int(schema.get("minProperties", 0)), 1 if isinstance(more, dict) and not properties else 0)
        number = 1
        while len(result) < minimum:
            result[f"key{number}"] = self.make(more, "value", depth + 1, number - 1)
            number += 1
        return result

    def array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        first = [self.make(item, name, depth + 1) for item in schema.get("prefixItems") or ()]
        items = schema.get("items", {})
        minimum, maximum = int(schema.get("minItems", 0)), int(schema.get("maxItems", _UNBOUNDED))
        usual = 0 if self.loops(items) or depth >= MAX_DEPTH else 2 if self.generous else 1
        count = max(minimum, min(maximum, usual if not first else len(first)))
        if items is False:
            count = min(count, len(first))
        singular = name.removesuffix("s")
        rest = [self.make(items, singular, depth + 1, index) for index in range(max(0, count - len(first)))]
        return (first + rest)[:maximum]

    def number(self, schema: dict[str, Any], index: int, *, whole: bool) -> float:
        step = schema.get("multipleOf") or (1 if whole else 0)
        minimum, maximum = _bounds(schema, step or 0.5)
        said = next((number for number in self.numbers if minimum <= number <= maximum and _fits(number, step)), None)
        if said is not None:
            self.numbers.remove(said)
            return int(said) if said.is_integer() else said
        value: float = minimum if minimum > -_UNBOUNDED else min(1, maximum)
        if step:
            value = math.ceil(value / step) * step
        value = min(value + index * (step or 1), maximum if _fits(maximum, step) else value)
        return int(value) if whole or float(value).is_integer() else value

    def string(self, schema: dict[str, Any], name: str, index: int) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        if "pattern" in schema:
            return _matching(schema["pattern"], index)
        text = self.said(name, index)
        minimum, maximum = int(schema.get("minLength", 0)), int(schema.get("maxLength", _UNBOUNDED))
        return text[:maximum].ljust(minimum, "x") if len(text) > maximum or len(text) < minimum else text

    def said(self, name: str, index: int) -> str:
        """A value for the property `name` from the prompt, or a plain example."""
        kinds = set(words(name))
        if kinds & _PLACE_WORDS:
            return self.hints.places[index % len(self.hints.places)] if self.hints.places else "Paris"
        if kinds & _TEXT_WORDS and self.hints.text:
            return self.hints.quoted[0] if self.hints.quoted else self.hints.text
        if "date" in kinds or "day" in kinds:
            return _FORMATS["date"]
        if "email" in kinds:
            return _FORMATS["email"]
        if index < len(self.hints.quoted):
            return self.hints.quoted[index]
        if "name" in kinds and self.hints.places:
            return self.hints.places[index % len(self.hints.places)]
        return f"example {name.replace('_', ' ')}".strip() + (f" {index + 1}" if index else "")


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its `allOf` folded in."""
    if not schema.get("allOf"):
        return schema
    result = {key: value for key, value in schema.items() if key != "allOf"}
    for each in schema["allOf"]:
        for key, value in _merged(each).items():
            if key == "properties":
                result[key] = {**result.get(key, {}), **value}
            elif key == "required":
                result[key] = [*result.get(key, []), *value]
            else:
                result.setdefault(key, value)
    return result


def _kind(schema: object) -> str:
    """The type to make: the first that is not null, or what the keywords suggest."""
    if not isinstance(schema, dict):
        return ""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return next((str(kind) for kind in kinds if kind != "null"), "null")
    if kinds:
        return str(kinds)
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else ""


def _bounds(schema: dict[str, Any], step: float) -> tuple[float, float]:
    minimum, maximum = schema.get("minimum", -_UNBOUNDED * 2), schema.get("maximum", _UNBOUNDED * 2)
    if "exclusiveMinimum" in schema:
        minimum = max(minimum, schema["exclusiveMinimum"] + step)
    if "exclusiveMaximum" in schema:
        maximum = min(maximum, schema["exclusiveMaximum"] - step)
    return minimum, maximum


def _fits(number: float, step: float) -> bool:
    return not step or math.isclose(number / step, round(number / step), abs_tol=1e-9)


def _matching(pattern: str, index: int) -> str:
    try:
        return Rstr(random.Random(index)).xeger(pattern)  # noqa: S311 - the same string each time is the point
    except re.error:
        return "example"
