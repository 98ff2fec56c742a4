"""Limits that all workers and replicas count together; each for itself while Redis is down."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from gemgate.auth.client_keys import ClientKey
from gemgate.auth.rate_limits import (
    BUSY_SECONDS,
    LOOK,
    MINUTE,
    Bucket,
    BucketStatus,
    Kind,
    Quotas,
    RateLimitRefusal,
    RateLimitRequest,
    RateLimitStatus,
)
from gemgate.shared_state.connection import RedisConnection, RedisDownError, Script, WrongAnswerError
from gemgate.tasks import in_background

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

LEASE_SECONDS = 60.0
"""After which the place of a request whose process has died is free."""

RENEW_SECONDS = 20.0

_MARGIN_SECONDS = 60  # a bucket that is full, and was for so long, is forgotten

# The rules of `LocalQuotas`, in one step and by the clock of Redis, which all replicas share.
# KEYS: requests, tokens, leases
_COMMON = """
local now = tonumber(ARGV[1])
if not now then local t = redis.call('TIME'); now = t[1] + t[2] / 1e6 end
local function level(key, limit)
  local kept = redis.call('HMGET', key, 'level', 'at')
  if not kept[1] then return limit end
  return math.min(limit, kept[1] + math.max(0, now - kept[2]) * limit / {minute})
end
local function keep(key, limit, left)
  redis.call('HSET', key, 'level', string.format('%.6f', left), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', key, math.ceil((limit - left) * {minute} / limit) + {margin})
end
""".format(minute=int(MINUTE), margin=_MARGIN_SECONDS)

# ARGV: now or '', requests and tokens a minute and places (0: no limit), whether it is new, tokens, lease, its time
_TAKE = (
    _COMMON
    + """
local rpm, tpm, places = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local is_new, tokens = ARGV[5] == '1', tonumber(ARGV[6])
local requests_left = rpm > 0 and level(KEYS[1], rpm) or 0
local tokens_left = tpm > 0 and level(KEYS[2], tpm) or 0
local refusal, wait = '', 0
local function lacks(left, limit, cost)
  local missing = math.min(cost, limit) - left
  if missing > 1e-6 then wait = missing * 60 / limit; return true end
end
if is_new and places > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
  if redis.call('ZCARD', KEYS[3]) >= places then refusal = 'concurrency' end
end
if refusal == '' and is_new and rpm > 0 and lacks(requests_left, rpm, 1) then refusal = 'requests' end
if refusal == '' and tpm > 0 and lacks(tokens_left, tpm, math.max(tokens, 1)) then refusal = 'tokens' end
if refusal == '' then
  if is_new and places > 0 then
    redis.call('ZADD', KEYS[3], now + ARGV[8], ARGV[7])
    redis.call('EXPIRE', KEYS[3], math.ceil(ARGV[8]))
  end
  if is_new and rpm > 0 then requests_left = requests_left - 1; keep(KEYS[1], rpm, requests_left) end
  if tpm > 0 and tokens > 0 then tokens_left = tokens_left - tokens; keep(KEYS[2], tpm, tokens_left) end
end
return {refusal, string.format('%.6f', wait), string.format('%.6f', requests_left), string.format('%.6f', tokens_left)}
"""
)

# ARGV: now or '', tokens a minute or 0, tokens, lease
_GIVE = (
    _COMMON
    + """
redis.call('ZREM', KEYS[3], ARGV[4])
local tpm, tokens = tonumber(ARGV[2]), tonumber(ARGV[3])
if tpm > 0 and tokens ~= 0 then keep(KEYS[2], tpm, math.min(tpm, level(KEYS[2], tpm) + tokens)) end
"""
)

# ARGV: now or '', the lease's time, leases
_RENEW = """
local now = tonumber(ARGV[1])
if not now then local t = redis.call('TIME'); now = t[1] + t[2] / 1e6 end
for index = 3, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[index]) end
redis.call('EXPIRE', KEYS[1], math.ceil(ARGV[2]))
"""


class RedisQuotas:
    """Counts in Redis. `clock` (Unix seconds) replaces the server's own."""

    def __init__(self, link: RedisConnection, clock: Callable[[], float] | None = None) -> None:
        self._link = link
        self._clock = clock
        self._take, self._give, self._renew = (link.script(text) for text in (_TAKE, _GIVE, _RENEW))

    async def look(self, key: ClientKey) -> RateLimitStatus:
        """How much is left; takes nothing.

        Raises:
            RedisDownError: Redis is down.
        """
        return await self.take(key, LOOK)

    async def take(self, key: ClientKey, ask: RateLimitRequest) -> RateLimitStatus:
        """Take what is asked for, if there is enough of everything.

        Raises:
            RedisDownError: Redis is down.
        """
        limits = key.limits
        rpm, tpm = limits.requests_per_minute, limits.tokens_per_minute
        arguments = [
            self._now(), rpm or 0, tpm or 0, limits.concurrent_requests or 0,
            int(ask.is_new), ask.tokens, ask.lease, LEASE_SECONDS,
        ]  # fmt: skip
        return await self._run(self._take, _places(key), arguments, lambda answer: _status(answer, rpm, tpm))

    async def give(self, key: ClientKey, lease: str, tokens: int) -> None:
        """The request has ended: its place is free, and these tokens (below zero: these more) come back.

        Raises:
            RedisDownError: Redis is down.
        """
        arguments = [self._now(), key.limits.tokens_per_minute or 0, tokens, lease]
        await self._run(self._give, _places(key), arguments, _nothing)

    async def renew(self, name: str, leases: list[str]) -> None:
        """Requests of the key `name` that still run.

        Raises:
            RedisDownError: Redis is down.
        """
        await self._run(self._renew, [_place(name, "leases")], [self._now(), LEASE_SECONDS, *leases], _nothing)

    def _now(self) -> str:
        return f"{self._clock():.6f}" if self._clock else ""

    async def _run(self, script: Script, keys: list[str], arguments: list[object], read: Callable[[object], T]) -> T:
        async def call(redis: "Redis") -> T:
            return read(await script(redis, keys, arguments))

        return await self._link.run(call)


def _nothing(answer: object) -> None:
    if answer is not None:
        raise WrongAnswerError("a script that gives nothing has given something")


def _status(answer: object, rpm: int | None, tpm: int | None) -> RateLimitStatus:
    """What the script of `take` has found out.

    Raises:
        WrongAnswerError: it is something else.
        ValueError: a number in it cannot be read.
    """
    match answer:
        case [bytes(kind), bytes(wait), bytes(requests), bytes(tokens)]:
            pass
        case _:
            raise WrongAnswerError("a limit is not four texts")
    refusal = None
    if kind in _KINDS:
        seconds = BUSY_SECONDS if kind == b"concurrency" else _number(wait)
        refusal = RateLimitRefusal(_KINDS[kind], seconds)
    elif kind:
        raise WrongAnswerError("there is no such limit")
    return RateLimitStatus(_level(requests, rpm), _level(tokens, tpm), refusal)


_KINDS: dict[bytes, Kind] = {b"requests": "requests", b"tokens": "tokens", b"concurrency": "concurrency"}


def _number(text: bytes) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise WrongAnswerError("a number is infinite")
    return number


class SharedQuotas:
    """Counts in Redis, and while it is down in this process: a request ends where it began."""

    def __init__(self, link: RedisConnection, remote: RedisQuotas, local: Quotas) -> None:
        self._link = link
        self._remote = remote
        self._local = local
        self._leases: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self, key: ClientKey) -> RateLimitStatus:
        """How much is left for all; while Redis is down, here."""
        if self._link.is_up:
            with suppress(RedisDownError):
                return await self._remote.look(key)
        return await self._local.look(key)

    async def take(self, key: ClientKey, ask: RateLimitRequest) -> RateLimitStatus:
        """Take what is asked for, if there is enough of everything."""
        if self._link.is_up and (ask.is_new or ask.lease in self._leases):
            with suppress(RedisDownError):
                standing = await self._remote.take(key, ask)
                if not standing.refusal:
                    self._leases[ask.lease] = key.name
                return standing
        return await self._local.take(key, ask)

    async def give(self, key: ClientKey, lease: str, tokens: int) -> None:
        """The request has ended: its place is free, and these tokens (below zero: these more) come back."""
        if self._leases.pop(lease, None) is None:
            await self._local.give(key, lease, tokens)
            return
        task = asyncio.create_task(self._give(key, lease, tokens))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)  # the caller may be gone, and the place must be free all the same

    async def _give(self, key: ClientKey, lease: str, tokens: int) -> None:
        with suppress(RedisDownError):
            await self._remote.give(key, lease, tokens)

    @asynccontextmanager
    async def renewing(self) -> "AsyncIterator[SharedQuotas]":
        """Keeps the places of requests that run, until the block ends."""
        async with in_background(self._renew()):
            yield self
        await asyncio.gather(*self._tasks)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            running: dict[str, list[str]] = {}
            for lease, name in self._leases.items():
                running.setdefault(name, []).append(lease)
            with suppress(RedisDownError):
                for name, leases in running.items():
                    await self._remote.renew(name, leases)


def _place(name: str, what: str) -> str:
    """Braces keep the keys of one caller together on one node of a cluster."""
    return f"gemgate:quota:{{{name}}}:{what}"


def _places(key: ClientKey) -> list[str]:
    return [_place(key.name, what) for what in ("requests", "tokens", "leases")]


def _level(text: bytes, limit: int | None) -> BucketStatus | None:
    return Bucket(_number(text), 0.0).shown(limit) if limit else None
