"""Money that all workers and replicas add up together; each for itself while Redis is down."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gemgate.auth.budgets import Budgets, Spent, micro, periods
from gemgate.auth.client_keys import ClientKey
from gemgate.shared_state.connection import RedisConnection, RedisDownError, WrongAnswerError

if TYPE_CHECKING:
    from redis.asyncio import Redis

_KEPT_SECONDS = 40 * 86_400
_MICRO = 1_000_000


class SharedBudgets:
    """Adds up in Redis and, for the times in which that is down, in this process too.

    Args:
        link: Redis.
        local: What this process has charged.
        clock: Unix seconds.
    """

    def __init__(self, link: RedisConnection, local: Budgets, clock: Callable[[], float] = time.time) -> None:
        self._link = link
        self._local = local
        self._clock = clock

    async def spent(self, key: ClientKey) -> Spent:
        """What the key has spent everywhere; here, while Redis is down."""
        names = [_name(key, period) for period in periods(self._clock())]

        async def read(redis: "Redis") -> Spent:
            return Spent(*(_dollars(value) for value in await redis.mget(names)))

        own = await self._local.spent(key)
        with suppress(RedisDownError):
            shared = await self._link.run(read)
            return Spent(max(shared.day, own.day), max(shared.month, own.month))
        return own

    async def charge(self, key: ClientKey, dollars: float) -> None:
        """The key has spent so much more."""
        await self._local.charge(key, dollars)
        names, amount = [_name(key, period) for period in periods(self._clock())], micro(dollars)

        async def add(redis: "Redis") -> None:
            pipeline: Any = redis.pipeline(transaction=False)
            for name in names:
                pipeline.incrby(name, amount)
                pipeline.expire(name, _KEPT_SECONDS)
            await pipeline.execute()

        with suppress(RedisDownError):
            await self._link.run(add)


def _name(key: ClientKey, period: str) -> str:
    return f"gemgate:budget:{{{key.name}}}:{period}"


def _dollars(value: object) -> float:
    """Raises: WrongAnswerError: it holds other letters than digits."""
    if value is None:
        return 0.0
    if not isinstance(value, bytes) or not value.lstrip(b"-").isdigit():
        raise WrongAnswerError("what was spent is no number")
    return int(value) / _MICRO
