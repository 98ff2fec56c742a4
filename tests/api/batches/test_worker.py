import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy.exc import OperationalError
from tests.api.batches.support import CALLER, LEASE, Batches, chat

from gemgate.api.batches.claimed import ClaimedBatch
from gemgate.api.batches.worker import Worker, WorkOptions
from gemgate.auth.caller import Caller
from gemgate.gemini.errors import GeminiError
from gemgate.store import StoreError

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from gemgate.api.batches.state_machine import BatchStateMachine


class Scripted:
    """A state machine whose step is a function of the test's."""

    def __init__(self, step: Callable[[ClaimedBatch], Any], fail: Callable[[ClaimedBatch], Any] | None = None) -> None:
        self._step = step
        self._fail = fail

    async def step(self, held: ClaimedBatch) -> float | None:
        """As scripted."""
        due: float | None = await self._step(held)
        return due

    async def fail(self, held: ClaimedBatch, _error: GeminiError) -> float | None:
        """As scripted."""
        assert self._fail is not None
        due: float | None = await self._fail(held)
        return due

    def pause(self, failures: int) -> float:
        """Ten seconds, and more each time."""
        return 10.0 * (failures + 1)


def worker(
    batches: Batches, step: Callable[[ClaimedBatch], Any], name: str = "w", lease: float = LEASE, **more: Any
) -> Worker:
    state_machine = cast("BatchStateMachine", Scripted(step, **more))
    return Worker(batches.store.batches, state_machine, name, WorkOptions(lease=lease, idle=0.01), batches.clock)


async def raw(batches: Batches, batch_id: str) -> Any:
    return await batches.store.batches.get(CALLER.id, batch_id)


@pytest.mark.parametrize("error", [StoreError("no"), OSError(), OperationalError("", None, Exception()), KeyError()])
async def test_a_step_that_fails_is_counted_and_tried_again_later(batches: Batches, error: Exception) -> None:
    async def step(_held: ClaimedBatch) -> None:
        raise error

    batch = await batches.create([chat("a")])
    at_work = worker(batches, step)
    assert await at_work.work_off() == 1
    row = await raw(batches, batch.id)
    assert (row.attempt, row.next_poll_at, row.lease_owner) == (1, batches.clock.now + 10, None)
    batches.clock.now += 10
    await at_work.work_off()
    assert (await raw(batches, batch.id)).next_poll_at == batches.clock.now + 20


async def test_a_worker_that_lost_its_lease_writes_nothing_more(batches: Batches) -> None:
    async def step(held: ClaimedBatch) -> float:
        batches.clock.now += LEASE + 1
        assert await batches.store.batches.claim("another", LEASE)
        await held.change(status="failed")
        raise AssertionError

    batch = await batches.create([chat("a")])
    assert await worker(batches, step).work_off() == 1
    row = await raw(batches, batch.id)
    assert (row.status, row.lease_owner) == ("validating", "another")


async def test_a_failure_of_a_worker_that_lost_its_lease_is_not_counted(batches: Batches) -> None:
    async def step(_held: ClaimedBatch) -> float:
        batches.clock.now += LEASE + 1
        await batches.store.batches.claim("another", LEASE)
        raise StoreError("no")

    batch = await batches.create([chat("a")])
    await worker(batches, step).work_off()
    assert (await raw(batches, batch.id)).attempt == 0


async def test_a_lease_is_renewed_while_a_step_takes_long(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = asyncio.Event()
    real = batches.store.batches.renew

    async def renew(*args: Any) -> bool:
        renewed.set()
        return await real(*args)

    monkeypatch.setattr(batches.store.batches, "renew", renew)

    async def step(_held: ClaimedBatch) -> None:
        await renewed.wait()

    batch = await batches.create([chat("a")])
    await worker(batches, step, lease=0.03).work_off()
    assert (await raw(batches, batch.id)).next_poll_at is None


@pytest.mark.parametrize("fails", [False, True])
async def test_a_step_is_stopped_when_its_lease_cannot_be_renewed(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    stopped = asyncio.Event()

    async def renew(*_: Any) -> bool:
        batches.clock.now += 1
        if fails:
            raise OSError
        return False

    monkeypatch.setattr(batches.store.batches, "renew", renew)

    async def step(_held: ClaimedBatch) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await batches.create([chat("a")])
    row = await batches.store.batches.claim("w", 0.03)
    assert row is not None
    await worker(batches, step, lease=0.03)._work(row)
    assert stopped.is_set()


async def test_what_the_caller_asks_for_during_a_step_is_done_at_once(batches: Batches) -> None:
    batch = await batches.create([chat("a")])

    async def step(held: ClaimedBatch) -> float:
        await batches.service.cancel(CALLER, batch.id)
        await held.record(total=7)
        return batches.clock.now + 1000

    await batches.store.batches.update(batch.id, batch.version, next_poll_at=batches.clock.now)
    row = await batches.store.batches.claim("w", LEASE)
    assert row is not None
    await worker(batches, step)._work(row)
    row = await raw(batches, batch.id)
    assert (row.status, row.total, row.next_poll_at) == ("cancelling", 7, 0)


async def test_a_step_whose_failure_is_overtaken_is_done_again_at_once(batches: Batches) -> None:
    batch = await batches.create([chat("a")])

    async def step(_held: ClaimedBatch) -> None:
        raise GeminiError(500, "no")

    async def fail(held: ClaimedBatch) -> None:
        await batches.service.cancel(CALLER, batch.id)
        await held.change(status="failed")

    row = await batches.store.batches.claim("w", LEASE)
    assert row is not None
    await worker(batches, step, fail=fail)._work(row)
    row = await raw(batches, batch.id)
    assert (row.status, row.next_poll_at) == ("cancelling", 0)


async def test_a_worker_in_the_background_does_what_is_due_and_is_woken(batches: Batches) -> None:
    done: asyncio.Queue[str] = asyncio.Queue()

    async def step(held: ClaimedBatch) -> None:
        done.put_nowait(held.row.id)

    at_work = worker(batches, step)
    first = await batches.create([chat("a")])
    async with at_work.running(), asyncio.timeout(10):
        assert await done.get() == first.id
        second = await batches.create([chat("a")])
        at_work.wake()
        assert await done.get() == second.id


@pytest.mark.parametrize("error", [OSError(), KeyError()])
async def test_a_worker_goes_on_when_the_store_was_away(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    done = asyncio.Event()

    async def step(_held: ClaimedBatch) -> None:
        done.set()

    async def away(*_: Any) -> None:
        monkeypatch.undo()
        raise error

    monkeypatch.setattr(batches.store.batches, "claim", away)
    await batches.create([chat("a")])
    async with worker(batches, step).running(), asyncio.timeout(10):
        await done.wait()


async def test_a_worker_that_is_stopped_gives_back_what_it_holds(batches: Batches) -> None:
    begun = asyncio.Event()

    async def step(_held: ClaimedBatch) -> None:
        begun.set()
        await asyncio.Event().wait()

    batch = await batches.create([chat("a")])
    async with worker(batches, step).running(), asyncio.timeout(10):
        await begun.wait()
    row = await raw(batches, batch.id)
    assert (row.lease_owner, row.next_poll_at) == (None, batches.clock.now)


async def test_two_workers_never_do_the_same_step(batches: Batches) -> None:
    seen: list[str] = []

    async def step(held: ClaimedBatch) -> None:
        seen.append(held.row.id)
        await asyncio.sleep(0)

    made = [(await batches.create([chat("a")])).id for _ in range(6)]
    await asyncio.gather(*(worker(batches, step, f"w{number}").work_off() for number in range(3)))
    assert sorted(seen) == sorted(made)


async def test_one_caller_never_has_all_places(batches: Batches) -> None:
    """Six batches of one caller are due before another's, and that one begins while the first ones still run."""
    begun: asyncio.Queue[str] = asyncio.Queue()
    go_on = asyncio.Event()

    async def step(held: ClaimedBatch) -> None:
        begun.put_nowait(held.row.owner)
        await go_on.wait()

    other = Caller("other-key", "fedcba9876543210")
    for caller in [CALLER] * 6 + [other]:
        await batches.create([chat("a")], caller=caller)
    async with worker(batches, step).running():
        async with asyncio.timeout(20):
            first = [await begun.get() for _ in range(4)]
        assert Counter(first) == {CALLER.id: 3, other.id: 1}
        go_on.set()
        async with asyncio.timeout(20):
            assert [await begun.get() for _ in range(3)] == [CALLER.id] * 3
