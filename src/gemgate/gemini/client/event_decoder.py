"""The bytes of an answer, put together again: events out of a stream, plain bytes out of gzip. No I/O."""

import zlib

import orjson

from gemgate.gemini.client.answer_size import SMALL, check_depth, check_objects
from gemgate.gemini.errors import (
    Failure,
    GeminiError,
    TransportError,
    error_in,
)

Event = dict[str, object]

MAX_BYTES = 268_435_456
"""What is held of an answer, unless the operator says otherwise."""

_MAX_TRIES = 64
_FIELDS = frozenset({b"event", b"id", b"retry", b"data"})


class EventDecoder:
    """Decodes the body of `streamGenerateContent`, cut into pieces of any size.

    An answer with `alt=sse` is lines of `data: {JSON}`; each is one event, whether a blank line follows or not (FACTS
    section 1). Text without `data:` that begins a JSON value is collected, over many lines if need be: an error in
    mid-stream comes so, and so does the list that Google sends without `alt=sse`. Anything else is a failure.

    Events before a failure are never lost: `feed` and `finish` return them first and keep the failure in `error`;
    they raise it when there is nothing to return before it.

    Args:
        maximum: Bytes of one event.

    Attributes:
        error: What ended the stream, once it is known; every byte after it is ignored.
    """

    __slots__ = ("_held", "_max", "_tail", "_text", "_tries", "error")

    def __init__(self, maximum: int = MAX_BYTES) -> None:
        self.error: GeminiError | None = None
        self._max = maximum
        self._held = 0
        self._tries = 0
        self._tail: list[bytes] = []
        self._text: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes.

        Raises:
            GeminiError: the upstream sent an error, or something that is not an event, and no event before it.
        """
        end = data.rfind(b"\n")
        if end < 0:
            if data:
                self._keep(self._tail, data)
            return self._result([])
        block = data[:end]
        if self._tail:
            self._tail.append(block)
            block = b"".join(self._tail)
            self._release(self._tail)
        events = self._decode(block)
        if end + 1 < len(data):
            self._keep(self._tail, data[end + 1 :])
        return self._result(events)

    def finish(self) -> list[Event]:
        """The events of a last line without an end, after the last byte.

        Raises:
            GeminiError: as `feed`; also when the answer stops inside an event.
        """
        events: list[Event] = []
        rest = b"".join(self._tail)
        self._release(self._tail)
        if self.error is None and rest:
            events = self._decode(rest)
            if self._is_invalid() and (rest.startswith(b"data:") or b"data:".startswith(rest)):
                self.error = TransportError(Failure.ANSWER_CUT, "The Gemini API's answer stops inside an event.")
        if self.error is None and self._text:
            self._try_text(events)
            if self._text:
                self.error = TransportError(Failure.ANSWER_CUT, "The Gemini API's answer stops inside a JSON value.")
        return self._result(events)

    def _keep(self, held: list[bytes], data: bytes) -> None:
        held.append(data)
        self._held += len(data)
        if self._held > self._max:
            self._tail.clear()
            self._text.clear()
            self.error = self.error or TransportError(Failure.TOO_LARGE)

    def _release(self, held: list[bytes]) -> None:
        self._held -= sum(map(len, held))
        held.clear()

    def _is_invalid(self) -> bool:
        return self.error is not None and self.error.reason == Failure.INVALID_BODY

    def _result(self, events: list[Event]) -> list[Event]:
        if self.error is not None and not events:
            raise self.error
        return events

    def _decode(self, block: bytes) -> list[Event]:
        """The events of whole lines. orjson takes the spaces and the CR around a value."""
        events: list[Event] = []
        for line in block.split(b"\n"):
            if self.error is not None:
                break
            if self._text:
                self._collect(line, events)
            elif line.startswith(b"data:"):
                self._add_line(line[5:], events)
            elif line and line != b"\r":
                self._other(line, events)
        return events

    def _add_line(self, payload: bytes, events: list[Event]) -> None:
        try:
            if len(payload) < SMALL:
                value = orjson.loads(payload)
            else:
                check_objects(payload)
                value = orjson.loads(payload)
                check_depth(payload, value)
        except TransportError as error:
            self.error = error
            return
        except orjson.JSONDecodeError:
            if payload.strip() not in (b"", b"[DONE]"):
                self.error = TransportError(Failure.INVALID_BODY, "The Gemini API sent an event that is not JSON.")
            return
        if type(value) is dict and "error" not in value:
            events.append(value)
        else:
            self._add(value, events)

    def _add(self, value: object, events: list[Event]) -> None:
        if isinstance(value, dict) and not value.get("error"):
            events.append(value)
        elif isinstance(value, list):
            for item in value:
                if self.error is None:
                    self._add(item, events)
        else:
            self.error = error_in(value) or TransportError(
                Failure.INVALID_BODY, "The Gemini API sent an event that is not an object."
            )

    def _other(self, line: bytes, events: list[Event]) -> None:
        """A line that is no `data:`: a comment, a field of no use here, the beginning of bare JSON, or garbage."""
        bare = line.strip()
        if bare[:1] in (b"{", b"["):
            self._collect(line, events)
        elif bare and bare[:1] != b":" and bare.partition(b":")[0] not in _FIELDS:
            self.error = TransportError(Failure.INVALID_BODY)

    def _collect(self, line: bytes, events: list[Event]) -> None:
        """Keeps a line of bare JSON, and tries the whole only where a value may end, so that the cost stays linear."""
        first = not self._text
        self._keep(self._text, line)
        if self.error is not None:
            return
        closing = b"}" if self._text[0].lstrip()[:1] == b"{" else b"]"
        bare = line.rstrip()
        if bare.endswith(closing) and (first or bare in (closing, b"}" + closing)):
            self._tries += 1
            if self._tries < _MAX_TRIES:
                self._try_text(events)

    def _try_text(self, events: list[Event]) -> None:
        text = b"\n".join(self._text)
        try:
            check_objects(text)
            value = orjson.loads(text)
            check_depth(text, value)
        except orjson.JSONDecodeError:
            return
        except TransportError as error:
            self.error = error
            self._release(self._text)
            return
        self._release(self._text)
        self._tries = 0
        self._add(value, events)


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
