"""Constraints that Gemini's JSON Schema fields do not know, as short English for the description."""

from collections.abc import Callable
from typing import Any

import orjson

Node = dict[str, Any]
"""A JSON Schema, or an object within one: keywords of many drafts, each with a type of its own."""

_MAX_HINT = 300


def compact(value: object) -> str:
    """`value` as JSON text without spaces, cut after 300 characters."""
    return _cut(orjson.dumps(value).decode())


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_HINT else text[: _MAX_HINT - 3] + "..."


def _plain(value: object) -> str:
    return _cut(value) if isinstance(value, str) else compact(value)


def _sentence(prefix: str) -> Callable[[object], str]:
    return lambda value: f"{prefix} {_plain(value)}."


def _count(prefix: str, unit: str) -> Callable[[object], str]:
    return lambda value: f"{prefix} {compact(value)} {unit if value == 1 else _PLURAL[unit]}."


def _flag(text: str) -> Callable[[object], str]:
    return lambda value: text if value else ""


_PLURAL = {"character": "characters", "property": "properties"}


def _examples(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    return f"Examples: {_cut(', '.join(compact(item) for item in values))}." if values else ""


def _property_names(value: object) -> str:
    if isinstance(value, dict) and list(value) == ["pattern"]:
        return f"Property names must match {_plain(value['pattern'])}."
    return f"Property names must match {compact(value)}."


def _dependencies(value: object) -> str:
    """`dependentRequired`, `dependentSchemas`, and draft 7's `dependencies`, which is both."""
    if not isinstance(value, dict):
        return f"Dependencies: {compact(value)}."
    return " ".join(
        f"If {name} is present, {', '.join(map(str, needs))} must be too."
        if isinstance(needs, list)
        else f"If {name} is present, it must match {compact(needs)}."
        for name, needs in value.items()
    )


def _discriminator(value: object) -> str:
    name = value.get("propertyName") if isinstance(value, dict) else value
    return f"The property {_plain(name)} distinguishes the variants."


HINTS: dict[str, Callable[[object], str]] = {
    "minLength": _count("At least", "character"),
    "maxLength": _count("At most", "character"),
    "pattern": _sentence("Must match"),
    "multipleOf": _sentence("Must be a multiple of"),
    "minProperties": _count("At least", "property"),
    "maxProperties": _count("At most", "property"),
    "uniqueItems": _flag("Items must be unique."),
    "propertyNames": _property_names,
    "dependentRequired": _dependencies,
    "dependentSchemas": _dependencies,
    "dependencies": _dependencies,
    "not": lambda value: f"Must not match {compact(value)}.",
    "default": lambda value: f"Default: {compact(value)}.",
    "examples": _examples,
    "example": lambda value: f"Examples: {compact(value)}.",
    "contentEncoding": _sentence("Encoding:"),
    "contentMediaType": _sentence("Media type:"),
    "contentSchema": lambda value: f"The decoded content must match {compact(value)}.",
    "deprecated": _flag("Deprecated."),
    "readOnly": _flag("Read only."),
    "writeOnly": _flag("Write only."),
    "discriminator": _discriminator,
}
"""What each keyword becomes; an empty text means that the value says nothing, as in `uniqueItems: false`."""


def contains_hint(node: dict[str, object]) -> str:
    """Text for `contains` with its `minContains` and `maxContains`."""
    limits = [f"{word} {compact(node[key])}" for key, word in _CONTAINS if node.get(key) is not None]
    return f"Must contain items ({' and '.join(limits) or 'at least 1'}) that match {compact(node['contains'])}."


_CONTAINS = (("minContains", "at least"), ("maxContains", "at most"))


def conditional_hint(node: dict[str, object]) -> str:
    """Text for `if`, `then` and `else`; empty when there is neither `then` nor `else`."""
    ways = [f"{word} {compact(node[key])}" for key, word in _WAYS if node.get(key) is not None]
    return f"If it matches {compact(node['if'])}, {', '.join(ways)}." if ways else ""


_WAYS = (("then", "then it must match"), ("else", "otherwise it must match"))


def describe(description: str | None, hints: list[str]) -> str:
    """The description first, as it was, then the hints, each a sentence."""
    tail = " ".join(hints)
    if not description:
        return tail
    stop = "" if description.rstrip().endswith((".", "!", "?", ":", ";")) else "."
    return f"{description.rstrip()}{stop} {tail}"
