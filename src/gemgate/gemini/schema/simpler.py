"""A schema that Google finds too complex, with fewer states: enums and limits are said in words.

Google names as causes long enums, limits of lengths, and value matchers such as bounds of numbers and formats.
Source: https://ai.google.dev/gemini-api/docs/structured-output.
"""

import orjson

_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions")
_SCHEMAS = ("items", "additionalProperties")

_WORDS = {
    "enum": "One of: {}.",
    "const": "Always {}.",
    "format": "Format: {}.",
    "pattern": "Pattern: {}.",
    "minimum": "At least {}.",
    "maximum": "At most {}.",
    "exclusiveMinimum": "More than {}.",
    "exclusiveMaximum": "Less than {}.",
    "multipleOf": "A multiple of {}.",
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "minItems": "At least {} items.",
    "maxItems": "At most {} items.",
    "minProperties": "At least {} properties.",
    "maxProperties": "At most {} properties.",
}
"""What is moved into the description, and how it is said there."""

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def simpler(schema: dict[str, object]) -> dict[str, object]:
    """`schema` with its enums and limits moved into descriptions; it is not changed, and equal where it has none."""
    out: dict[str, object] = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            out[key] = {name: _inner(item) for name, item in value.items()}
        elif key in _LISTS and isinstance(value, list):
            out[key] = [_inner(item) for item in value]
        elif key in _SCHEMAS:
            out[key] = _inner(value)
        elif key not in _WORDS:
            out[key] = value
    words = [_WORDS[key].format(_said(schema[key])) for key in _WORDS if key in schema]
    if words:
        out["description"] = " ".join(filter(None, [_text(schema.get("description")), *words]))
        if "type" not in out and (kind := _type_of(schema)) is not None:
            out["type"] = kind
    return out


def _inner(value: object) -> object:
    return simpler(value) if isinstance(value, dict) else value


def _said(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    return ", ".join(one if isinstance(one, str) else orjson.dumps(one).decode() for one in values)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _type_of(schema: dict[str, object]) -> str | None:
    """The type that the values of an enum without one have in common."""
    values = schema.get("enum") or [schema.get("const")]
    kinds = {_TYPES.get(type(value)) for value in values} if isinstance(values, list) else set()
    return kinds.pop() if len(kinds) == 1 else None
