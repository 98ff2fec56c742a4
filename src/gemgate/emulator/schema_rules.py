"""What Google refuses in the schemas of functions and answers.

Two kinds of schema: Google's `Schema` message (`parameters`, `responseSchema`), a subset of OpenAPI whose unknown
keywords the JSON reader has already refused; and JSON Schema (`parametersJsonSchema`, `responseJsonSchema`).
"""

from collections.abc import Iterator
from typing import Any

from gemgate.emulator.errors import ApiError, invalid
from gemgate.emulator.examples import checked

_FORMATS = {
    "STRING": {"enum", "date-time"},
    "NUMBER": {"float", "double"},
    "INTEGER": {"int32", "int64"},
}
_BESIDE_REF = frozenset({"title"})


def check_openapi(schema: dict[str, Any], path: str, *, root: bool = True) -> None:
    """Refuse what is wrong in a `Schema` message; `path` is where it stands, such as `tools[0]…parameters`.

    Raises:
        ApiError: 400 with Google's text.
    """
    kind = schema.get("type", "")
    if root and path.endswith("parameters") and kind not in {"", "OBJECT", "TYPE_UNSPECIFIED"}:
        raise _wrong(path, "schema at top-level must be of type OBJECT")
    if kind == "ARRAY" and "items" not in schema:
        raise _wrong(f"{path}.items", "missing field.")
    if schema.get("enum") and kind not in {"", "STRING"}:
        raise _wrong(f"{path}.enum", "only allowed for STRING type")
    form = schema.get("format")
    if form and kind in _FORMATS and form not in _FORMATS[kind]:
        known = " and ".join(f"'{each}'" for each in sorted(_FORMATS[kind], reverse=True))
        raise _wrong(f"{path}.format", f"only {known} are supported for {kind} type")
    properties = schema.get("properties") or {}
    for number, name in enumerate(schema.get("required") or ()):
        if name not in properties:
            raise _wrong(f"{path}.required[{number}]", "property is not defined")
    for inner, where in _inner(schema, path):
        check_openapi(inner, where, root=False)


def _inner(schema: dict[str, Any], path: str) -> Iterator[tuple[dict[str, Any], str]]:
    for name, each in (schema.get("properties") or {}).items():
        yield each, f"{path}.properties[{name}]"
    if "items" in schema:
        yield schema["items"], f"{path}.items"
    for number, each in enumerate(schema.get("anyOf") or ()):
        yield each, f"{path}.any_of[{number}]"


def _wrong(path: str, why: str) -> ApiError:
    return invalid(f"* GenerateContentRequest.{path}: {why}\n")


def check_json_schema(schema: Any, path: str, *, parameters: bool) -> None:
    """Refuse a JSON Schema that is none, whose references lead nowhere, or that writes keywords beside `$ref`.

    Google documents the last ("no other properties, except for than those starting as a `$`, may be set"); a recorded
    request with a `title` there was answered all the same.

    Raises:
        ApiError: 400; the texts are not recorded.
    """
    if not isinstance(schema, dict):
        raise _wrong(path, "must be a JSON object.")
    if parameters and schema.get("type", "object") != "object":
        raise _wrong(path, "schema at top-level must be of type OBJECT")
    checked(schema)
    if beside := next(_beside_references(schema), None):
        raise _wrong(path, f"`$ref` can not be used together with `{beside}`.")


def _beside_references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _beside_references(each)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("$ref"), str):
        yield from (key for key in schema if not key.startswith("$") and key not in _BESIDE_REF)
    for key, each in schema.items():
        if key in {"properties", "$defs", "definitions"} and isinstance(each, dict):
            for inner in each.values():
                yield from _beside_references(inner)
        elif key not in {"enum", "const", "default", "examples"}:
            yield from _beside_references(each)
