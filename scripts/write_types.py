"""Writes `gemini/types.py`, the wire types of Google, out of `wire_types.json`: names and types of the fields in use.

Usage:
    python scripts/write_types.py [PATH/TO/generativelanguage.v1beta.json]

With Google's OpenAPI document the types of the fields in `wire_types.json` are taken from it first. One in `ours` is
of a field that recorded traffic has and the document has not, or has more loosely or strictly than it is used.
"""

import sys
import textwrap
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "scripts/wire_types.json"
OUTPUT = ROOT / "src/gemgate/gemini/types.py"

_HEAD = '''"""Wire types of the native Gemini API v1beta, spelled as in its reference; by `scripts/write_types.py`.

Source: https://ai.google.dev/api/generate-content. Every field is optional, because Google leaves out what is zero,
empty or default. A dict may hold fields that are newer than this file: they are passed on, never an error.
"""

from typing import Annotated

from pydantic import SkipValidation
from typing_extensions import TypedDict  # what pydantic reads before Python 3.12
'''

_TYPES = {
    "string": "str",
    "bytes": "str",
    "enum": "str",
    "duration": "str",
    "timestamp": "str",
    "int64": "str",
    "int32": "int",
    "float": "float",
    "double": "float",
    "bool": "bool",
    "object": "dict[str, object]",
    "value": "object",
}
"""How each type of the schema is written. Bytes, times and integers of 64 bits are strings in Google's JSON."""

_FORMATS = {
    ("string", "byte"): "bytes",
    ("string", "google-duration"): "duration",
    ("string", "google-datetime"): "timestamp",
    ("string", "date-time"): "timestamp",
    ("string", "int64"): "int64",
    ("string", None): "string",
    ("boolean", None): "bool",
    ("integer", "int32"): "int32",
    ("integer", "int64"): "int64",
    ("number", "float"): "float",
    ("number", "double"): "double",
    ("object", None): "object",
}

_WIDTH = 120


def load() -> dict[str, Any]:
    """The table: types by name, each with `about`, `google` (its names there), `fields` and `ours`."""
    table: dict[str, Any] = orjson.loads(TABLE.read_bytes())
    return table


def rendered(table: dict[str, Any]) -> str:
    """The module for a table."""
    return _HEAD + "".join(_class(name, entry) for name, entry in table.items())


def refreshed(table: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The table with the types that the schemas of Google's document have now.

    Raises:
        KeyError: a type or a field is no longer there.
    """
    names = {google: name for name, entry in table.items() for google in entry.get("google", [name])}
    return {name: {**entry, "fields": _fields(name, entry, names, schemas)} for name, entry in table.items()}


def _fields(name: str, entry: dict[str, Any], names: dict[str, str], schemas: dict[str, Any]) -> dict[str, str]:
    google = entry.get("google", [name])
    properties = schemas[google[0]].get("properties", {}) if google else {}
    ours = entry.get("ours", {})
    return {field: ours.get(field) or _code(properties[field], names, schemas) for field in entry["fields"]}


def _code(spec: dict[str, Any], names: dict[str, str], schemas: dict[str, Any]) -> str:
    reference = spec.get("$ref") or next((part["$ref"] for part in spec.get("allOf", []) if "$ref" in part), None)
    if reference:
        target = reference.rsplit("/", 1)[-1]
        return "enum" if "enum" in schemas[target] else names.get(target, "object")
    if spec.get("type") == "array":
        return f"[{_code(spec['items'], names, schemas)}]"
    if "enum" in spec:
        return "enum"
    return _FORMATS[spec["type"], spec.get("format")] if "type" in spec else "value"


def _class(name: str, entry: dict[str, Any]) -> str:
    about = entry["about"]
    first, *more = [about] if isinstance(about, str) else about
    text = f'    """{first}"""\n'
    if more:
        wrapped = "\n".join(textwrap.indent(textwrap.fill(part, _WIDTH - 4), "    ") for part in more)
        text = f'    """{first}\n\n{wrapped}\n    """\n'
    fields = "".join(f"    {field}: {_type(code)}\n" for field, code in entry["fields"].items())
    return f"\n\nclass {name}(TypedDict, total=False):\n{text}\n{fields}"


def _type(code: str) -> str:
    if code.startswith("~"):
        return f"Annotated[{_type(code[1:])}, SkipValidation]"
    if code.startswith("["):
        return f"list[{_type(code[1:-1])}]"
    if code.startswith("{"):
        return f"dict[str, {_type(code[1:-1])}]"
    return _TYPES.get(code, code)


def main(arguments: list[str]) -> None:
    """Write the module, and the table before it if a document is given."""
    table = load()
    if arguments:
        table = refreshed(table, orjson.loads(Path(arguments[0]).read_bytes())["components"]["schemas"])
        TABLE.write_bytes(orjson.dumps(table, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    OUTPUT.write_text(rendered(table))


if __name__ == "__main__":
    main(sys.argv[1:])
