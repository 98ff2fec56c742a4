"""The walk over a JSON Schema that rewrites it in Gemini's keywords. `schema` is the way in."""

from typing import TYPE_CHECKING, Any, ClassVar

from gemgate.gemini.schema.finish import Place, finish, without_misplaced
from gemgate.gemini.schema.hints import (
    HINTS,
    Node,
    compact,
    conditional_hint,
    contains_hint,
)
from gemgate.gemini.schema.merge import MARKS, Fold, is_annotation
from gemgate.gemini.schema.property_maps import TYPES, as_object, is_map, with_required_names
from gemgate.gemini.schema.references import (
    Definitions,
    Pointer,
    ReferenceProblemError,
    UnsupportedSchemaError,
    break_cycles,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SCHEMAS = 20_000
"""Schemas in all schemas of one request, those included that references are replaced by: half a second."""

_MAX_DEPTH = 48
_MAX_GROWTH = 5  # times the bytes of the source: what references may be replaced by in all
_MIN_GROWTH = 2_000  # bytes that are always free
_MAX_NAME = 64
_MAX_CHANGES = 256
_MAX_COUNT = 2**53
_COMPANIONS = MARKS | frozenset(("nullable", "additionalItems", "then", "else", "minContains", "maxContains"))
"""Keywords that are read together with another one, or say nothing."""
_RULES = frozenset(("required", "not"))
_SHAPELESS = _RULES | {"title", "description"}


class Converter:
    """One conversion: the source, the definitions found in it, and the changes to report.

    Args:
        source: The schema.
        param: The caller's name of it.
        size: The bytes of the source.
        most: How many schemas may be converted; see `MAX_SCHEMAS`.

    Attributes:
        schemas: How many schemas were converted.
    """

    def __init__(self, source: dict[str, object], param: str, *, size: int, maximum: int = MAX_SCHEMAS) -> None:
        self.schemas = 0
        self._source = source
        self._param = param
        self._max = maximum
        self._growth = max(_MAX_GROWTH * size, _MIN_GROWTH)
        self._definitions = Definitions(source)
        self._changes: list[str] = []
        self._depth = 0
        self._expanded: set[Pointer] = set()

    def run(self) -> tuple[dict[str, object], tuple[str, ...]]:
        """Convert the source, then everything it refers to: the schema, and a line for each loss."""
        for key in ("$defs", "definitions"):
            if not isinstance(self._source.get(key, {}), dict | None):
                raise self._error(key, "must be an object of schemas")
        out = self._convert(self._source, "")
        done = {
            name: self._convert(source, f"$defs.{name[:_MAX_NAME]}") for name, source in self._definitions.pending()
        }
        for path, note in break_cycles(out, done):
            self._note(path.removeprefix("."), note)
        if done:
            out["$defs"] = {name: done[name] for name in self._definitions.names()}
        return out, tuple(self._changes)

    def _convert(self, raw: object, path: str) -> dict[str, object]:
        if raw is True:
            return {}
        if raw is False:
            self._note(path, "false moved to the description")
            return {"description": "No value is allowed here."}
        if not isinstance(raw, dict):
            raise self._error(path, f"a schema must be an object or a boolean, not {compact(raw)[:60]}")
        self._spend(path)
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error(path, f"nested more than {_MAX_DEPTH} schemas deep; name the inner ones under $defs")
        place = Place(self._with_properties(raw, path), {}, path)
        inside = self._fold(place)
        self._expanded |= inside
        out = self._emit(place)
        self._expanded -= inside
        self._depth -= 1
        return out

    def _with_properties(self, raw: dict[str, object], path: str) -> dict[str, object]:
        """`raw`, or the object that it means when it is a map of properties."""
        if not is_map(raw):
            return with_required_names(raw)
        self._note(path, "a map of properties taken for an object")
        return with_required_names(as_object(raw))

    def _fold(self, place: Place) -> set[Pointer]:
        """Take `allOf` out of `place`, and what constrains a `$ref`, except where recursion forbids to expand it.

        The places in the source that it represents now.
        """
        node, path = place.node, place.path
        inside: set[Pointer] = set()
        for dynamic in ("$dynamicRef", "$recursiveRef"):
            if dynamic in node:
                node = {"$ref" if key == dynamic else key: value for key, value in node.items()}
        if "allOf" in node or ("$ref" in node and not all(key == "$ref" or is_annotation(key) for key in node)):
            fold = Fold(self._definitions, self._expanded, spend=lambda: self._spend(path), may_grow=self._may_grow)
            try:
                node = fold.run(node).node
            except ReferenceProblemError as error:
                raise self._error(path, str(error)) from error
            inside = fold.expanded - self._expanded
            for schema in fold.left:
                if isinstance(schema, dict) and "if" in schema:
                    hint = conditional_hint(schema)
                else:
                    hint = f"Must also match {compact(schema)}."
                if hint:
                    place.move("allOf", hint)
        place.node = node
        return inside

    def _emit(self, place: Place) -> Node:
        place.node, place.dropped = without_misplaced(place.node)
        node, out, handlers = place.node, place.out, self._HANDLERS
        for key, value in node.items():
            handler = handlers.get(key)
            if handler is not None:
                if value is not None or key == "const":
                    handler(self, place, key, value)
            elif key in HINTS:
                if value is not None or key in ("default", "example"):
                    hint = HINTS[key](value)
                    if hint:
                        place.move(key, hint)
            elif key not in _COMPANIONS:
                place.dropped.append(key)
        finish(place)
        if "$ref" in node and list(out) == ["anyOf"] and len(out["anyOf"]) == 1:
            out = {**out["anyOf"][0]}
        if place.moved:
            self._note(place.path, f"{', '.join(dict.fromkeys(place.moved))} moved to the description")
        if place.dropped:
            self._note(place.path, f"{', '.join(key[:40] for key in place.dropped[:_MAX_CHANGES])} dropped")
        if not place.path and isinstance(node.get("$id"), str):
            out = {"$id": node["$id"], **out}
        return out

    # Keywords that have a counterpart -----------------------------------------------------------------------------

    def _ref(self, place: Place, _key: str, value: object) -> None:
        try:
            pointer, _ = self._definitions.find(value)
        except ReferenceProblemError as error:
            raise self._error(_join(place.path, "$ref"), str(error)) from error
        for key in ("anyOf", "oneOf"):
            if place.node.get(key) is None:
                place.out[key] = [{"$ref": f"#/$defs/{self._definitions.want(pointer)}"}]
                return
        place.move("$ref", f"Must also match {compact({'$ref': value})}.")

    def _type(self, place: Place, key: str, value: object) -> None:
        names = list(dict.fromkeys(n.lower() if isinstance(n, str) else "" for n in _as_list(value)))
        for name in names:
            if name not in TYPES:
                message = f"{compact(value)[:60]} is not a JSON type; use {', '.join(sorted(TYPES))}, or a list"
                raise self._error(_join(place.path, key), message)
        if not names:
            raise self._error(_join(place.path, key), "an empty list allows nothing; name at least one type")
        place.out[key] = names if len(names) > 1 else names[0]

    def _properties(self, place: Place, key: str, value: object) -> None:
        path = _join(place.path, key)
        if not isinstance(value, dict):
            raise self._error(path, "must be an object of schemas ({} when there are none)")
        place.out[key] = {
            name: self._convert(schema, f"{path}.{name[:_MAX_NAME]}")
            for name, schema in value.items()
            if schema is not False
        }
        banned = [name for name, schema in value.items() if schema is False]
        if banned and place.node.get("additionalProperties") is not False:
            place.move(key, f"Must not have {' or '.join(banned)}.")

    def _additional(self, place: Place, key: str, value: object) -> None:
        if value is True:
            place.out[key] = True
            return
        patterns = place.node.get("patternProperties")
        named = patterns if isinstance(patterns, dict) else {}
        path = _join(place.path, "patternProperties")
        branches = [self._convert(item, f"{path}.{name[:_MAX_NAME]}") for name, item in named.items()]
        if value is not False:
            branches.append(self._convert(value, _join(place.path, key)))
        place.out[key] = (branches[0] if len(branches) == 1 else {"anyOf": branches}) if branches else False

    def _pattern_properties(self, place: Place, key: str, value: object) -> None:
        if not isinstance(value, dict):
            raise self._error(_join(place.path, key), "must be an object: a pattern of names, and the schema of each")
        for pattern, schema in value.items():
            place.move(key, f"Properties named like {pattern[:100]} must match {compact(schema)}.")

    def _unevaluated_properties(self, place: Place, key: str, value: object) -> None:
        node = place.node
        if value is True or node.get("additionalProperties") is not None:
            return
        if node.keys().isdisjoint(("anyOf", "oneOf", "$ref", "patternProperties", "if", "dependentSchemas")):
            self._additional(place, "additionalProperties", value)
        else:
            place.move(key, f"Other properties must match {compact(value)}." if value else "No other properties.")

    def _items(self, place: Place, key: str, value: object) -> None:
        node, out, path = place.node, place.out, _join(place.path, key)
        if isinstance(value, list):
            if node.get("prefixItems") is not None:
                raise self._error(path, "a list here and prefixItems exclude each other")
            if value:
                out["prefixItems"] = [self._convert(item, f"{path}[{i}]") for i, item in enumerate(value)]
            rest = node.get("additionalItems")
            if rest is not None:
                self._rest(place, rest, len(value), _join(place.path, "additionalItems"))
        else:
            self._rest(place, value, len(_as_list(node.get("prefixItems") or [])), path)

    def _rest(self, place: Place, value: Any, fixed: int, path: str) -> None:
        """Items after the first `fixed` ones."""
        if value is False:
            place.out["maxItems"] = min(fixed, place.out.get("maxItems", fixed))
        else:
            place.out["items"] = self._convert(value, path)

    def _unevaluated_items(self, place: Place, key: str, value: object) -> None:
        node = place.node
        if value is True or node.get("items") is not None:
            return
        if node.keys().isdisjoint(("anyOf", "oneOf", "$ref", "contains", "if")):
            self._items(place, "items", value)
        else:
            place.move(key, f"Other items must match {compact(value)}." if value else "No other items.")

    def _schemas_of(self, place: Place, key: str, value: object) -> None:
        path = _join(place.path, key)
        if not isinstance(value, list) or not value:
            raise self._error(path, "must be a list of at least one schema")
        if key == "prefixItems":
            place.out[key] = [self._convert(item, f"{path}[{i}]") for i, item in enumerate(value)]
            return
        if not place.node.keys().isdisjoint(("properties", "type")) and all(map(_is_rule, value)):
            place.move(key, f"Must match {'one' if key == 'oneOf' else 'at least one'} of {compact(value)}.")
            return
        possible = [(i, item) for i, item in enumerate(value) if item is not False]
        if possible:
            place.out[key] = [self._convert(item, f"{path}[{i}]") for i, item in possible]
        else:
            place.move(key, "No value is allowed here.")

    def _contains(self, place: Place, key: str, _value: object) -> None:
        place.move(key, contains_hint(place.node))

    def _if(self, place: Place, key: str, _value: object) -> None:
        hint = conditional_hint(place.node)
        if hint:
            place.move(key, hint)

    def _const(self, place: Place, _key: str, value: object) -> None:
        place.out["enum"] = [value]

    # Keywords that are kept, if they are well formed --------------------------------------------------------------

    def _enum(self, place: Place, key: str, value: object) -> None:
        if not isinstance(value, list) or not value:
            raise self._error(_join(place.path, key), "must be a list of at least one value")
        if "const" not in place.node:
            place.out[key] = value

    def _names(self, place: Place, key: str, value: object) -> None:
        if isinstance(value, bool) and key == "required":  # of draft 3, where there is no object to name it
            place.dropped.append(key)
            return
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise self._error(_join(place.path, key), "must be a list of the names of properties")
        properties = place.node.get("properties")
        known = properties if isinstance(properties, dict) else {}
        names = [name for name in dict.fromkeys(value) if known.get(name) is not False]
        if names:
            place.out[key] = names

    def _text(self, place: Place, key: str, value: object) -> None:
        if not isinstance(value, str):
            raise self._error(_join(place.path, key), "must be a string")
        place.out[key] = value

    def _number(self, place: Place, key: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(_join(place.path, key), "must be a number")
        place.out[key] = value

    def _exclusive(self, place: Place, key: str, value: object) -> None:
        if not isinstance(value, int | float):
            raise self._error(_join(place.path, key), "must be a number")

    def _count(self, place: Place, key: str, value: Any) -> None:
        is_count = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT
        if not is_count or value != int(value):
            raise self._error(_join(place.path, key), "must be a whole number, 0 or more")
        place.out[key] = min(int(value), place.out.get(key, _MAX_COUNT)) if key == "maxItems" else int(value)

    _HANDLERS: ClassVar[dict[str, "Callable[[Converter, Place, str, Any], None]"]] = {
        "$ref": _ref,
        "type": _type,
        "properties": _properties,
        "additionalProperties": _additional,
        "patternProperties": _pattern_properties,
        "unevaluatedProperties": _unevaluated_properties,
        "items": _items,
        "unevaluatedItems": _unevaluated_items,
        "prefixItems": _schemas_of,
        "anyOf": _schemas_of,
        "oneOf": _schemas_of,
        "contains": _contains,
        "if": _if,
        "const": _const,
        "enum": _enum,
        "required": _names,
        "propertyOrdering": _names,
        "title": _text,
        "description": _text,
        "format": _text,
        "minimum": _number,
        "maximum": _number,
        "exclusiveMinimum": _exclusive,
        "exclusiveMaximum": _exclusive,
        "minItems": _count,
        "maxItems": _count,
    }

    # Limits and reports -------------------------------------------------------------------------------------------

    def _spend(self, path: str) -> None:
        self.schemas += 1
        if self.schemas > self._max:
            text = f"more than {MAX_SCHEMAS} schemas in all of the request, references expanded; simplify it"
            raise self._error(path, text)

    def _may_grow(self, pointer: Pointer) -> bool:
        """Whether a reference may be replaced by what is there, or the result is long enough with that."""
        self._growth -= self._definitions.size(pointer)
        return self._growth >= 0

    def _note(self, path: str, text: str) -> None:
        if len(self._changes) < _MAX_CHANGES:
            self._changes.append(printable(f"{path or 'root'}: {text}"))

    def _error(self, path: str, text: str) -> UnsupportedSchemaError:
        return UnsupportedSchemaError(self._param, printable(f"schema {path}: {text}" if path else f"schema: {text}"))


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _is_rule(branch: object) -> bool:
    """Whether a branch of a union gives no shape, but says which properties of the schema around it there must be."""
    return isinstance(branch, dict) and branch.keys() <= _SHAPELESS and not branch.keys().isdisjoint(_RULES)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def printable(text: str) -> str:
    """`text` in printable ASCII: names in a schema are the caller's, and notes go into a header."""
    return text.encode("unicode_escape").decode("ascii")
