"""Google's addresses: kept, and renewed ahead of their use."""

import asyncio
import socket

import pytest
from tests.support.clock import FakeClock

from gemgate.gemini.client.addresses import STALE_SECONDS, UNUSED_SECONDS, Found, KeptAddresses


class Names:
    """A resolver with an answer, or a failure; it counts what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, _host: str, _port: int, _family: socket.AddressFamily) -> Found:
        self.asked += 1
        await self.may_answer.wait()
        if not self.addresses:
            raise OSError
        return [(socket.AF_INET, address) for address in self.addresses]


async def hosts(kept: KeptAddresses) -> list[str]:
    return [address for _, address in await kept.resolve("google.example", 443)]


async def test_one_look_up_serves_all_who_wait_and_those_after_them() -> None:
    names = Names("192.0.2.1", "192.0.2.2")
    names.may_answer.clear()
    kept = KeptAddresses(names, FakeClock())
    waiting = [asyncio.create_task(hosts(kept)) for _ in range(10)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    names.may_answer.set()
    assert {host for found in await asyncio.gather(*waiting) for host in found} == {"192.0.2.1", "192.0.2.2"}
    assert [(await hosts(kept))[0], (await hosts(kept))[0]] in (["192.0.2.1", "192.0.2.2"], ["192.0.2.2", "192.0.2.1"])
    assert names.asked == 1
    await kept.close()


async def test_what_is_renewed_replaces_what_was_known_and_nobody_waits_for_it() -> None:
    names, clock = Names("192.0.2.1"), FakeClock()
    kept = KeptAddresses(names, clock)
    assert await hosts(kept) == ["192.0.2.1"]
    names.addresses = ("192.0.2.9",)
    names.may_answer.clear()
    renewal = asyncio.create_task(kept.renew())
    assert await hosts(kept) == ["192.0.2.1"]
    names.may_answer.set()
    await renewal
    assert await hosts(kept) == ["192.0.2.9"]
    await kept.close()


async def test_the_last_addresses_serve_while_the_name_cannot_be_looked_up() -> None:
    names, clock = Names("192.0.2.1"), FakeClock()
    kept = KeptAddresses(names, clock)
    await hosts(kept)
    names.addresses = ()
    for _ in range(6):
        clock.now += STALE_SECONDS / 7
        assert await hosts(kept) == ["192.0.2.1"]
        await kept.renew()
    clock.now += STALE_SECONDS
    with pytest.raises(OSError, match=r"^$"):
        await hosts(kept)
    await kept.close()


async def test_what_nobody_asks_for_is_not_renewed() -> None:
    names, clock = Names("192.0.2.1"), FakeClock()
    kept = KeptAddresses(names, clock)
    await hosts(kept)
    clock.now += UNUSED_SECONDS + 1
    await kept.renew()
    assert names.asked == 1
    await kept.close()
