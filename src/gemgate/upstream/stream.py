"""A streamed answer that is asked for again, as long as nothing of it was given on."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol, Self

from gemgate.gemini.client.event_stream import EventStream
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.types import GenerateContentResponse
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

    The first look, or entering it as a block, waits for the first content, and fails when no attempt brings any. What
    comes after that is given on as it comes, failures included. The key is in use until it is closed.

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

    async def __aenter__(self) -> Self:
        opened, self._opened = self._opened, None  # it holds the body, which nobody needs while the answer comes
        if opened is None:
            msg = "a stream can be entered once"
            raise RuntimeError(msg)
        while not await self._begin(opened):
            pass
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
            await self.__aenter__()
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

    async def _begin(self, opened: Open) -> bool:
        """One attempt: whether its answer is the one to give on."""
        attempts = self._attempts
        key_lease = self._key_lease = attempts.begin()
        try:
            stream = self._stream = opened(key=key_lease.secret, within=key_lease.within)
            await stream.__aenter__()
            held = await _until_content(stream)
        except GeminiError as error:
            await self._close()
            await attempts.failed(key_lease, error)
            return False
        except BaseException:
            await self.aclose()
            raise
        if not attempts.answered(key_lease, held, count_thoughts=True):
            await self.aclose()
            return False
        self._held = held
        return True


async def _until_content(stream: EventStream) -> EventBatch:
    """The events up to the first content, or up to the end without any."""
    held: EventBatch = []
    while (events := await anext(stream, None)) is not None:
        held = held + events if held else events
        if empty_reason(events, count_thoughts=True) is None:
            break
    return held
