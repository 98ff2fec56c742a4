"""The way to Redis, which may be cut: nobody waits for it longer than half a second, and nobody while it is cut.

Whatever comes instead of an answer, Redis counts as down: no rubbish stops the start, or fails a request.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from gemgate.redaction import redact
from gemgate.shared_state.sentinel import is_sentinel, sentinel_client
from gemgate.tasks import in_background

if TYPE_CHECKING:
    from redis.asyncio import Redis

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
        url: `redis://`, `rediss://` or `unix://`; or Sentinels, as of `sentinel_client`.
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
        self._redis, self._sentinels = _client(url, self._timeout)
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._lost_at = 0.0
        self._told_at: float | None = None
        self._refused_at: float | None = None
        self._refusal_told_at: float | None = None

    @property
    def state(self) -> str:
        """`up`, `down`, or `refusing`: it answers, but has refused a command within the last minute."""
        if not self.is_up:
            return "down"
        return "up" if self._refused_at is None else "refusing"

    async def run(self, call: "Callable[[Redis], Awaitable[T]]") -> T:
        """What `call` gives. It reads the answer too, so that one that cannot be read makes Redis be down.

        Raises:
            RedisDownError: Redis is down; or did not answer in time, which makes it be down; or refused this very call.
        """
        if not self.is_up:
            raise RedisDownError
        try:
            async with asyncio.timeout(self._timeout):
                answer = await call(self._redis)
        except Exception as error:  # a parser fails over rubbish in every way there is
            if is_refusal(error):
                self.note_refusal(error)
            else:
                self._lose(error)
            raise RedisDownError from error
        if self._refused_at is not None and self._clock() - self._refused_at >= _QUIET_SECONDS:
            self._refused_at = None
            self._tell(True)
        return answer

    def script(self, text: str) -> "Script":
        """Lua, to be called within `run`."""
        return Script(text)

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
            for redis in (self._redis, *self._sentinels):
                await redis.aclose()

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

    def note_refusal(self, error: Exception) -> None:
        """Redis itself is well, but what the command was for is not shared: it lacks a right, or a key is another's."""
        now = self._clock()
        if self._refused_at is None:
            self._tell(False)
        self._refused_at = now
        if self._refusal_told_at is None or now - self._refusal_told_at >= _QUIET_SECONDS:
            self._refusal_told_at = now
            _log.error("Redis refused a command: each process counts for itself", error=redact(str(error)[:300]))

    def _find(self) -> None:
        self._refused_at = None
        if self._down.is_set() and self._told_at == self._lost_at:
            _log.warning("Redis is back", seconds=round(self._clock() - self._lost_at, 1))
        self.is_up = True
        self._tell(True)
        self._down.clear()
        self._up.set()


class Script:
    """Lua that Redis runs by its digest, or by its text: a Redis may know no SCRIPT, or forget what it had loaded."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._has_digests = True

    async def __call__(self, redis: "Redis", keys: list[str], arguments: list[Any]) -> Any:
        """The answer of the script."""
        from redis.exceptions import NoScriptError

        given: Any = (len(keys), *keys, *arguments)
        if self._has_digests:
            try:
                return await redis.evalsha(self._digest, *given)
            except NoScriptError:
                pass  # EVAL keeps it
            except Exception as error:
                if not is_refusal(error) or not _is_about_command(error):
                    raise
                self._has_digests = False
        return await redis.eval(self._text, *given)


def _is_about_command(error: Exception) -> bool:
    """Whether a command is refused, not what a script does."""
    text = str(error).lower()
    return "unknown command" in text or "no permissions to run the 'evalsha'" in text


def is_refusal(error: object) -> bool:
    """Whether Redis refuses one command for what it is. What it refuses for its own state has a class of its own."""
    from redis.exceptions import NoPermissionError, ResponseError

    return type(error) in (ResponseError, NoPermissionError)


def _client(url: str, timeout: float) -> "tuple[Redis, list[Redis]]":
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError  # noqa: A004  Redis' own

    if is_sentinel(url):
        retry = Retry(NoBackoff(), 1, (ConnectionError,))
        options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "protocol": 2, "retry": retry}
        return sentinel_client(url, options)
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 1, (ConnectionError,)),  # once more, for a connection that was closed while idle
        protocol=2,
    )
    return Redis.from_pool(pool), []
