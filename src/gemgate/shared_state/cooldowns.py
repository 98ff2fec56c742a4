"""Cool-downs of Gemini keys and broken models, as one process finds them out, told to all the others."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from gemgate.shared_state.connection import RedisConnection, RedisDownError
from gemgate.shared_state.write_behind import WriteBehind
from gemgate.tasks import in_background
from gemgate.upstream.cooldowns import Cooldown, CooldownReason
from gemgate.upstream.observer import Observer

if TYPE_CHECKING:
    from redis.asyncio import Redis

POLL_SECONDS = 0.5
"""Between two looks. A look is a GET of a number; what is behind the number is read when it has changed."""

_NAME = "gemgate:{rests}"
_VERSION = "gemgate:{rests}:version"

_MAX_OWN = 1000
_END_SECONDS = 60.0  # for so long it can be read that a rest has ended early; everybody looks more often

_log = structlog.get_logger()


class SharedCooldowns(Observer):
    """Tells others the rests that begin here, and `apply` those that begin elsewhere.

    They are members of a sorted set, whose score is when they are over: nothing is ever changed in place, so two that
    write at once do not overwrite each other.

    Args:
        link: Redis.
        behind: Sends what is written.
        apply: Takes over a cool-down of another process.
        clock: Unix seconds.
    """

    def __init__(
        self,
        link: RedisConnection,
        behind: WriteBehind,
        apply: Callable[[Cooldown], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._link = link
        self._behind = behind
        self._apply = apply
        self._clock = clock
        self._version: object = None
        self._seen: set[bytes] = set()
        self._own: deque[bytes] = deque(maxlen=_MAX_OWN)

    def cools_down(self, cooldown: Cooldown) -> None:
        """Tell the others, soon."""
        now = self._clock()
        member = orjson.dumps({"at": now, **asdict(cooldown)})
        self._own.append(member)

        def write(pipeline: Any) -> None:
            pipeline.zadd(_NAME, {member: cooldown.until or now + _END_SECONDS})
            pipeline.incr(_VERSION)

        self._behind.add(write)

    async def look(self) -> None:
        """Take over what is new.

        Raises:
            RedisDownError: Redis is down.
        """
        version = await self._link.run(lambda redis: redis.get(_VERSION))
        if version == self._version:
            return
        members: set[bytes] = set(await self._link.run(self._read))
        news = members.difference(self._seen, self._own)
        self._seen, self._version = members, version
        for _, cooldown in sorted((_read_cooldown(member) for member in news), key=itemgetter(0)):
            self._apply(cooldown)

    async def _read(self, redis: "Redis") -> list[bytes]:
        now = self._clock()
        pipeline: Any = redis.pipeline(transaction=False)
        pipeline.zremrangebyscore(_NAME, "-inf", now)
        pipeline.zrangebyscore(_NAME, now, "+inf")
        _, members = await pipeline.execute()
        found: list[bytes] = members
        return found

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Looks now and every `POLL_SECONDS`, until the block ends."""
        await self._try()
        async with in_background(self._follow()):
            yield

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._try()

    async def _try(self) -> None:
        with suppress(RedisDownError):
            try:
                await self.look()
            except (ValueError, KeyError, TypeError) as error:  # another version of gemgate wrote it
                _log.warning("a cool-down of another process cannot be read", error=type(error).__name__)


def _read_cooldown(member: bytes) -> tuple[float, Cooldown]:
    """When it was announced, and which cool-down."""
    fields = orjson.loads(member)
    return float(fields.pop("at")), Cooldown(**{**fields, "kind": CooldownReason(fields["kind"])})
