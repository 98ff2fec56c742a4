"""Conversations: items in their order, which responses and callers append to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from sqlalchemy import ColumnElement, delete, func, select, update

from gemgate.store.blobs import Blobs
from gemgate.store.database import Clock, Database
from gemgate.store.errors import KeptTooLargeError, UnknownCursorError
from gemgate.store.ids import new_id
from gemgate.store.payloads import Payload, Payloads
from gemgate.store.tables import ConversationItemRow, ConversationRow

PREFIX = "conversations"


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item of a conversation: its id, and its JSON."""

    id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some items, and whether there are more after the last of them."""

    items: list[StoredItem]
    has_more: bool


class Conversations:
    """The conversations of all callers. Another's, and one past its `expires_at`, is as if it were not there."""

    def __init__(self, database: Database, blobs: Blobs, clock: Clock) -> None:
        self._database = database
        self._payloads = Payloads(blobs, PREFIX)
        self._clock = clock

    async def create(self, owner: str, metadata: dict[str, str], expires_after: int) -> ConversationRow:
        """A new one without items; `expires_after` is in seconds, and begins again with each change."""
        now = int(self._clock())
        row = ConversationRow(
            id=new_id("conv_", now), owner=owner, created_at=now, expires_at=now + expires_after, meta=metadata
        )
        async with self._database.write() as session:
            session.add(row)
        return row

    async def get(self, owner: str, conversation_id: str) -> ConversationRow | None:
        """The conversation; None when it is not there."""
        async with self._database.read() as session:
            return await session.scalar(select(ConversationRow).where(*self._alive(owner, conversation_id)))

    async def update(self, owner: str, conversation_id: str, metadata: dict[str, str]) -> ConversationRow | None:
        """The conversation with other metadata; None when it is not there."""
        changed = update(ConversationRow).where(*self._alive(owner, conversation_id)).values(meta=metadata)
        async with self._database.write() as session:
            return await session.scalar(changed.returning(ConversationRow))

    async def delete(self, owner: str, conversation_id: str) -> bool:
        """Delete it with its items; False when it is not there."""
        async with self._database.write() as session:
            mine = self._alive(owner, conversation_id)
            if await session.scalar(select(ConversationRow.id).where(*mine)) is None:
                return False
            blobs = select(ConversationItemRow.blob_key).where(ConversationItemRow.conversation_id == conversation_id)
            keys = list(await session.scalars(blobs))
            await session.execute(delete(ConversationRow).where(*mine))
        await self._payloads.delete(*keys)
        return True

    async def append(self, owner: str, conversation_id: str, items: Sequence[StoredItem], expires_after: int) -> bool:
        """Add items at the end, in one step: those of two who append at once do not mix. False when it is not there.

        Raises:
            StoreError: the blob store failed.
        """
        places = [await self._payloads.put(item.payload) for item in items]
        counted = update(ConversationRow).where(*self._alive(owner, conversation_id))
        now = int(self._clock())
        news = {"next_place": ConversationRow.next_place + len(items), "expires_at": now + expires_after}
        async with self._database.write() as session:
            after = await session.scalar(counted.values(news).returning(ConversationRow.next_place))
            if after is not None:
                first = after - len(items)
                session.add_all(
                    _row(owner, conversation_id, first + index, item, place)
                    for index, (item, place) in enumerate(zip(items, places, strict=True))
                )
        if after is None:
            await self._payloads.delete(*(place.blob_key for place in places))
        return after is not None

    async def items(self, owner: str, conversation_id: str, max_bytes: int) -> list[StoredItem]:
        """All items; none where the conversation is not there.

        Raises:
            KeptTooLargeError: together they are larger than `max_bytes`; none of them was read.
        """
        mine = self._items_of(owner, conversation_id)
        async with self._database.read() as session:
            size = await session.scalar(select(func.sum(ConversationItemRow.size)).where(*mine)) or 0
            if size > max_bytes:
                raise KeptTooLargeError(int(size), max_bytes)
            query = select(ConversationItemRow).where(*mine).order_by(ConversationItemRow.place)
            rows = list(await session.scalars(query))
        return [await self._loaded(row) for row in rows]

    async def page(
        self,
        owner: str,
        conversation_id: str,
        *,
        after: str | None = None,
        limit: int,
        order: Literal["asc", "desc"] = "asc",
        max_bytes: int,
    ) -> ItemPage:
        """The items that follow the item `after`, in this order; none where the conversation is not there.

        They are at most `limit`, and fewer where they would be larger than `max_bytes` together; one is always given.

        Raises:
            UnknownCursorError: the conversation has no item with the id `after`.
        """
        mine = self._items_of(owner, conversation_id)
        place = ConversationItemRow.place
        async with self._database.read() as session:
            query = select(ConversationItemRow).where(*mine)
            if after is not None:
                known = select(place).where(*mine, ConversationItemRow.id == after).order_by(place.desc()).limit(1)
                if (begin := await session.scalar(known)) is None:
                    raise UnknownCursorError(after)
                query = query.where(place > begin if order == "asc" else place < begin)
            query = query.order_by(place if order == "asc" else place.desc())
            rows = list(await session.scalars(query.limit(limit + 1)))
        sizes = accumulate(row.size for row in rows[:limit])
        number = sum(size <= max_bytes for size in sizes) or 1
        return ItemPage([await self._loaded(row) for row in rows[:number]], len(rows) > number)

    async def item(self, owner: str, conversation_id: str, item_id: str) -> StoredItem | None:
        """The newest item with this id."""
        found = (*self._items_of(owner, conversation_id), ConversationItemRow.id == item_id)
        newest = select(ConversationItemRow).where(*found).order_by(ConversationItemRow.place.desc()).limit(1)
        async with self._database.read() as session:
            row = await session.scalar(newest)
        return None if row is None else await self._loaded(row)

    async def delete_item(self, owner: str, conversation_id: str, item_id: str) -> bool:
        """Delete the items with this id; False when it has none."""
        gone = delete(ConversationItemRow).where(
            *self._items_of(owner, conversation_id), ConversationItemRow.id == item_id
        )
        async with self._database.write() as session:
            keys = [row[0] for row in await session.execute(gone.returning(ConversationItemRow.blob_key))]
        await self._payloads.delete(*keys)
        return bool(keys)

    async def _loaded(self, row: ConversationItemRow) -> StoredItem:
        return StoredItem(row.id, await self._payloads.get(row.payload, row.blob_key))

    def _alive(self, owner: str, conversation_id: str) -> tuple[ColumnElement[bool], ...]:
        is_alive = ConversationRow.expires_at > int(self._clock())
        return ConversationRow.id == conversation_id, ConversationRow.owner == owner, is_alive

    def _items_of(self, owner: str, conversation_id: str) -> tuple[ColumnElement[bool], ...]:
        alive = select(ConversationRow.id).where(*self._alive(owner, conversation_id))
        return (ConversationItemRow.conversation_id.in_(alive),)


def _row(owner: str, conversation_id: str, place: int, item: StoredItem, payload: Payload) -> ConversationItemRow:
    return ConversationItemRow(
        conversation_id=conversation_id,
        place=place,
        id=item.id,
        owner=owner,
        size=len(item.payload),
        payload=payload.data,
        blob_key=payload.blob_key,
    )
