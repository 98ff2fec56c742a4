"""Batches: a queue that gives each job to one worker at a time, and outlives any of them."""

import anyio
import pytest
from sqlalchemy.exc import IntegrityError
from tests.store.conftest import Place
from tests.store.support import OTHER, OWNER, add_batch
from tests.support.clock import START, FakeClock

from gemgate.store import BatchRow, Store, UnknownCursorError

pytestmark = pytest.mark.integration


async def test_a_batch_is_there_with_all_it_was_given(store: Store) -> None:
    made = await add_batch(
        store, meta={"kä": "\0v"}, errors=[{"line": 1}], progress={"step": 2}, key_ciphertext=b"\0secret", expires_at=9
    )
    found = await store.batches.get(OWNER, made.id)
    assert found is not None
    assert (found.meta, found.errors, found.progress) == ({"kä": "\0v"}, [{"line": 1}], {"step": 2})
    assert (found.key_ciphertext, found.expires_at, found.usage, found.version) == (b"\0secret", 9, None, 1)
    assert "secret" not in repr(found)


async def test_nobody_sees_the_batch_of_another(store: Store) -> None:
    made = await add_batch(store)
    assert await store.batches.get(OTHER, made.id) is None
    assert (await store.batches.list(OTHER)).rows == []


async def test_batches_are_listed_newest_first(store: Store) -> None:
    made = [await add_batch(store, created_at=second) for second in (5, 3, 9, 3)]
    await add_batch(store, owner=OTHER)
    expected = [row.id for row in sorted(made, key=lambda row: (row.created_at, row.id), reverse=True)]
    first = await store.batches.list(OWNER, limit=3)
    second = await store.batches.list(OWNER, limit=3, after=first.rows[-1].id)
    assert [row.id for row in first.rows + second.rows] == expected
    assert (first.has_more, second.has_more) == (True, False)
    with pytest.raises(UnknownCursorError):
        await store.batches.list(OWNER, after="batch_none")


async def test_a_display_name_is_used_once(store: Store) -> None:
    await add_batch(store, display_name="same")
    with pytest.raises(IntegrityError):
        await add_batch(store, display_name="same")


async def test_a_change_needs_the_version_it_was_thought_out_for(store: Store) -> None:
    made = await add_batch(store)
    changed = await store.batches.update(made.id, 1, status="in_progress", in_progress_at=7, usage={"total_tokens": 1})
    assert changed is not None
    assert (changed.status, changed.in_progress_at, changed.usage, changed.version) == (
        "in_progress",
        7,
        {"total_tokens": 1},
        2,
    )
    assert await store.batches.update(made.id, 1, status="failed") is None
    assert await store.batches.update("batch_none", 1, status="failed") is None
    found = await store.batches.get(OWNER, made.id)
    assert found is not None
    assert (found.status, found.version) == ("in_progress", 2)


async def test_jobs_are_claimed_when_they_are_due_longest_waiting_first(store: Store, clock: FakeClock) -> None:
    later, now = await add_batch(store, next_poll_at=START - 1), await add_batch(store, next_poll_at=START - 2)
    future = await add_batch(store, next_poll_at=START + 10)
    await add_batch(store, next_poll_at=None)
    assert [await claimed(store), await claimed(store), await claimed(store)] == [now.id, later.id, None]
    clock.advance(10)
    assert await claimed(store) == future.id


async def test_a_claimed_job_says_who_holds_it(store: Store) -> None:
    await add_batch(store, next_poll_at=START)
    row = await store.batches.claim("worker", 30.5)
    assert row is not None
    assert (row.lease_owner, row.lease_until, row.version) == ("worker", START + 30.5, 2)


async def test_the_job_of_a_dead_worker_goes_to_another_and_the_dead_one_writes_no_more(
    store: Store, clock: FakeClock
) -> None:
    made = await add_batch(store, next_poll_at=START)
    dead = await store.batches.claim("dead", 30)
    assert dead is not None
    clock.advance(29)
    assert await claimed(store) is None
    clock.advance(1)
    assert await claimed(store, "heir") == made.id
    assert await store.batches.update(made.id, dead.version, status="completed") is None
    assert await store.batches.renew(made.id, "dead", 30) is False
    assert await store.batches.release(made.id, "dead", dead.version, None) is False


async def test_a_renewed_lease_holds_and_leaves_the_version(store: Store, clock: FakeClock) -> None:
    made = await add_batch(store, next_poll_at=START)
    row = await store.batches.claim("worker", 30)
    assert row is not None
    clock.advance(29)
    assert await store.batches.renew(made.id, "worker", 30) is True
    clock.advance(29)
    assert await claimed(store) is None
    assert await store.batches.update(made.id, row.version, total=5) is not None


async def test_a_released_job_is_due_again_when_the_worker_says(store: Store, clock: FakeClock) -> None:
    made = await add_batch(store, next_poll_at=START)
    row = await store.batches.claim("worker", 30)
    assert row is not None
    assert await store.batches.release(made.id, "worker", row.version, START + 5) is True
    assert await claimed(store) is None
    clock.advance(5)
    row = await store.batches.claim("worker", 30)
    assert row is not None
    assert await store.batches.release(made.id, "worker", row.version, None) is True
    clock.advance(10**6)
    assert await claimed(store) is None


async def test_what_is_wanted_of_a_job_meanwhile_is_not_put_off_by_its_release(store: Store, clock: FakeClock) -> None:
    made = await add_batch(store, next_poll_at=START)
    row = await store.batches.claim("worker", 30)
    assert row is not None
    clock.advance(1)
    assert await store.batches.update(made.id, row.version, status="cancelling", next_poll_at=clock.now) is not None
    assert await store.batches.release(made.id, "worker", row.version, START + 600) is True
    assert await claimed(store) == made.id


async def test_the_next_due_time_minds_leases(store: Store) -> None:
    assert await store.batches.next_due() is None
    await add_batch(store, next_poll_at=None)
    assert await store.batches.next_due() is None
    await add_batch(store, next_poll_at=START + 50)
    assert await store.batches.next_due() == START + 50
    await add_batch(store, next_poll_at=START)
    assert await store.batches.next_due() == START
    await store.batches.claim("worker", 20)
    assert await store.batches.next_due() == START + 20


async def test_two_stores_claim_each_job_once(place: Place) -> None:
    async with place.open() as one, place.open() as other:
        made = {(await add_batch(one, next_poll_at=START)).id for _ in range(30)}
        taken: list[str] = []

        async def work(store: Store, worker: str) -> None:
            while (row := await store.batches.claim(worker, 60)) is not None:
                taken.append(row.id)

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(work, one, f"one {number}")
                group.start_soon(work, other, f"other {number}")
    assert len(taken) == 30
    assert set(taken) == made


async def test_of_two_changes_at_once_one_is_made(place: Place) -> None:
    async with place.open() as one, place.open() as other:
        made = await add_batch(one)
        results: list[BatchRow | None] = []

        async def change(store: Store, status: str) -> None:
            results.append(await store.batches.update(made.id, 1, status=status))

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(change, one, f"one {number}")
                group.start_soon(change, other, f"other {number}")
    [winner] = [row for row in results if row is not None]
    assert winner.version == 2


async def claimed(store: Store, worker: str = "worker") -> str | None:
    row = await store.batches.claim(worker, 30)
    return row.id if row else None
