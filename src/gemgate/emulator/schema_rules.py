"""What Google refuses in the schemas of functions and answers.

Two kinds of schema: Google's `Schema` message (`parameters`, `responseSchema`), a subset of OpenAPI whose unknown
keywords the JSON reader has already refused; and JSON Schema (`parametersJsonSchema`, `responseJsonSchema`).
"""

from collections.abc import Iterator
from typing import Any

from gemgate.emulator.errors import GoogleApiError, invalid
from gemgate.emulator.examples import (
    checked,
    references,
    resolve,
    subschemas,
)

_FORMATS = {
    "STRING": {"enum", "date-time"},
    "NUMBER": {"float", "double"},
    "INTEGER": {"int32", "int64"},
}
_BESIDE_REF = frozenset({"title"})


def check_openapi(schema: dict[str, Any], path: str, *, root: bool = True) -> None:
    """Refuse what is wrong in a `Schema` message; `path` is where it is, such as `tools[0]…parameters`.

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


def _wrong(path: str, why: str) -> GoogleApiError:
    return invalid(f"* GenerateContentRequest.{path}: {why}\n")


def check_json_schema(schema: object, path: str, *, parameters: bool) -> None:
    """Refuse an invalid JSON Schema, whose references lead nowhere or in a circle, or with keywords beside `$ref`.

    A circle is allowed through a property that is not required. Google documents both rules; a recorded request with a
    `title` beside `$ref` was answered all the same.

    Raises:
        ApiError: 400; the texts are not recorded.
    """
    if not isinstance(schema, dict):
        raise _wrong(path, "must be a JSON object.")
    if parameters and schema.get("type", "object") != "object":
        raise _wrong(path, "schema at top-level must be of type OBJECT")
    checked(schema)
    if (endless := _endless(schema)) is not None:
        raise _wrong(path, f"cyclic reference `{endless}` is only allowed within non-required properties.")
    if beside := next(_beside_references(schema), None):
        raise _wrong(path, f"`$ref` can not be used together with `{beside}`.")


def _endless(root: dict[str, object]) -> str | None:
    """A reference that leads back to itself with no optional property on the way."""
    for start in dict.fromkeys(references(root)):
        seen, ahead = set[str](), [start]
        while ahead:
            for reference in _unavoidable(resolve(root, ahead.pop())):
                if reference == start:
                    return start
                if reference not in seen:
                    seen.add(reference)
                    ahead.append(reference)
    return None


def _unavoidable(schema: object) -> Iterator[str]:
    """References that a value of the schema cannot do without, as Google counts: lists and unions do not help."""
    if isinstance(schema, list):
        for each in schema:
            yield from _unavoidable(each)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("$ref"), str):
        yield schema["$ref"]
    properties = schema.get("properties") or {}
    yield from _unavoidable([properties[name] for name in schema.get("required") or () if name in properties])
    for keyword in ("items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf"):
        yield from _unavoidable(schema.get(keyword))


def _beside_references(schema: object) -> Iterator[str]:
    for each in subschemas(schema):
        if isinstance(each.get("$ref"), str):
            yield from (key for key in each if not key.startswith("$") and key not in _BESIDE_REF)
