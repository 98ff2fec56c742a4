import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy.exc import OperationalError
from tests.api.batches.support import CALLER, LEASE, World, chat

from gemgate.api.batches.claimed import ClaimedBatch
from gemgate.api.batches.worker import Worker, WorkOptions
from gemgate.gemini.errors import GeminiError
from gemgate.store import StoreError

if TYPE_CHECKING:
    from gemgate.api.batches.state_machine import BatchStateMachine


class Scripted:
    """A machine whose step is a function of the test's."""

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
    there: World, step: Callable[[ClaimedBatch], Any], name: str = "w", lease: float = LEASE, **more: Any
) -> Worker:
    machine = cast("BatchStateMachine", Scripted(step, **more))
    return Worker(there.store.batches, machine, name, WorkOptions(lease=lease, idle=0.01), there.clock)


async def raw(there: World, batch_id: str) -> Any:
    return await there.store.batches.get(CALLER.id, batch_id)


@pytest.mark.parametrize("error", [StoreError("no"), OSError(), OperationalError("", None, Exception()), KeyError()])
async def test_a_step_that_fails_is_counted_and_tried_again_later(there: World, error: Exception) -> None:
    async def step(_held: ClaimedBatch) -> None:
        raise error

    batch = await there.create([chat("a")])
    at_work = worker(there, step)
    assert await at_work.work_off() == 1
    row = await raw(there, batch.id)
    assert (row.attempt, row.next_poll_at, row.lease_owner) == (1, there.clock.now + 10, None)
    there.clock.now += 10
    await at_work.work_off()
    assert (await raw(there, batch.id)).next_poll_at == there.clock.now + 20


async def test_a_worker_that_lost_its_lease_writes_nothing_more(there: World) -> None:
    async def step(held: ClaimedBatch) -> float:
        there.clock.now += LEASE + 1
        assert await there.store.batches.claim("another", LEASE)
        await held.change(status="failed")
        raise AssertionError

    batch = await there.create([chat("a")])
    assert await worker(there, step).work_off() == 1
    row = await raw(there, batch.id)
    assert (row.status, row.lease_owner) == ("validating", "another")


async def test_a_failure_of_a_worker_that_lost_its_lease_is_not_counted(there: World) -> None:
    async def step(_held: ClaimedBatch) -> float:
        there.clock.now += LEASE + 1
        await there.store.batches.claim("another", LEASE)
        raise StoreError("no")

    batch = await there.create([chat("a")])
    await worker(there, step).work_off()
    assert (await raw(there, batch.id)).attempt == 0


async def test_a_lease_is_renewed_while_a_step_takes_long(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = asyncio.Event()
    real = there.store.batches.renew

    async def renew(*args: Any) -> bool:
        renewed.set()
        return await real(*args)

    monkeypatch.setattr(there.store.batches, "renew", renew)

    async def step(_held: ClaimedBatch) -> None:
        await renewed.wait()

    batch = await there.create([chat("a")])
    await worker(there, step, lease=0.03).work_off()
    assert (await raw(there, batch.id)).next_poll_at is None


@pytest.mark.parametrize("fails", [False, True])
async def test_a_step_is_stopped_when_its_lease_cannot_be_renewed(
    there: World, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    stopped = asyncio.Event()

    async def renew(*_: Any) -> bool:
        there.clock.now += 1
        if fails:
            raise OSError
        return False

    monkeypatch.setattr(there.store.batches, "renew", renew)

    async def step(_held: ClaimedBatch) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await there.create([chat("a")])
    row = await there.store.batches.claim("w", 0.03)
    assert row is not None
    await worker(there, step, lease=0.03)._work(row)
    assert stopped.is_set()


async def test_what_the_caller_asks_for_during_a_step_is_done_at_once(there: World) -> None:
    batch = await there.create([chat("a")])

    async def step(held: ClaimedBatch) -> float:
        await there.service.cancel(CALLER, batch.id)
        await held.record(total=7)
        return there.clock.now + 1000

    await there.store.batches.update(batch.id, batch.version, next_poll_at=there.clock.now)
    row = await there.store.batches.claim("w", LEASE)
    assert row is not None
    await worker(there, step)._work(row)
    row = await raw(there, batch.id)
    assert (row.status, row.total, row.next_poll_at) == ("cancelling", 7, 0)


async def test_a_step_whose_failure_is_overtaken_is_done_again_at_once(there: World) -> None:
    batch = await there.create([chat("a")])

    async def step(_held: ClaimedBatch) -> None:
        raise GeminiError(500, "no")

    async def fail(held: ClaimedBatch) -> None:
        await there.service.cancel(CALLER, batch.id)
        await held.change(status="failed")

    row = await there.store.batches.claim("w", LEASE)
    assert row is not None
    await worker(there, step, fail=fail)._work(row)
    row = await raw(there, batch.id)
    assert (row.status, row.next_poll_at) == ("cancelling", 0)


async def test_a_worker_in_the_background_does_what_is_due_and_is_woken(there: World) -> None:
    done: asyncio.Queue[str] = asyncio.Queue()

    async def step(held: ClaimedBatch) -> None:
        done.put_nowait(held.row.id)

    at_work = worker(there, step)
    first = await there.create([chat("a")])
    async with at_work.running(), asyncio.timeout(10):
        assert await done.get() == first.id
        second = await there.create([chat("a")])
        at_work.wake()
        assert await done.get() == second.id


@pytest.mark.parametrize("error", [OSError(), KeyError()])
async def test_a_worker_goes_on_when_the_store_was_away(
    there: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    done = asyncio.Event()

    async def step(_held: ClaimedBatch) -> None:
        done.set()

    async def away(*_: Any) -> None:
        monkeypatch.undo()
        raise error

    monkeypatch.setattr(there.store.batches, "claim", away)
    await there.create([chat("a")])
    async with worker(there, step).running(), asyncio.timeout(10):
        await done.wait()


async def test_a_worker_that_is_stopped_gives_back_what_it_holds(there: World) -> None:
    begun = asyncio.Event()

    async def step(_held: ClaimedBatch) -> None:
        begun.set()
        await asyncio.Event().wait()

    batch = await there.create([chat("a")])
    async with worker(there, step).running(), asyncio.timeout(10):
        await begun.wait()
    row = await raw(there, batch.id)
    assert (row.lease_owner, row.next_poll_at) == (None, there.clock.now)


async def test_two_workers_never_do_the_same_step(there: World) -> None:
    seen: list[str] = []

    async def step(held: ClaimedBatch) -> None:
        seen.append(held.row.id)
        await asyncio.sleep(0)

    made = [(await there.create([chat("a")])).id for _ in range(6)]
    await asyncio.gather(*(worker(there, step, f"w{number}").work_off() for number in range(3)))
    assert sorted(seen) == sorted(made)
