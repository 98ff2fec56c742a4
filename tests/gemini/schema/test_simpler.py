"""A schema with fewer states: enums and limits are said in descriptions."""

from typing import Any

import pytest

from gemgate.gemini.schema.simpler import simpler

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "description": "One of: a, b."}),
        ({"enum": [1, 2]}, {"type": "integer", "description": "One of: 1, 2."}),
        ({"enum": ["a", 1, None]}, {"description": "One of: a, 1, null."}),
        ({"const": "a", "description": "The kind."}, {"type": "string", "description": "The kind. Always a."}),
        (
            {"type": "number", "minimum": 0, "maximum": 9.5},
            {"type": "number", "description": "At least 0. At most 9.5."},
        ),
        ({"type": "string", "format": "date-time"}, {"type": "string", "description": "Format: date-time."}),
        (
            {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 5}},
            {
                "type": "array",
                "items": {"type": "string", "description": "At most 5 characters."},
                "description": "At most 3 items.",
            },
        ),
    ],
)
def test_enums_and_limits_are_said_in_words(schema: Json, expected: Json) -> None:
    assert simpler(schema) == expected


def test_properties_that_are_called_like_limits_stay_and_nothing_is_changed_in_place() -> None:
    names: Json = {"enum": {"type": "string"}, "format": {"anyOf": [{"const": 1}, {"type": "null"}]}, "minimum": True}
    schema: Json = {"type": "object", "properties": names, "$defs": {"d": {"enum": ["x"]}}, "required": ["enum"]}
    assert simpler(schema) == {
        "type": "object",
        "properties": {
            "enum": {"type": "string"},
            "format": {"anyOf": [{"type": "integer", "description": "Always 1."}, {"type": "null"}]},
            "minimum": True,
        },
        "$defs": {"d": {"type": "string", "description": "One of: x."}},
        "required": ["enum"],
    }
    assert schema["$defs"] == {"d": {"enum": ["x"]}}


def test_a_schema_without_limits_is_the_same() -> None:
    schema: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    assert simpler(schema) == schema
