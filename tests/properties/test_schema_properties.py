"""Properties of the schema conversion that hold for any input."""

import copy
from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import assume, event, given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.support.schemas import Json, assert_gemini_takes, gemini_validator

from gemgate.gemini.schema.convert_schema import UnsupportedSchemaError, function_parameters, to_gemini_schema

KEYWORDS = """$ref $id $anchor $defs definitions type format title description enum const items prefixItems anyOf oneOf
allOf properties additionalProperties required patternProperties propertyNames not if then else minimum exclusiveMinimum
exclusiveMaximum minItems maxItems minLength nullable default examples dependentRequired contains uniqueItems
unevaluatedProperties unevaluatedItems additionalItems dependencies discriminator x-any a b"""
STRINGS = st.sampled_from(["a", "b", "string", "object", "array", "#", "#/$defs/a", "#/properties/a", "#a", "null"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | STRINGS | st.text(max_size=3)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS.split()), inner, max_size=5)


ANY_JSON = st.recursive(SCALARS, nested, max_leaves=25)
NAMES = ("a", "b", "x-1")
VALUES: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    2.5,
    3,
    "",
    "a",
    "aa",
    "ab",
    "b",
    [],
    [1],
    ["a"],
    [1, "a"],
    [1, 1, 1],
]
VALUES += [
    [[]],
    {},
    [{}],
    {"a": 1},
    {"a": "a"},
    {"b": "aa"},
    {"a": 1, "b": "a"},
    {"a": {}},
    {"a": {"a": 1}},
    {"x-1": 2},
]
VALUES += [{"a": [], "b": None}, {"a": 1, "x-1": "a"}, {"b": {"b": {}}}, {"a": [1, {"a": "b"}]}, [{"a": 1}, {"a": 2}]]


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    schemas = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    names = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    optional = {
        "properties": schemas,
        "required": names,
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(st.sampled_from(["^x-", "^a"]), inner, min_size=1, max_size=2),
        "propertyNames": st.just({"pattern": "^[ab]"}),
        "minProperties": st.integers(0, 2),
        "dependentRequired": st.dictionaries(st.sampled_from(NAMES), names, max_size=1),
        "unevaluatedProperties": inner,
        "anyOf": st.lists(names.map(lambda listed: {"required": listed}), min_size=1, max_size=2),
        "allOf": st.lists(inner, min_size=1, max_size=2),
    }
    return st.fixed_dictionaries({"type": st.sampled_from(["object", ["object", "null"]])}, optional=optional)


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    optional = {
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 2),
        "contains": inner,
        "uniqueItems": st.booleans(),
        "unevaluatedItems": inner,
    }
    return st.fixed_dictionaries({"type": st.just("array")}, optional=optional)


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    lists = st.lists(inner, min_size=1, max_size=3)
    optional = {"anyOf": lists, "oneOf": lists, "allOf": lists, "not": inner, "if": inner, "then": inner, "else": inner}
    optional |= {"enum": st.lists(st.sampled_from(VALUES), min_size=1, max_size=4), "title": st.just("T")}
    return st.fixed_dictionaries({}, optional=optional)


NUMBERS = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number", ["integer", "null"], ["number", "string"]])},
    optional={
        "minimum": st.integers(-1, 2),
        "maximum": st.sampled_from([0, 1, 2.5]),
        "exclusiveMinimum": st.sampled_from([-1, 0, 0.5]),
        "exclusiveMaximum": st.sampled_from([2, 2.5, 3]),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
    },
)
TEXTS = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": st.integers(0, 2),
        "pattern": st.just("^a"),
        "format": st.just("date"),
        "default": st.just("a"),
    },
)
REFS = st.sampled_from(["#", "#/$defs/A", "#/$defs/B", "#/$defs/C", "#/$defs/A/anyOf/0"]).map(lambda ref: {"$ref": ref})
REFS_WITH_MORE = st.tuples(REFS, NUMBERS | TEXTS).map(lambda both: both[0] | both[1])
LEAVES = (
    st.booleans()
    | NUMBERS
    | TEXTS
    | REFS
    | REFS_WITH_MORE
    | st.sampled_from(VALUES).map(lambda value: {"const": value})
    | st.lists(st.sampled_from(VALUES), min_size=1, max_size=4).map(lambda values: {"enum": values})
)
SCHEMAS = st.recursive(LEAVES, lambda inner: objects(inner) | arrays(inner) | combined(inner), max_leaves=6)


@st.composite
def documents(draw: st.DrawFn) -> Json:
    """A schema of the newest draft whose references all resolve."""
    root = draw(objects(SCHEMAS) | arrays(SCHEMAS) | combined(SCHEMAS))
    definitions = {"A": {"anyOf": [draw(SCHEMAS)]}, "B": draw(SCHEMAS), "C": draw(objects(SCHEMAS))}
    document = root | {"$defs": definitions}
    assume(not endless(document))
    return document


def endless(document: Json) -> bool:
    """Whether a validator would follow references for ever without looking further into the value."""
    places = {f"#/$defs/{name}": schema for name, schema in document["$defs"].items()} | {"#": document}
    places["#/$defs/A/anyOf/0"] = document["$defs"]["A"]["anyOf"][0]
    links = {ref: set(refs_in_place(schema)) for ref, schema in places.items()}
    while free := [ref for ref, targets in links.items() if not targets & links.keys()]:
        for ref in free:
            del links[ref]
    return bool(links)


def refs_in_place(schema: Json | bool) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if "$ref" in schema:
        yield schema["$ref"]
    for key in ("anyOf", "oneOf", "allOf"):
        for item in schema.get(key, []):
            yield from refs_in_place(item)
    for key in ("not", "if", "then", "else"):
        yield from refs_in_place(schema.get(key, True))


@given(ANY_JSON)
@settings(max_examples=400)
def test_any_json_is_converted_or_refused_by_name(value: Any) -> None:
    before = copy.deepcopy(value)
    for way_in in (to_gemini_schema, function_parameters):
        try:
            result = way_in(value, param="p")
        except UnsupportedSchemaError:
            continue
        if result is not None:
            assert_gemini_takes(result.schema)
            assert all(note.isascii() and note.isprintable() for note in result.changes)
    assert repr(value) == repr(before)


@given(documents())
@settings(max_examples=80)
def test_the_converted_schema_allows_all_that_its_source_allows(schema: Json) -> None:
    try:
        result = to_gemini_schema(schema, param="p").schema
    except UnsupportedSchemaError as error:
        event(error.message)
        reject()
    assert_gemini_takes(result)
    source, converted = Draft202012Validator(schema), gemini_validator(result)
    # The empty text is taken out of an enum, because Google refuses it there.
    refused = [value for value in VALUES if value != "" and source.is_valid(value) and not converted.is_valid(value)]
    assert refused == []


@given(documents())
@settings(max_examples=60)
def test_converting_again_changes_nothing(schema: Json) -> None:
    try:
        once = to_gemini_schema(schema, param="p").schema
    except UnsupportedSchemaError:
        reject()
    twice = to_gemini_schema(once, param="p")
    assert orjson.dumps(twice.schema) == orjson.dumps(once)
    assert twice.changes == ()


@given(documents())
@settings(max_examples=30)
def test_the_same_schema_gives_the_same_bytes(schema: Json) -> None:
    assert outcome(schema) == outcome(orjson.loads(orjson.dumps(schema)))


def outcome(schema: Json) -> bytes:
    try:
        return orjson.dumps(to_gemini_schema(schema, param="p").schema)
    except UnsupportedSchemaError as error:
        return error.message.encode()
