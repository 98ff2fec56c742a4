"""Writes to Redis that nobody waits for."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from gemgate.shared_state.connection import RedisConnection, RedisDownError, is_refusal
from gemgate.tasks import in_background

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

MAX_WAITING = 2000
"""Writes that wait while Redis is down; the oldest give way."""

_MAX_AT_ONCE = 200

Write = Callable[["Pipeline"], object]
"""Adds commands to a pipeline."""


class WriteBehind:
    """Sends writes in their order, many at once, from a task of its own: `add` costs the caller an append.

    Delivery is at least once, so writes must be idempotent.
    """

    def __init__(self, link: RedisConnection) -> None:
        self._link = link
        self._waiting: deque[Write] = deque(maxlen=MAX_WAITING)
        self._some = asyncio.Event()

    def add(self, write: Write) -> None:
        """Send it soon."""
        self._waiting.append(write)
        self._some.set()

    def __len__(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def running(self) -> "AsyncIterator[WriteBehind]":
        """Sends until the block ends, and then what is left, once."""
        try:
            async with in_background(self._run()):
                yield self
        finally:
            with suppress(RedisDownError):
                while self._waiting:
                    await self._send()

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            await self._link.wait_until_up()
            with suppress(RedisDownError):  # what was not sent is still there
                await self._send()
            if not self._waiting:
                self._some.clear()

    async def _send(self) -> None:
        """The oldest writes.

        Raises:
            RedisDownError: they could not be sent, and wait.
        """
        writes = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_AT_ONCE))]

        async def execute(redis: "Redis") -> None:
            pipeline = redis.pipeline(transaction=False)
            for write in writes:
                write(pipeline)
            for answer in await pipeline.execute(raise_on_error=False):
                if is_refusal(answer):
                    self._link.note_refusal(answer)
                elif isinstance(answer, Exception):
                    raise answer

        try:
            await self._link.run(execute)
        except BaseException:
            room = MAX_WAITING - len(self._waiting)
            self._waiting.extendleft(reversed(writes[len(writes) - min(room, len(writes)) :]))
            raise
