from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.emulator.support import WEATHER, Emulator, config, functions, needs_recordings, recorded, said, text

from gemgate.emulator import hints
from gemgate.emulator.errors import GoogleApiError
from gemgate.emulator.examples import from_openapi, satisfying

MODEL = "gemini-2.5-flash"


def make(schema: Any, prompt: str = "") -> Any:
    return satisfying(schema, hints.read(prompt))


async def json_of(emulator: Emulator, body: dict[str, Any], model: str = MODEL) -> Any:
    return orjson.loads(text(await emulator.generate(model, body)))


async def test_json_without_a_schema_is_an_object(emulator: Emulator) -> None:
    assert (await json_of(emulator, config(responseMimeType="application/json")))["answer"] == "You said: Hello"


@pytest.mark.parametrize("name", ["responseJsonSchema", "_responseJsonSchema"])
async def test_json_satisfies_a_json_schema(emulator: Emulator, name: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}, "required": ["n"]}
    assert await json_of(emulator, config(responseMimeType="application/json", **{name: schema})) == {"n": 7}


async def test_json_satisfies_googles_schema(emulator: Emulator) -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "b": {"type": "STRING", "enum": ["x", "y"]},
            "a": {"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": "3"},
            "c": {"type": "STRING", "nullable": True},
        },
        "required": ["a", "b"],
        "propertyOrdering": ["b", "a", "c"],
    }
    found = await json_of(emulator, config(responseMimeType="application/json", responseSchema=schema))
    assert list(found) == ["b", "a", "c"]
    assert len(found["a"]) == 3


async def test_the_newer_response_format_is_read(emulator: Emulator) -> None:
    form = {"text": {"mimeType": "APPLICATION_JSON", "schema": {"type": "array", "items": {"type": "boolean"}}}}
    assert await json_of(emulator, config(responseFormat=form)) == [True, True]


async def test_an_enum_is_answered_bare(emulator: Emulator) -> None:
    schema = {"type": "STRING", "enum": ["red", "blue"]}
    body = said("Is it blue?", generationConfig={"responseMimeType": "text/x.enum", "responseSchema": schema})
    assert text(await emulator.generate(MODEL, body)) == "blue"


async def test_after_results_json_holds_them(emulator: Emulator) -> None:
    body = said("Hi", tools=functions(WEATHER), generationConfig={"responseMimeType": "application/json"}) | {
        "contents": [
            {"role": "user", "parts": [{"text": "weather"}]},
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "get_weather"}, "thoughtSignature": "skip_thought_signature_validator"}
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"t": 1}}}]},
        ]
    }
    assert (await json_of(emulator, body, "gemini-3-flash-preview"))["results"] == [{"t": 1}]


NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        "best": {"$ref": "#/$defs/Node"},
    },
    "required": ["value", "next", "children"],
    "additionalProperties": False,
}

SCHEMAS: list[Any] = [
    {},
    True,
    {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
    {"$id": "https://example.com/s", "$ref": "#/$defs/A", "$defs": {"A": {"const": 3}}},
    {"type": ["null", "string"]},
    {"type": "null"},
    {"oneOf": [{"type": "null"}, {"type": "integer"}]},
    {"anyOf": [{"type": "null"}]},
    {"anyOf": [{"type": "string", "maxLength": 3}], "minLength": 2},
    {"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {"const": 1}}}]},
    {"allOf": [{"type": "object", "required": ["a"]}, {"required": ["b"]}], "required": ["c"]},
    {"enum": [1, 2]},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"type": "integer", "minimum": 5}, "uniqueItems": True, "minItems": 4},
    {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 2},
    {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    {"type": "array"},
    {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False},
    {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}, "minItems": 3},
    {"items": {"type": "boolean"}},
    {"minimum": 3.5, "maximum": 3.75},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "exclusiveMinimum": 4, "multipleOf": 3},
    {"type": "integer", "maximum": -5},
    {"type": "number", "multipleOf": 0.25, "minimum": 0.3},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    {"type": "string", "minLength": 30},
    {"type": "string", "maxLength": 2},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3},
    {"type": "object", "properties": {"a": {}}, "required": ["a", "extra"]},
    *({"type": "string", "format": form} for form in ("date", "date-time", "email", "uuid", "ipv4", "uri", "unknown")),
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_value_satisfies_its_schema(schema: Any) -> None:
    Draft202012Validator(schema).validate(make(schema))


def test_optional_properties_are_filled_where_that_is_allowed() -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": False}, "type": "object"}
    assert make(schema) == {}
    assert make({"properties": {"a": {"type": "boolean"}}}) == {"a": True}


def test_recursion_ends() -> None:
    found = make({"$ref": "#/$defs/Node", "$defs": {"Node": NODE}})
    assert found == {"value": 1, "next": None, "children": []}


@pytest.mark.parametrize(
    ("name", "prompt", "value"),
    [
        ("city", "Weather in Oslo", "Oslo"),
        ("cityName", "Weather", "Paris"),
        ("query", "find this", "find this"),
        ("query", 'find "that" please', "that"),
        ("start_date", "", "2026-01-15"),
        ("email", "", "ada@example.com"),
        ("title", "call it 'Moby Dick'", "Moby Dick"),
        ("name", "about Ada Lovelace", "Ada Lovelace"),
        ("colour", "", "example colour"),
    ],
)
def test_strings_come_from_the_prompt_by_the_name_of_the_property(name: str, prompt: str, value: str) -> None:
    assert make({"properties": {name: {"type": "string"}}, "required": [name]}, prompt) == {name: value}


def test_numbers_come_from_the_prompt_in_order() -> None:
    schema = {"properties": {"a": {"type": "integer"}, "b": {"type": "number"}, "c": {"type": "integer", "maximum": 9}}}
    assert make(schema, "add 12 and 2.5 and 99 and 7") == {"a": 12, "b": 2.5, "c": 7}


def test_an_enum_takes_the_value_that_was_named() -> None:
    assert make({"enum": ["celsius", "fahrenheit"]}, "in Fahrenheit") == "fahrenheit"
    assert make({"enum": ["celsius", "fahrenheit"]}) == "celsius"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "nothing"}, "Invalid JSON schema"),
        ({"$ref": "#/$defs/None"}, "can not be resolved"),
        ({"$ref": "https://example.com/other"}, "can not be resolved"),
    ],
)
def test_what_is_no_schema_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(GoogleApiError, match=message):
        make(schema)


def test_a_pattern_that_python_does_not_know_is_left_alone() -> None:
    assert make({"type": "string", "pattern": r"^\p{L}+$"}) == "example"


def test_what_nobody_can_satisfy_gets_a_best_effort() -> None:
    assert make({"type": "string", "not": {"type": "string"}}) == "example"


def test_googles_schema_becomes_json_schema() -> None:
    schema = {
        "type": "OBJECT",
        "nullable": True,
        "properties": {"type": {"type": "STRING", "maxLength": "3"}},
        "anyOf": [{"type": "TYPE_UNSPECIFIED"}],
        "enum": ["NULL"],
    }
    assert from_openapi(schema) == {
        "type": ["object", "null"],
        "properties": {"type": {"type": "string", "maxLength": 3}},
        "anyOf": [{}],
        "enum": ["NULL"],
    }


scalars = st.one_of(
    st.just({"type": "boolean"}),
    st.builds(
        lambda least, more: {"type": "integer", "minimum": least, "maximum": least + more},
        st.integers(-99, 99),
        st.integers(0, 9),
    ),
    st.builds(
        lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=3), min_size=1, max_size=3)),
    st.just({"type": ["string", "null"]}),
)


def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "city", "query", "count"])
    objects = st.dictionaries(names, inner, max_size=3).flatmap(
        lambda found: st.builds(
            lambda required: {
                "type": "object",
                "properties": found,
                "required": required,
                "additionalProperties": False,
            },
            st.lists(st.sampled_from(sorted(found)), unique=True) if found else st.just([]),
        )
    )
    lists = st.builds(
        lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 3)
    )
    return st.one_of(
        objects, lists, st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=2))
    )


@given(st.recursive(scalars, deeper, max_leaves=8), st.text(max_size=30))
def test_any_schema_of_these_kinds_is_satisfied(schema: Any, prompt: str) -> None:
    Draft202012Validator(schema).validate(make(schema, prompt))


@needs_recordings
def test_every_recorded_response_schema_is_satisfied() -> None:
    checked = 0
    for exchange in recorded():
        settings = exchange.body.get("generationConfig") or {}
        if isinstance(schema := settings.get("responseJsonSchema"), dict):
            Draft202012Validator(schema).validate(make(schema, "Hello"))
            checked += 1
    assert checked > 20


@pytest.mark.parametrize(
    ("prompt", "places"),
    [
        ("Compare Rome, Paris and Oslo.", ["Rome", "Paris", "Oslo"]),
        ("Weather in San Francisco, CA and Austin, TX", ["San Francisco, CA", "Austin, TX"]),
        ("In Paris, France?", ["Paris, France"]),
        ("How is New York's weather? Tell Ann. Paris", ["New York", "Ann"]),
        ("Monday in Rio de Janeiro, in Celsius", ["Rio de Janeiro"]),
        ("Oslo and Oslo in Oslo", ["Oslo"]),
        ("nothing here", []),
    ],
)
def test_places_are_capitalised_names(prompt: str, places: list[str]) -> None:
    assert hints.read(prompt).places == places
