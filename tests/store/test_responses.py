"""Responses: kept by their owner, found by id, by item and by chain, and gone when they are deleted or expired."""

from pathlib import Path

import pytest
from tests.store.conftest import Place
from tests.store.support import OTHER, OWNER, keys
from tests.support.clock import FakeClock

from gemgate.store import (
    KeptTooLargeError,
    QuotaExceededError,
    ResponseUnknownError,
    StorageLimits,
    Store,
    StoredEvents,
    responses,
)
from gemgate.store.payloads import INLINE_BYTES

pytestmark = pytest.mark.integration

DAY = 86_400
PLENTY = 10**9
LARGE = b"x" * (INLINE_BYTES + 1)


async def keep(store: Store, name: str, payload: bytes = b"{}", **more: object) -> None:
    given: dict[str, object] = {"status": "completed", "expires_after": 30 * DAY, **more}
    await store.responses.create(OWNER, name, payload, **given)  # type: ignore[arg-type]


async def payload(store: Store, name: str, owner: str = OWNER) -> bytes | None:
    found = await store.responses.get(owner, name)
    return None if found is None else found.payload


@pytest.mark.parametrize("content", [b"{}", LARGE])
async def test_a_kept_response_comes_back_to_its_owner_alone(store: Store, content: bytes) -> None:
    await keep(store, "resp_1", content)
    assert await payload(store, "resp_1") == content
    assert await payload(store, "resp_1", OTHER) is None
    assert await payload(store, "resp_2") is None
    assert len(await keys(store.blobs, "responses")) == (len(content) > INLINE_BYTES)


async def test_a_deleted_response_is_gone_with_its_bytes_items_and_events(store: Store) -> None:
    await keep(store, "resp_1", LARGE, items=["msg_1"], events=StoredEvents(0, 3, b"events"))
    assert await store.responses.last_event(OWNER, "resp_1") == 3
    assert await store.responses.delete(OTHER, "resp_1") is False
    assert await store.responses.delete(OWNER, "resp_1") is True
    assert await store.responses.delete(OWNER, "resp_1") is False
    assert await payload(store, "resp_1") is None
    assert await store.responses.of_items(OWNER, ["msg_1"], PLENTY) == {}
    assert await store.responses.events(OWNER, "resp_1") == []
    assert await keys(store.blobs, "responses") == set()


async def test_it_expires_and_is_swept(store: Store, clock: FakeClock) -> None:
    await keep(store, "resp_1", LARGE, expires_after=60)
    await keep(store, "resp_2", LARGE, expires_after=600)
    clock.advance(60)
    assert await payload(store, "resp_1") is None
    assert (await store.sweep()).responses == 1
    assert len(await keys(store.blobs, "responses")) == 1
    assert await payload(store, "resp_2") == LARGE


async def test_a_chain_is_read_from_its_beginning(store: Store) -> None:
    for number in range(20):
        previous = f"resp_{number - 1}" if number else None
        await keep(store, f"resp_{number}", b"%d" % number, previous_id=previous)
    chain = await store.responses.chain(OWNER, "resp_14", PLENTY)
    assert [each.payload for each in chain] == [b"%d" % number for number in range(15)]


async def test_a_chain_with_a_missing_link_names_it(store: Store) -> None:
    await keep(store, "resp_1")
    await keep(store, "resp_2", previous_id="resp_1")
    await keep(store, "resp_3", previous_id="resp_2")
    await store.responses.delete(OWNER, "resp_2")
    with pytest.raises(ResponseUnknownError) as caught:
        await store.responses.chain(OWNER, "resp_3", PLENTY)
    assert caught.value.response_id == "resp_2"
    with pytest.raises(ResponseUnknownError):
        await store.responses.chain(OTHER, "resp_1", PLENTY)


async def test_a_chain_has_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_CHAIN", 3)
    for number in range(4):
        await keep(store, f"resp_{number}", previous_id=f"resp_{number - 1}" if number else None)
    assert len(await store.responses.chain(OWNER, "resp_2", PLENTY)) == 3
    with pytest.raises(ResponseUnknownError):
        await store.responses.chain(OWNER, "resp_3", PLENTY)


async def test_no_more_is_read_than_may_be(store: Store) -> None:
    await keep(store, "resp_1", b"1234", items=["msg_1", "msg_2"])
    await keep(store, "resp_2", LARGE, previous_id="resp_1", items=["msg_3"])
    size = 4 + len(LARGE)
    assert len(await store.responses.chain(OWNER, "resp_2", size)) == 2
    with pytest.raises(KeptTooLargeError) as caught:
        await store.responses.chain(OWNER, "resp_2", size - 1)
    assert (caught.value.size, caught.value.maximum) == (size, size - 1)
    assert len(await store.responses.of_items(OWNER, ["msg_1", "msg_2"], 4)) == 2
    with pytest.raises(KeptTooLargeError):
        await store.responses.of_items(OWNER, ["msg_1", "msg_3"], size - 1)


async def test_items_lead_to_their_responses(store: Store) -> None:
    await keep(store, "resp_1", b"1", items=["msg_1", "rs_1"])
    await keep(store, "resp_2", b"2", items=["msg_2"])
    found = await store.responses.of_items(OWNER, ["rs_1", "msg_2", "msg_9"], PLENTY)
    assert {item: each.payload for item, each in found.items()} == {"rs_1": b"1", "msg_2": b"2"}
    assert await store.responses.of_items(OTHER, ["rs_1"], PLENTY) == {}


async def test_an_item_of_two_responses_is_that_of_the_newer_one(store: Store) -> None:
    await keep(store, "resp_1", b"1", items=["msg_1"])
    await keep(store, "resp_2", b"2", items=["msg_1"])
    assert (await store.responses.of_items(OWNER, ["msg_1"], PLENTY))["msg_1"].payload == b"2"


async def test_a_response_at_work_is_replaced_until_it_has_ended(store: Store) -> None:
    await keep(store, "resp_1", LARGE, status="in_progress", lease=30.0)
    changed = await store.responses.replace(OWNER, "resp_1", b"more", status="in_progress", lease=30.0)
    assert changed
    assert await keys(store.blobs, "responses") == set()
    assert await store.responses.replace(OWNER, "resp_1", b"end", status="completed", items=["msg_1"])
    assert not await store.responses.replace(OWNER, "resp_1", LARGE, status="failed")
    assert not await store.responses.replace(OTHER, "resp_1", LARGE, status="failed")
    assert await payload(store, "resp_1") == b"end"
    assert list(await store.responses.of_items(OWNER, ["msg_1"], PLENTY)) == ["msg_1"]
    assert await keys(store.blobs, "responses") == set()


async def test_a_lease_is_renewed_until_the_response_has_ended(store: Store) -> None:
    await keep(store, "resp_1", status="in_progress", lease=30.0)
    assert await store.responses.renew(OWNER, "resp_1", 30.0)
    assert await store.responses.is_at_work(OWNER, "resp_1")
    assert not await store.responses.is_at_work(OTHER, "resp_1")
    assert not await store.responses.renew(OTHER, "resp_1", 30.0)
    assert await store.responses.replace(OWNER, "resp_1", b"{}", status="cancelled")
    assert not await store.responses.renew(OWNER, "resp_1", 30.0)
    assert not await store.responses.is_at_work(OWNER, "resp_1")
    await keep(store, "resp_2")
    assert not await store.responses.renew(OWNER, "resp_2", 30.0)


async def test_a_response_whose_process_is_gone_is_abandoned(store: Store, clock: FakeClock) -> None:
    await keep(store, "resp_1", status="in_progress", lease=30.0)
    await keep(store, "resp_2", status="in_progress", lease=90.0)
    await keep(store, "resp_3")
    assert await store.responses.abandoned() == []
    clock.advance(31)
    assert [each.row.id for each in await store.responses.abandoned()] == ["resp_1"]
    assert not await store.responses.replace(OWNER, "resp_2", b"end", status="failed", is_abandoned=True)
    assert await store.responses.replace(OWNER, "resp_1", b"end", status="failed", is_abandoned=True)
    assert await store.responses.abandoned() == []


async def test_who_ends_a_response_knows_the_number_of_its_next_event(store: Store) -> None:
    await keep(store, "resp_1", status="in_progress", lease=30.0, events=StoredEvents(0, 6, b"events"))
    ended = await store.responses.replace(
        OWNER, "resp_1", b"end", status="failed", closing=lambda number: (b"%d" % number, 2)
    )
    assert ended
    assert (await store.responses.events(OWNER, "resp_1", 6)) == [StoredEvents(7, 8, b"7")]
    await keep(store, "resp_2", status="in_progress", lease=30.0)
    assert await store.responses.replace(OWNER, "resp_2", b"end", status="failed", closing=lambda _: (b"x", 1))
    assert await store.responses.events(OWNER, "resp_2") == []


async def test_a_response_that_is_cut_off_from_those_before_begins_a_chain(store: Store) -> None:
    await keep(store, "resp_1")
    await keep(store, "resp_2", previous_id="resp_1", status="in_progress", lease=30.0)
    assert await store.responses.replace(OWNER, "resp_2", b"end", status="completed", is_first=True)
    await store.responses.delete(OWNER, "resp_1")
    assert [each.payload for each in await store.responses.chain(OWNER, "resp_2", PLENTY)] == [b"end"]


async def test_events_count_for_what_a_caller_has_stored(tmp_path: Path) -> None:
    limits = StorageLimits(bytes_per_owner=1_000)
    async with Store.open(data_dir=tmp_path, limits=limits) as store:
        await keep(store, "resp_1", status="in_progress", lease=30.0, events=StoredEvents(0, 0, b"x" * 600))
        await store.room.check_bytes(OWNER, 300)
        with pytest.raises(QuotaExceededError):
            await store.room.check_bytes(OWNER, 500)
        await store.room.check_bytes(OTHER, 500)


async def test_events_are_read_from_any_number_on(store: Store) -> None:
    await keep(store, "resp_1", status="in_progress", lease=30.0)
    assert await store.responses.last_event(OWNER, "resp_1") is None
    first, second, third = StoredEvents(0, 1, b"a"), StoredEvents(2, 6, b"b"), StoredEvents(7, 7, b"c")
    for events in (first, second, third):
        assert await store.responses.add_events(OWNER, "resp_1", events)
    assert not await store.responses.add_events(OTHER, "resp_1", StoredEvents(8, 8, b"d"))
    assert await store.responses.events(OWNER, "resp_1") == [first, second, third]
    assert await store.responses.events(OWNER, "resp_1", 1) == [second, third]
    assert await store.responses.events(OWNER, "resp_1", 5) == [second, third]
    assert await store.responses.events(OWNER, "resp_1", 7) == []
    assert await store.responses.events(OTHER, "resp_1") == []
    assert await store.responses.last_event(OTHER, "resp_1") is None
    await store.responses.replace(OWNER, "resp_1", b"end", status="completed")
    assert not await store.responses.add_events(OWNER, "resp_1", StoredEvents(8, 8, b"d"))


async def test_another_replica_reads_what_one_has_written(place: Place, store: Store) -> None:
    await keep(store, "resp_1", LARGE)
    async with place.open() as other:
        assert await payload(other, "resp_1") == LARGE
