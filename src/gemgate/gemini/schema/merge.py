"""`allOf`, and `$ref` with constraints beside it, folded into one plain schema.

Gemini's JSON Schema fields know no `allOf`, and allow nothing beside a `$ref`. The result allows whatever the
source allows; what two parts say differently and cannot be said as one is left over for the description.
"""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import orjson

from gemgate.gemini.schema.hints import Node
from gemgate.gemini.schema.references import Definitions, Pointer, ReferenceProblemError

T = TypeVar("T")

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
    never end. So does one that `may_grow` says no to. `spend` is called for each schema visited, and may raise. `run`
    raises ReferenceProblemError.

    Each member is looked at once, however many there are: what was merged before is changed in place, not copied.
    """

    def __init__(
        self,
        definitions: Definitions,
        active: Collection[Pointer],
        *,
        spend: Callable[[], None],
        may_grow: Callable[[Pointer], bool],
    ) -> None:
        self._definitions = definitions
        self._active = active
        self._inside: set[Pointer] = set()
        self._spend = spend
        self._may_grow = may_grow
        self.expanded: set[Pointer] = set()
        self.left: list[object] = []
        self.node: Node = {}
        self._merging = Merging()
        self._level = 0

    def run(self, schema: Node) -> "Fold":
        """Fold `schema`."""
        alone = _only_member(schema)
        if alone is None:
            self._absorb(schema, own=True)
            self._merging.finish(self.node)
        else:
            self.node = alone
        return self

    def _absorb(self, schema: Node, *, own: bool = False) -> None:
        self._spend()
        self._level += 1
        if self._level > _MAX_LEVELS:
            raise ReferenceProblemError(f"allOf and $ref lead through more than {_MAX_LEVELS} schemas; flatten it")
        if "if" in schema and not own:
            self.left.append({key: schema[key] for key in _CONDITIONAL if key in schema})
        for key, value in schema.items():
            if key == "$ref" and value is not None:
                self._absorb_ref(value)
            elif key == "allOf":
                for member in _members(value):
                    self._absorb_member(member)
            elif own or not (key in MARKS or key in _CONDITIONAL):
                self._put(key, value, own=own)
        self._level -= 1

    def _absorb_member(self, member: object) -> None:
        if isinstance(member, dict):
            self._absorb(member)
        elif member is not True:
            self.left.append(member)

    def _absorb_ref(self, ref: object) -> None:
        pointer, target = self._definitions.find(ref)
        is_open = pointer not in self._active and pointer not in self._inside
        if is_open and self._may_grow(pointer):
            self.expanded.add(pointer)
            self._inside.add(pointer)
            self._absorb_member(target)
            self._inside.discard(pointer)
        elif self.node.setdefault("$ref", ref) != ref:
            self.left.append({"$ref": ref})

    def _put(self, key: str, value: object, *, own: bool) -> None:
        if value is None and key not in ("default", "example", "const"):
            return
        if key not in self.node:
            self.node[key] = value
        elif self.node[key] != value or isinstance(self.node[key], bool) != isinstance(value, bool):
            merged = self._merging.merge(key, self.node[key], value, own=own)
            if merged is None:
                self.left.append({key: value})
            else:
                self.node[key] = merged


def _only_member(schema: Node) -> Node | None:
    """`schema` without `allOf`, when at most one reference and no other constraint is in it."""
    own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    members: list[Any] = [{"$ref": schema["$ref"]}] if schema.get("$ref") is not None else []
    members += _members(schema.get("allOf"))
    notes: list[Node] = []
    rest: list[object] = []
    for member in members:
        (notes if isinstance(member, dict) and all(map(is_annotation, member)) else rest).append(member)
    if len(rest) != 1 or not isinstance(rest[0], dict) or "$ref" not in rest[0]:
        return None
    if not all(map(is_annotation, own)) or not all(key == "$ref" or is_annotation(key) for key in rest[0]):
        return None
    merging = Merging()
    for part in (*notes, rest[0]):
        for key, value in part.items():
            if key == "description" and own.get(key) not in (None, value):
                own[key] = merging.merge(key, own[key], value, own=False)
            elif key not in MARKS:
                own.setdefault(key, value)
    merging.finish(own)
    return own


def _members(value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list) or not value:
        raise ReferenceProblemError("allOf must be a list of at least one schema")
    return value


class Merging:
    """Merges the values of keywords, and remembers what it made, which it may change in place.

    `merge` gives one value that says both; None without one. Descriptions are put together by `finish`.
    """

    def __init__(self) -> None:
        # By identity. They hold the values too, so that no other one gets the identity.
        self._made: dict[int, object] = {}
        self._items: dict[int, tuple[list[object], set[object]]] = {}
        self._before: list[str] = []
        self._after: list[str] = []

    def merge(self, key: str, old: object, new: object, *, own: bool) -> object:
        """One value for `key`, which a part says differently (`new`) or the schema itself does (`own`).

        A title, default or example is a choice: that of the schema itself goes before those of its parts.
        """
        if key == "description":
            (self._before if own else self._after).append(str(new))
            return old
        if is_annotation(key):
            return new if own else old
        if key in _GREATEST or key in _LEAST:
            return _bound(key, old, new)
        rule = _RULES.get(key)
        return None if rule is None else rule(self, old, new)

    def finish(self, node: Node) -> None:
        """Put the descriptions together."""
        if self._before or self._after:
            node["description"] = " ".join([*reversed(self._before), str(node["description"]), *self._after])

    def properties(self, old: object, new: object) -> object:
        """The properties of both; one that both have must match both."""
        if not isinstance(old, dict) or not isinstance(new, dict):
            return None
        merged = self._mine(old, dict)
        for name, schema in new.items():
            merged[name] = self.both(merged[name], schema) if name in merged else schema
        return merged

    def both(self, old: Any, new: object) -> object:
        """A schema that says both."""
        if old == new and type(old) is type(new):
            return old
        if id(old) in self._made:
            old["allOf"].append(new)
            return old
        members = old["allOf"] if isinstance(old, dict) and list(old) == ["allOf"] else [old]
        return self._keep({"allOf": [*members, new]})

    def additional(self, old: object, new: object) -> object:
        """The schema of other properties, which may be True or False."""
        if old is False or new is False:
            return False
        return new if old is True else old if new is True else self.both(old, new)

    def union(self, old: object, new: object) -> object:
        """The items of both lists."""
        if not isinstance(old, list) or not isinstance(new, list):
            return None
        merged = self._mine(old, list)
        seen = self._items_of(merged)
        for item in new:
            if (name := _identity(item)) not in seen:
                seen.add(name)
                merged.append(item)
        return merged

    def common(self, old: object, new: object) -> object:
        """The items that both lists have."""
        if not isinstance(old, list) or not isinstance(new, list):
            return None
        theirs = set(map(_identity, new))
        if self._items_of(old).isdisjoint(theirs):
            return None
        return [item for item in old if _identity(item) in theirs]

    def types(self, old: object, new: object) -> object:
        """The types that both allow: one, or a list."""
        ours, theirs = ({_identity(name): name for name in (v if isinstance(v, list) else [v])} for v in (old, new))
        both = [name for key, name in ours.items() if key in theirs or (key == "integer" and "number" in theirs)]
        if "integer" in theirs and "integer" not in ours and "number" in ours:
            both.append("integer")
        return (both if len(both) > 1 else both[0]) if both else None

    def _mine(self, value: T, copy: Callable[[T], T]) -> T:
        return value if id(value) in self._made else self._keep(copy(value))

    def _keep(self, value: T) -> T:
        self._made[id(value)] = value
        return value

    def _items_of(self, items: list[object]) -> set[object]:
        """The items as a set, which is made once for each list."""
        if id(items) not in self._items:
            self._items[id(items)] = (items, set(map(_identity, items)))
        return self._items[id(items)][1]


def _identity(item: object) -> object:
    """What is equal for equal items of JSON, and can be in a set."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS) if isinstance(item, list | dict) else item


def _bound(key: str, old: Any, new: object) -> object:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new)):
        return None
    return max(old, new) if key in _GREATEST else min(old, new)


_RULES: dict[str, Callable[[Merging, object, object], object]] = {
    "properties": Merging.properties,
    "required": Merging.union,
    "type": Merging.types,
    "enum": Merging.common,
    "items": Merging.both,
    "additionalProperties": Merging.additional,
    "propertyOrdering": Merging.union,
}
