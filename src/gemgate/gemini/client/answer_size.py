"""What an answer of Google's may hold, beside its bytes."""

import orjson

from gemgate.gemini.errors import Failure, TransportError

MAX_OBJECTS = 500_000
"""Objects of JSON in one answer, or in one event of a stream; braces in its texts count too."""

SMALL = 480
"""Bytes of an answer that can hold neither many objects nor many levels: it needs no look."""

_SMALLEST = 3 * MAX_OBJECTS  # bytes: `{},` is the shortest object
_LEVELS = 240  # orjson writes 254, and the answer to the caller is some levels deeper than Google's


def check_objects(text: bytes) -> None:
    """Look at an answer before it is decoded: that of a megabyte at most is let through at once.

    Raises:
        TransportError: it holds more than `MAX_OBJECTS`.
    """
    if len(text) > _SMALLEST and text.count(b"{") > MAX_OBJECTS:
        message = f"The Gemini API's answer holds more objects than the gateway takes ({MAX_OBJECTS:,})."
        raise TransportError(Failure.TOO_LARGE, message)


def check_depth(text: bytes, value: object) -> None:
    """Look at an answer after it was decoded; one with few brackets cannot be deep.

    Args:
        text: The answer as it came.
        value: What it was decoded to.

    Raises:
        TransportError: it is nested so deeply that it cannot be written again.
    """
    if len(text) < SMALL or text.count(b"{") + text.count(b"[") < _LEVELS:
        return
    try:
        orjson.dumps([[[[[[[[value]]]]]]]])
    except TypeError as error:
        message = "The Gemini API sent an answer that is nested too deeply: about 240 levels are read."
        raise TransportError(Failure.INVALID_BODY, message) from error
