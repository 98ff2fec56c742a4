"""JSON inside of requests: the arguments of calls and the results of tools, which are written by models and by tools.

Google keeps their numbers as doubles (`google.protobuf.Struct`), so an integer that a double cannot hold is given as
the text of its digits. Half of a surrogate pair, which JavaScript leaves where it cuts an emoji, becomes U+FFFD.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import orjson

MAX_EXACT = 2**53
"""The largest integer up to which doubles hold each one."""

_LONG_NUMBER = re.compile(r"[0-9]{16}")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 17  # of an integer that may be exact

# Possessive, and a string may end with the text: a search that gives up at each quote takes time squared.
STRING_OR_LAST_COMMA = re.compile(r'("(?:[^"\\]++|\\.)*+"?)|,(?=\s*+[}\]])', re.DOTALL)
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{}\[\]]', re.DOTALL)
_CUT_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,3}\Z")
_CLOSING = {"{": "}", "[": "]"}


def read_json(text: str) -> object:
    """The value that `text` is.

    Raises:
        ValueError: It is not JSON, or nested about a thousand levels deep.
    """
    if _LONG_NUMBER.search(text) is None:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            if "\\u" not in text:
                raise
    return _decoded(text, _STRICT.decode)


def repaired_json(text: str) -> object:
    """The value that `text` was before it was cut or damaged.

    A last comma and line ends in strings are overlooked; of several values glued together the first is taken; strings,
    objects and lists that are open at the end are closed.

    Raises:
        ValueError: More is wrong.
    """
    clean = STRING_OR_LAST_COMMA.sub(lambda found: found[1] or "", text).strip()
    try:
        return _decoded(clean, lambda source: _LENIENT.raw_decode(source)[0])
    except ValueError:
        return _decoded(_closed(clean), _LENIENT.decode)


def exact_numbers(value: object) -> Any:
    """`value` with each integer beyond 2^53 as the text of its digits; itself where it holds none."""
    level = [value]
    while level:
        if any(isinstance(item, int) and not -MAX_EXACT <= item <= MAX_EXACT for item in level):
            return _with_digits(value)
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return value


def without_half_pairs(text: str) -> str:
    """`text` with U+FFFD in the place of each half of a surrogate pair."""
    return _HALF_PAIR.sub("\ufffd", text)


def _with_digits(value: object) -> object:
    text = json.dumps(value, ensure_ascii=False)
    return orjson.loads(json.dumps(_STRICT.decode(text), ensure_ascii=False))


def _decoded(text: str, decode: Callable[[str], object]) -> object:
    try:
        return orjson.loads(without_half_pairs(json.dumps(decode(text), ensure_ascii=False, allow_nan=False)))
    except RecursionError as error:
        message = "nested too deeply"
        raise ValueError(message) from error


def _closed(text: str) -> str:
    """`text` with an end for its string and for each object and list that is open."""
    open_brackets: list[str] = []
    end = len(text)
    for found in _STRING_OR_BRACKET.finditer(text):
        piece = found[0]
        if piece in _CLOSING:
            open_brackets.append(_CLOSING[piece])
        elif piece in "}]":
            if not open_brackets or open_brackets.pop() != piece:
                message = f"a {piece} that closes nothing"
                raise ValueError(message)
        elif len(piece) == 1 or not piece.endswith('"') or _ends_within(piece):
            open_brackets.append('"')
            end = found.end()
    is_in_string = bool(open_brackets) and open_brackets[-1] == '"'
    cut = _CUT_ESCAPE.sub("", text[:end]) if is_in_string else text[:end].rstrip().removesuffix(",")
    return cut + "".join(reversed(open_brackets))


def _ends_within(piece: str) -> bool:
    """Whether the quote at the end of a string is part of it, behind a backslash."""
    before = piece[:-1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _integer(digits: str) -> int | str:
    if len(digits) <= _MAX_DIGITS and -MAX_EXACT <= (value := int(digits)) <= MAX_EXACT:
        return value
    return digits


def _no_constant(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)


_STRICT = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant)
_LENIENT = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant, strict=False)


def without_fence(text: str | None) -> str | None:
    """The JSON of a text that is one Markdown fence and nothing else; None for any other text."""
    fenced = (text or "").strip()
    mark = fenced[:1]
    size = len(fenced) - len(fenced.lstrip(mark)) if mark in ("`", "~") else 0
    if size < 3 or len(fenced) < 2 * size or not fenced.endswith(mark * size):
        return None
    inner = fenced[size:-size]
    head, line_end, rest = inner.partition("\n")
    if line_end and head.strip().lower() in ("", "json"):
        inner = rest
    elif inner[:4].lower() == "json":
        inner = inner[4:]
    try:
        orjson.loads(inner)
    except orjson.JSONDecodeError:
        return None
    return inner.strip()
