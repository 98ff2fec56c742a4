"""Buckets under a clock that is moved by hand: those of a process, and those in a real Redis, by the same rules."""

from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from tests.support.clock import FakeClock
from tests.support.redis import RedisServer, redis_server

from gemgate.auth.client_keys import ClientKey, Limits
from gemgate.auth.rate_limits import (
    BucketStatus,
    LocalQuotas,
    Quotas,
    RateLimitRefusal,
    RateLimitRequest,
    RateLimitStatus,
)
from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.rate_limits import RedisQuotas

pytestmark = pytest.mark.integration

__all__ = ["redis_server"]


class Caller:
    """A key with limits, and its requests."""

    def __init__(self, quotas: Quotas, clock: FakeClock, **limits: int) -> None:
        self.clock = clock
        self.quotas = quotas
        self.key = ClientKey("web-app", (), "owner", Limits(**limits))
        self.began = 0

    async def ask(self, tokens: int = 0, *, is_new: bool = True) -> RateLimitStatus:
        self.began += is_new
        return await self.quotas.take(self.key, RateLimitRequest(f"lease-{self.began}", tokens, is_new))

    async def end(self, number: int = 1, tokens: int = 0) -> None:
        await self.quotas.give(self.key, f"lease-{number}", tokens)

    async def refusal(self, tokens: int = 0) -> RateLimitRefusal | None:
        return (await self.ask(tokens)).refusal


Make = Callable[..., Caller]


@pytest.fixture(params=["process", "redis"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Makes a caller with these limits."""
    clock = FakeClock()
    if request.param == "process":
        yield partial(Caller, LocalQuotas(clock), clock)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    async with RedisConnection(server.url, timeout=20.0).connected() as link:
        yield partial(Caller, RedisQuotas(link, clock), clock)


async def test_without_limits_there_is_nothing_to_tell(make: Make) -> None:
    assert await make().ask(1_000_000) == RateLimitStatus()


async def test_a_minutes_worth_may_be_used_at_once_and_then_as_much_as_flows_in(make: Make) -> None:
    caller = make(requests_per_minute=3)
    assert [(await caller.ask()).requests for _ in range(3)] == [
        BucketStatus(3, 2, 20.0),
        BucketStatus(3, 1, 40.0),
        BucketStatus(3, 0, 60.0),
    ]
    assert await caller.ask() == RateLimitStatus(BucketStatus(3, 0, 60.0), None, RateLimitRefusal("requests", 20.0))
    caller.clock.now += 19.0
    assert await caller.refusal() == RateLimitRefusal("requests", 1.0)
    caller.clock.now += 1.0
    assert await caller.refusal() is None
    caller.clock.now += 3600.0
    assert (await caller.ask()).requests == BucketStatus(3, 2, 20.0)


async def test_what_is_refused_takes_nothing(make: Make) -> None:
    caller = make(requests_per_minute=10, tokens_per_minute=100, concurrent_requests=1)
    assert await caller.refusal(100) is None
    for _ in range(5):
        assert (await caller.ask(1)).refusal == RateLimitRefusal("concurrency", 1.0)
    await caller.end()
    standing = await caller.ask(1)
    assert standing.refusal == RateLimitRefusal("tokens", 0.6)
    assert standing.requests == BucketStatus(10, 9, 6.0)


async def test_places_are_given_back(make: Make) -> None:
    caller = make(concurrent_requests=2)
    assert [await caller.refusal() for _ in range(3)] == [None, None, RateLimitRefusal("concurrency", 1.0)]
    await caller.end(1)
    assert await caller.refusal() is None
    await caller.end(1)
    assert await caller.refusal() == RateLimitRefusal("concurrency", 1.0)


async def test_tokens_that_were_not_used_come_back(make: Make) -> None:
    caller = make(tokens_per_minute=600)
    assert (await caller.ask(500)).tokens == BucketStatus(600, 100, 50.0)
    await caller.end(tokens=400)
    assert (await caller.ask(0)).tokens == BucketStatus(600, 500, 10.0)
    await caller.end(tokens=1_000_000)
    assert (await caller.ask(0)).tokens == BucketStatus(600, 600, 0.0)


async def test_tokens_beyond_the_estimate_are_charged_and_waited_for(make: Make) -> None:
    caller = make(tokens_per_minute=600)
    await caller.ask(100)
    await caller.end(tokens=-1100)
    standing = await caller.ask()
    assert standing == RateLimitStatus(None, BucketStatus(600, 0, 120.0), RateLimitRefusal("tokens", 60.1))
    caller.clock.now += 60.1
    assert await caller.refusal() is None


async def test_more_than_a_minutes_worth_needs_a_full_bucket_and_is_charged_whole(make: Make) -> None:
    caller = make(tokens_per_minute=600)
    assert await caller.refusal(1200) is None
    assert await caller.refusal(1200) == RateLimitRefusal("tokens", 120.0)
    caller.clock.now += 120.0
    assert await caller.refusal(1200) is None


async def test_more_tokens_for_a_request_that_runs_take_no_request_and_no_place(make: Make) -> None:
    caller = make(requests_per_minute=1, concurrent_requests=1, tokens_per_minute=600)
    await caller.ask(100)
    assert await caller.ask(100, is_new=False) == RateLimitStatus(
        BucketStatus(1, 0, 60.0), BucketStatus(600, 400, 20.0)
    )


async def test_a_limit_that_was_changed_counts_at_once(make: Make) -> None:
    caller = make(requests_per_minute=100)
    await caller.ask()
    caller.key = ClientKey("web-app", (), "owner", Limits(requests_per_minute=2))
    assert (await caller.ask()).requests == BucketStatus(2, 1, 30.0)
    caller.key = ClientKey("web-app", (), "owner", Limits(tokens_per_minute=2))
    assert await caller.ask() == RateLimitStatus(None, BucketStatus(2, 2, 0.0))


async def test_each_key_has_buckets_of_its_own(make: Make) -> None:
    caller = make(requests_per_minute=1)
    await caller.ask()
    caller.key = ClientKey("cron", (), "owner", Limits(requests_per_minute=1))
    assert await caller.refusal() is None


@pytest.mark.parametrize("step", [-5.0, 0.0])
async def test_a_clock_that_stands_or_steps_back_gives_nothing(make: Make, step: float) -> None:
    caller = make(requests_per_minute=1)
    await caller.ask()
    caller.clock.now += step
    assert await caller.refusal() == RateLimitRefusal("requests", 60.0)
