"""The way to Redis, which may be cut: nobody waits for it longer than half a second, and nobody while it is cut.

Whatever comes instead of an answer, Redis counts as down: no rubbish stops the start, or fails a request.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import structlog

from gemgate.redaction import redact
from gemgate.tasks import in_background

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.commands.core import AsyncScript

TIMEOUT = 0.5
"""Seconds that one call to Redis may take, a new connection included."""

PROBE_SECONDS = 1.0
"""Between two looks at a Redis that is down."""

_CONNECTIONS = 32
_QUIET_SECONDS = 60.0  # a Redis that comes and goes is not told of more often

# It writes, because a replica or a Redis without memory answers a PING. It gives back what it was told, which nothing
# does that says OK to everything, or whose answers are those of other questions.
_PROBE = "redis.call('SET', KEYS[1], 1, 'PX', 1000) return ARGV[1]"

T = TypeVar("T")

_log = structlog.get_logger()


class RedisDownError(Exception):
    """Redis cannot be used now; the code that gets this does without."""


class WrongAnswerError(Exception):
    """What came from Redis does not answer what it was asked."""


class RedisConnection:
    """One Redis. `async with RedisConnection(url).connected() as link: await link.run(lambda redis: redis.get("key"))`.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout: Seconds that one call may take; `TIMEOUT` unless given.
        tell: Called with whether it can be used, once that is known and when it changes.

    Attributes:
        is_up: Whether it can be used.
        outages: How often it could not be, until now.

    Raises:
        ModuleNotFoundError: the extra `redis` is not installed.
        ValueError: the URL is invalid.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float | None = None,
        tell: Callable[[bool], None] = lambda _is_up: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_up = False
        self.outages = 0
        self._timeout = TIMEOUT if timeout is None else timeout
        self._clock = clock
        self._tell = tell
        self._redis = _client(url, self._timeout)
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._lost_at = 0.0
        self._told_at: float | None = None
        self._refused_at: float | None = None

    async def run(self, call: "Callable[[Redis], Awaitable[T]]") -> T:
        """What `call` gives. It reads the answer too, so that one that cannot be read makes Redis be down.

        Raises:
            RedisDownError: Redis is down; or did not answer in time, which makes it be down; or refused this very call.
        """
        if not self.is_up:
            raise RedisDownError
        try:
            async with asyncio.timeout(self._timeout):
                return await call(self._redis)
        except Exception as error:  # a parser fails over rubbish in every way there is
            if is_refusal(error):
                self._tell_refusal(error)
            else:
                self._lose(error)
            raise RedisDownError from error

    def script(self, text: str) -> "AsyncScript":
        """Lua, to be called with `client=redis` within `run`."""
        return self._redis.register_script(text)

    async def wait_until_up(self) -> None:
        """Returns when Redis can be used."""
        await self._up.wait()

    @asynccontextmanager
    async def connected(self) -> "AsyncIterator[RedisConnection]":
        """Looks at once, and again while Redis is down, until the block ends. A Redis that is down does not raise."""
        await self._probe()
        try:
            async with in_background(self._watch()):
                yield self
        finally:
            await self._redis.aclose()

    async def _watch(self) -> None:
        while True:
            await self._down.wait()
            await asyncio.sleep(PROBE_SECONDS)
            await self._redis.connection_pool.disconnect(inuse_connections=False)  # an answer may lie in one unread
            await self._probe()

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._ask_back()
        except Exception as error:  # noqa: BLE001  as in `run`
            self._lose(error)
            return
        self._find()

    async def _ask_back(self) -> None:
        """Raises: WrongAnswerError: it does not give back what it was given."""
        nonce = secrets.token_hex(8)
        answer: object = await self._redis.eval(_PROBE, 1, "gemgate:probe", nonce)
        if answer != nonce.encode():
            raise WrongAnswerError("it did not give back what it was given")

    def _lose(self, error: Exception) -> None:
        if self._down.is_set():
            return
        self.is_up = False
        self.outages += 1
        self._tell(False)
        self._up.clear()
        self._down.set()
        self._lost_at = self._clock()
        if self._told_at is None or self._lost_at - self._told_at >= _QUIET_SECONDS:
            self._told_at = self._lost_at
            _log.error(
                "Redis is down: each process counts limits, cool-downs and thought signatures for itself",
                error=redact(f"{type(error).__name__}: {str(error)[:300]}"),
            )

    def _tell_refusal(self, error: Exception) -> None:
        """A key of ours that somebody else uses for something else, say: Redis itself is well."""
        now = self._clock()
        if self._refused_at is None or now - self._refused_at >= _QUIET_SECONDS:
            self._refused_at = now
            _log.error("Redis refused a command", error=redact(str(error)[:300]))

    def _find(self) -> None:
        if self._down.is_set() and self._told_at == self._lost_at:
            _log.warning("Redis is back", seconds=round(self._clock() - self._lost_at, 1))
        self.is_up = True
        self._tell(True)
        self._down.clear()
        self._up.set()


def is_refusal(error: object) -> bool:
    """Whether Redis refuses one command for what it is. What it refuses for its own state has a class of its own."""
    from redis.exceptions import ResponseError

    return type(error) is ResponseError


def _client(url: str, timeout: float) -> "Redis":
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError  # noqa: A004  Redis' own

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 1, (ConnectionError,)),  # once more, for a connection that was closed while idle
        protocol=2,
    )
    return Redis.from_pool(pool)
