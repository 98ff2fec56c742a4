"""Calls of an answer, as the request has declared their functions.

Gemini sometimes writes the namespace of its own prompt before a name (`default_api:f`), and Gemini 3 flattens nested
arguments: `{"questions[0].header": "A"}` for `{"questions": [{"header": "A"}]}`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gemgate.gemini.parts import DecodedCall

_NAMESPACE = re.compile(r"(?:(?:default_api|functions|tool_code|tools)[:.]){1,4}", re.IGNORECASE)
_MAX_INDEX = 4  # digits
_INDEX = re.compile(rf"\[([0-9]{{1,{_MAX_INDEX}}})\]|\.([0-9]{{1,{_MAX_INDEX}}})(?=[.\[]|\Z)")
_NAME = re.compile(r"\.([^.\[\]]+)|\[\"([^\"]+)\"\]|\['([^']+)'\]|\[([^\[\]\"']+)\]")
_MAX_DEPTH = 20
_MAX_NAMES = 1_000

Declared = Mapping[str, object]
"""The functions of a request: Gemini's name of each, and its schema."""


def declared_functions(declarations: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """The schemas of functions by their names, of `functionDeclarations`."""
    return {
        name: known.get("parametersJsonSchema") or known.get("parameters") or {}
        for known in declarations
        if isinstance(name := known.get("name"), str)
    }


def as_declared(call: DecodedCall, functions: Declared) -> tuple[DecodedCall, list[str]]:
    """The call as its function was declared, and what was changed."""
    changes: list[str] = []
    if call.name not in functions and (found := _NAMESPACE.match(call.name)):
        name = call.name[found.end() :]
        if name in functions:
            changes.append(f"tool_calls[].name={call.name}->{name}")
            call = replace(call, name=name)
    schema = functions.get(call.name)
    if isinstance(schema, dict):
        args = _Nesting(schema).nested(call.args, schema, 0)
        if args is not call.args:
            changes.append(f"tool_calls[].arguments of {call.name}: flattened names->nested")
            call = replace(call, args=args)
    return call, changes


class _Clash(Exception):  # noqa: N818  nobody sees it
    """Two of the names want the same place."""


class _Nesting:
    """Puts flattened arguments of one function back into the objects and lists that it declares."""

    def __init__(self, root: dict[str, object]) -> None:
        self._definitions = {**_object(root.get("$defs")), **_object(root.get("definitions"))}

    def nested(self, value: object, schema: object, depth: int) -> Any:
        """`value` as `schema` declares it; itself, when nothing in it is flattened."""
        if depth > _MAX_DEPTH or (isinstance(value, dict | list) and len(value) > _MAX_NAMES):
            return value
        if isinstance(value, list):
            return self._same(value, [self.nested(item, self._items(schema), depth + 1) for item in value])
        if not isinstance(value, dict):
            return value
        properties = self._properties(schema)
        flat = {name: path for name in value if name not in properties and (path := self._path(name, properties))}
        if flat:
            try:
                value = self._filled(value, flat)
            except _Clash:
                return value
        inner = {name: self.nested(item, properties.get(name), depth + 1) for name, item in value.items()}
        return inner if flat else self._same(value, inner)

    def _same(self, old: Any, new: Any) -> object:
        pairs = zip(old.values(), new.values(), strict=True) if isinstance(old, dict) else zip(old, new, strict=True)
        return old if all(one is other for one, other in pairs) else new

    def _path(self, name: str, properties: dict[str, object]) -> list[str | int]:
        """`a[0].b` as `["a", 0, "b"]`, if `a` is declared as a list or an object; empty if it is not."""
        if "." not in name and "[" not in name:
            return []
        heads = [known for known in properties if name.startswith(known) and name[len(known) : len(known) + 1] in ".["]
        for head in sorted(heads, key=len, reverse=True):
            if head and (rest := self._steps(name, len(head), properties[head])):
                return [head, *rest]
        return []

    def _steps(self, name: str, at: int, schema: object) -> list[str | int]:
        steps: list[str | int] = []
        while at < len(name) and len(steps) < _MAX_DEPTH:
            kinds = self._kinds(schema)
            if "array" in kinds and (found := _INDEX.match(name, at)):
                steps.append(int(found[1] or found[2]))
                schema, at = self._items(schema), found.end()
                continue
            step = self._name_at(name, at, schema) if "object" in kinds else None
            if step is None:
                return []
            steps.append(step[0])
            schema, at = self._properties(schema).get(step[0]), step[1]
        return steps if at >= len(name) else []

    def _name_at(self, name: str, at: int, schema: object) -> tuple[str, int] | None:
        """The name of a property at this place of a flattened name, and where it ends."""
        known = [
            key
            for key in self._properties(schema)
            if key and name.startswith(f".{key}", at) and name[at + len(key) + 1 : at + len(key) + 2] in ("", ".", "[")
        ]
        if known:
            longest = max(known, key=len)
            return longest, at + len(longest) + 1
        found = _NAME.match(name, at)
        return (found[1] or found[2] or found[3] or found[4], found.end()) if found else None

    def _filled(self, value: dict[str, Any], flat: dict[str, list[str | int]]) -> dict[str, object]:
        filled: dict[str, object] = {}
        for name, item in value.items():
            if name in flat:
                _place(filled, flat[name], item)
            elif name in filled and item:
                raise _Clash
            elif name not in filled:
                filled[name] = _places_of(item) if any(path[0] == name for path in flat.values()) else item
        return {name: _lists_in(item) for name, item in filled.items()}

    def _branches(self, schema: object, depth: int = 0) -> list[dict[str, object]]:
        """The schemas that this one means: those of its references and its unions."""
        if not isinstance(schema, dict) or depth > _MAX_DEPTH:
            return []
        found = [schema]
        if isinstance(ref := schema.get("$ref"), str):
            found += self._branches(self._definitions.get(ref.rsplit("/", 1)[-1]), depth + 1)
        for key in ("anyOf", "oneOf"):
            for branch in schema.get(key) or ():
                found += self._branches(branch, depth + 1)
        return found

    def _kinds(self, schema: object) -> set[str]:
        kinds: set[str] = set()
        for branch in self._branches(schema):
            kind = branch.get("type")
            kinds.update(str(each).lower() for each in (kind if isinstance(kind, list) else [kind]))
            kinds.update({"object"} if "properties" in branch else ())
            kinds.update({"array"} if "items" in branch or "prefixItems" in branch else ())
        return kinds

    def _properties(self, schema: object) -> dict[str, object]:
        properties: dict[str, object] = {}
        for branch in self._branches(schema):
            properties |= _object(branch.get("properties"))
        return properties

    def _items(self, schema: object) -> object:
        return next((branch["items"] for branch in self._branches(schema) if "items" in branch), None)


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


class _Places(dict[str | int, object]):
    """An object or a list on its way: a list has indexes, of which some may be missing."""


def _places_of(value: object) -> object:
    if isinstance(value, list):
        return _Places(enumerate(value))
    return _Places(value) if isinstance(value, dict) else (_Places() if value is None or value == "" else value)


def _place(here: dict[Any, object], path: list[str | int], value: object) -> None:
    for step in path[:-1]:
        inner = here.setdefault(step, _Places())
        if not isinstance(inner, _Places):
            inner = here[step] = _places_of(inner)
        if not isinstance(inner, _Places):
            raise _Clash
        here = inner
    if path[-1] in here:
        raise _Clash
    here[path[-1]] = value


def _lists_in(value: object) -> object:
    if not isinstance(value, _Places):
        return value
    if value and all(isinstance(step, int) for step in value):
        return [_lists_in(value[step]) for step in sorted(value, key=int)]
    return {str(step): _lists_in(item) for step, item in value.items()}
