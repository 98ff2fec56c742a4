"""Writes that nobody waits for."""

import asyncio
from typing import Any

import pytest
from tests.shared_state.support import TIME_LIMIT, eventually, process
from tests.support.redis import RedisServer

from gemgate.shared_state import connection as link_module
from gemgate.shared_state import write_behind as behind_module
from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.write_behind import Write, WriteBehind


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "PROBE_SECONDS", 0.01)


def push(value: int) -> Write:
    return lambda pipeline: pipeline.rpush("list", value)


def pushed(server: RedisServer) -> list[int]:
    return [int(line) for line in server.command("LRANGE", "list", "0", "-1").split()]


async def test_writes_arrive_in_their_order(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        for value in range(500):
            one.behind.add(push(value))
        await one.written()
        assert pushed(redis_server) == list(range(500))


async def test_what_is_left_at_the_end_is_sent(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        for value in range(500):
            one.behind.add(push(value))
    assert pushed(redis_server) == list(range(500))


async def test_writes_wait_while_redis_is_down(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one, asyncio.timeout(TIME_LIMIT):
        redis_server.stop()
        for value in range(3):
            one.behind.add(push(value))
        await eventually(lambda: not one.link.is_up)
        redis_server.start()
        await one.link.wait_until_up()
        await one.written()
        assert pushed(redis_server) == [0, 1, 2]


async def test_the_oldest_give_way_when_too_many_wait(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind_module, "MAX_WAITING", 3)
    async with RedisConnection(redis_server.url, timeout=TIME_LIMIT).connected() as link:
        redis_server.stop()
        async with WriteBehind(link).running() as behind:
            for value in range(3):
                behind.add(push(value))
            await eventually(lambda: not link.is_up)
            for value in range(3, 6):
                behind.add(push(value))
            assert len(behind) == 3
            redis_server.start()
            await link.wait_until_up()
            await eventually(lambda: not len(behind))
            await link.run(lambda redis: redis.ping())
            assert pushed(redis_server) == [3, 4, 5]


async def test_an_end_without_redis_does_not_wait(redis_server: RedisServer) -> None:
    async with asyncio.timeout(TIME_LIMIT), process(redis_server.url) as one:
        redis_server.stop()
        one.behind.add(push(1))
    assert len(one.behind) == 1


async def test_a_write_that_is_refused_stops_no_other_and_is_not_sent_again(redis_server: RedisServer) -> None:
    redis_server.command("SET", "text", "a")
    wrong: Any = lambda pipeline: pipeline.rpush("text", 1)  # noqa: E731
    async with process(redis_server.url) as one:
        one.behind.add(wrong)
        one.behind.add(push(1))
        await one.written()
        assert pushed(redis_server) == [1]
        assert one.link.is_up


async def test_writes_that_redis_cannot_take_now_wait(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one, asyncio.timeout(TIME_LIMIT):
        redis_server.command("REPLICAOF", "127.0.0.1", "1")
        one.behind.add(push(1))
        await eventually(lambda: not one.link.is_up)
        redis_server.command("REPLICAOF", "NO", "ONE")
        await one.link.wait_until_up()
        await one.written()
        assert pushed(redis_server) == [1]
