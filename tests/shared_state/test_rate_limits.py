"""Limits of several processes with one Redis, which goes and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.shared_state.support import TIME_LIMIT, eventually, process
from tests.support.redis import RedisServer

from gemgate.auth.client_keys import ClientKey, Limits
from gemgate.auth.rate_limits import LocalQuotas, RateLimitRequest
from gemgate.shared_state import connection as link_module
from gemgate.shared_state import rate_limits as quotas_module
from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.rate_limits import RedisQuotas, SharedQuotas

KEY = ClientKey("web", (), "owner", Limits(requests_per_minute=4, tokens_per_minute=1000, concurrent_requests=3))


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "PROBE_SECONDS", 0.01)


@asynccontextmanager
async def shared(link: RedisConnection) -> AsyncIterator[SharedQuotas]:
    now = 1000.0
    async with SharedQuotas(link, RedisQuotas(link, lambda: now), LocalQuotas(lambda: now)).renewing() as quotas:
        yield quotas


async def refused(quotas: SharedQuotas, lease: str, tokens: int = 0) -> str | None:
    standing = await quotas.take(KEY, RateLimitRequest(lease, tokens))
    return standing.refusal.kind if standing.refusal else None


async def test_two_processes_count_together(redis_server: RedisServer) -> None:
    async with (
        process(redis_server.url) as one,
        process(redis_server.url) as two,
        shared(one.link) as first,
        shared(two.link) as second,
    ):
        assert [await refused(quotas, f"{number}") for number, quotas in enumerate([first, second, first])] == [
            None
        ] * 3
        assert await refused(second, "a") == "concurrency"
        await first.give(KEY, "0", -1100)
        assert await refused(second, "a") == "tokens"
        await second.give(KEY, "1", 1200)
        assert await refused(first, "a") is None
        assert await refused(first, "b") == "requests"


async def test_two_processes_count_together_where_redis_has_no_script(redis_server: RedisServer) -> None:
    redis_server.stop()
    redis_server.start("--rename-command", "SCRIPT", "")
    async with (
        process(redis_server.url) as one,
        process(redis_server.url) as two,
        shared(one.link) as first,
        shared(two.link) as second,
    ):
        assert [await refused(quotas, f"{number}") for number, quotas in enumerate([first, second, first])] == [
            None
        ] * 3
        assert await refused(second, "a") == "concurrency"
        assert one.link.state == two.link.state == "up"


async def test_without_redis_each_process_counts_for_itself_and_then_together_again(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one, asyncio.timeout(TIME_LIMIT), shared(one.link) as quotas:
        for number in range(3):
            assert await refused(quotas, f"{number}") is None
        redis_server.stop()
        assert [await refused(quotas, f"local-{number}") for number in range(3)] == [None, None, None]
        assert await refused(quotas, "local-3") == "concurrency"
        await quotas.give(KEY, "0", 0)  # it began in Redis, which is gone
        await quotas.give(KEY, "local-0", 0)
        assert await refused(quotas, "local-3") is None
        redis_server.start()
        await one.link.wait_until_up()
        await quotas.give(KEY, "local-1", 0)  # it ends where it began
        assert await refused(quotas, "after") is None
        assert redis_server.command("ZRANGE", "gemgate:quota:{web}:leases", "0", "-1") == "after"


async def test_a_request_that_began_without_redis_takes_its_tokens_there(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one, asyncio.timeout(TIME_LIMIT), shared(one.link) as quotas:
        redis_server.stop()
        assert await refused(quotas, "local", 400) is None
        redis_server.start()
        await one.link.wait_until_up()
        standing = await quotas.take(KEY, RateLimitRequest("local", 400, is_new=False))
        assert standing.tokens is not None
        assert standing.tokens.remaining == 200
        assert redis_server.command("KEYS", "gemgate:quota:*") == ""


async def test_a_place_is_given_back_though_its_caller_is_gone(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        async with shared(one.link) as quotas:
            await refused(quotas, "a")
            giving = asyncio.create_task(quotas.give(KEY, "a", 0))
            await asyncio.sleep(0)
            giving.cancel()
            await asyncio.gather(giving, return_exceptions=True)
        assert redis_server.command("ZCARD", "gemgate:quota:{web}:leases") == "0"


async def test_the_place_of_a_process_that_died_is_free_after_a_minute_and_of_one_that_runs_is_not(
    redis_server: RedisServer,
) -> None:
    now = 1000.0
    async with process(redis_server.url) as one:
        quotas = RedisQuotas(one.link, lambda: now)
        key = ClientKey("web", (), "owner", Limits(concurrent_requests=2))
        for lease in ("died", "runs"):
            await quotas.take(key, RateLimitRequest(lease))
        now += 50
        await quotas.renew("web", ["runs", "never began"])
        now += 11
        assert (await quotas.take(key, RateLimitRequest("next"))).refusal is None
        assert (await quotas.take(key, RateLimitRequest("one more"))).refusal is not None
        now += 61
        assert (await quotas.take(key, RateLimitRequest("later"))).refusal is None


async def test_requests_that_run_keep_their_places(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas_module, "RENEW_SECONDS", 0.002)
    renewed: list[tuple[str, list[str]]] = []

    class Remote(RedisQuotas):
        async def renew(self, name: str, leases: list[str]) -> None:
            await super().renew(name, leases)
            renewed.append((name, leases))

    async with (
        process(redis_server.url) as one,
        SharedQuotas(one.link, Remote(one.link), LocalQuotas()).renewing() as quotas,
    ):
        await refused(quotas, "a")
        await refused(quotas, "b")
        await eventually(lambda: ("web", ["a", "b"]) in renewed)
        redis_server.stop()
        await eventually(lambda: not one.link.is_up)


async def test_buckets_are_forgotten_once_they_are_full(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        quotas = RedisQuotas(one.link)
        key = ClientKey("web", (), "owner", Limits(requests_per_minute=60, tokens_per_minute=60))
        await quotas.take(key, RateLimitRequest("a", 30))
        await quotas.give(key, "a", -90)
        assert int(redis_server.command("TTL", "gemgate:quota:{web}:requests")) in (60, 61)
        assert int(redis_server.command("TTL", "gemgate:quota:{web}:tokens")) in (179, 180)


async def test_redis_counts_by_its_own_clock(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        quotas = RedisQuotas(one.link)
        key = ClientKey("web", (), "owner", Limits(requests_per_minute=1))
        assert (await quotas.take(key, RateLimitRequest("a"))).refusal is None
        refusal = (await quotas.take(key, RateLimitRequest("b"))).refusal
        assert refusal is not None
        assert 50 < refusal.wait <= 60
