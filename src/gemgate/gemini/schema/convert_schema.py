"""From any JSON Schema to the one that Gemini's `parametersJsonSchema` and `responseJsonSchema` take.

Google's reference lists the keywords: `$id`, `$defs`, `$ref`, `$anchor`, `type`, `format`, `title`, `description`,
`enum` (strings and numbers), `items`, `prefixItems`, `minItems`, `maxItems`, `minimum`, `maximum`, `anyOf`, `oneOf`,
`properties`, `additionalProperties`, `required`, and beside them `propertyOrdering`. With a `$ref` only keys that begin
with `$` may appear, and a cycle of references must pass a property that is not required.

What has an equivalent in these is rewritten. What has none goes into the description, for the model to read, and is
listed in `changes`. The result never refuses what the source allows, with two exceptions: a schema with `properties`,
`required` or `items` but no `type` is taken to mean an object or an array, and the empty text is taken out of an enum.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

import orjson

from gemgate.gemini.schema.hints import Node, compact
from gemgate.gemini.schema.references import UnsupportedSchemaError
from gemgate.gemini.schema.titles import without_titles
from gemgate.gemini.schema.walk import MAX_SCHEMAS, Converter, printable

__all__ = [
    "NO_PARAMETERS",
    "ConvertedSchema",
    "UnsupportedSchemaError",
    "function_parameters",
    "has_properties",
    "is_object_schema",
    "known_gemini_schema",
    "object_root",
    "to_gemini_schema",
]


@dataclass(frozen=True, slots=True)
class ConvertedSchema:
    """A schema in Gemini's keywords.

    `changes` has a line of printable ASCII for each place that lost a constraint or an annotation, such as
    `properties.age: multipleOf moved to the description`; rewriting that loses nothing is not listed. `schemas` is how
    many schemas it holds, references expanded.
    """

    schema: Node
    changes: tuple[str, ...]
    schemas: int = field(default=0, compare=False)


@dataclass(slots=True)
class SchemaBudget:
    """How many schemas one request may hold in all of its tools and its response format, references expanded.

    Attributes:
        left: How many may still come.
    """

    left: int = MAX_SCHEMAS

    def take(self, schemas: int, param: str) -> None:
        """Spend so many schemas, which are at `param`.

        Raises:
            UnsupportedSchemaError: there are too many.
        """
        self.left -= schemas
        if self.left < 0:
            message = f"more than {MAX_SCHEMAS} schemas in all of the request, references expanded; simplify it"
            raise UnsupportedSchemaError(param, message)


def to_gemini_schema(schema: object, *, param: str) -> ConvertedSchema:
    """Convert `schema`, a JSON Schema of any draft or OpenAPI's dialect of it; it is not changed.

    The order of keys is kept, and the same input gives the same bytes. Converting a result again changes nothing.
    Raises UnsupportedSchemaError, with `param` in it, for something that is not a schema, for a reference that leads
    nowhere, and for a schema too deep or too large.
    """
    return _converted(_text(schema, param), param, MAX_SCHEMAS)


class KnownSchemas:
    """Conversions of the past, by the JSON of their sources; those not used for the longest time make room.

    Callers send the same tools with each request, and to convert those of an agent takes longer than all the rest of
    its request. What comes out is shared by requests, so nobody may change it.

    Args:
        maximum: Bytes of the sources in all, which is also a bound of their number; what comes out takes about five
            times as many. A source of over a quarter of it is not kept.
    """

    def __init__(self, maximum: int) -> None:
        self._max = maximum
        self._size = 0
        self._lock = Lock()
        self._kept: OrderedDict[bytes, ConvertedSchema] = OrderedDict()

    def get(self, text: bytes) -> ConvertedSchema | None:
        """What `text` was converted to."""
        with self._lock:
            found = self._kept.get(text)
            if found is not None:
                self._kept.move_to_end(text)
        return found

    def put(self, text: bytes, converted: ConvertedSchema) -> None:
        """Keep what `text` was converted to."""
        size = len(text) + _ENTRY
        if size > self._max // 4:
            return
        with self._lock:
            if text in self._kept:
                return  # another thread was faster
            self._kept[bytes(memoryview(text))] = (
                converted  # a copy: orjson keeps ten times the room for what it writes
            )
            self._size += size
            while self._size > self._max:
                oldest, _ = self._kept.popitem(last=False)
                self._size -= len(oldest) + _ENTRY

    def __len__(self) -> int:
        return len(self._kept)


_ENTRY = 100  # bytes for what stands around each text
_KNOWN = KnownSchemas(2**20)
_KNOWN_FUNCTIONS = KnownSchemas(2**20)


def known_gemini_schema(schema: object, *, param: str, budget: SchemaBudget | None = None) -> ConvertedSchema:
    """As `to_gemini_schema`, and remembers: what it gives must not be changed. It is paid from `budget`."""
    text = _text(schema, param)
    known = _KNOWN.get(text)
    if known is None:
        known = _converted(text, param, budget.left if budget else MAX_SCHEMAS)
        _KNOWN.put(text, known)
    if budget:
        budget.take(known.schemas, param)
    return known


def _text(schema: object, param: str) -> bytes:
    try:
        return orjson.dumps(schema)
    except TypeError as error:
        message = "the schema is not JSON, is nested too deeply, or has a number beyond 64 bits; simplify it"
        raise UnsupportedSchemaError(param, message) from error


def _converted(text: bytes, param: str, maximum: int) -> ConvertedSchema:
    source = orjson.loads(text)
    if not isinstance(source, dict):
        raise UnsupportedSchemaError(param, f"the schema must be an object, not {compact(source)[:60]}")
    converter = Converter(source, param, size=len(text), maximum=maximum)
    schema, changes = converter.run()
    return ConvertedSchema(schema, changes, converter.schemas)


def function_parameters(schema: object, *, param: str, budget: SchemaBudget | None = None) -> ConvertedSchema:
    """The parameters of a function, an object at the root: an empty one when it takes none.

    They are paid from `budget`. There are none for None, `{}` and an object without properties. Google refuses a
    function that has no schema at all, where a call must follow one (the modes ANY and VALIDATED). What is given must
    not be changed (`known_gemini_schema`). Raises UnsupportedSchemaError as `to_gemini_schema` does, and when the root
    is not an object.
    """
    if schema is None:
        return ConvertedSchema(NO_PARAMETERS, ())
    text = _text(schema, param)
    known = _KNOWN_FUNCTIONS.get(text)
    if known is None:
        known = _function(known_gemini_schema(schema, param=param, budget=budget), param)
        _KNOWN_FUNCTIONS.put(text, known)
    elif budget:
        budget.take(known.schemas, param)
    return known


def _function(converted: ConvertedSchema, param: str) -> ConvertedSchema:
    converted = object_root(converted, param=param)
    if not has_properties(converted):
        return ConvertedSchema(NO_PARAMETERS, converted.changes, converted.schemas)
    schema, changes = without_titles(converted.schema)
    return ConvertedSchema(schema, (*converted.changes, *map(printable, changes)), converted.schemas)


NO_PARAMETERS: dict[str, object] = {"type": "object", "properties": {}}
"""The schema of a function that takes nothing; nobody may change it."""


def is_object_schema(schema: Node) -> bool:
    """Whether a converted schema allows objects only, or only objects and null; follows references from its root."""
    return _is_object(schema, schema.get("$defs", {}), {})


def has_properties(converted: ConvertedSchema) -> bool:
    """Whether anything can be in an object of this schema; if not, a function has no parameters."""
    schema = converted.schema
    return any(schema.get(key) for key in ("properties", "additionalProperties", "anyOf", "oneOf", "$ref"))


def object_root(converted: ConvertedSchema, *, param: str) -> ConvertedSchema:
    """The same schema with `"type": "object"` at its root, where a function's parameters need it.

    A reference at the root is replaced by what it means. Raises UnsupportedSchemaError when that is not an object.
    """
    schema = _without_root_ref(converted.schema)
    if schema.get("type") == "object":
        return ConvertedSchema(schema, converted.changes, converted.schemas)
    if schema.keys() & {"type", "enum", "anyOf", "oneOf", "$ref"} and not is_object_schema(schema):
        raise UnsupportedSchemaError(
            param, "the root of a function's parameters must be of type object; wrap it in one"
        )
    typed = {**schema, "type": "object"} if "type" in schema else {"type": "object", **schema}
    return ConvertedSchema(typed, converted.changes, converted.schemas)


def _without_root_ref(schema: Node) -> dict[str, object]:
    definitions = schema.get("$defs", {})
    while name := _root_ref(schema):
        outer = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "$defs")}
        schema = {**definitions[name], **outer, "$defs": definitions}
    return schema


def _root_ref(schema: Node) -> str:
    """The name of the one definition that the root means; empty when it is a schema of its own."""
    branches = schema.get("anyOf", [])
    only = branches[0] if len(branches) == 1 and schema.keys().isdisjoint(("type", "properties", "oneOf")) else schema
    return str(only.get("$ref", "")).removeprefix("#/$defs/")


def _is_object(schema: Node, definitions: Node, known: dict[str, bool]) -> bool:
    """`known` has the definitions seen so far, each of them once; within itself none counts as an object."""
    kind = schema.get("type")
    if kind is not None:
        return kind == "object" or (isinstance(kind, list) and "object" in kind and set(kind) <= {"object", "null"})
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in known:
            known[name] = False
            known[name] = _is_object(definitions[name], definitions, known)
        return known[name]
    return any(
        bool(schema.get(key)) and all(_is_object(branch, definitions, known) for branch in schema[key])
        for key in ("anyOf", "oneOf")
    )
