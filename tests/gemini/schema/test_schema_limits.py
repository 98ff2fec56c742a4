"""Facts about schemas that are refused, and about those of a function's parameters."""

import orjson
import pytest
from tests.support.schemas import INT, OBJ, STR, Json, props, same_order

from gemgate.gemini.schema.convert_schema import (
    SchemaBudget,
    UnsupportedSchemaError,
    function_parameters,
    has_properties,
    is_object_schema,
    object_root,
    to_gemini_schema,
)

# Refusals ---------------------------------------------------------------------------------------------------------


def deep(levels: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def doubling(levels: int) -> Json:
    defs: Json = {f"D{i}": {"allOf": [{"$ref": f"#/$defs/D{i + 1}"}] * 2 + [{"minimum": 1}]} for i in range(levels)}
    return {"$ref": "#/$defs/D0", "$defs": {**defs, f"D{levels}": INT}}


def chain(levels: int) -> Json:
    defs: Json = {f"D{i}": {"$ref": f"#/$defs/D{i + 1}", "minimum": i} for i in range(levels)}
    return {"$ref": "#/$defs/D0", "$defs": {**defs, f"D{levels}": INT}}


REFUSED: dict[str, tuple[object, str]] = {
    "a_string": ("x", 'must be an object, not "x"'),
    "a_list": ([], "must be an object, not []"),
    "null": (None, "must be an object, not null"),
    "false": (False, "must be an object, not false"),
    "a_value_that_is_no_json": ({"enum": [object()]}, "is not JSON"),
    "a_lone_surrogate": ({"title": "\ud800"}, "is not JSON"),
    "a_number_beyond_64_bits": ({"minimum": 2**70}, "beyond 64 bits"),
    "an_inner_schema_that_is_a_string": (
        props(a="string"),
        "schema properties.a: a schema must be an object or a boolean",
    ),
    "an_unknown_type": (props(a={"type": "str"}), 'schema properties.a.type: "str" is not a JSON type; use array'),
    "a_type_that_is_an_object": ({"type": [{}]}, "is not a JSON type"),
    "an_empty_type_list": ({"type": []}, "schema type: an empty list"),
    "properties_as_a_list": ({"properties": []}, "schema properties: must be an object of schemas"),
    "required_as_a_word": (props(a=STR | {"required": "yes"}), "schema properties.a.required: must be a list"),
    "required_with_a_number": ({"required": [1]}, "schema required: must be a list"),
    "enum_as_a_string": ({"enum": "a"}, "schema enum: must be a list of at least one value"),
    "an_empty_enum": ({"enum": []}, "schema enum: must be a list of at least one value"),
    "an_empty_union": ({"anyOf": []}, "schema anyOf: must be a list of at least one schema"),
    "prefix_items_as_an_object": ({"prefixItems": {}}, "schema prefixItems: must be a list of at least one schema"),
    "two_kinds_of_tuple": ({"items": [STR], "prefixItems": [STR]}, "exclude each other"),
    "all_of_as_an_object": (props(a={"allOf": {}}), "schema properties.a: allOf must be a list"),
    "a_description_that_is_a_list": ({"description": []}, "schema description: must be a string"),
    "a_minimum_that_is_a_string": ({"minimum": "1"}, "schema minimum: must be a number"),
    "a_minimum_that_is_a_flag": ({"minimum": True}, "schema minimum: must be a number"),
    "an_exclusive_bound_that_is_a_string": ({"exclusiveMinimum": "1"}, "schema exclusiveMinimum: must be a number"),
    "a_negative_count": ({"minItems": -1}, "schema minItems: must be a whole number"),
    "a_broken_count": ({"maxItems": 1.5}, "schema maxItems: must be a whole number"),
    "a_count_that_is_a_string": ({"maxItems": "1"}, "schema maxItems: must be a whole number"),
    "pattern_properties_as_a_list": (OBJ | {"patternProperties": []}, "schema patternProperties: must be an object"),
    "defs_as_a_list": ({"$defs": []}, "schema $defs: must be an object of schemas"),
    "a_ref_that_is_a_number": ({"$ref": 5}, "schema $ref: must be a string"),
    "a_ref_to_another_document": (
        props(a={"$ref": "http://e.org/a.json"}),
        "properties.a.$ref: 'http://e.org/a.json' points outside",
    ),
    "a_ref_to_nothing": ({"$ref": "#/$defs/A"}, "'#/$defs/A' leads to no schema; define what it means under $defs"),
    "a_ref_to_a_missing_anchor": ({"$ref": "#a"}, "leads to no schema"),
    "a_ref_past_a_list": ({"anyOf": [STR, {"$ref": "#/anyOf/7"}]}, "schema anyOf[1].$ref"),
    "a_ref_into_a_string": ({"title": "t", "anyOf": [{"$ref": "#/title/0"}]}, "schema anyOf[0].$ref"),
    "a_ref_to_nothing_in_all_of": ({"allOf": [{"$ref": "#/$defs/A"}, STR]}, "schema: '#/$defs/A' leads to no schema"),
    "absurd_depth": (deep(60), "nested more than 48 schemas deep"),
    "more_depth_than_json_can_have": (deep(500), "nested too deeply"),
    "more_schemas_than_a_request_may_hold": (
        {"type": "object", "properties": {f"p{index}": {} for index in range(20_000)}},
        "more than 20000 schemas in all of the request",
    ),
    "a_long_chain_that_must_be_expanded": (chain(200), "more than 32 schemas"),
}


def test_references_that_would_make_a_schema_many_times_as_long_stay_references() -> None:
    source = doubling(14)
    converted = to_gemini_schema(source, param="p").schema
    assert len(orjson.dumps(converted)) < 8 * len(orjson.dumps(source))
    assert "D14" in converted["$defs"]
    assert to_gemini_schema(converted, param="p").schema == converted


def test_a_schema_is_paid_from_the_budget_of_its_request_whether_it_is_known_or_not() -> None:
    budget = SchemaBudget(left=25)
    tool = {"type": "object", "properties": {f"p{index}": {"type": "string"} for index in range(9)}}
    for left in (15, 5):
        function_parameters(tool, param="tools[0]", budget=budget)
        assert budget.left == left
    with pytest.raises(UnsupportedSchemaError, match="more than 20000 schemas in all of the request"):
        function_parameters(tool, param="tools[2]", budget=budget)


@pytest.mark.parametrize(("schema", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_said_is_refused_by_its_place(schema: object, message: str) -> None:
    with pytest.raises(UnsupportedSchemaError) as caught:
        to_gemini_schema(schema, param="tools[0].function.parameters")
    assert message in caught.value.message
    assert caught.value.param == "tools[0].function.parameters"
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()
    assert isinstance(caught.value, ValueError)


# Function parameters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        OBJ,
        props(),
        props() | {"required": [], "additionalProperties": False},
        {"$ref": "#/$defs/A", "$defs": {"A": OBJ}},
    ],
)
def test_a_function_without_arguments_takes_an_empty_object(schema: object) -> None:
    assert function_parameters(schema, param="p").schema == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "schema", [props(a=STR), OBJ | {"additionalProperties": STR}, OBJ | {"additionalProperties": True}]
)
def test_a_function_with_arguments_keeps_its_parameters(schema: Json) -> None:
    result = function_parameters(schema, param="p")
    assert result is not None
    assert result.schema == schema
    assert has_properties(result)


def test_a_ref_at_the_root_of_parameters_is_replaced() -> None:
    definitions = {"A": {"$ref": "#/$defs/B"}, "B": props(a={"$ref": "#/$defs/B"})}
    result = function_parameters({"title": "T", "$ref": "#/$defs/A", "$defs": definitions}, param="p")
    assert result is not None
    assert result.schema == props(a={"$ref": "#/$defs/B"}) | {"title": "T", "$defs": definitions}


def test_a_nullable_object_at_the_root_of_parameters_is_an_object() -> None:
    result = function_parameters(props(a=STR) | {"type": ["object", "null"]}, param="p")
    assert result is not None
    assert same_order(result.schema, props(a=STR))


def test_a_union_of_objects_at_the_root_of_parameters_is_typed() -> None:
    schema = {"oneOf": [{"$ref": "#/$defs/A"}, props(b=STR)], "$defs": {"A": props(a=STR)}}
    result = function_parameters(schema, param="p")
    assert result is not None
    assert same_order(result.schema, {"type": "object", **schema})


def test_an_untyped_root_of_parameters_is_an_object() -> None:
    converted = to_gemini_schema({"additionalProperties": STR}, param="p")
    assert object_root(converted, param="p").schema == {"type": "object", "additionalProperties": STR}


@pytest.mark.parametrize(
    "schema",
    [
        STR,
        {"anyOf": [OBJ, STR]},
        {"type": ["object", "array"]},
        {"const": 1},
        {"$ref": "#/$defs/A", "$defs": {"A": STR}},
        {"anyOf": [OBJ, {"$ref": "#"}]},
    ],
)
def test_parameters_that_are_no_object_are_refused(schema: Json) -> None:
    with pytest.raises(UnsupportedSchemaError, match="must be of type object"):
        function_parameters(schema, param="p")


def test_what_an_object_schema_is() -> None:
    assert is_object_schema(OBJ)
    assert is_object_schema({"$ref": "#/$defs/A", "$defs": {"A": {"type": ["object", "null"]}}})
    assert not is_object_schema({})
    assert not is_object_schema({"anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}})
