"""Facts about conversions that are remembered."""

import pytest
from tests.support.schemas import INT, STR, props

from gemgate.gemini.schema.convert_schema import (
    ConvertedSchema,
    KnownSchemas,
    UnsupportedSchemaError,
    function_parameters,
    known_gemini_schema,
    to_gemini_schema,
)

LOSSY = props(age={"type": "integer", "multipleOf": 2, "x-mine": 1}, name=STR)
CONVERTED = ConvertedSchema({}, ())


def test_a_schema_is_converted_once_and_its_losses_are_told_each_time() -> None:
    first, second = (known_gemini_schema(dict(LOSSY), param=param) for param in ("a", "b"))
    assert first is second
    assert first == to_gemini_schema(LOSSY, param="c")
    assert first.changes == (
        "properties.age: multipleOf moved to the description",
        "properties.age: x-mine dropped",
    )


def test_the_order_of_keys_makes_another_schema() -> None:
    one, other = (
        known_gemini_schema(props(**fields), param="p") for fields in ({"a": STR, "b": INT}, {"b": INT, "a": STR})
    )
    assert [list(known.schema["properties"]) for known in (one, other)] == [["a", "b"], ["b", "a"]]


def test_a_wrong_schema_is_refused_each_time_under_the_name_it_has_then() -> None:
    for param in ("tools[0].function.parameters", "tools[1].function.parameters"):
        with pytest.raises(UnsupportedSchemaError) as caught:
            known_gemini_schema({"type": "nonsense"}, param=param)
        assert caught.value.param == param


def test_a_root_that_is_rewritten_leaves_the_remembered_schema_as_it_was() -> None:
    source = {"$ref": "#/$defs/A", "$defs": {"A": props(a=STR)}}
    parameters = function_parameters(source, param="p")
    assert parameters is not None
    assert parameters.schema["type"] == "object"
    assert known_gemini_schema(source, param="p") == to_gemini_schema(source, param="p")


def test_what_was_not_used_for_the_longest_time_makes_room() -> None:
    known = KnownSchemas(maximum=1000)
    texts = [bytes([letter]) * 100 for letter in b"abcde"]
    for text in texts:
        known.put(text, CONVERTED)
    assert known.get(texts[0]) is CONVERTED
    known.put(b"f" * 100, CONVERTED)
    assert len(known) == 5
    assert known.get(texts[0]) is CONVERTED
    assert known.get(texts[1]) is None


def test_a_schema_that_would_push_out_most_others_is_not_kept() -> None:
    known = KnownSchemas(maximum=1000)
    known.put(b"a" * 100, CONVERTED)
    known.put(b"b" * 200, CONVERTED)
    assert known.get(b"a" * 100) is CONVERTED
    assert known.get(b"b" * 200) is None
