"""The last steps on one converted schema: those that need several of its keywords at once."""

from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

from gemgate.gemini.schema.hints import Node, compact, describe

_EXACT = 2**53
_NUMERIC = frozenset(("integer", "number"))
_FORMATS = {
    "date-time": frozenset(("string",)),
    "enum": frozenset(("string",)),
    "int32": _NUMERIC,
    "int64": _NUMERIC,
    "float": _NUMERIC,
    "double": _NUMERIC,
}
"""The formats that Gemini knows; with any other it refused schemas."""


@dataclass(slots=True)
class Place:
    """One schema on its way: the source `node`, the result `out`, and what goes into the description."""

    node: dict[str, object]
    out: Node
    path: str
    hints: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def move(self, key: str, hint: str) -> None:
        """Say `hint` in the description instead of `key` in the schema."""
        self.hints.append(hint)
        self.moved.append(key)


def finish(place: Place) -> None:
    """Infer the type, settle bounds, format, null, enum and required names, and write the description."""
    node, out = place.node, place.out
    if "type" not in out:
        _infer_type(out)
    if "exclusiveMinimum" in node or "exclusiveMaximum" in node:
        _settle_bound(place, "exclusiveMinimum", "minimum")
        _settle_bound(place, "exclusiveMaximum", "maximum")
    if "format" in out:
        _settle_format(place)
    if node.get("nullable") is True:
        _allow_null(out)
    if "enum" in out:
        _drop_empty_text(place)
    if "enum" in out:
        _settle_enum(place)
    if "required" in out:
        _settle_required(out)
    if place.hints:
        out["description"] = describe(out.get("description"), list(dict.fromkeys(place.hints)))


def _infer_type(out: dict[str, object]) -> None:
    if not out.keys().isdisjoint(("anyOf", "oneOf", "enum", "$ref")):
        return
    if not out.keys().isdisjoint(("properties", "required")):
        _put_before(out, {"type": "object"})
    elif not out.keys().isdisjoint(("items", "prefixItems")):
        _put_before(out, {"type": "array"})


_MISPLACED = (
    ("object", ("properties", "required", "additionalProperties", "unevaluatedProperties", "propertyOrdering")),
    ("array", ("items", "prefixItems", "unevaluatedItems")),
)


def without_misplaced(node: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    """A source without the keywords that say nothing about its types, such as `items` of a string, and these.

    Google refuses them.
    """
    kinds = _possible_kinds(node)
    wrong = [
        key
        for kind, keys in _MISPLACED
        if kinds and kind not in kinds
        for key in keys
        if node.get(key) is not None and not (key == "required" and not isinstance(node[key], list))
    ]
    return ({key: value for key, value in node.items() if key not in wrong}, wrong) if wrong else (node, wrong)


def _possible_kinds(node: dict[str, object]) -> set[str]:
    """The types that a value of `node` can have; empty where nothing says."""
    kind = node.get("type")
    kinds = {str(each).lower() for each in (kind if isinstance(kind, list) else [kind]) if each}
    values = [node["const"]] if "const" in node else node.get("enum")
    if isinstance(values, list):
        found = {_KINDS.get(type(value), "object") for value in values}
        return (kinds & found or kinds) if kinds else found
    if (
        not kinds
        and node.keys().isdisjoint(("anyOf", "oneOf", "$ref"))
        and (node.get("properties") or node.get("required"))
    ):
        return {"object"}
    return kinds


def _drop_empty_text(place: Place) -> None:
    """Take the empty text out of an enum: Google refuses it."""
    values = [value for value in place.out["enum"] if value != ""]
    if len(values) == len(place.out["enum"]):
        return
    place.dropped.append("'' in enum")
    if values:
        place.out["enum"] = values
    else:
        del place.out["enum"]


def _put_before(out: dict[str, object], new: dict[str, object], key: str | None = None) -> None:
    """Insert `new` before `key`, or at the front."""
    items = list(out.items())
    at = 0 if key is None else list(out).index(key)
    out.clear()
    out.update(items[:at])
    out.update(new)
    out.update(items[at:])


def _types(out: Node) -> list[str]:
    kind = out.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def _settle_bound(place: Place, exclusive: str, inclusive: str) -> None:
    """Draft 4 has a boolean beside the bound, later drafts a number of its own. For integers the next one is exact."""
    out = place.out
    value: Any = place.node.get(exclusive)
    if value is True:
        value = out.get(inclusive)
    if value is None or value is False:
        return
    lower = inclusive == "minimum"
    others = set(_types(out)) - {"null"}
    if others == {"integer"} and abs(value) < _EXACT:
        value = floor(value) + 1 if lower else ceil(value) - 1
    else:
        place.move(exclusive, f"Must be {'greater' if lower else 'less'} than {compact(value)}.")
    old = out.get(inclusive, value)
    out[inclusive] = max(old, value) if lower else min(old, value)


def _settle_format(place: Place) -> None:
    out = place.out
    types = _types(out)
    allowed = _FORMATS.get(out["format"])
    if allowed is None or (types and allowed.isdisjoint(types)):
        place.move("format", f"Format: {out.pop('format')[:100]}.")


def _allow_null(out: Node) -> None:
    """OpenAPI 3.0's `nullable: true`. Without a type nothing forbids null."""
    if "enum" in out and not any(value is None for value in out["enum"]):
        out["enum"] = [*out["enum"], None]
    if "type" in out and "null" not in _types(out):
        out["type"] = [*_types(out), "null"]
    for key in ("anyOf", "oneOf"):
        if key in out and {"type": "null"} not in out[key]:
            out[key] = [*out[key], {"type": "null"}]


def _settle_required(out: Node) -> None:
    """Declare what is required but not among the properties: the native API refuses such names."""
    properties = out.get("properties", {})
    missing: dict[str, object] = {name: {} for name in out["required"] if name not in properties}
    if missing and "properties" in out:
        out["properties"] = {**properties, **missing}
    elif missing:
        _put_before(out, {"properties": missing}, "required")


_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", list: "array"}


def _fits(value: object, types: list[str]) -> bool:
    kind = _KINDS.get(type(value), "object")
    if isinstance(value, float) and value.is_integer() and "integer" in types:
        return True
    return not types or kind in types or (kind == "integer" and "number" in types)


def _settle_enum(place: Place) -> None:
    """Gemini's `enum` takes strings and numbers, so a mixed one becomes one branch for each type."""
    out = place.out
    types = _types(out)
    groups: dict[str, list[Any]] = {}
    for value in out["enum"]:
        if _fits(value, types):
            kind = _KINDS.get(type(value), "object")
            groups.setdefault("number" if kind in _NUMERIC else kind, []).append(value)
    branches = [_branch(kind, values, types) for kind, values in groups.items()]
    if len(branches) == 1:
        _narrow(place, branches[0])
    elif branches and "anyOf" not in out:
        _put_before(out, {"anyOf": branches}, "enum")
        del out["enum"]
        out.pop("type", None)
        if any("description" in branch for branch in branches):
            place.moved.append("enum")
    else:
        place.move("enum", f"Allowed values: {compact(out.pop('enum'))}.")


def _branch(kind: str, values: list[object], types: list[str]) -> dict[str, object]:
    """The schema of the values of one type, with a description where `enum` cannot name them."""
    if kind == "string":
        return {"type": kind, "enum": list(dict.fromkeys(values))}
    if kind == "number":
        whole = all(isinstance(value, int) for value in values) if _NUMERIC.isdisjoint(types) else "number" not in types
        return {"type": "integer" if whole else kind, "enum": list(dict.fromkeys(values))}
    if kind == "null" or (kind == "boolean" and True in values and False in values):
        return {"type": kind}
    return {"type": kind, "description": f"Must be {' or '.join(dict.fromkeys(map(compact, values)))}."}


def _narrow(place: Place, branch: Node) -> None:
    out = place.out
    if "type" in out:
        out["type"] = branch["type"]
    else:
        _put_before(out, {"type": branch["type"]}, "enum")
    if "enum" in branch:
        out["enum"] = branch["enum"]
    else:
        del out["enum"]
    if "description" in branch:
        place.move("enum", describe(None, [branch["description"]]))
