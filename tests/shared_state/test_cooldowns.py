"""Cool-downs that one process finds out and others keep."""

import time

import pytest
from structlog.testing import capture_logs
from tests.shared_state.support import Process, eventually, process
from tests.support.redis import RedisServer

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.errors import GeminiError
from gemgate.shared_state import cooldowns as rests_module
from gemgate.shared_state.cooldowns import SharedCooldowns
from gemgate.upstream.circuit_breaker import Breakers
from gemgate.upstream.client import Upstream
from gemgate.upstream.clock import steady_time
from gemgate.upstream.cooldowns import Cooldown, CooldownReason
from gemgate.upstream.key_pool import KeyPool
from gemgate.upstream.retry import Shared
from gemgate.upstream.targets import Target

MODEL = "models/gemini-2.5-flash"
LIMIT = GeminiError(429, "Too many.", "RESOURCE_EXHAUSTED")


def upstream() -> Upstream:
    return Upstream(GeminiClient(ClientOptions()), Shared(KeyPool(["key-one", "key-two"]), Breakers(1)))


def join(one: Process, way: Upstream) -> SharedCooldowns:
    cooldowns = SharedCooldowns(one.link, one.behind, way.apply)
    way.observe(cooldowns)
    return cooldowns


def resting(way: Upstream) -> list[str]:
    return [key.label for key in way.snapshot().keys if key.models or key.cooldown]


async def test_a_key_that_rests_in_one_process_rests_in_the_other(redis_server: RedisServer) -> None:
    first, second = upstream(), upstream()
    async with process(redis_server.url) as one, process(redis_server.url) as two:
        join(one, first)
        others = join(two, second)
        pool = first.shared.pool
        key = pool.find("key-one")
        assert key is not None
        pool.cool_down(key, Target(MODEL), CooldownReason.RATE_LIMIT, LIMIT)
        await one.written()
        assert resting(second) == []
        await others.look()
        assert resting(second) == resting(first) == [key.label]
        assert second.snapshot().keys[0].models == first.snapshot().keys[0].models
        chosen = second.shared.pool.choose(Target(MODEL))
        assert chosen is not None
        assert chosen.secret == "key-two"
        assert b"key-one" not in redis_server.command("ZRANGE", "gemgate:{rests}", "0", "-1").encode()


async def test_a_rest_that_ends_early_ends_for_all(redis_server: RedisServer) -> None:
    first, second = upstream(), upstream()
    async with process(redis_server.url) as one, process(redis_server.url) as two:
        mine, others = join(one, first), join(two, second)
        first.shared.breakers.failed(Target(MODEL))
        await one.written()
        await others.look()
        assert [state.state for state in second.snapshot().breakers] == ["open"]
        second.shared.breakers.succeeded(Target(MODEL))
        await two.written()
        await mine.look()
        assert first.snapshot().breakers == second.snapshot().breakers == ()


async def test_a_process_that_starts_takes_over_what_there_is_in_its_order(redis_server: RedisServer) -> None:
    first, second = upstream(), upstream()
    async with process(redis_server.url) as one, process(redis_server.url) as two:
        join(one, first)
        first.shared.breakers.failed(Target(MODEL))
        first.shared.breakers.succeeded(Target(MODEL))
        first.shared.breakers.failed(Target(MODEL))
        await one.written()
        async with join(two, second).followed():
            assert [state.state for state in second.snapshot().breakers] == ["open"]


async def test_what_is_over_is_not_taken_over_and_is_removed(redis_server: RedisServer) -> None:
    applied: list[Cooldown] = []
    async with process(redis_server.url) as one, process(redis_server.url) as two:
        now = time.time()
        SharedCooldowns(one.link, one.behind, applied.append).cools_down(
            Cooldown("", MODEL, CooldownReason.BROKEN, now - 1)
        )
        await one.written()
        await SharedCooldowns(two.link, two.behind, applied.append).look()
        assert applied == []
        assert redis_server.command("ZCARD", "gemgate:{rests}") == "0"


async def test_nobody_hears_of_what_they_told_and_nothing_twice(redis_server: RedisServer) -> None:
    mine: list[Cooldown] = []
    theirs: list[Cooldown] = []
    async with process(redis_server.url) as one, process(redis_server.url) as two:
        first, second = (
            SharedCooldowns(one.link, one.behind, mine.append),
            SharedCooldowns(two.link, two.behind, theirs.append),
        )
        cooldown = Cooldown("", MODEL, CooldownReason.BROKEN, time.time() + 60, 2, {"status": 503})
        first.cools_down(cooldown)
        await one.written()
        for _ in range(2):
            await first.look()
            await second.look()
        second.cools_down(Cooldown("", MODEL, CooldownReason.BROKEN, 0.0))
        await two.written()
        await second.look()
    assert (mine, theirs) == ([], [cooldown])


async def test_others_are_looked_at_in_the_background(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rests_module, "POLL_SECONDS", 0.002)
    applied: list[Cooldown] = []
    async with (
        process(redis_server.url) as one,
        process(redis_server.url) as two,
        SharedCooldowns(two.link, two.behind, applied.append).followed(),
    ):
        cooldown = Cooldown("", MODEL, CooldownReason.BROKEN, time.time() + 60)
        SharedCooldowns(one.link, one.behind, applied.append).cools_down(cooldown)
        await eventually(lambda: applied)
        redis_server.stop()
        await eventually(lambda: not two.link.is_up)
    assert applied == [cooldown]


async def test_what_cannot_be_read_is_left_alone(redis_server: RedisServer) -> None:
    redis_server.command("ZADD", "gemgate:{rests}", "+inf", '{"at": 1, "kind": "of another version"}')
    redis_server.command("INCR", "gemgate:{rests}:version")
    applied: list[Cooldown] = []
    with capture_logs() as logs:
        async with process(redis_server.url) as one, SharedCooldowns(one.link, one.behind, applied.append).followed():
            assert applied == []
    assert [line["event"] for line in logs] == ["a cool-down of another process cannot be read"]


@pytest.mark.parametrize("behind", [-3600.0, -60.0, 2.0])
async def test_a_clock_that_is_wrong_makes_no_cool_down_longer(redis_server: RedisServer, behind: float) -> None:
    applied: list[Cooldown] = []
    async with process(redis_server.url) as one, process(redis_server.url) as two:
        now = steady_time()
        SharedCooldowns(one.link, one.behind, applied.append).cools_down(
            Cooldown("", MODEL, CooldownReason.BROKEN, now + 30)
        )
        await one.written()
        await SharedCooldowns(two.link, two.behind, applied.append, clock=lambda: time.time() + behind).look()
    (heard,) = applied
    assert now + 20 < heard.until <= steady_time() + 30
