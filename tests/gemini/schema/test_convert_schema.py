"""Facts about the schemas that go to Gemini: what is kept, what is rewritten, what ends up in the description."""

import copy
import time

import orjson
import pytest
from tests.support.schemas import INT, NULL, OBJ, STR, Json, assert_gemini_takes, changes, convert, props, same_order

REWRITTEN: dict[str, tuple[object, Json]] = {
    "a_supported_schema_is_untouched": (
        {"type": "object", "title": "T", "properties": {"b": STR, "a": {"type": "array", "items": INT, "minItems": 1}}}
        | {"required": ["b"], "additionalProperties": False, "propertyOrdering": ["b", "a"]},
        {"type": "object", "title": "T", "properties": {"b": STR, "a": {"type": "array", "items": INT, "minItems": 1}}}
        | {"required": ["b"], "additionalProperties": False, "propertyOrdering": ["b", "a"]},
    ),
    "the_empty_schema_stays_empty": ({}, {}),
    "a_type_list_with_null_is_kept": ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
    "a_type_list_of_one_is_that_type": ({"type": ["string", "string"]}, STR),
    "upper_case_types_are_lowered": ({"type": "STRING"}, STR),
    "an_integer_enum_is_kept": ({"type": "integer", "enum": [1, 2]}, {"type": "integer", "enum": [1, 2]}),
    "const_is_an_enum_of_one": ({"const": "x"}, {"type": "string", "enum": ["x"]}),
    "const_beats_enum": ({"enum": ["x", "y"], "const": "x"}, {"type": "string", "enum": ["x"]}),
    "const_null_is_the_null_type": ({"const": None}, NULL),
    "a_number_const_keeps_its_type": ({"type": "number", "const": 1}, {"type": "number", "enum": [1]}),
    "an_enum_of_fractions_is_a_number": ({"enum": [1, 2.5]}, {"type": "number", "enum": [1, 2.5]}),
    "an_enum_with_null_is_a_union": (
        {"type": ["string", "null"], "enum": ["a", None], "description": "d"},
        {"anyOf": [{"type": "string", "enum": ["a"]}, NULL], "description": "d"},
    ),
    "an_enum_of_mixed_types_is_a_union": (
        {"enum": ["a", 1, "b"]},
        {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "integer", "enum": [1]}]},
    ),
    "enum_values_that_the_type_forbids_go": ({"type": "string", "enum": ["a", 1]}, {"type": "string", "enum": ["a"]}),
    "an_integral_float_fits_an_integer": ({"type": "integer", "enum": [1.0]}, {"type": "integer", "enum": [1.0]}),
    "an_enum_of_both_booleans_is_the_boolean_type": ({"enum": [True, False]}, {"type": "boolean"}),
    "equal_enum_values_are_listed_once": ({"enum": ["a", "a"]}, {"type": "string", "enum": ["a"]}),
    "nullable_adds_the_null_type": ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    "nullable_false_says_nothing": ({"type": "string", "nullable": False}, STR),
    "nullable_without_a_type_says_nothing": ({"nullable": True}, {}),
    "nullable_reaches_the_enum": (
        {"type": "string", "enum": ["a"], "nullable": True},
        {"anyOf": [{"type": "string", "enum": ["a"]}, NULL]},
    ),
    "nullable_adds_a_branch_to_a_union": ({"oneOf": [STR, INT], "nullable": True}, {"oneOf": [STR, INT, NULL]}),
    "nullable_adds_no_second_null": ({"anyOf": [STR, NULL], "nullable": True}, {"anyOf": [STR, NULL]}),
    "keywords_set_to_null_are_absent": (
        {"type": "string", "description": None, "enum": None, "pattern": None, "format": None},
        STR,
    ),
    "schema_and_comment_go": ({"$schema": "https://json-schema.org/draft-07/schema", "$comment": "c", **STR}, STR),
    "the_root_keeps_its_id": ({"$id": "https://e.org/s", **STR}, {"$id": "https://e.org/s", **STR}),
    "properties_imply_an_object": ({"properties": {"a": STR}}, props(a=STR)),
    "items_imply_an_array": ({"items": STR}, {"type": "array", "items": STR}),
    "true_is_the_empty_schema": (props(a=True), props(a={})),
    "true_as_additional_properties_is_kept": (
        OBJ | {"additionalProperties": True},
        OBJ | {"additionalProperties": True},
    ),
    "a_forbidden_property_of_a_closed_object_goes": (
        props(a=STR, b=False) | {"additionalProperties": False, "required": ["a", "b"]},
        props(a=STR) | {"additionalProperties": False, "required": ["a"]},
    ),
    "a_false_branch_goes": ({"anyOf": [False, STR]}, {"anyOf": [STR]}),
    "a_tuple_in_items_is_prefix_items": (
        {"type": "array", "items": [STR, INT], "additionalItems": False},
        {"type": "array", "prefixItems": [STR, INT], "maxItems": 2},
    ),
    "additional_items_are_the_rest": (
        {"items": [STR], "additionalItems": INT},
        {"type": "array"} | {"prefixItems": [STR], "items": INT},
    ),
    "an_empty_tuple_says_nothing": ({"type": "array", "items": []}, {"type": "array"}),
    "items_false_after_a_prefix_is_a_length": (
        {"type": "array", "prefixItems": [STR, INT], "items": False, "maxItems": 9},
        {"type": "array", "prefixItems": [STR, INT], "maxItems": 2},
    ),
    "unevaluated_items_false_is_a_length": (
        {"type": "array", "prefixItems": [STR], "unevaluatedItems": False},
        {"type": "array", "prefixItems": [STR], "maxItems": 1},
    ),
    "unevaluated_properties_of_a_plain_object_are_additional": (
        props(a=STR) | {"unevaluatedProperties": False},
        props(a=STR) | {"additionalProperties": False},
    ),
    "unevaluated_after_additional_says_nothing": (
        OBJ | {"additionalProperties": STR, "unevaluatedProperties": False},
        OBJ | {"additionalProperties": STR},
    ),
    "an_exclusive_bound_of_an_integer_is_the_next_one": (
        {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9.5},
        {"type": "integer", "minimum": 1, "maximum": 9},
    ),
    "an_exclusive_bound_of_draft_4_is_a_flag": (
        {"type": ["integer", "null"], "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False},
        {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
    ),
    "the_narrower_bound_counts": (
        {"type": "integer", "minimum": 5, "exclusiveMinimum": 0},
        {"type": "integer", "minimum": 5},
    ),
    "a_flag_without_its_bound_says_nothing": ({"type": "integer", "exclusiveMinimum": True}, INT),
    "known_formats_are_kept": (
        props(a={"type": "string", "format": "date-time"}, b={"type": "integer", "format": "int64"}),
        props(a={"type": "string", "format": "date-time"}, b={"type": "integer", "format": "int64"}),
    ),
    "a_required_name_is_declared": (
        props(a=STR) | {"required": ["a", "b", "b"]},
        props(a=STR, b={}) | {"required": ["a", "b"]},
    ),
    "a_required_name_without_properties_is_declared": (
        {"type": "object", "required": ["a"]},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
    ),
    "an_empty_required_list_goes": (OBJ | {"required": []}, OBJ),
    "a_whole_float_is_a_count": ({"type": "array", "minItems": 2.0}, {"type": "array", "minItems": 2}),
    "unique_items_false_says_nothing": ({"type": "array", "uniqueItems": False}, {"type": "array"}),
    "if_without_then_says_nothing": ({"type": "string", "if": {"minLength": 1}}, STR),
    "patterns_widen_a_closed_object": (
        OBJ | {"additionalProperties": False, "patternProperties": {"^x": STR}},
        OBJ | {"additionalProperties": STR, "description": 'Properties named like ^x must match {"type":"string"}.'},
    ),
    "several_patterns_are_a_union": (
        OBJ | {"additionalProperties": INT, "patternProperties": {"^x": STR}},
        OBJ
        | {"additionalProperties": {"anyOf": [STR, INT]}}
        | {"description": 'Properties named like ^x must match {"type":"string"}.'},
    ),
}


@pytest.mark.parametrize(("schema", "expected"), REWRITTEN.values(), ids=REWRITTEN.keys())
def test_rewriting(schema: object, expected: Json) -> None:
    before = copy.deepcopy(schema)
    result = convert(schema)
    assert result == expected
    assert schema == before
    assert_gemini_takes(result)


HINTS: dict[str, tuple[Json, str]] = {
    "multiple_of": ({"type": "number", "multipleOf": 0.5}, "Must be a multiple of 0.5."),
    "one_character": ({"type": "string", "minLength": 1}, "At least 1 character."),
    "several_characters": ({"type": "string", "maxLength": 20}, "At most 20 characters."),
    "pattern": ({"type": "string", "pattern": "^a+$"}, "Must match ^a+$."),
    "string_format": ({"type": "string", "format": "uuid"}, "Format: uuid."),
    "number_format_on_a_string": ({"type": "string", "format": "int32"}, "Format: int32."),
    "exclusive_minimum_of_a_number": ({"type": "number", "exclusiveMinimum": 0}, "Must be greater than 0."),
    "exclusive_maximum_of_a_number": ({"type": "number", "exclusiveMaximum": 1}, "Must be less than 1."),
    "property_counts": (OBJ | {"minProperties": 1, "maxProperties": 2}, "At least 1 property. At most 2 properties."),
    "unique_items": ({"type": "array", "uniqueItems": True}, "Items must be unique."),
    "default": ({"type": "integer", "default": 3}, "Default: 3."),
    "null_default": ({"type": ["integer", "null"], "default": None}, "Default: null."),
    "examples": ({"type": "string", "examples": ["a", "b"]}, 'Examples: "a", "b".'),
    "one_example": ({"type": "string", "example": {"a": 1}}, 'Examples: {"a":1}.'),
    "examples_as_an_object": ({"type": "string", "examples": {"a": 1}}, 'Examples: {"a":1}.'),
    "not": ({"type": "string", "not": {"const": "x"}}, 'Must not match {"const":"x"}.'),
    "property_names": (OBJ | {"propertyNames": {"pattern": "^a"}}, "Property names must match ^a."),
    "listed_property_names": (OBJ | {"propertyNames": {"enum": ["a"]}}, 'Property names must match {"enum":["a"]}.'),
    "dependent_required": (OBJ | {"dependentRequired": {"a": ["b", "c"]}}, "If a is present, b, c must be too."),
    "dependent_schemas": (
        OBJ | {"dependentSchemas": {"a": {"minProperties": 2}}},
        'If a is present, it must match {"minProperties":2}.',
    ),
    "malformed_dependencies": (OBJ | {"dependencies": 5}, "Dependencies: 5."),
    "contains": ({"type": "array", "contains": STR}, 'Must contain items (at least 1) that match {"type":"string"}.'),
    "contains_counts": (
        {"type": "array", "contains": STR, "minContains": 2, "maxContains": 3},
        'Must contain items (at least 2 and at most 3) that match {"type":"string"}.',
    ),
    "if_then_else": (
        OBJ | {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": False},
        'If it matches {"required":["a"]}, then it must match {"required":["b"]}, otherwise it must match false.',
    ),
    "content": (
        {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
        "Encoding: base64. Media type: image/png.",
    ),
    "content_schema": ({"type": "string", "contentSchema": {}}, "The decoded content must match {}."),
    "access": (STR | {"readOnly": True, "writeOnly": False, "deprecated": True}, "Read only. Deprecated."),
    "discriminator": (
        {"oneOf": [STR], "discriminator": {"propertyName": "kind"}},
        "The property kind distinguishes the variants.",
    ),
    "boolean_const": ({"const": True}, "Must be true."),
    "enum_of_objects": ({"enum": [{"a": 1}]}, 'Must be {"a":1}.'),
    "enum_that_the_type_forbids": ({"type": "integer", "enum": ["1"]}, 'Allowed values: ["1"].'),
    "mixed_enum_beside_a_union": ({"anyOf": [STR, INT], "enum": ["a", 1]}, 'Allowed values: ["a",1].'),
    "forbidden_property": (props(a=False), "Must not have a."),
    "only_false_branches": ({"anyOf": [False]}, "No value is allowed here."),
    "unions_of_required_names": (
        props(a=STR, b=STR) | {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        'Must match at least one of [{"required":["a"]},{"required":["b"]}].',
    ),
    "exclusive_unions_of_required_names": (
        props(a=STR, b=STR) | {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        'Must match one of [{"required":["a"]},{"required":["b"]}].',
    ),
    "unevaluated_properties_of_a_union": (
        OBJ | {"oneOf": [OBJ], "unevaluatedProperties": False},
        "No other properties.",
    ),
    "unevaluated_schema_of_a_union": (
        OBJ | {"oneOf": [OBJ], "unevaluatedProperties": STR},
        'Other properties must match {"type":"string"}.',
    ),
    "unevaluated_items_of_a_union": ({"type": "array", "anyOf": [{}], "unevaluatedItems": False}, "No other items."),
    "unevaluated_item_schema_of_a_union": (
        {"type": "array", "anyOf": [{}], "unevaluatedItems": STR},
        'Other items must match {"type":"string"}.',
    ),
}


@pytest.mark.parametrize(("schema", "hint"), HINTS.values(), ids=HINTS.keys())
def test_what_gemini_does_not_know_is_said_in_the_description(schema: Json, hint: str) -> None:
    assert convert({"type": "object", "properties": {"a": schema}})["properties"]["a"]["description"] == hint
    assert convert(schema | {"description": "Before"})["description"] == f"Before. {hint}"
    assert convert(schema | {"description": "Before!\n"})["description"] == f"Before! {hint}"
    note = changes(schema)
    assert len(note) == 1
    assert note[0].startswith("root: ")
    assert note[0].endswith(" moved to the description")


def test_a_forbidden_value_is_said_in_words() -> None:
    assert convert({"type": "object", "additionalProperties": {"$ref": "#/$defs/N"}, "$defs": {"N": False}}) == {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/N"},
        "$defs": {"N": {"description": "No value is allowed here."}},
    }


def test_notes_name_the_place_and_the_keywords_once() -> None:
    schema = props(age={"type": "integer", "multipleOf": 5, "default": 5, "x-order": 1, "strict": True})
    assert changes(schema) == (
        "properties.age: multipleOf, default moved to the description",
        "properties.age: x-order, strict dropped",
    )


def test_notes_fit_in_a_header() -> None:
    note = changes(props(**{"a\r\nset-cookie: ü": {"type": "string", "pattern": "x"}}))[0]
    assert note.isascii()
    assert note.isprintable()


def test_long_hints_are_cut() -> None:
    text = convert({"type": "string", "pattern": "x" * 5000, "not": {"enum": ["y" * 5000]}})["description"]
    assert len(text) < 700


def test_the_order_of_keys_is_kept_to_the_byte() -> None:
    schema = {
        "required": ["z"],
        "properties": {"z": STR, "a": {"description": "d", "type": "string"}},
        "type": "object",
    }
    assert same_order(convert(schema), schema)
    assert same_order(convert(schema), convert(orjson.loads(orjson.dumps(schema))))


# Speed ------------------------------------------------------------------------------------------------------------


def test_a_large_schema_is_quick() -> None:
    def field(i: int) -> Json:
        return {"type": "string", "description": f"Field {i} of the form", "minLength": 1}

    schema = {
        "type": "object",
        "properties": {f"group_{g}": props(**{f"field_{i}": field(i) for i in range(10)}) for g in range(26)},
    }
    assert len(orjson.dumps(schema)) > 20_000
    times = []
    for _ in range(5):
        start = time.thread_time()
        convert(schema)
        times.append(time.thread_time() - start)
    assert min(times) < 0.05
