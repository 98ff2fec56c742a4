"""Objects that are written without `properties`: a map of names to schemas where a schema should be.

Some MCP servers send them, and so do people: `{"location": {"type": "string"}}`. Read as a schema they say nothing.
Draft 3's `required: true` of a property, which goes with them, is read as well, in schemas too.
"""

from gemgate.gemini.schema.hints import Node

TYPES = frozenset(("string", "number", "integer", "boolean", "array", "object", "null"))
"""JSON's types, as schemas name them."""

_SCHEMA_VALUES = frozenset((
    "items", "additionalItems", "unevaluatedItems", "additionalProperties", "unevaluatedProperties", "propertyNames",
    "not", "if", "then", "else", "contains", "contentSchema", "const", "default", "example", "examples",
    "discriminator", "$defs", "definitions", "patternProperties", "dependentSchemas", "dependentRequired",
    "dependencies", "externalDocs", "xml",
))  # fmt: skip
"""Keywords that hold an object themselves."""

_LIKELY_NAMES = frozenset(("items", "default", "example", "contains", "dependencies"))
"""Those of them that are names of properties as well, in a map without a type."""

_SHAPES = ("$ref", "properties", "anyOf", "oneOf", "allOf", "enum", "const", "prefixItems", "patternProperties")
"""Keywords that give a schema its shape."""

_MAX_DEPTH = 8


def is_map(node: dict[str, object], depth: int = 0) -> bool:
    """Whether `node` is a map of properties, or an object that has them beside its type."""
    if any(_is_well_formed(key, node[key]) for key in _SHAPES if key in node):
        return False
    if _types(node) not in (set(), {"object"}, {"object", "null"}):
        return False
    return any(_is_property(key, value, depth) for key, value in node.items())


def as_object(node: Node) -> dict[str, object]:
    """The map `node` as an object with its `properties`; all but schemas stays beside them."""
    has_type = bool(_types(node))
    properties: dict[str, object] = {}
    rest: dict[str, object] = {}
    for key, value in node.items():
        may_be_name = key not in _SCHEMA_VALUES or (key in _LIKELY_NAMES and not has_type)
        is_name = may_be_name and not key.startswith(("$", "x-"))
        if is_name and isinstance(value, dict) and (_is_schema(value, 0) or not has_type):
            properties[key] = value
        elif is_name and value is True and not has_type and key not in _FLAGS:
            properties[key] = {}
        elif _is_short(key, value):
            properties[key] = {"type": value.lower()}
        else:
            rest[key] = value
    return {"type": "object", **rest, "properties": properties}


def with_required_names(node: dict[str, object]) -> dict[str, object]:
    """`node` with the names of those properties in `required` that say `required: true` themselves."""
    properties = node.get("properties")
    if not isinstance(properties, dict):
        return node
    marked = {
        name: schema["required"]
        for name, schema in properties.items()
        if isinstance(schema, dict) and isinstance(schema.get("required"), bool)
    }
    if not marked:
        return node
    plain = {
        name: {key: value for key, value in schema.items() if key != "required"} if name in marked else schema
        for name, schema in properties.items()
    }
    known = node.get("required")
    names = [*(known if isinstance(known, list) else ()), *(name for name, needed in marked.items() if needed)]
    rest = {key: value for key, value in node.items() if key != "required"}
    return {**rest, "properties": plain, **({"required": names} if names else {})}


def _is_property(key: str, value: object, depth: int) -> bool:
    """Whether this can only be the name of a property and its schema."""
    if key.startswith(("$", "x-")) or key in _SCHEMA_VALUES:
        return False
    return (isinstance(value, dict) and _is_schema(value, depth)) or _is_short(key, value)


def _is_schema(value: dict[str, object], depth: int) -> bool:
    kind = value.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if kind is not None and all(isinstance(each, str) and each.lower() in TYPES for each in kinds):
        return True
    if any(_is_well_formed(key, value[key]) for key in _SHAPES if key in value):
        return True
    if isinstance(value.get("description"), str) and value.keys() <= _WORDS_OF_PROPERTIES:
        return True
    return depth < _MAX_DEPTH and is_map(value, depth + 1)


def _is_short(key: str, value: object) -> bool:
    """Whether a property has the name of a type for a schema, as in `{"location": "string"}`."""
    return isinstance(value, str) and value.lower() in TYPES and key not in _WORDS and not key.startswith(("$", "x-"))


_WORDS = frozenset((
    "type", "title", "description", "format", "pattern", "id", "default", "example", "const", "contentEncoding",
    "contentMediaType", "comment",
))  # fmt: skip


_WORDS_OF_PROPERTIES = frozenset((
    "description", "title", "nullable", "required", "default", "example", "examples", "deprecated", "optional",
))  # fmt: skip
"""What a property says that names no type: words, and Draft 3's `required`."""

_FLAGS = frozenset(("nullable", "required", "deprecated", "readOnly", "writeOnly", "uniqueItems", "optional", "strict"))
"""Keywords whose value is `true`."""


def _types(node: dict[str, object]) -> set[str]:
    """The types that a schema names; empty where `type` is missing, or is itself a property."""
    kind = node.get("type")
    names = kind if isinstance(kind, list) else [kind]
    return {name.lower() for name in names if isinstance(name, str)}


def _is_well_formed(key: str, value: object) -> bool:
    """Whether `value` is what the keyword `key` holds, and not the schema of a property of that name."""
    if key == "$ref":
        return isinstance(value, str)
    if key in ("properties", "patternProperties"):
        return isinstance(value, dict)
    return key == "const" or isinstance(value, list)
