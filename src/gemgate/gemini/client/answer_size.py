"""What an answer of Google's may hold: its bytes, also once they are inflated, its objects and its levels."""

import zlib

import orjson

from gemgate.gemini.errors import Failure, TransportError

MAX_BYTES = 268_435_456
"""What is held of an answer, unless the operator says otherwise."""

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


class Inflater:
    """Undoes `content-encoding: gzip` or `deflate`, piece by piece, and notices when the end is missing.

    Args:
        maximum: Bytes that one piece may inflate to.
    """

    def __init__(self, maximum: int = MAX_BYTES) -> None:
        self._max = maximum
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._started = False

    def feed(self, data: bytes) -> bytes:
        """What `data` inflates to; possibly nothing yet.

        Raises:
            TransportError: the bytes are not compressed ones.
        """
        self._started = True
        try:
            plain = self._inflate.decompress(data, self._max)
            while self._inflate.unused_data and len(plain) < self._max:
                rest = self._inflate.unused_data
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
                plain += self._inflate.decompress(rest, self._max - len(plain))
        except zlib.error as error:
            raise TransportError(Failure.INVALID_BODY, "The Gemini API sent a broken compressed answer.") from error
        if len(plain) >= self._max:
            raise TransportError(Failure.TOO_LARGE)
        return plain

    def finish(self) -> bytes:
        """Nothing more, once the last member is known to be whole.

        Raises:
            TransportError: the compressed data stops before its end.
        """
        if self._started and not self._inflate.eof:
            raise TransportError(Failure.ANSWER_CUT, "The Gemini API's compressed answer stops before its end.")
        return b""
