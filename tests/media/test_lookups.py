"""Look-ups for callers: how many at once, and for how long."""

import asyncio
import socket

import pytest

from gemgate.gemini.client.addresses import Found, look_up
from gemgate.media.lookups import CALLER_PLACES, PLACES, REQUEST_PLACES, THREADS, Lookups


class Slow:
    """A resolver that answers when it may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()

    async def __call__(self, host: str, _port: int) -> Found:
        self.asked.append(host)
        await self.may_answer.wait()
        return [(socket.AF_INET, "93.184.216.34")]


async def settled() -> None:
    """Every task has gone as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def started(lookups: Lookups, caller: str, number: int, name: str = "slow") -> list[asyncio.Task[list[str]]]:
    with lookups.of_request(caller, asyncio.Semaphore(REQUEST_PLACES)):
        return [asyncio.create_task(lookups.addresses(f"{name}-{at}.example", 443)) for at in range(number)]


async def test_the_system_knows_its_own_name() -> None:
    lookups = Lookups()
    assert "127.0.0.1" in await lookups.addresses("localhost", 443)
    assert await lookups.addresses("127.0.0.1", 443) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["nothing.invalid", "a" * 300 + ".example", "\ud800.example"])
async def test_a_name_without_an_address_is_an_os_error(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if host == "nothing.invalid":

        def fail(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(OSError, match=r"."):
        await look_up(host, 443)


async def test_a_request_a_caller_and_all_callers_have_their_places() -> None:
    slow = Slow()
    lookups = Lookups(slow)
    tasks = started(lookups, "bob", 16)
    await settled()
    assert len(slow.asked) == REQUEST_PLACES
    for _ in range(3):
        tasks += started(lookups, "bob", 16)
    await settled()
    assert len(slow.asked) == CALLER_PLACES
    for number in range(8):
        tasks += started(lookups, f"other-{number}", 16)
    await settled()
    assert len(slow.asked) == PLACES
    slow.may_answer.set()
    assert {tuple(found) for found in await asyncio.gather(*tasks)} == {("93.184.216.34",)}


async def test_a_cancelled_look_up_gives_its_places_back() -> None:
    slow = Slow()
    lookups = Lookups(slow)
    for _ in range(4):
        tasks = started(lookups, "bob", 16)
        await settled()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert len(slow.asked) == 4 * REQUEST_PLACES
    slow.may_answer.set()


async def test_a_look_up_that_takes_too_long_is_given_up_and_its_thread_counts_on() -> None:
    slow = Slow()
    lookups = Lookups(slow, seconds=0.01)
    with pytest.raises(OSError, match=r"more than 0\.01 s"):
        await lookups.addresses("slow.example", 443)
    lookups = Lookups(slow, seconds=0.01)
    for _ in range(THREADS // PLACES):
        await asyncio.gather(*(lookups.addresses("slow.example", 443) for _ in range(PLACES)), return_exceptions=True)
    with pytest.raises(OSError, match="too many look-ups"):
        await lookups.addresses("slow.example", 443)
    slow.may_answer.set()
    await settled()
    assert await lookups.addresses("slow.example", 443) == ["93.184.216.34"]
