"""The wire types of Google are made by the script, of the types that Google's schema has."""

import runpy
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts/write_types.py"))
TABLE: dict[str, Any] = SCRIPT["load"]()
SCHEMA: dict[str, Any] = orjson.loads((ROOT / "src/gemgate/emulator/native_schema.json").read_bytes())
REQUESTS = sorted(TABLE.keys() & SCHEMA["messages"].keys())


def test_the_types_are_up_to_date() -> None:
    assert SCRIPT["OUTPUT"].read_text() == SCRIPT["rendered"](TABLE), "run scripts/write_types.py"


@pytest.mark.parametrize("name", REQUESTS)
def test_what_callers_may_send_has_the_types_that_the_emulator_demands(name: str) -> None:
    entry, demanded = TABLE[name], SCHEMA["messages"][name]
    fields = {field: code for field, code in entry["fields"].items() if field not in entry.get("ours", {})}
    assert fields == {field: in_the_table(demanded[field]) for field in fields}


def in_the_table(code: str) -> str:
    """A type of the emulator's schema as the table has it."""
    if code.startswith("["):
        return f"[{in_the_table(code[1:-1])}]"
    if code in SCHEMA["enums"]:
        return "enum"
    google = {other: name for name, entry in TABLE.items() for other in entry.get("google", [name])}
    return "object" if code == "struct" or code in SCHEMA["messages"].keys() - google.keys() else google.get(code, code)


def test_a_document_of_google_gives_the_fields_their_types() -> None:
    level, at = {"allOf": [{"$ref": "#/components/schemas/Mode"}]}, {"type": "string", "format": "int64"}
    new = {"type": "object", "properties": {"level": level, "at": at}}
    table = {"A": {"about": "A thing.", "google": ["B"], "fields": {"level": "", "at": "", "more": ""}}}
    table["A"]["ours"] = {"more": "[A]"}
    found = SCRIPT["refreshed"](table, {"B": new, "Mode": {"enum": ["X"]}})
    assert found["A"]["fields"] == {"level": "enum", "at": "int64", "more": "[A]"}
    assert SCRIPT["rendered"](found).endswith("    level: str\n    at: str\n    more: list[A]\n")
    with pytest.raises(KeyError):
        SCRIPT["refreshed"]({"A": {"about": "A thing.", "fields": {"gone": "string"}}}, {"A": new})
