"""`allOf`, and `$ref` with constraints beside it, folded into one plain schema.

Gemini's JSON Schema fields know no `allOf`, and let nothing stand beside a `$ref`. The result allows whatever the
source allows; what two parts say differently and cannot be said as one is left over for the description.
"""

from collections.abc import Callable
from typing import Any

from gemgate.gemini.schema.references import Definitions, Pointer, ReferenceProblemError

Node = dict[str, Any]

_IDENTITY = frozenset(("$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$defs", "definitions"))

MARKS = _IDENTITY | {"$schema", "$comment", "$vocabulary"}
"""Keywords that say nothing about a value."""

_TEXT = frozenset(("title", "description", "default", "example", "examples", "discriminator", "externalDocs", "xml"))

ANNOTATIONS = MARKS | _TEXT | {"deprecated", "readOnly", "writeOnly", "nullable"}
"""Keywords that may stand beside a reference without narrowing it."""

_MAX_LEVELS = 32
_CONDITIONAL = ("if", "then", "else")
_GREATEST = frozenset(("minimum", "minLength", "minItems", "minProperties"))
_LEAST = frozenset(("maximum", "maxLength", "maxItems", "maxProperties"))


def is_annotation(key: str) -> bool:
    """Whether `key` narrows nothing."""
    return key in ANNOTATIONS or key.startswith("x-")


class Fold:
    """One folding. Read `node`, `left` and `expanded` after `run`.

    `left` holds schemas that could not be folded in; `expanded` the places whose references were replaced by what
    they mean. `active` holds such places of the folds around this one: a reference to them stays one, or it would
    never end. `spend` is called for each schema visited and may raise. `run` raises ReferenceProblemError.
    """

    def __init__(self, definitions: Definitions, active: frozenset[Pointer], spend: Callable[[], None]) -> None:
        self._definitions = definitions
        self._active = active
        self._spend = spend
        self.expanded: set[Pointer] = set()
        self.left: list[Any] = []
        self.node: Node = {}
        self._level = 0

    def run(self, schema: Node) -> "Fold":
        """Fold `schema`."""
        alone = _only_member(schema)
        if alone is None:
            self._absorb(schema, self._active, own=True)
        else:
            self.node = alone
        return self

    def _absorb(self, schema: Node, active: frozenset[Pointer], *, own: bool = False) -> None:
        self._spend()
        self._level += 1
        if self._level > _MAX_LEVELS:
            raise ReferenceProblemError(f"allOf and $ref lead through more than {_MAX_LEVELS} schemas; flatten it")
        if "if" in schema and not own:
            self.left.append({key: schema[key] for key in _CONDITIONAL if key in schema})
        for key, value in schema.items():
            if key == "$ref" and value is not None:
                self._absorb_ref(value, active)
            elif key == "allOf":
                for member in _members(value):
                    self._absorb_member(member, active)
            elif own or not (key in MARKS or key in _CONDITIONAL):
                self._put(key, value, own=own)
        self._level -= 1

    def _absorb_member(self, member: Any, active: frozenset[Pointer]) -> None:
        if isinstance(member, dict):
            self._absorb(member, active)
        elif member is not True:
            self.left.append(member)

    def _absorb_ref(self, ref: object, active: frozenset[Pointer]) -> None:
        pointer, target = self._definitions.find(ref)
        if pointer not in active:
            self.expanded.add(pointer)
            self._absorb_member(target, active | {pointer})
        elif self.node.setdefault("$ref", ref) != ref:
            self.left.append({"$ref": ref})

    def _put(self, key: str, value: Any, *, own: bool) -> None:
        if value is None and key not in ("default", "example", "const"):
            return
        if key not in self.node:
            self.node[key] = value
        elif self.node[key] != value or isinstance(self.node[key], bool) != isinstance(value, bool):
            merged = _merge(key, self.node[key], value, own=own)
            if merged is None:
                self.left.append({key: value})
            else:
                self.node[key] = merged


def _only_member(schema: Node) -> Node | None:
    """`schema` without `allOf`, when at most one reference and no other constraint is in it."""
    own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    members: list[Any] = [{"$ref": schema["$ref"]}] if schema.get("$ref") is not None else []
    members += _members(schema.get("allOf"))
    notes = [member for member in members if isinstance(member, dict) and all(map(is_annotation, member))]
    rest = [member for member in members if not any(member is note for note in notes)]
    if len(rest) != 1 or not isinstance(rest[0], dict) or "$ref" not in rest[0]:
        return None
    if not all(map(is_annotation, own)) or not all(key == "$ref" or is_annotation(key) for key in rest[0]):
        return None
    for part in (*notes, rest[0]):
        for key, value in part.items():
            if key == "description" and own.get(key) not in (None, value):
                own[key] = _merge(key, own[key], value, own=False)
            elif key not in MARKS:
                own.setdefault(key, value)
    return own


def _members(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or not value:
        raise ReferenceProblemError("allOf must be a list of at least one schema")
    return value


def _merge(key: str, old: Any, new: Any, *, own: bool) -> Any:
    """One value for `key` that says both; None without one.

    A title, default or example is a choice: that of the schema itself (`own`) goes before those of its parts.
    """
    if key == "description":
        return f"{new} {old}" if own else f"{old} {new}"
    if is_annotation(key):
        return new if own else old
    if key in _GREATEST or key in _LEAST:
        return _bound(key, old, new)
    rule = _RULES.get(key)
    return None if rule is None else rule(old, new)


def _bound(key: str, old: Any, new: Any) -> Any:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new)):
        return None
    return max(old, new) if key in _GREATEST else min(old, new)


def _properties(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return None
    merged = dict(old)
    for name, schema in new.items():
        merged[name] = _both(merged[name], schema) if name in merged else schema
    return merged


def _both(old: Any, new: Any) -> Any:
    if old == new and type(old) is type(new):
        return old
    members = old["allOf"] if isinstance(old, dict) and list(old) == ["allOf"] else [old]
    return {"allOf": [*members, new]}


def _additional(old: Any, new: Any) -> Any:
    if old is False or new is False:
        return False
    return new if old is True else old if new is True else _both(old, new)


def _union(old: Any, new: Any) -> Any:
    if not isinstance(old, list) or not isinstance(new, list):
        return None
    return old + [item for item in new if item not in old]


def _types(old: Any, new: Any) -> Any:
    ours, theirs = (value if isinstance(value, list) else [value] for value in (old, new))
    both = [name for name in ours if name in theirs or (name == "integer" and "number" in theirs)]
    both += [name for name in theirs if name == "integer" and name not in ours and "number" in ours]
    return (both if len(both) > 1 else both[0]) if both else None


def _enums(old: Any, new: Any) -> Any:
    if not isinstance(old, list) or not isinstance(new, list):
        return None
    return [item for item in old if item in new] or None


_RULES: dict[str, Callable[[Any, Any], Any]] = {
    "properties": _properties,
    "required": _union,
    "type": _types,
    "enum": _enums,
    "items": _both,
    "additionalProperties": _additional,
    "propertyOrdering": _union,
}
