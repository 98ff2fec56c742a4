"""One streamed answer of Google's, read as events."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import httpx

from gemgate.gemini.client.event_decoder import EventDecoder
from gemgate.gemini.client.response_check import check_events
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.types import GenerateContentResponse

if TYPE_CHECKING:
    from gemgate.gemini.client.client import GeminiClient
    from gemgate.gemini.client.response import GeminiResponse


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
