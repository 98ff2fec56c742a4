"""A streamed answer that is asked for again if Google refuses at first what its model does not take."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from gemgate.api.lessons import MAX_LESSONS
from gemgate.gemini.errors import GeminiError

T = TypeVar("T")


class StreamRequest(NamedTuple, Generic[T]):
    """What is asked for.

    Attributes:
        translation: The native request.
        opened: The pieces of the answer to one.
        adjusted: The request as its model takes it, after a refusal; raises the refusal if it teaches nothing.
        is_adjusted: Notified of a request that was adjusted and answered.
    """

    translation: T
    opened: Callable[[T], AsyncGenerator[bytes, None]]
    adjusted: Callable[[T, GeminiError], Awaitable[T]]
    is_adjusted: Callable[[T], None]


class AdjustedStream(Generic[T]):
    """The pieces of an answer. After the first one it costs a function call a piece, and holds nothing of the request.

    Attributes:
        is_adjusted: Whether the request was adjusted.
    """

    def __init__(self, request: StreamRequest[T]) -> None:
        self.is_adjusted = False
        self._request: StreamRequest[T] | None = request
        self._answer: AsyncGenerator[bytes, None] | None = None
        self._next: Callable[[], Awaitable[bytes]] = self._first

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return self._next()

    async def aclose(self) -> None:
        """End the answer early, and with it the call to Google."""
        self._request = None
        if self._answer is not None:
            await self._answer.aclose()

    async def _first(self) -> bytes:
        request, self._request = self._request, None
        if request is None:
            raise StopAsyncIteration
        translation = request.translation
        for left in reversed(range(MAX_LESSONS + 1)):
            answer = self._answer = request.opened(translation)
            try:
                first = await anext(answer)
                break
            except GeminiError as error:
                if not left:
                    raise
                translation = await request.adjusted(translation, error)
            request.is_adjusted(translation)
            self.is_adjusted = True
        self._next = answer.__anext__
        return first
