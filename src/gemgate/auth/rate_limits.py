"""How much a key has used: what is asked of a place that counts, and the place in this process.

A bucket holds what may be used in a minute and refills all the time, so a caller who was quiet may use a minute's worth
at once and then as much as flows in. Tokens are known only at the end: an estimate is taken at the start, and the
difference when the answer has ended. A bucket may fall below zero by that; nothing is let through until it has
recovered.

Own code, because what there is (`limits`, `aiolimiter`, `throttled-py`) can take, but can neither give back nor charge
more afterwards.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gemgate.auth.client_keys import ClientKey

MINUTE = 60.0

REFUSAL = "gemgate.refusal"
"""The key of an ASGI scope where a request that may not be served has the `ApiError` that says why."""

BUSY_SECONDS = 1.0
"""What a caller with too many requests at once is asked to wait: when one of them ends, nobody knows."""

_ERROR = 1e-6  # floats: a caller that waits as long as it was asked to must not be a hair too early

Kind = Literal["requests", "tokens", "concurrency"]


@dataclass(frozen=True, slots=True)
class BucketStatus:
    """How full a bucket is.

    Attributes:
        limit: What it holds.
        remaining: What is in it; never below zero.
        reset: Seconds until it is full again.
    """

    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class RateLimitRefusal:
    """Why nothing was taken: of what there was too little, and in how many seconds there will be enough."""

    kind: Kind
    wait: float


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """The buckets after a request has taken its part, or could not; None without a limit."""

    requests: BucketStatus | None = None
    tokens: BucketStatus | None = None
    refusal: RateLimitRefusal | None = None


@dataclass(frozen=True, slots=True)
class RateLimitRequest:
    """What a request wants to take, all of it or nothing.

    Attributes:
        lease: Names the request.
        tokens: Of the bucket of tokens. One is wanted at least, and never more than the bucket holds.
        is_new: Whether it begins: then a request and a place among those at once are taken as well.
    """

    lease: str
    tokens: int = 0
    is_new: bool = True


LOOK = RateLimitRequest("", is_new=False)
"""Takes nothing."""


class Quotas(Protocol):
    """A place that counts."""

    async def look(self, key: ClientKey) -> RateLimitStatus:
        """How much is left; takes nothing."""
        ...

    async def take(self, key: ClientKey, ask: RateLimitRequest) -> RateLimitStatus:
        """Take what is asked for, if there is enough of everything."""
        ...

    async def give(self, key: ClientKey, lease: str, tokens: int) -> None:
        """The request has ended: its place is free, and these tokens (below zero: these more) come back."""
        ...


@dataclass(slots=True)
class Bucket:
    """What is left of a limit, at a time."""

    level: float
    at: float

    def refill(self, limit: int, now: float) -> None:
        """Bring it up to `now`; a limit that was changed counts from here on."""
        flow = max(0.0, now - self.at) * limit / MINUTE
        self.level, self.at = min(float(limit), self.level + flow), now

    def shown(self, limit: int) -> BucketStatus:
        """The level for a caller."""
        return BucketStatus(limit, max(0, int(self.level + _ERROR)), round((limit - self.level) * MINUTE / limit, 6))


def shortage(level: float, limit: int, cost: int) -> float | None:
    """Seconds until a bucket has `cost` (a full one is always enough); None when it has."""
    missing = min(cost, limit) - level
    return round(missing * MINUTE / limit, 6) if missing > _ERROR else None


@dataclass(slots=True)
class _Used:
    requests: Bucket | None = None
    tokens: Bucket | None = None
    leases: set[str] = field(default_factory=set)


class LocalQuotas:
    """Counts in this process. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: defaultdict[str, _Used] = defaultdict(_Used)

    async def look(self, key: ClientKey) -> RateLimitStatus:
        """How much is left here; takes nothing."""
        return await self.take(key, LOOK)

    async def take(self, key: ClientKey, ask: RateLimitRequest) -> RateLimitStatus:
        """Take what is asked for, if there is enough of everything."""
        limits, used, now = key.limits, self._used[key.name], self._clock()
        requests = used.requests = _refilled(used.requests, limits.requests_per_minute, now)
        tokens = used.tokens = _refilled(used.tokens, limits.tokens_per_minute, now)
        refusal: RateLimitRefusal | None = None
        if ask.is_new and limits.concurrent_requests and len(used.leases) >= limits.concurrent_requests:
            refusal = RateLimitRefusal("concurrency", BUSY_SECONDS)
        elif ask.is_new and (wait := _shortage(requests, limits.requests_per_minute, 1)) is not None:
            refusal = RateLimitRefusal("requests", wait)
        elif (wait := _shortage(tokens, limits.tokens_per_minute, max(ask.tokens, 1))) is not None:
            refusal = RateLimitRefusal("tokens", wait)
        else:
            if ask.is_new and limits.concurrent_requests:
                used.leases.add(ask.lease)
            if requests and ask.is_new:
                requests.level -= 1
            if tokens:
                tokens.level -= ask.tokens
        return RateLimitStatus(
            _shown(requests, limits.requests_per_minute), _shown(tokens, limits.tokens_per_minute), refusal
        )

    async def give(self, key: ClientKey, lease: str, tokens: int) -> None:
        """The request has ended: its place is free, and these tokens (below zero: these more) come back."""
        used, limit = self._used[key.name], key.limits.tokens_per_minute
        used.leases.discard(lease)
        if used.tokens and limit and tokens:
            used.tokens.refill(limit, self._clock())
            used.tokens.level = min(float(limit), used.tokens.level + tokens)


def _refilled(bucket: Bucket | None, limit: int | None, now: float) -> Bucket | None:
    if limit is None:
        return None
    if bucket is None:
        return Bucket(limit, now)
    bucket.refill(limit, now)
    return bucket


def _shortage(bucket: Bucket | None, limit: int | None, cost: int) -> float | None:
    return shortage(bucket.level, limit, cost) if bucket and limit else None


def _shown(bucket: Bucket | None, limit: int | None) -> BucketStatus | None:
    return bucket.shown(limit) if bucket and limit else None
