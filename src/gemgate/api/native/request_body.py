"""Reads the body of a native request, where the gateway must know what it names; or refuses it. No I/O.

Google may read a body in another way than the gateway does. So what could be read in two ways is not sent on: another
encoding, another format, JSON that is not strict, a name twice in one object.
"""

import json

import orjson
from starlette.datastructures import Headers

from gemgate.errors import ApiError

_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
_WHY = "Callers share the Gemini keys of this gateway, so that it must be able to read what a body names."


def refuse_packed(headers: Headers) -> None:
    """Refuse a body that is compressed.

    Raises:
        ApiError: 415.
    """
    for encoding in headers.getlist("content-encoding"):
        if encoding.strip().lower() not in ("", "identity"):
            msg = f"The content encoding '{encoding[:80]}' is not taken. {_WHY} Send the body as it is."
            raise ApiError(415, msg, code="unsupported_content_encoding")


def refuse_unreadable(headers: Headers) -> None:
    """Refuse a body that is not JSON in UTF-8, by what its headers say.

    Raises:
        ApiError: 415.
    """
    refuse_packed(headers)
    for content_type in headers.getlist("content-type"):
        kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
        if kind not in ("", "application/json"):
            msg = f"The content type '{kind[:80]}' is not taken. {_WHY} Send JSON, as 'application/json'."
            raise ApiError(415, msg, code="unsupported_content_type")
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "charset" and value.strip().strip("\"'") not in _CHARSETS:
                raise ApiError(415, f"The body is not in UTF-8. {_WHY}", code="unsupported_content_type")


def parsed(body: bytes) -> object:
    """The JSON value in a body.

    Raises:
        ApiError: 400, it is not strict JSON in UTF-8.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The body is not valid JSON: {error.msg}. {_WHY}", code="invalid_json") from None


def parsed_unambiguously(body: bytes) -> object:
    """The same of a body that has no name twice in one object.

    Raises:
        ApiError: 400, it has one, or is nested too deeply.
    """
    try:
        return json.loads(body, object_pairs_hook=_unique)  # noqa: TID251  no other shows a name that is there twice
    except _TwiceError as error:
        msg = f"The body has {str(error)[:80]!r} twice in one object. {_WHY}"
        raise ApiError(400, msg, code="invalid_json") from None
    except (ValueError, RecursionError):
        msg = f"The body is nested too deeply, or has a number that is too long. {_WHY}"
        raise ApiError(400, msg, code="invalid_json") from None


class _TwiceError(Exception):
    """The name that an object has twice."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _TwiceError(next(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
    return found
