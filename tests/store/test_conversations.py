"""Conversations: items in their order, appended by any number of callers at once, and seen by their owner alone."""

from typing import Any

import anyio
import pytest
from tests.store.support import OTHER, OWNER, keys
from tests.support.clock import FakeClock

from gemgate.store import KeptTooLargeError, Store, StoredItem, UnknownCursorError
from gemgate.store.payloads import INLINE_BYTES

pytestmark = pytest.mark.integration

MONTH = 30 * 86_400
PLENTY = 10**9
LARGE = b"x" * (INLINE_BYTES + 1)


async def made(store: Store, *names: str) -> str:
    row = await store.conversations.create(OWNER, {"a": "b"}, MONTH)
    await append(store, row.id, *names)
    return row.id


async def append(store: Store, conversation: str, *names: str, owner: str = OWNER) -> bool:
    items = [StoredItem(name, name.encode()) for name in names]
    return await store.conversations.append(owner, conversation, items, MONTH)


async def listed(store: Store, conversation: str, owner: str = OWNER, **options: Any) -> list[str]:
    given: dict[str, Any] = {"limit": 100, "max_bytes": PLENTY, **options}
    return [item.id for item in (await store.conversations.page(owner, conversation, **given)).items]


async def test_a_conversation_is_its_owners(store: Store) -> None:
    name = await made(store, "msg_1")
    found = await store.conversations.get(OWNER, name)
    assert found is not None
    assert (found.meta, name.startswith("conv_")) == ({"a": "b"}, True)
    assert await store.conversations.get(OTHER, name) is None
    assert await store.conversations.update(OTHER, name, {}) is None
    assert await append(store, name, "msg_2", owner=OTHER) is False
    assert await listed(store, name, OTHER) == []
    assert await store.conversations.item(OTHER, name, "msg_1") is None
    assert await store.conversations.delete_item(OTHER, name, "msg_1") is False
    assert await store.conversations.delete(OTHER, name) is False
    assert await listed(store, name) == ["msg_1"]


async def test_its_metadata_can_be_changed(store: Store) -> None:
    name = await made(store)
    changed = await store.conversations.update(OWNER, name, {"c": "d"})
    assert changed is not None
    assert changed.meta == {"c": "d"}


async def test_items_are_listed_in_either_order_page_by_page(store: Store) -> None:
    name = await made(store, "msg_1", "msg_2", "msg_3")
    assert await listed(store, name) == ["msg_1", "msg_2", "msg_3"]
    assert await listed(store, name, order="desc", limit=2) == ["msg_3", "msg_2"]
    assert await listed(store, name, order="desc", after="msg_2") == ["msg_1"]
    assert await listed(store, name, after="msg_2") == ["msg_3"]
    with pytest.raises(UnknownCursorError):
        await listed(store, name, after="msg_9")


async def test_those_who_append_at_once_do_not_mix(store: Store) -> None:
    name = await made(store)
    async with anyio.create_task_group() as tasks:
        for turn in range(10):
            tasks.start_soon(append, store, name, *(f"{turn}-{part}" for part in range(5)))
    found = await listed(store, name)
    assert len(found) == 50
    assert [each.split("-")[1] for each in found] == list("01234") * 10
    assert {found[start].split("-")[0] for start in range(0, 50, 5)} == set("0123456789")


async def test_an_item_is_read_and_deleted(store: Store) -> None:
    name = await made(store, "msg_1", "msg_2")
    assert await store.conversations.item(OWNER, name, "msg_1") == StoredItem("msg_1", b"msg_1")
    assert await store.conversations.delete_item(OWNER, name, "msg_1") is True
    assert await store.conversations.delete_item(OWNER, name, "msg_1") is False
    assert await listed(store, name) == ["msg_2"]
    assert await append(store, name, "msg_3")
    assert await listed(store, name) == ["msg_2", "msg_3"]


async def test_large_items_are_blobs_that_go_with_them(store: Store) -> None:
    name = await made(store)
    items = [StoredItem("msg_1", LARGE), StoredItem("msg_2", LARGE)]
    assert await store.conversations.append(OWNER, name, items, MONTH)
    assert not await store.conversations.append(OWNER, "conv_none", items, MONTH)
    assert len(await keys(store.blobs, "conversations")) == 2
    assert [item.payload for item in await store.conversations.items(OWNER, name, PLENTY)] == [LARGE, LARGE]
    await store.conversations.delete_item(OWNER, name, "msg_1")
    assert len(await keys(store.blobs, "conversations")) == 1
    assert await store.conversations.delete(OWNER, name) is True
    assert await keys(store.blobs, "conversations") == set()
    assert await listed(store, name) == []


async def test_no_more_is_read_than_may_be(store: Store) -> None:
    name = await made(store, "msg_1", "msg_22", "msg_333")  # of 5, 6 and 7 bytes
    assert len(await store.conversations.items(OWNER, name, 18)) == 3
    with pytest.raises(KeptTooLargeError) as caught:
        await store.conversations.items(OWNER, name, 17)
    assert (caught.value.size, caught.value.maximum) == (18, 17)
    page = await store.conversations.page(OWNER, name, limit=3, max_bytes=12)
    assert ([item.id for item in page.items], page.has_more) == (["msg_1", "msg_22"], True)
    page = await store.conversations.page(OWNER, name, limit=3, max_bytes=1, after="msg_22")
    assert ([item.id for item in page.items], page.has_more) == (["msg_333"], False)


async def test_it_lives_a_month_after_its_last_item(store: Store, clock: FakeClock) -> None:
    name = await made(store, "msg_1")
    clock.advance(MONTH - 1)
    assert await append(store, name, "msg_2")
    clock.advance(MONTH - 1)
    assert await listed(store, name) == ["msg_1", "msg_2"]
    clock.advance(1)
    assert await listed(store, name) == []
    assert (await store.sweep()).conversations == 1
