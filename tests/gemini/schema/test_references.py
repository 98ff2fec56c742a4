"""Facts about references, `allOf` and recursion in the schemas that go to Gemini."""

from typing import Any

import pytest
from tests.support.schemas import INT, NULL, OBJ, STR, Json, assert_gemini_takes, convert, props

from gemgate.gemini.schema.convert_schema import ConvertedSchema, UnsupportedSchemaError, to_gemini_schema

TEXT_A = {"description": "A"}

# References -------------------------------------------------------------------------------------------------------


def test_refs_into_defs_stay() -> None:
    schema = props(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": STR}, "title": "T"}
    assert convert(schema) == schema


def test_definitions_become_defs_and_collisions_are_renamed() -> None:
    schema = props(a={"$ref": "#/definitions/A"}, b={"$ref": "#/$defs/A"}) | {
        "definitions": {"A": INT},
        "$defs": {"A": STR},
    }
    assert convert(schema) == props(a={"$ref": "#/$defs/A_2"}, b={"$ref": "#/$defs/A"}) | {
        "$defs": {"A_2": INT, "A": STR}
    }


def test_names_that_need_escapes_are_simplified() -> None:
    refs = ["#/$defs/Page%5BItem%5D", "#/$defs/a~1b~0c", "#/$defs/100%", "#/$defs/100_"]
    schema = props(**{f"p{i}": {"$ref": ref} for i, ref in enumerate(refs)})
    schema["$defs"] = {"Page[Item]": STR, "a/b~c": INT, "100%": {"type": "number"}, "100_": NULL}
    result = convert(schema)
    assert [item["$ref"] for item in result["properties"].values()] == [
        "#/$defs/Page_Item_",
        "#/$defs/a_b_c",
        "#/$defs/100__2",
        "#/$defs/100_",
    ]
    assert result["$defs"] == {"Page_Item_": STR, "a_b_c": INT, "100__2": {"type": "number"}, "100_": NULL}


def test_refs_to_other_places_are_hoisted() -> None:
    schema = props(home={"type": "array", "items": [props(zip=STR)]}, work={"$ref": "#/properties/home/items/0"})
    schema["properties"]["zip"] = {"$ref": "#/properties/home/items/0/properties/zip"}
    result = convert(schema)
    assert result["properties"]["work"] == {"$ref": "#/$defs/items_0"}
    assert result["properties"]["zip"] == {"$ref": "#/$defs/zip"}
    assert result["$defs"] == {"items_0": props(zip=STR), "zip": STR}


def test_a_ref_to_the_root_is_recursion() -> None:
    schema = props(name=STR, parent={"$ref": "#"}) | {"title": "A Person"}
    name = "#/$defs/A_Person"
    body = props(name=STR, parent={"$ref": name}) | {"title": "A Person"}
    assert convert(schema) == body | {"$defs": {"A_Person": body}}
    assert "Root" in convert(props(a={"$ref": "#"}))["$defs"]
    assert "Root" in convert(props(a={"$recursiveRef": "#"}))["$defs"]


def test_anchors_and_ids_are_followed() -> None:
    schema = props(a={"$ref": "#here"}, b={"$ref": "https://e.org/b.json"}, c={"$ref": "b.json#/properties/x"})
    schema |= {"$id": "https://e.org/root.json", "$defs": {"A": {"$anchor": "here", **STR}}}
    schema["$defs"]["B"] = {"$id": "https://e.org/b.json", **props(x=INT)}
    schema["properties"]["d"] = {"$ref": "https://e.org/root.json#/$defs/A"}
    schema["properties"]["e"] = {"$dynamicRef": "#node", "description": "d"}
    schema["$defs"]["N"] = {"$dynamicAnchor": "node", "enum": [1]}
    result = convert(schema)
    assert [item.get("$ref") for item in result["properties"].values()] == [
        "#/$defs/A",
        "#/$defs/B",
        "#/$defs/x",
        "#/$defs/A",
        None,
    ]
    assert result["properties"]["e"] == {"anyOf": [{"$ref": "#/$defs/N"}], "description": "d"}


def test_what_nothing_refers_to_goes() -> None:
    assert convert(STR | {"$defs": {"A": {"$ref": "https://elsewhere.example"}}}) == STR


def test_a_description_beside_a_ref_moves_around_it() -> None:
    defs = {"$defs": {"A": STR}}
    assert convert(props(a={"$ref": "#/$defs/A", "description": "d", "default": "x"}) | defs)["properties"]["a"] == {
        "anyOf": [{"$ref": "#/$defs/A"}],
        "description": 'd. Default: "x".',
    }
    assert convert(props(a={"$ref": "#/$defs/A", "nullable": True}) | defs)["properties"]["a"] == {
        "anyOf": [{"$ref": "#/$defs/A"}, NULL]
    }
    assert convert(props(a={"$ref": "#/$defs/A", "$comment": "c"}) | defs)["properties"]["a"] == {"$ref": "#/$defs/A"}


def test_a_constraint_beside_a_ref_is_folded_with_its_target() -> None:
    schema = props(a={"$ref": "#/$defs/A", "enum": ["x"]}) | {"$defs": {"A": STR | {"description": "d"}}}
    assert convert(schema) == props(a={"type": "string", "description": "d", "enum": ["x"]})


# allOf ------------------------------------------------------------------------------------------------------------

BASE = props(id=INT) | {"required": ["id"], "description": "Base"}

FOLDED: dict[str, tuple[Json, Json]] = {
    "a_single_ref_stays_a_ref": (
        {"allOf": [{"$ref": "#/$defs/B"}], "title": "T"},
        {"title": "T", "anyOf": [{"$ref": "#/$defs/B"}], "$defs": {"B": BASE}},
    ),
    "annotations_beside_a_ref_are_kept": (
        {"description": "own", "allOf": [{"$ref": "#/$defs/B", "title": "T"}, {"description": "part"}]},
        {"description": "own part", "title": "T", "anyOf": [{"$ref": "#/$defs/B"}], "$defs": {"B": BASE}},
    ),
    "inheritance_is_one_object": (
        {"allOf": [{"$ref": "#/$defs/B"}, props(name=STR) | {"required": ["name"]}], "description": "Own"},
        props(id=INT, name=STR) | {"required": ["id", "name"], "description": "Own Base"},
    ),
    "a_member_that_allows_all_says_nothing": ({"allOf": [True, {}, STR]}, STR),
    "nested_members_are_flattened": ({"allOf": [{"allOf": [{"allOf": [INT]}]}]}, INT),
    "types_are_intersected": ({"type": ["number", "null"], "allOf": [{"type": ["integer", "string"]}]}, INT),
    "types_keep_what_both_allow": (
        {"allOf": [{"type": ["string", "null"]}, {"type": ["null", "string"]}]},
        {"type": ["string", "null"]},
    ),
    "bounds_take_the_narrower": (
        {"type": "integer", "allOf": [{"minimum": 1, "maximum": 9}, {"minimum": 3, "maximum": 7}]},
        {"type": "integer", "minimum": 3, "maximum": 7},
    ),
    "enums_are_intersected": (
        {"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]},
        {"type": "string", "enum": ["b"]},
    ),
    "the_same_property_is_folded": (
        {"allOf": [props(a=STR), props(a=STR | TEXT_A), props(a={"enum": ["x"]})]},
        props(a={"type": "string", "description": "A", "enum": ["x"]}),
    ),
    "additional_properties_false_wins": (
        {"allOf": [props(a=STR) | {"additionalProperties": True}, props(b=INT) | {"additionalProperties": False}]},
        props(a=STR, b=INT) | {"additionalProperties": False},
    ),
    "additional_properties_are_folded": (
        {"allOf": [OBJ | {"additionalProperties": STR}, OBJ | {"additionalProperties": {"title": "T"}}]},
        OBJ | {"additionalProperties": STR | {"title": "T"}},
    ),
    "additional_properties_true_yields": (
        {"allOf": [OBJ | {"additionalProperties": STR}, OBJ | {"additionalProperties": True}]},
        OBJ | {"additionalProperties": STR},
    ),
    "properties_of_the_same_shape_are_one": ({"allOf": [props(a=STR), props(a=STR, b=INT)]}, props(a=STR, b=INT)),
    "items_are_folded": (
        {"type": "array", "allOf": [{"items": STR}, {"items": TEXT_A}]},
        {"type": "array", "items": STR | TEXT_A},
    ),
    "its_own_title_goes_first": ({"allOf": [STR | {"title": "part"}], "title": "own"}, STR | {"title": "own"}),
    "its_own_title_stays": ({"title": "own", "allOf": [STR | {"title": "part"}]}, STR | {"title": "own"}),
    "nulls_in_members_are_absent": ({"allOf": [STR | {"enum": None}, {"enum": ["a"]}]}, STR | {"enum": ["a"]}),
    "order_is_a_union": (
        {"allOf": [props(a=STR) | {"propertyOrdering": ["a"]}, props(b=STR) | {"propertyOrdering": ["b"]}]},
        props(a=STR, b=STR) | {"propertyOrdering": ["a", "b"]},
    ),
    "what_does_not_fold_is_described": (
        {"allOf": [STR, {"pattern": "a"}, {"pattern": "b"}]},
        STR | {"description": 'Must also match {"pattern":"b"}. Must match a.'},
    ),
    "contradicting_types_are_described": (
        {"allOf": [STR, INT]},
        STR | {"description": 'Must also match {"type":"integer"}.'},
    ),
    "members_and_refs_set_to_null_are_absent": ({"allOf": None, "$ref": None, **STR}, STR),
    "a_condition_without_a_consequence_says_nothing": ({"allOf": [STR, {"if": {"const": "a"}}]}, STR),
    "false_is_described": ({"allOf": [STR, False]}, STR | {"description": "Must also match false."}),
    "conditions_are_described": (
        {"allOf": [STR, {"if": {"const": "a"}, "then": {"title": "t"}}, {"if": {"const": "b"}, "else": {}}]},
        STR
        | {
            "description": 'If it matches {"const":"a"}, then it must match {"title":"t"}. '
            'If it matches {"const":"b"}, otherwise it must match {}.'
        },
    ),
    "malformed_keywords_that_differ_are_described": (
        {"allOf": [STR, {"minLength": "x"}, {"minLength": 2}]},
        STR | {"description": 'Must also match {"minLength":2}. At least "x" characters.'},
    ),
}


@pytest.mark.parametrize(("schema", "expected"), FOLDED.values(), ids=FOLDED.keys())
def test_all_of(schema: Json, expected: Json) -> None:
    result = convert(schema | {"$defs": {"B": BASE}})
    assert result == expected
    assert_gemini_takes(result)


@pytest.mark.parametrize("key", ["properties", "required", "enum"])
def test_malformed_members_are_refused_after_folding(key: str) -> None:
    with pytest.raises(UnsupportedSchemaError):
        convert({"allOf": [{key: 5}, {key: 6}]})


def test_a_recursive_all_of_keeps_its_ref() -> None:
    node = {
        "allOf": [{"$ref": "#/$defs/Base"}, props(next={"allOf": [{"$ref": "#/$defs/Node"}, {"maxProperties": 3}]})]
    }
    result = convert({"$ref": "#/$defs/Node", "$defs": {"Base": props(id=INT), "Node": node}})
    inner = result["$defs"]["Node"]["properties"]["next"]
    assert inner["properties"]["next"]["anyOf"] == [{"$ref": "#/$defs/Node"}]
    assert inner["properties"]["next"]["description"] == "At most 3 properties."


def test_mutually_recursive_members_end() -> None:
    schema = {
        "$ref": "#/$defs/A",
        "$defs": {
            "A": {"allOf": [{"$ref": "#/$defs/B"}, {"$ref": "#/$defs/A"}, OBJ]},
            "B": {"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}, {"anyOf": [STR]}, {"oneOf": [INT]}]},
        },
    }
    result = to_gemini_schema(schema, param="p")
    assert result.schema["$defs"]["A"]["type"] == "object"
    assert any("allOf" in note for note in result.changes)


# Cycles -----------------------------------------------------------------------------------------------------------


def tree(**more: Any) -> Json:
    return props(value=INT, children={"type": "array", "items": {"$ref": "#/$defs/Node"}}) | more


def test_a_cycle_through_an_optional_property_is_left_alone() -> None:
    schema = {"$defs": {"Node": tree(required=["value"])}, "$ref": "#/$defs/Node"}
    assert to_gemini_schema(schema, param="p") == ConvertedSchema(schema, ())


def test_a_cycle_through_a_required_property_relaxes_exactly_that_one() -> None:
    schema = props(root={"$ref": "#/$defs/Node"}) | {
        "required": ["root"],
        "$defs": {"Node": tree(required=["children", "value"])},
    }
    result = to_gemini_schema(schema, param="p")
    assert result.schema["required"] == ["root"]
    assert result.schema["$defs"]["Node"]["required"] == ["value"]
    assert result.changes == ("$defs.Node.properties.children: recursive, so no longer required",)


def test_a_cycle_over_several_schemas_is_opened_once() -> None:
    schema: Json = {"$ref": "#/$defs/A", "$defs": {"A": props(b={"$ref": "#/$defs/B"}) | {"required": ["b"]}}}
    schema["$defs"]["B"] = {"type": "array", "items": {"anyOf": [NULL, {"$ref": "#/$defs/A"}]}}
    result = to_gemini_schema(schema, param="p")
    assert "required" not in result.schema["$defs"]["A"]
    assert result.changes == ("$defs.A.properties.b: recursive, so no longer required",)


def test_one_optional_property_on_the_cycle_is_enough() -> None:
    schema: Json = {"$ref": "#/$defs/A", "$defs": {"A": props(b={"$ref": "#/$defs/B"}) | {"required": ["b"]}}}
    schema["$defs"]["B"] = props(a={"$ref": "#/$defs/A"})
    assert to_gemini_schema(schema, param="p").schema == schema


def test_two_cyclic_refs_in_one_property_relax_it_once() -> None:
    both = {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "array", "items": {"$ref": "#/$defs/A"}}]}
    result = to_gemini_schema({"$ref": "#/$defs/A", "$defs": {"A": props(x=both) | {"required": ["x"]}}}, param="p")
    assert len(result.changes) == 1


def test_a_cycle_without_any_property_is_cut_and_described() -> None:
    json_value = {"anyOf": [STR, {"type": "array", "items": {"$ref": "#/$defs/V"}}]}
    result = to_gemini_schema(
        props(v={"$ref": "#/$defs/V"}) | {"required": ["v"], "$defs": {"V": json_value}}, param="p"
    )
    assert result.schema["required"] == ["v"]
    assert result.schema["$defs"]["V"]["anyOf"][1]["items"] == {
        "description": "The same shape as V, which contains this."
    }
    assert result.changes == ("$defs.V.anyOf[1].items: recursion without a property to leave out cut",)


def test_a_definition_that_is_itself_ends() -> None:
    result = convert({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}})
    assert result["$defs"]["A"] == {"description": "The same shape as A, which contains this."}


def test_a_chain_of_thousands_of_refs_ends() -> None:
    size = 4000
    names = {f"D{i}": props(n={"$ref": f"#/$defs/D{(i + 1) % size}"}) | {"required": ["n"]} for i in range(size)}
    assert len(to_gemini_schema({"$ref": "#/$defs/D0", "$defs": names}, param="p").changes) == 1
