"""A stream that one task pushes and another pulls, so that a broken push reaches the puller as an exception."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine
from typing import Generic, Self, TypeVar

from anyio import BrokenResourceError, CancelScope, create_memory_object_stream

T = TypeVar("T")

_ABORT_SECONDS = 10.0  # a backend that is silent must not hold whoever leaves


class _InterruptedError(Exception):
    """The push ended before its end: the code that pulls must undo what it has done."""


class Feed(Generic[T]):
    """Use as a context manager: left without `finish`, by whatever exception, it interrupts the puller and awaits it.

    The object store aborts a multipart upload when its source raises, but leaves the parts when it is cancelled.
    """

    def __init__(self, start: Callable[[AsyncIterator[bytes]], Coroutine[object, object, T]]) -> None:
        """`start` is the puller: it is handed the stream."""
        self._inlet, self._outlet = create_memory_object_stream[bytes](1)
        self._is_finished = False
        self._puller = asyncio.ensure_future(start(self._pulled()))
        self._puller.add_done_callback(lambda _: self._outlet.close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._inlet.close()
        # Asked for, so that asyncio does not report it as lost: `finish` raises the error that matters.
        self._puller.add_done_callback(lambda puller: puller.cancelled() or puller.exception())
        with CancelScope(shield=True):
            await asyncio.wait([self._puller], timeout=_ABORT_SECONDS)

    async def _pulled(self) -> AsyncIterator[bytes]:
        async for block in self._outlet:
            yield block
        if not self._is_finished:
            raise _InterruptedError

    async def send(self, block: bytes) -> bool:
        """Push a block, when there is room for it; False when the puller has ended already."""
        try:
            await self._inlet.send(block)
        except BrokenResourceError:
            return False
        return True

    async def finish(self) -> T:
        """Say that this was all; what the puller returns, or raises."""
        self._is_finished = True
        self._inlet.close()
        return await asyncio.shield(self._puller)


async def blocks(chunks: AsyncIterable[bytes], size: int) -> AsyncGenerator[bytes]:
    """`chunks`, cut again into blocks of `size` bytes; the last is shorter, and empty without any bytes."""
    pending, has_any = bytearray(), False
    async for chunk in chunks:
        pending += chunk
        while len(pending) >= size:
            has_any = True
            with memoryview(pending) as view:
                block = bytes(view[:size])
            del pending[:size]
            yield block
    if pending or not has_any:
        yield bytes(pending)
