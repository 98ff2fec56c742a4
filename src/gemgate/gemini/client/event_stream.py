"""One streamed answer of Google's: its bytes become events, and each is looked at once, at the door.

Whether what Google sent has the types that the code relies on is checked here for all answers. The types are those of
`types`. Every field may be absent or null, which is the same: a null is taken out. An item of a list may not; fields
that they do not know are left alone.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import httpx
import orjson
from pydantic import TypeAdapter, ValidationError

from gemgate.gemini.client.answer_size import MAX_BYTES, SMALL, check_depth, check_objects
from gemgate.gemini.errors import Failure, GeminiError, TransportError, error_in
from gemgate.gemini.types import GenerateContentResponse

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator

    from gemgate.gemini.client.client import GeminiClient
    from gemgate.gemini.client.response import GeminiResponse

Event = dict[str, object]

_MAX_TRIES = 64
_FIELDS = frozenset({b"event", b"id", b"retry", b"data"})


class EventStream:
    """One streamed answer: `async with client.stream(…) as batches: async for events in batches: …`.

    A batch is the events of one read from the network, never empty. Entering sends the request and raises when the
    status is not 2xx. An error in mid-stream is raised after the events before it were given. Leaving closes the
    connection at once unless the answer was read to its end, in which case it is kept for the next call.

    A cancelled `anext` ends the stream: to wait for an event with a limit, put `anext` into a task and use
    `asyncio.wait`. The tasks that enter, iterate and leave may be different ones.
    """

    def __init__(self, client: "GeminiClient", call: httpx.Request, key: str, within: float | None = None) -> None:
        self._client = client
        self._call: httpx.Request | None = call
        self._key = key
        self._within = within
        self._decoder = EventDecoder(client.options.max_answer_bytes)
        self._answer: GeminiResponse | None = None
        self._has_failed = False

    async def __aenter__(self) -> Self:
        call, self._call = self._call, None  # nobody needs the body while the answer comes
        if call is None:
            msg = "a stream can be entered once"
            raise RuntimeError(msg)
        try:
            self._answer = await self._client.send(call, self._key, within=self._within)
        except GeminiError as error:
            self._client.note_failure(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is not None:
            await self._answer.aclose()
            self._answer = None

    def __aiter__(self) -> AsyncIterator[list[GenerateContentResponse]]:
        return self

    async def __anext__(self) -> list[GenerateContentResponse]:
        answer, decoder = self._answer, self._decoder
        try:
            while answer is not None and not answer.ended and decoder.error is None:
                piece = await answer.read()
                events = decoder.feed(piece) if piece else decoder.finish()
                good, error = check_events(events)
                if error is not None:
                    decoder.error, events = error, events[:good]
                if events:
                    return cast("list[GenerateContentResponse]", events)
            if decoder.error is not None:
                raise decoder.error
        except GeminiError as error:
            self._fail(error)
            raise
        raise StopAsyncIteration

    def _fail(self, error: GeminiError) -> None:
        error.hide(self._key)
        if not self._has_failed:
            self._has_failed = True
            self._client.note_failure(error)
        self._decoder.error = error


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


def check_response(answer: object, shape: object = GenerateContentResponse) -> None:
    """Look at a whole answer, or at an event of a stream: two microseconds where all is well.

    Args:
        answer: Decoded JSON.
        shape: One of `types`.

    Raises:
        TransportError: a value is of another type than `shape` says.
    """
    try:
        _validator(shape).validate_python(answer, strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = [each for each in details if each["input"] is not None or isinstance(each["loc"][-1], int)]
        if found:
            raise TransportError(Failure.INVALID_BODY, _message(found[0]["loc"])) from None
        for each in details:
            _take_out(answer, each["loc"])


def _take_out(answer: Any, location: Sequence[int | str]) -> None:
    """Remove the field at `location`, which is null."""
    *path, name = location
    for step in path:
        if isinstance(answer, dict):
            answer = answer.get(step)
        elif isinstance(answer, list) and isinstance(step, int):
            answer = answer[step]
    if isinstance(answer, dict) and answer.get(name, 0) is None:
        del answer[name]


def check_events(events: Sequence[Mapping[str, object]]) -> tuple[int, TransportError | None]:
    """How many of `events` are good before the first that is not, and what is wrong with that one.

    All are looked at in one call, and one by one only if that finds something.
    """
    try:
        check_response(events, _EVENTS)
    except TransportError:
        return _first_bad(events)
    return len(events), None


_EVENTS = list[GenerateContentResponse]


def _first_bad(events: Sequence[Mapping[str, object]]) -> tuple[int, TransportError | None]:
    for number, event in enumerate(events):
        try:
            check_response(event)
        except TransportError as error:
            return number, error
    return len(events), None


@cache
def _validator(shape: Any) -> "SchemaValidator":
    return cast("SchemaValidator", TypeAdapter(shape).validator)


def _message(location: Sequence[int | str]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    return f"The Gemini API sent an answer of another shape than its own: '{path[:200]}' is of a wrong type."
