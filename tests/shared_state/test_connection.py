"""The way to a Redis that comes and goes: a real server, killed and held still."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs
from tests.shared_state.support import eventually, process
from tests.support.clock import FakeClock
from tests.support.redis import RedisServer

from gemgate.shared_state import connection as link_module
from gemgate.shared_state.connection import RedisConnection, RedisDownError

TIME_LIMIT = 20.0


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "PROBE_SECONDS", 0.01)


async def set_and_get(link: RedisConnection) -> object:
    await link.run(lambda redis: redis.set("a", "b"))
    value: object = await link.run(lambda redis: redis.get("a"))
    return value


async def test_a_redis_that_is_there_is_used(redis_server: RedisServer) -> None:
    with capture_logs() as logs:
        async with RedisConnection(redis_server.url, timeout=TIME_LIMIT).connected() as link:
            assert link.is_up
            assert await set_and_get(link) == b"b"
    assert (logs, link.outages) == ([], 0)


async def test_a_redis_that_is_not_there_stops_nobody() -> None:
    with capture_logs() as logs:
        async with RedisConnection("redis://:secret@127.0.0.1:1/0").connected() as link:
            assert not link.is_up
            with pytest.raises(RedisDownError):
                await set_and_get(link)
    assert [(line["log_level"], line["event"].partition(":")[0]) for line in logs] == [("error", "Redis is down")]
    assert "secret" not in str(logs)


async def test_a_redis_that_is_killed_is_told_once_and_found_again(redis_server: RedisServer) -> None:
    told: list[bool] = []
    with capture_logs() as logs:
        connected = RedisConnection(redis_server.url, timeout=TIME_LIMIT, tell=told.append).connected()
        async with connected as link, asyncio.timeout(TIME_LIMIT):
            assert await set_and_get(link) == b"b"
            redis_server.stop()
            for _ in range(3):
                with pytest.raises(RedisDownError):
                    await set_and_get(link)
            assert (link.is_up, link.outages) == (False, 1)
            redis_server.start()
            await link.wait_until_up()
            assert await set_and_get(link) == b"b"
    assert [line["event"].partition(":")[0] for line in logs] == ["Redis is down", "Redis is back"]
    assert told == [True, False, True]


async def test_connections_that_redis_has_closed_are_opened_again(redis_server: RedisServer) -> None:
    """It closes idle ones, as balancers do: that is no outage."""
    async with RedisConnection(redis_server.url, timeout=TIME_LIMIT).connected() as link:
        await set_and_get(link)
        redis_server.command("CLIENT", "KILL", "TYPE", "normal")
        assert await set_and_get(link) == b"b"
        assert link.outages == 0


async def test_a_redis_that_does_not_answer_costs_half_a_second_once(redis_server: RedisServer) -> None:
    async with RedisConnection(redis_server.url, timeout=0.2).connected() as link, asyncio.timeout(TIME_LIMIT):
        await set_and_get(link)
        redis_server.hold()
        started = time.monotonic()
        with pytest.raises(RedisDownError):
            await set_and_get(link)
        waited = time.monotonic() - started
        with pytest.raises(RedisDownError):
            await set_and_get(link)
        assert 0.1 < waited < 5
        assert not link.is_up
        redis_server.go_on()
        await link.wait_until_up()
        assert await set_and_get(link) == b"b"


async def test_a_redis_that_takes_no_writes_is_down(redis_server: RedisServer) -> None:
    """A replica, or one whose memory is full, answers reads and a PING as if nothing were."""
    redis_server.command("REPLICAOF", "127.0.0.1", "1")
    async with RedisConnection(redis_server.url, timeout=TIME_LIMIT).connected() as link, asyncio.timeout(TIME_LIMIT):
        assert not link.is_up
        redis_server.command("REPLICAOF", "NO", "ONE")
        await link.wait_until_up()
        assert await set_and_get(link) == b"b"


async def test_a_redis_that_comes_and_goes_is_told_of_once_a_minute(redis_server: RedisServer) -> None:
    clock = FakeClock()
    link = RedisConnection(redis_server.url, timeout=TIME_LIMIT, clock=clock)
    with capture_logs() as logs:
        async with link.connected(), asyncio.timeout(TIME_LIMIT):
            for seconds in (0, 30, 31):
                clock.advance(seconds)
                redis_server.stop()
                with pytest.raises(RedisDownError):
                    await set_and_get(link)
                redis_server.start()
                await link.wait_until_up()
    told = [line["event"].partition(":")[0] for line in logs]
    assert told == ["Redis is down", "Redis is back", "Redis is down", "Redis is back"]
    assert link.outages == 3


async def test_a_command_that_is_refused_takes_nothing_down_and_is_told_once_a_minute(
    redis_server: RedisServer,
) -> None:
    redis_server.command("RPUSH", "list", "a")
    with capture_logs() as logs:
        async with RedisConnection(redis_server.url, timeout=TIME_LIMIT).connected() as link:
            for _ in range(2):
                with pytest.raises(RedisDownError):
                    await link.run(lambda redis: redis.get("list"))
            assert link.is_up
    assert [line["event"] for line in logs] == ["Redis refused a command: each process counts for itself"]


async def test_a_redis_that_refuses_commands_is_reported_until_it_has_refused_none_for_a_minute(
    redis_server: RedisServer,
) -> None:
    redis_server.command("RPUSH", "list", "a")
    told: list[bool] = []
    clock = FakeClock()
    link = RedisConnection(redis_server.url, timeout=TIME_LIMIT, tell=told.append, clock=clock)
    async with link.connected():
        assert link.state == "up"
        with pytest.raises(RedisDownError):
            await link.run(lambda redis: redis.get("list"))
        assert (link.state, told) == ("refusing", [True, False])
        await set_and_get(link)
        assert link.state == "refusing"
        clock.advance(60)
        await set_and_get(link)
        assert (link.state, told) == ("up", [True, False, True])
    redis_server.stop()
    async with RedisConnection(redis_server.url).connected() as link:
        assert link.state == "down"


async def test_a_write_that_is_refused_is_dropped_and_reported(redis_server: RedisServer) -> None:
    redis_server.command("ACL", "SETUSER", "default", "-zadd")
    async with process(redis_server.url) as one:
        one.behind.add(lambda pipeline: pipeline.zadd("set", {"a": 1}))
        one.behind.add(lambda pipeline: pipeline.set("key", "value"))
        await eventually(lambda: one.link.state == "refusing")
        assert redis_server.command("GET", "key") == "value"
        assert one.link.outages == 0


@pytest.mark.parametrize("denied", ["-script", "-evalsha", "-evalsha -script"])
async def test_scripts_run_by_their_text_where_redis_knows_no_digests(redis_server: RedisServer, denied: str) -> None:
    redis_server.command("ACL", "SETUSER", "default", *denied.split())
    async with process(redis_server.url) as one:
        script = one.link.script("return {KEYS[1], ARGV[1]}")
        for _ in range(2):
            assert await one.link.run(lambda redis: script(redis, ["k"], ["v"])) == [b"k", b"v"]
        assert one.link.state == "up"


@pytest.mark.parametrize("options", [["--rename-command", "SCRIPT", ""], ["--rename-command", "EVALSHA", ""]])
async def test_scripts_run_where_commands_do_not_exist(redis_server: RedisServer, options: list[str]) -> None:
    redis_server.stop()
    redis_server.start(*options)
    async with process(redis_server.url) as one:
        script = one.link.script("return ARGV[1]")
        for _ in range(2):
            assert await one.link.run(lambda redis: script(redis, ["k"], ["v"])) == b"v"
        assert one.link.state == "up"


def test_a_url_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="redis://"):
        RedisConnection("http://redis.test")
