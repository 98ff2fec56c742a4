"""Reads the body of a native request, where the gateway must know what it names; or refuses it. No I/O.

Google may read a body in another way than the gateway does. So what could be read in two ways is not sent on: JSON
that is not strict, a name twice in one object; and what `request_headers` refuses by the head alone.
"""

import json

import orjson

from gemgate.api.native.request_headers import WHY_READ
from gemgate.errors import ApiError


def parsed(body: bytes) -> object:
    """The JSON value in a body.

    Raises:
        ApiError: 400, it is not strict JSON in UTF-8.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The body is not valid JSON: {error.msg}. {WHY_READ}", code="invalid_json") from None


def parsed_unambiguously(body: bytes) -> object:
    """The same of a body that has no name twice in one object.

    Raises:
        ApiError: 400, it has one, or is nested too deeply.
    """
    try:
        return json.loads(body, object_pairs_hook=_unique)  # noqa: TID251  no other shows a name that is there twice
    except _TwiceError as error:
        msg = f"The body has {str(error)[:80]!r} twice in one object. {WHY_READ}"
        raise ApiError(400, msg, code="invalid_json") from None
    except (ValueError, RecursionError):
        msg = f"The body is nested too deeply, or has a number that is too long. {WHY_READ}"
        raise ApiError(400, msg, code="invalid_json") from None


class _TwiceError(Exception):
    """The name that an object has twice."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _TwiceError(next(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
    return found
