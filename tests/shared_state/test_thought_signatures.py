"""Thought signatures that another process has seen."""

import asyncio

import pytest
from tests.shared_state.support import TIME_LIMIT, Process, process
from tests.support.redis import RedisServer

from gemgate.shared_state.thought_signatures import RedisSignatures
from gemgate.translation.thought_signatures import Signatures, SignatureStore

ONE, TWO = b"\x01" * 16, b"\x02" * 16


def kept_by(one: Process, ttl: float = 60.0) -> RedisSignatures:
    return RedisSignatures(SignatureStore(100, ttl), one.link, one.behind, ttl)


async def test_a_signature_is_known_to_another_process_once_it_asks(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one, process(redis_server.url) as two:
        first, second = kept_by(one), kept_by(two)
        first.put(ONE, "signature")
        assert first.get(ONE) == "signature"
        await one.written()
        assert second.get(ONE) is None
        assert second.is_shared
        await second.recall([ONE, TWO])
        assert (second.get(ONE), second.get(TWO)) == ("signature", None)


async def test_what_is_known_here_is_not_asked_for(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        signatures = kept_by(one)
        signatures.put(ONE, "signature")
        await one.written()
        before = redis_server.command("INFO", "commandstats").count("mget")
        await signatures.recall([ONE])
        await signatures.recall([])
        assert redis_server.command("INFO", "commandstats").count("mget") == before == 0


async def test_signatures_expire_in_redis_as_well(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one:
        kept_by(one, ttl=60).put(ONE, "signature")
        await one.written()
        left = int(redis_server.command("PTTL", f"gemgate:signature:{ONE.hex()}"))
        assert 50_000 < left <= 60_000


async def test_without_redis_a_process_knows_its_own(redis_server: RedisServer) -> None:
    async with process(redis_server.url, patience=0.2) as one, asyncio.timeout(TIME_LIMIT):
        signatures = kept_by(one)
        redis_server.hold()
        signatures.put(ONE, "signature")
        assert signatures.get(ONE) == "signature"
        await signatures.recall([ONE, TWO])
        assert not signatures.is_shared
        assert signatures.get(TWO) is None
        redis_server.go_on()


@pytest.mark.parametrize("keys", [[], [ONE]])
async def test_a_store_of_one_process_has_nobody_to_ask(keys: list[bytes]) -> None:
    store: Signatures = SignatureStore(100, 60.0)
    assert not store.is_shared
    await store.recall(keys)
    assert store.get(ONE) is None
