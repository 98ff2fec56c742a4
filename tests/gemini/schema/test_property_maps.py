"""A map of properties where a schema should be, and titles that repeat names."""

from typing import Any

import pytest

from gemgate.gemini.schema.convert_schema import function_parameters, to_gemini_schema

Json = dict[str, Any]
STRING = {"type": "string"}
OBJECT = {"type": "object", "properties": {"location": STRING, "unit": STRING}}
NOTE = "a map of properties taken for an object"


def props(**properties: Any) -> Json:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"location": STRING, "unit": STRING}, OBJECT),
        ({"type": "object", "location": STRING, "unit": STRING}, OBJECT),
        ({"location": STRING, "unit": STRING, "required": ["unit"]}, {**OBJECT, "required": ["unit"]}),
        ({"location": {"type": "string", "required": True}, "unit": STRING}, {**OBJECT, "required": ["location"]}),
        ({"location": {"type": "string", "required": False}, "unit": STRING}, OBJECT),
        ({"description": "Where.", "location": STRING, "unit": STRING}, {**OBJECT, "description": "Where."}),
        ({"location": "string", "unit": "String"}, OBJECT),
        ({"id": STRING}, props(id=STRING)),
        ({"id": STRING, "label": STRING}, props(id=STRING, label=STRING)),
        ({"title": STRING, "type": STRING}, props(title=STRING, type=STRING)),
        ({"description": STRING, "format": STRING}, props(description=STRING, format=STRING)),
        (
            {"items": {"type": "array", "items": STRING}, "total": {"type": "number"}},
            props(items={"type": "array", "items": STRING}, total={"type": "number"}),
        ),
        ({"outer": {"inner": {"deep": STRING}}}, props(outer=props(inner=props(deep=STRING)))),
        ({"a": {"enum": ["x"]}}, props(a={"type": "string", "enum": ["x"]})),
        ({"a": {"description": "Any."}}, props(a={"description": "Any."})),
        ({"a": {}, "b": STRING, "c": True}, props(a={}, b=STRING, c={})),
        (
            {"$defs": {"A": STRING}, "a": {"$ref": "#/$defs/A"}},
            {**props(a={"$ref": "#/$defs/A"}), "$defs": {"A": STRING}},
        ),
    ],
)
def test_a_map_of_properties_is_an_object_and_noted(source: Json, expected: Json) -> None:
    for parameters in (function_parameters(source, param="p"), to_gemini_schema(source, param="p")):
        assert parameters.schema == expected
        assert f"root: {NOTE}" in parameters.changes


@pytest.mark.parametrize(
    ("source", "expected", "changes"),
    [
        (props(a={**STRING, "required": True}, b=STRING), {**props(a=STRING, b=STRING), "required": ["a"]}, ()),
        (props(a={**STRING, "required": False}), props(a=STRING), ()),
        (
            {**props(a={**STRING, "required": True}, b=STRING), "required": ["b"]},
            {**props(a=STRING, b=STRING), "required": ["b", "a"]},
            (),
        ),
        (
            props(a={"type": "array", "items": {**STRING, "required": True}}),
            props(a={"type": "array", "items": STRING}),
            ("properties.a.items: required dropped",),
        ),
    ],
)
def test_a_property_may_say_itself_that_it_is_required(source: Json, expected: Json, changes: tuple[str, ...]) -> None:
    converted = function_parameters(source, param="p")
    assert (converted.schema, converted.changes) == (expected, changes)


DATA = {"parent": {"type": "string", "required": True}, "insert_after": STRING}
TASK = {"type": "object", "properties": {"parent": STRING, "insert_after": STRING}, "required": ["parent"]}


@pytest.mark.parametrize(
    ("inner", "place"),
    [
        (lambda schema: props(data=schema), "properties.data"),
        (lambda schema: props(data={"type": "array", "items": schema}), "properties.data.items"),
        (lambda schema: props(a=props(data=schema)), "properties.a.properties.data"),
        (lambda schema: props(data={"anyOf": [schema, {"type": "null"}]}), "properties.data.anyOf[0]"),
    ],
)
def test_a_map_within_parameters_is_an_object_and_noted(inner: Any, place: str) -> None:
    found = function_parameters(inner(DATA), param="p")
    assert found.schema == inner(TASK)
    assert found.changes == (f"{place}: {NOTE}",)


def test_a_description_and_null_stay_beside_a_map() -> None:
    found = function_parameters(props(data={**DATA, "description": "The task.", "nullable": True}), param="p")
    assert found.schema == props(data={**TASK, "description": "The task.", "type": ["object", "null"]})


@pytest.mark.parametrize(
    "schema",
    [
        props(a={}),
        props(a={"description": "anything"}),
        props(a={"type": "string", "x-meta": {"type": "string"}}),
        props(a={"items": STRING}),
        props(a={"type": "array", "items": STRING}),
        props(a={"type": "object", "additionalProperties": STRING}),
        props(a={"anyOf": [STRING, {"type": "null"}]}),
        props(a={"enum": ["string"]}),
        props(a={"type": "object", "default": {"type": "string"}}),
    ],
)
def test_a_schema_is_not_taken_for_a_map(schema: Json) -> None:
    assert not any(NOTE in change for change in to_gemini_schema(schema, param="p").changes)


@pytest.mark.parametrize(
    ("titled", "plain"),
    [
        (props(user_id={"type": "string", "title": "User Id"}), props(user_id=STRING)),
        (props(title={"type": "string", "title": "Title"}), props(title=STRING)),
        ({**props(a={**STRING, "title": "A"}), "title": "Add"}, {**props(a=STRING), "title": "Add"}),
        (
            props(tags={"type": "array", "title": "Tags", "items": {"type": "string", "title": "Tags"}}),
            props(tags={"type": "array", "items": STRING}),
        ),
        (
            {**props(a={"$ref": "#/$defs/Inner"}), "$defs": {"Inner": {**props(b={"title": "B"}), "title": "Inner"}}},
            {**props(a={"$ref": "#/$defs/Inner"}), "$defs": {"Inner": props(b={})}},
        ),
    ],
)
def test_titles_that_repeat_names_are_taken_out_of_a_functions_parameters(titled: Json, plain: Json) -> None:
    assert function_parameters(titled, param="p").schema == plain
    assert function_parameters(titled, param="p").changes == ()


def test_a_title_that_says_more_is_the_description_where_there_is_none() -> None:
    source = props(
        a={"type": "string", "title": "The city to look up"},
        b={"type": "string", "title": "Some other words", "description": "It has one."},
    )
    found = function_parameters(source, param="p")
    assert found.schema == props(
        a={"type": "string", "description": "The city to look up"},
        b={"type": "string", "description": "It has one."},
    )
    assert found.changes == ("properties.a: title moved to the description", "properties.b: title dropped")


def test_titles_of_response_formats_stay() -> None:
    assert to_gemini_schema(props(a={"type": "string", "title": "A"}), param="p").schema["properties"]["a"]["title"]
