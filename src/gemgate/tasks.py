"""Several calls at once that succeed or fail together."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

_AGAIN_SECONDS = 0.1

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


async def all_of(calls: Sequence[Coroutine[object, object, T]]) -> list[T]:
    """The results of `calls`, in their order; the first failure cancels the others and is raised."""
    if len(calls) == 1:
        return [await calls[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def some_at_once(calls: Sequence[Callable[[], Awaitable[T]]], most: int) -> list[T]:
    """As `all_of`, of which `most` run at a time, in their order."""
    places = asyncio.Semaphore(most)

    async def in_turn(call: Callable[[], Awaitable[T]]) -> T:
        async with places:
            return await call()

    return await all_of([in_turn(call) for call in calls])


@asynccontextmanager
async def in_background(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Runs `work` until the block ends. It is cancelled as often as it takes: libraries may swallow a cancellation."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=_AGAIN_SECONDS)


@dataclass(frozen=True, slots=True)
class _Ended:
    failure: Exception | None = None


class ItemSource(Protocol[T_co]):
    """An asynchronous generator, as far as it is read and closed."""

    def __aiter__(self) -> AsyncIterator[T_co]:
        """Itself."""
        ...

    def __anext__(self) -> Awaitable[T_co]:
        """The next item."""
        ...

    async def aclose(self) -> None:
        """End it early."""
        ...


async def merged(sources: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[tuple[int, T], None]:
    """As `interleaved`, each item with the number of its source."""
    numbered = [_numbered(number, source) for number, source in enumerate(sources)]
    async with aclosing(interleaved(numbered)) as items:
        async for item in items:
            yield item


async def _numbered(number: int, source: AsyncGenerator[T, None]) -> AsyncGenerator[tuple[int, T], None]:
    async with aclosing(source) as items:
        async for item in items:
            yield number, item


async def interleaved(sources: Sequence[ItemSource[T]], most: int = 0) -> AsyncGenerator[T, None]:
    """The items of all `sources` as they come; the first failure ends them all.

    Args:
        sources: Each is closed in the end.
        most: How many are read at a time, in their order; 0: all of them.
    """
    arrivals: asyncio.Queue[T | _Ended] = asyncio.Queue(maxsize=len(sources))
    places = asyncio.Semaphore(most or len(sources))

    async def forward(source: ItemSource[T]) -> None:
        ended = _Ended()
        try:
            async with places, aclosing(source):
                async for item in source:
                    await arrivals.put(item)
        except Exception as error:  # noqa: BLE001  whatever it is, the reader raises it
            ended = _Ended(error)
        await arrivals.put(ended)

    tasks = [asyncio.create_task(forward(source)) for source in sources]
    running = len(tasks)
    try:
        while running:
            arrival = await arrivals.get()
            if not isinstance(arrival, _Ended):
                yield arrival
            elif arrival.failure is not None:
                raise arrival.failure
            else:
                running -= 1
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for source in sources:
            await source.aclose()
