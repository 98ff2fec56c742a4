"""Several calls at once that succeed or fail together."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

_AGAIN_SECONDS = 0.1

T = TypeVar("T")


async def all_of(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of `calls`, in their order; the first failure cancels the others and is raised."""
    if len(calls) == 1:
        return [await calls[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
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


async def merged(sources: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[tuple[int, T], None]:
    """The items of all `sources` as they come, each with the number of its source; the first failure ends them all."""
    arrivals: asyncio.Queue[tuple[int, T] | _Ended] = asyncio.Queue(maxsize=len(sources))

    async def forward(number: int, source: AsyncGenerator[T, None]) -> None:
        ended = _Ended()
        try:
            async for item in source:
                await arrivals.put((number, item))
        except Exception as error:  # noqa: BLE001  whatever it is, the reader raises it
            ended = _Ended(error)
        await arrivals.put(ended)

    tasks = [asyncio.create_task(forward(number, source)) for number, source in enumerate(sources)]
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
