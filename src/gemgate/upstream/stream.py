"""A streamed answer that is asked for again, as long as nothing of it was given on."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from gemgate.gemini.client.event_stream import EventStream
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.types import GenerateContentResponse
from gemgate.tasks import interleaved
from gemgate.upstream.retry import Attempts, KeyLease, empty_reason

EventBatch = list[GenerateContentResponse]
CallEvents = tuple[int, EventBatch]
"""The number of a call, and the events of one read."""


class Open(Protocol):
    """A new stream."""

    def __call__(self, *, key: str, within: float | None) -> EventStream:
        """With this key; it may take so many seconds."""
        ...


class RetryingStream:
    """An iterator over a call's number and the events of one read, such as `(0, [event, event])`; to be closed.

    `begin`, the first look, or entering it as a block waits for the first content, and fails when no attempt brings
    any. What comes after that is given on as it comes, failures included. The key is in use until it is closed.

    Args:
        attempts: With which keys, and how often.
        opened: One attempt.
        number: That of the call, among those of one request.
    """

    def __init__(self, attempts: Attempts, opened: Open, number: int = 0) -> None:
        self._number = number
        self._attempts = attempts
        self._opened: Open | None = opened
        self._stream: EventStream | None = None
        self._key_lease: KeyLease | None = None
        self._held: EventBatch = []

    async def begin(self) -> None:
        """Wait for the first content.

        Raises:
            GeminiError: no attempt brings any.
        """
        opened, self._opened = self._opened, None  # it holds the body, which nobody needs while the answer comes
        if opened is None:
            msg = "a stream can be begun once"
            raise RuntimeError(msg)
        attempts = self._attempts
        while True:
            key_lease = self._key_lease = attempts.begin()
            held: EventBatch = []
            try:
                stream = self._stream = opened(key=key_lease.secret, within=key_lease.within)
                await stream.__aenter__()
                while (events := await anext(stream, None)) is not None:
                    held = held + events if held else events
                    if empty_reason(events, count_thoughts=True) is None:
                        break
            except GeminiError as error:
                await self._close()
                await attempts.failed(key_lease, error)
                continue
            except BaseException:
                await self.aclose()
                raise
            if attempts.answered(key_lease, held, count_thoughts=True):
                self._held = held
                return
            await self.aclose()

    async def __aenter__(self) -> Self:
        await self.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the call, unless it has ended, and give the key back."""
        self._opened = None
        key_lease, self._key_lease = self._key_lease, None
        try:
            await self._close()
        finally:
            if key_lease is not None:
                key_lease.close()

    async def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.__aexit__(None, None, None)

    def __aiter__(self) -> AsyncIterator[CallEvents]:
        return self

    async def __anext__(self) -> CallEvents:
        if self._opened is not None:
            await self.begin()
        if self._held:
            held, self._held = self._held, []
            return self._number, held
        if self._stream is None or self._key_lease is None:
            raise StopAsyncIteration
        try:
            return self._number, await anext(self._stream)
        except GeminiError as error:
            self._attempts.broke_off(self._key_lease, error)
            raise


class StreamsAtOnce:
    """The streams of several calls as one: what comes first is given first, and the first failure ends them all.

    Args:
        streams: One for each call.
        most: How many are read at a time, in their order.
    """

    def __init__(self, streams: Sequence[RetryingStream], most: int) -> None:
        self._items = interleaved(streams, most)
        self._held: CallEvents | None = None

    async def begin(self) -> None:
        """Wait for the first content of any call.

        Raises:
            GeminiError: a call has failed before.
        """
        self._held = await anext(self._items, None)

    def __aiter__(self) -> AsyncIterator[CallEvents]:
        return self

    async def __anext__(self) -> CallEvents:
        held, self._held = self._held, None
        return await anext(self._items) if held is None else held

    async def aclose(self) -> None:
        """End the calls, unless they have ended."""
        await self._items.aclose()


AnswerEvents = RetryingStream | StreamsAtOnce
"""The events of the answer to one request, each batch with the number of its call; to be closed."""
