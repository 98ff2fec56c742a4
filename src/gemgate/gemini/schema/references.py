"""References inside a JSON Schema: what they point to, their names under `$defs`, and cycles among them."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urljoin

import orjson

from gemgate.gemini.schema.hints import Node

Pointer = tuple[str, ...]


class UnsupportedSchemaError(ValueError):
    """A schema that cannot be said in Gemini's terms.

    `param` is the caller's name of the schema, such as `tools[0].function.parameters`; `message` gives the place inside
    the schema, what is wrong there, and the way out. Both are printable ASCII.
    """

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param
        self.message = message


class ReferenceProblemError(Exception):
    """A reference that leads nowhere or too far, or a malformed `allOf`; the text says which, and the way out."""


class Definitions:
    """The entries of `$defs` of the converted schema, by the place in the source that each was taken from.

    Gemini follows references into `$defs`; a reference to any other place gets an entry of its own. Only what
    is referred to is kept, in the order of the source, with what was added last.
    """

    def __init__(self, root: Node) -> None:
        self._root = root
        self._names: dict[Pointer, str] = {}
        self._queue: list[Pointer] = []
        self._wanted: set[Pointer] = set()
        self._marks: dict[str, Pointer] | None = None
        groups = {key: list(root[key]) for key in ("$defs", "definitions") if isinstance(root.get(key), dict)}
        # A name that can stay must not be taken by one that has to change, or a second conversion would rename it.
        self._taken = {name for name in groups.get("$defs", ()) if _clean(name) == name}
        self._suffix: dict[str, int] = {}
        self._sizes: dict[Pointer, int] = {}
        for key, names in groups.items():
            for name in names:
                stays = key == "$defs" and name in self._taken
                self._names[key, name] = name if stays else self._free(_clean(name))

    def find(self, ref: object) -> tuple[Pointer, object]:
        """The place `ref` points to, and what is there. Raises ReferenceProblemError when there is nothing."""
        if not isinstance(ref, str):
            raise ReferenceProblemError("must be a string such as #/$defs/Name")
        base, _, fragment = ref.partition("#")
        start = self._base(base) if base else ()
        for text in dict.fromkeys((fragment, unquote(fragment))):
            pointer = self._pointer(start, text)
            found = None if pointer is None else _lookup(self._root, pointer)
            if pointer is not None and isinstance(found, dict | bool):
                return pointer, found
        raise ReferenceProblemError(f"{ref[:100]!r} leads to no schema; define what it means under $defs")

    def size(self, pointer: Pointer) -> int:
        """The bytes, as JSON, of what is at `pointer`."""
        if pointer not in self._sizes:
            self._sizes[pointer] = len(orjson.dumps(_lookup(self._root, pointer)))
        return self._sizes[pointer]

    def want(self, pointer: Pointer) -> str:
        """The name under `$defs` of what is at `pointer`, which `pending` will then give out once."""
        if pointer not in self._names:
            self._names[pointer] = self._free(self._title(pointer))
        if pointer not in self._wanted:
            self._wanted.add(pointer)
            self._queue.append(pointer)
        return self._names[pointer]

    def pending(self) -> Iterator[tuple[str, object]]:
        """Names and sources of what was wanted, also of what becomes wanted meanwhile."""
        for pointer in self._queue:
            yield self._names[pointer], _lookup(self._root, pointer)

    def names(self) -> list[str]:
        """All names that were wanted, in their final order."""
        return [name for pointer, name in self._names.items() if pointer in self._wanted]

    def _pointer(self, start: Pointer, fragment: str) -> Pointer | None:
        if not fragment:
            return start
        if fragment.startswith("/"):
            return start + tuple(token.replace("~1", "/").replace("~0", "~") for token in fragment[1:].split("/"))
        return self._find_marks().get("#" + fragment)

    def _base(self, base: str) -> Pointer:
        root_id = self._root.get("$id", self._root.get("id"))
        names = [base, urljoin(root_id, base)] if isinstance(root_id, str) else [base]
        marks = self._find_marks()
        for name in names:
            if name in marks:
                return marks[name]
        raise ReferenceProblemError(f"{base[:100]!r} points outside the schema; copy what it means to $defs")

    def _find_marks(self) -> dict[str, Pointer]:
        """Every `$id` and `$anchor` of the source; of two that are equal the first counts."""
        if self._marks is None:
            self._marks = {}
            stack: list[tuple[Pointer, object]] = [((), self._root)]
            while stack:
                pointer, value = stack.pop()
                if isinstance(value, dict):
                    for mark in _marks(value):
                        self._marks.setdefault(mark, pointer)
                    stack.extend(((*pointer, key), item) for key, item in reversed(value.items()))
                elif isinstance(value, list):
                    stack.extend(((*pointer, str(i)), value[i]) for i in reversed(range(len(value))))
        return self._marks

    def _title(self, pointer: Pointer) -> str:
        if not pointer:
            title = self._root.get("title")
            return _clean(title) if isinstance(title, str) and title else "Root"
        last = pointer[-1]
        return _clean("_".join(pointer[-2:]) if last.isdecimal() else last)

    def _free(self, name: str) -> str:
        free = name
        while free in self._taken:
            self._suffix[name] = self._suffix.get(name, 1) + 1
            free = f"{name}_{self._suffix[name]}"
        self._taken.add(free)
        return free


def _marks(node: Node) -> Iterator[str]:
    for key in ("$id", "id"):
        if isinstance(node.get(key), str):
            yield node[key].removesuffix("#")
    for key in ("$anchor", "$dynamicAnchor"):
        if isinstance(node.get(key), str):
            yield "#" + node[key]


def _clean(name: str) -> str:
    """A name that needs no escape in a reference."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:64] or "_"


def _lookup(value: object, pointer: Pointer) -> object:
    """What is at `pointer`; None when there is nothing."""
    for token in pointer:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and len(token) < 7 and token.isascii() and token.isdecimal():
            value = value[int(token)] if int(token) < len(value) else None
        else:
            return None
    return value


class _Holder(NamedTuple):
    """The required property that a reference is in: its object schema, its name, its path."""

    schema: dict[str, object]
    name: str
    path: str


class _Edge(NamedTuple):
    """A reference that an instance cannot avoid: its target, its node, the innermost property around it."""

    target: str
    node: dict[str, object]
    holder: _Holder | None
    path: str


def _edges(schema: Node, holder: _Holder | None, path: str) -> Iterator[_Edge]:
    """References in `schema` outside any optional property."""
    if "$ref" in schema:
        yield _Edge(schema["$ref"].removeprefix("#/$defs/"), schema, holder, path)
    required = frozenset(schema.get("required", ()))
    for name, item in schema.get("properties", {}).items():
        if name in required:
            inner = f"{path}.properties.{name[:64]}"
            yield from _edges(item, _Holder(schema, name, inner), inner)
    for key in ("anyOf", "oneOf", "prefixItems"):
        for index, item in enumerate(schema.get(key, ())):
            yield from _edges(item, holder, f"{path}.{key}[{index}]")
    if "items" in schema:
        yield from _edges(schema["items"], holder, f"{path}.items")


def break_cycles(root: dict[str, object], definitions: dict[str, dict[str, object]]) -> Iterator[tuple[str, str]]:
    """Change converted schemas in place so that each cycle of references passes an optional property.

    Gemini unrolls cycles, and refuses one that has no property to leave out. Where such a cycle closes, the nearest
    required property on it becomes optional; where the cycle has none, the reference becomes an open schema.
    `definitions` come in the order of their discovery, so that each keeps the reference that it was found by.
    Yields the path and a note for each.
    """
    graph = {"": list(_edges(root, None, ""))}
    graph |= {name: list(_edges(schema, None, f"$defs.{name[:64]}")) for name, schema in definitions.items()}
    done: set[str] = set()
    relaxed = _Relaxed()
    for start in graph:
        if start not in done:
            for edge, holder in _closing(graph, start, done):
                if holder is None:
                    edge.node.clear()
                    edge.node["description"] = f"The same shape as {edge.target}, which contains this."
                    yield edge.path, "recursion without a property to leave out cut"
                elif relaxed.add(holder):
                    yield holder.path, "recursive, so no longer required"
    relaxed.apply()


class _Relaxed:
    """Properties that need not be there any more."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[Node, set[str]]] = {}

    def add(self, holder: _Holder) -> bool:
        """Whether it was required until now."""
        _, names = self._names.setdefault(id(holder.schema), (holder.schema, set()))
        is_new = holder.name not in names
        names.add(holder.name)
        return is_new

    def apply(self) -> None:
        """Take the names out of `required`, and `required` out of schemas where it is empty then."""
        for schema, names in self._names.values():
            left = [name for name in schema["required"] if name not in names]
            if left:
                schema["required"] = left
            else:
                del schema["required"]


def _closing(graph: dict[str, list[_Edge]], start: str, done: set[str]) -> Iterator[tuple[_Edge, _Holder | None]]:
    """Depth first from `start`: each edge back onto the path, with the last property on the cycle it closes.

    Iterative, because a chain of references may be longer than Python's stack.
    """
    depth = {start: 0}
    path = [start]
    todo = [iter(graph[start])]
    held: list[tuple[int, _Holder | None]] = [(0, None)]
    while todo:
        edge = next(todo[-1], None)
        if edge is None:
            todo.pop()
            held.pop()
            name = path.pop()
            del depth[name]
            done.add(name)
        elif edge.target in depth:
            level, holder = held[-1]
            on_cycle = holder if level > depth[edge.target] else None
            yield edge, edge.holder or on_cycle
        elif edge.target not in done:
            depth[edge.target] = len(path)
            held.append((len(path), edge.holder) if edge.holder else held[-1])
            path.append(edge.target)
            todo.append(iter(graph[edge.target]))
