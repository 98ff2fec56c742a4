"""Requests that have ended, on their way through a real Redis: bounded, gone soon, and proof against rubbish."""

import orjson
import pytest
from tests.shared_state.support import process
from tests.support.redis import RedisServer

from gemgate.shared_state.connection import RedisDownError
from gemgate.shared_state.request_feed import ENTRIES_AT_ONCE, MAX_ENTRY, START, WATCHED_MILLISECONDS, RequestFeed

pytestmark = pytest.mark.integration

STREAM = "gemgate:{console}:requests"
WATCHED = "gemgate:{console}:watched"


async def test_what_is_published_is_read_once_in_its_order_and_has_an_end(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one, process(redis_server.url) as other:
        writer, reader = RequestFeed(one.link), RequestFeed(other.link)
        assert await reader.after(START) == (START, [])
        for number in range(300):
            await writer.publish(b"%d" % number)
        place, first = await reader.after(START)
        assert first == [b"%d" % number for number in range(300 - 256, 300 - 256 + ENTRIES_AT_ONCE)]
        _, second = await reader.after(place)
        assert second[0] == b"%d" % (300 - 256 + ENTRIES_AT_ONCE)
        assert redis_server.command("XLEN", STREAM) == "256"
        assert 0 < int(redis_server.command("PTTL", STREAM)) <= 10_000


async def test_the_newest_watcher_is_known_until_none_goes_on(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        feed = RequestFeed(one.link)
        assert await feed.watcher() is None
        await feed.begin("first")
        await feed.begin("second")
        await feed.go_on("first")
        assert await feed.watcher() == b"second"
        assert 0 < int(redis_server.command("PTTL", WATCHED)) <= WATCHED_MILLISECONDS
        redis_server.command("DEL", WATCHED)
        assert await feed.watcher() is None
        await feed.go_on("first")
        assert await feed.watcher() == b"first"


async def test_rubbish_is_passed_over_and_a_key_of_another_kind_counts_as_refused(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        feed = RequestFeed(one.link)
        redis_server.command("XADD", STREAM, "*", "other", "x")
        redis_server.command("XADD", STREAM, "*", "data", "x" * (MAX_ENTRY + 1))
        await feed.publish(orjson.dumps({}))
        assert (await feed.after(START))[1] == [b"{}"]
        redis_server.command("DEL", STREAM)
        redis_server.command("SET", STREAM, "x")
        with pytest.raises(RedisDownError):
            await feed.after(START)
        assert feed.state == "refusing"
        redis_server.stop()
        with pytest.raises(RedisDownError):
            await feed.watcher()
        assert feed.state == "down"
