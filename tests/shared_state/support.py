"""Processes that share one Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.write_behind import WriteBehind

TIME_LIMIT = 20.0


@dataclass
class Process:
    """One process with its own way to Redis."""

    link: RedisConnection
    behind: WriteBehind

    async def written(self) -> None:
        """Returns when nothing waits to be written."""
        await eventually(lambda: not len(self.behind))
        await self.link.run(lambda redis: redis.ping())


@asynccontextmanager
async def process(url: str, patience: float = TIME_LIMIT) -> AsyncIterator[Process]:
    """A process, until the block ends."""
    async with RedisConnection(url, timeout=patience).connected() as link, WriteBehind(link).running() as behind:
        yield Process(link, behind)


async def eventually(is_so: Callable[[], object]) -> None:
    """Returns when `is_so`; what is awaited has no event of its own."""
    async with asyncio.timeout(TIME_LIMIT):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
