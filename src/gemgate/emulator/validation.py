"""Checks a native request body against Google's schema, and brings it into one spelling.

The table `native_schema.json` beside this file holds names, types, enums and required fields; the script
`scripts/derive_native_schema.py` makes it. The rules are those of Google's JSON reader: fields in camelCase or
snake_case, `null` as absent, one value where a list is expected, numbers as strings, base64 in both alphabets. The
wording of refusals is Google's.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson

Json = dict[str, Any]
"""A JSON object."""

MAX_DEPTH = 100
TYPE_PREFIX = "type.googleapis.com/google.ai.generativelanguage.v1beta."
_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_INTEGER = re.compile(r"-?\d{1,20}")


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong: the place as Google writes it (`contents[0].parts[0]`), and the sentence."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class _Table:
    messages: dict[str, dict[str, str]]
    enums: dict[str, list[str]]
    required: dict[str, list[str]]
    oneofs: dict[str, dict[str, list[str]]]
    any_case: dict[str, bool]


@lru_cache(maxsize=1)
def _table() -> _Table:
    raw = orjson.loads(files("gemgate.emulator").joinpath("native_schema.json").read_bytes())
    return _Table(raw["messages"], raw["enums"], raw["required"], raw["oneofs"], raw["anyCase"])


def snake(name: str) -> str:
    """The proto name of a JSON name: `inlineData` gives `inline_data`."""
    return re.sub(r"(?<!^)([A-Z])", lambda found: "_" + found[0].lower(), name)


@lru_cache(maxsize=256)
def _spellings(message: str) -> dict[str, str]:
    """Every accepted name of a message's fields, to the JSON name."""
    names = _table().messages[message]
    return {snake(name): name for name in names} | {name: name for name in names}


def violations(message: str, body: object) -> list[Violation]:
    """What Google's JSON reader would refuse in `body` as a `message` such as `GenerateContentRequest`.

    Raises:
        KeyError: The table has no such message.
    """
    return parse(message, body)[1]


def parse(message: str, body: object) -> tuple[dict[str, Any], list[Violation]]:
    """The body in canonical form (camelCase, lists, upper-case enums, numbers), and what is wrong with it.

    Raises:
        KeyError: The table has no such message.
    """
    _ = _table().messages[message]
    if not isinstance(body, dict):
        return {}, [Violation("", "Invalid JSON payload received. Root element must be a message.")]
    reader = _FieldReader(message)
    return reader.message(message, body, "", 1), reader.found


@dataclass
class _FieldReader:
    root: str
    found: list[Violation] = field(default_factory=list)

    def unknown(self, name: str, path: str, why: str = "Cannot find field.") -> None:
        place = f" at '{path}'" if path else ""
        self.found.append(Violation(path, f'Invalid JSON payload received. Unknown name "{name}"{place}: {why}'))

    def invalid(self, path: str, kind: str, value: object, why: str = "") -> None:
        shown = why or (f'"{value}"' if isinstance(value, str) else orjson.dumps(value, default=str).decode())
        self.found.append(Violation(path, f"Invalid value at '{path}' ({kind}), {shown}"))

    def message(self, name: str, body: dict[str, object], path: str, depth: int) -> dict[str, object]:
        table, spellings = _table(), _spellings(name)
        result: dict[str, object] = {}
        for key, value in body.items():
            known = spellings.get(key)
            if known is None:
                self.unknown(key, path)
            elif depth > MAX_DEPTH:
                self.unknown(key, path, "Message too deep. Max recursion depth reached.")
                return result
            elif value is not None:
                place = f"{path}.{snake(known)}" if path else snake(known)
                result[known] = self.value(table.messages[name][known], value, place, depth)
        self.groups(name, result, path)
        for needed in table.required.get(name, ()):
            if needed not in result:
                place = f"{path}.{snake(needed)}" if path else snake(needed)
                self.found.append(Violation(place, f"* {self.root}.{place}: {snake(needed)} must be specified.\n"))
        return result

    def groups(self, name: str, result: dict[str, object], path: str) -> None:
        for group, members in _table().oneofs.get(name, {}).items():
            given = [member for member in result if member in members]
            for second in given[1:]:
                why = f"oneof field '{group}' is already set. Cannot set '{second}'"
                self.found.append(Violation(path, f"Invalid value at '{path}' (oneof), {why}"))

    def value(self, kind: str, value: object, path: str, depth: int) -> object:
        if kind == "value":
            return value
        if kind.startswith("["):
            return self.items(kind[1:-1], value, path, depth)
        if isinstance(value, list):
            self.found.append(
                Violation(
                    path,
                    f'Invalid JSON payload received. Unknown name "{path.rsplit(".", 1)[-1]}"'
                    + (f" at '{path.rsplit('.', 1)[0]}'" if "." in path else "")
                    + ": Proto field is not repeating, cannot start list.",
                )
            )
            return None
        if kind.startswith("{"):
            return self.entries(kind[1:-1], value, path, depth)
        return self.single(kind, value, path, depth)

    def items(self, kind: str, value: object, path: str, depth: int) -> list[object]:
        values = value if isinstance(value, list) else [value]
        single = not isinstance(value, list)
        return [self.value(kind, item, path if single else f"{path}[{n}]", depth) for n, item in enumerate(values)]

    def entries(self, kind: str, value: object, path: str, depth: int) -> dict[str, object]:
        if not isinstance(value, dict):
            self.invalid(path, "Map", value)
            return {}
        return {
            key: self.value(kind, entry, f"{path}[{number}].value", depth)
            for number, (key, entry) in enumerate(value.items())
        }

    def single(self, kind: str, value: object, path: str, depth: int) -> object:
        table = _table()
        if kind in table.messages:
            if isinstance(value, dict):
                return self.message(kind, value, path, depth + 1)
            self.invalid(path, TYPE_PREFIX + kind, value)
            return {}
        if kind in table.enums:
            return self.enum(kind, value, path)
        check, shown = _SCALARS[kind]
        try:
            return check(value)
        except (ValueError, binascii.Error) as error:
            self.invalid(path, shown, value, str(error) if kind == "bytes" else "")
            return value

    def enum(self, kind: str, value: object, path: str) -> object:
        values = _table().enums[kind]
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(values):
            return values[value]
        if isinstance(value, str):
            if value in values:
                return value
            if kind in _table().any_case:
                for known in values:
                    if known.lower() == value.lower():
                        return known
        self.invalid(path, TYPE_PREFIX + kind, value)
        return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one exception for every value that does not fit
    return value


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - as above
    return value


def _integer(bits: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise ValueError
        return value

    return check


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError  # noqa: TRY004 - as above
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return value if isinstance(value, int | float) else number


def decode_base64(text: str) -> bytes:
    """Bytes of base64 in the standard or the URL-safe alphabet, padded or not.

    Raises:
        ValueError: It is not base64 (`binascii.Error` is a kind of it).
    """
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _bytes(value: object) -> str:
    text = _string(value)
    try:
        decode_base64(text)
    except ValueError:
        raise ValueError(f'Base64 decoding failed for "{text[:100]}"') from None
    return text


def _matching(pattern: re.Pattern[str]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not pattern.fullmatch(_string(value)):
            raise ValueError
        return str(value)

    return check


def _struct(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - as above
    return value


_SCALARS: dict[str, tuple[Callable[[object], object], str]] = {
    "string": (_string, "TYPE_STRING"),
    "bool": (_bool, "TYPE_BOOL"),
    "int32": (_integer(32), "TYPE_INT32"),
    "int64": (_integer(64), "TYPE_INT64"),
    "float": (_number, "TYPE_FLOAT"),
    "double": (_number, "TYPE_DOUBLE"),
    "bytes": (_bytes, "TYPE_BYTES"),
    "duration": (_matching(_DURATION), "type.googleapis.com/google.protobuf.Duration"),
    "timestamp": (_matching(_TIMESTAMP), "type.googleapis.com/google.protobuf.Timestamp"),
    "struct": (_struct, "type.googleapis.com/google.protobuf.Struct"),
}
