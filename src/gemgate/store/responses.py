"""Responses: each with the items of its own turn; a conversation is a chain of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gemgate.store.blobs import Blobs
from gemgate.store.database import Clock, Database
from gemgate.store.errors import KeptTooLargeError, ResponseUnknownError
from gemgate.store.payloads import Payloads
from gemgate.store.tables import ResponseEventRow, ResponseItemRow, ResponseRow

PREFIX = "responses"
MAX_CHAIN = 1_000
"""Responses that one may go on from, one after another."""

MAX_EVENT_ROWS = 16
"""Pieces of events that are read at once: whoever follows a response may take them slowly."""

_AT_ONCE = 500
"""Ids in one query: the parameters of a statement are limited."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as it is kept.

    Attributes:
        row: What is known of it without its payload.
        payload: The caller's JSON: what was asked and answered in this turn.
    """

    row: ResponseRow
    payload: bytes


class StoredEvents(NamedTuple):
    """Some events of a response, as they are sent.

    Attributes:
        first: The number of the first of them.
        last: The number of the last.
        data: Their bytes.
    """

    first: int
    last: int
    data: bytes


Closing = tuple[bytes, int]
"""The last events of a response, and how many they are."""


class Responses:
    """The responses of all callers. Another's response, and one past its `expires_at`, is as if it were not there.

    Leases and events are for responses in the background. One with a lease is at work; without, it has ended.
    """

    def __init__(self, database: Database, blobs: Blobs, clock: Clock) -> None:
        self._database = database
        self._payloads = Payloads(blobs, PREFIX)
        self._clock = clock

    async def create(
        self,
        owner: str,
        response_id: str,
        payload: bytes,
        *,
        status: str,
        expires_after: int,
        previous_id: str | None = None,
        items: Collection[str] = (),
        lease: float | None = None,
        events: StoredEvents | None = None,
    ) -> None:
        """Keep a response.

        Args:
            owner: Whose it is.
            response_id: Its id, which no other one has.
            payload: JSON.
            status: Of the response.
            expires_after: Seconds after which it is gone.
            previous_id: The response that it goes on from.
            items: The ids of its items, by which they are found.
            lease: Seconds for which this process works at it; None when it has ended.
            events: Its first events.

        Raises:
            StoreError: the blob store failed.
        """
        now = self._clock()
        place = await self._payloads.put(payload)
        row = ResponseRow(
            id=response_id,
            owner=owner,
            status=status,
            size=len(payload),
            created_at=int(now),
            expires_at=int(now) + expires_after,
            previous_id=previous_id,
            payload=place.data,
            blob_key=place.blob_key,
            lease_until=None if lease is None else now + lease,
        )
        async with self._database.write() as session:
            session.add(row)
            await session.flush()
            await self._note_items(session, owner, response_id, items)
            if events is not None:
                session.add(_event_row(response_id, events))

    async def replace(
        self,
        owner: str,
        response_id: str,
        payload: bytes,
        *,
        status: str,
        items: Collection[str] = (),
        lease: float | None = None,
        events: StoredEvents | None = None,
        closing: Callable[[int], Closing] | None = None,
        is_abandoned: bool = False,
        is_first: bool = False,
    ) -> bool:
        """Replace what is kept of a response at work; False where it was deleted, or has ended: its end stays.

        Args:
            owner: Whose it is.
            response_id: Its id.
            payload: JSON.
            status: Of the response.
            items: The ids of its items, by which they are found.
            lease: Seconds for which this process goes on working at it; None when it has ended.
            events: Its next events.
            closing: Makes its last events, from a number on, where events are kept of it.
            is_abandoned: It must be one whose lease has run out.
            is_first: It goes on from no other response any more.

        Raises:
            StoreError: the blob store failed.
        """
        place = await self._payloads.put(payload)
        news: dict[str, object] = {"status": status, "size": len(payload)}
        news |= {"payload": place.data, "blob_key": place.blob_key}
        news["lease_until"] = None if lease is None else self._clock() + lease
        if is_first:
            news["previous_id"] = None
        at_work = _at_work(owner, response_id)
        if is_abandoned:
            at_work = (*at_work, ResponseRow.lease_until < self._clock())
        async with self._database.write() as session:
            older = select(ResponseRow.blob_key).where(*at_work).with_for_update()
            found = (await session.execute(older)).first()
            if found is not None:
                await session.execute(update(ResponseRow).where(*at_work).values(news))
                await self._note_items(session, owner, response_id, items)
                if closing is not None and (last := await session.scalar(_last_event(response_id))) is not None:
                    data, count = closing(last + 1)
                    events = StoredEvents(last + 1, last + count, data)
                if events is not None:
                    session.add(_event_row(response_id, events))
        await self._payloads.delete(place.blob_key if found is None else found[0])
        return found is not None

    async def get(self, owner: str, response_id: str) -> StoredResponse | None:
        """The response; None when it is not there."""
        async with self._database.read() as session:
            row = await session.scalar(select(ResponseRow).where(ResponseRow.id == response_id, *self._alive(owner)))
        return None if row is None else await self._loaded(row)

    async def chain(self, owner: str, response_id: str, max_bytes: int) -> list[StoredResponse]:
        """The response, and those that it goes on from, the first of them first.

        Raises:
            ResponseUnknownError: one of them is not there, or they are more than `MAX_CHAIN`.
            KeptTooLargeError: together they are larger than `max_bytes`; none of them was read.
        """
        async with self._database.read() as session:
            links = dict((await session.execute(self._ancestors(owner, response_id))).all())
            wanted: str | None = response_id
            chain: list[str] = []
            while wanted is not None:
                if wanted not in links or len(chain) == MAX_CHAIN:
                    raise ResponseUnknownError(wanted)
                chain.append(wanted)
                wanted = links[wanted]
            rows = await self._rows(session, owner, chain, max_bytes)
        for link in chain:
            if link not in rows:
                raise ResponseUnknownError(link)
        return [await self._loaded(rows[link]) for link in reversed(chain)]

    async def of_items(self, owner: str, item_ids: Sequence[str], max_bytes: int) -> dict[str, StoredResponse]:
        """The responses that hold these items, by the items' ids; those that are not there are left out.

        Raises:
            KeptTooLargeError: together they are larger than `max_bytes`; none of them was read.
        """
        found: dict[str, str] = {}
        async with self._database.read() as session:
            for start in range(0, len(item_ids), _AT_ONCE):
                some = item_ids[start : start + _AT_ONCE]
                places = select(ResponseItemRow.id, ResponseItemRow.response_id)
                mine = places.where(ResponseItemRow.owner == owner, ResponseItemRow.id.in_(some))
                found.update((item, response) for item, response in await session.execute(mine))
            rows = await self._rows(session, owner, sorted(set(found.values())), max_bytes)
        loaded = {response_id: await self._loaded(row) for response_id, row in rows.items()}
        return {item: loaded[response_id] for item, response_id in found.items() if response_id in loaded}

    async def delete(self, owner: str, response_id: str) -> bool:
        """Delete it, with its items and events; False when it is not there."""
        async with self._database.write() as session:
            mine = (ResponseRow.id == response_id, *self._alive(owner))
            gone = await session.execute(delete(ResponseRow).where(*mine).returning(ResponseRow.blob_key))
            found = gone.first()
        if found is None:
            return False
        await self._payloads.delete(found[0])
        return True

    async def renew(self, owner: str, response_id: str, lease: float) -> bool:
        """Go on working at it for so many seconds; False where it was deleted, or has ended elsewhere."""
        renewed = update(ResponseRow).where(*_at_work(owner, response_id)).values(lease_until=self._clock() + lease)
        async with self._database.write() as session:
            return await session.scalar(renewed.returning(ResponseRow.id)) is not None

    async def abandoned(self, limit: int = 100) -> list[StoredResponse]:
        """Responses of processes that are gone: their leases have run out."""
        async with self._database.read() as session:
            late = select(ResponseRow).where(ResponseRow.lease_until < self._clock()).limit(limit)
            rows = list(await session.scalars(late))
        return [await self._loaded(row) for row in rows]

    async def is_at_work(self, owner: str, response_id: str) -> bool:
        """Whether it has not ended; False where it is not there."""
        query = select(ResponseRow.id).where(*_at_work(owner, response_id), *self._alive(owner))
        async with self._database.read() as session:
            return await session.scalar(query) is not None

    async def add_events(self, owner: str, response_id: str, events: StoredEvents) -> bool:
        """Keep more events of a response at work; False where it was deleted, or has ended."""
        query = select(ResponseRow.id).where(*_at_work(owner, response_id)).with_for_update()
        async with self._database.write() as session:
            found = await session.scalar(query) is not None
            if found:
                session.add(_event_row(response_id, events))
        return found

    async def events(self, owner: str, response_id: str, after: int = -1) -> list[StoredEvents]:
        """The next kept events beyond the number `after`, in at most `MAX_EVENT_ROWS`; the first may begin before."""
        mine = select(ResponseRow.id).where(ResponseRow.id == response_id, *self._alive(owner))
        wanted = select(ResponseEventRow.number, ResponseEventRow.last, ResponseEventRow.data).where(
            ResponseEventRow.response_id.in_(mine), ResponseEventRow.last > after
        )
        async with self._database.read() as session:
            found = await session.execute(wanted.order_by(ResponseEventRow.number).limit(MAX_EVENT_ROWS))
            return [StoredEvents(first, last, data) for first, last, data in found]

    async def last_event(self, owner: str, response_id: str) -> int | None:
        """The number of the latest event that is kept; None where none are."""
        query = select(ResponseRow.id).where(ResponseRow.id == response_id, *self._alive(owner))
        async with self._database.read() as session:
            return await session.scalar(_last_event(response_id).where(ResponseEventRow.response_id.in_(query)))

    def _ancestors(self, owner: str, response_id: str) -> Select[str, str | None]:
        """The ids of a response and of those before it, and the id before each."""
        columns = (ResponseRow.id, ResponseRow.previous_id)
        start = select(*columns, literal(1).label("depth")).where(ResponseRow.id == response_id)
        chain = start.where(*self._alive(owner)).cte("chain", recursive=True)
        further = select(*columns, chain.c.depth + 1).where(
            ResponseRow.id == chain.c.previous_id, *self._alive(owner), chain.c.depth <= MAX_CHAIN
        )
        links = chain.union_all(further)
        return select(links.c.id, links.c.previous_id)

    async def _rows(
        self, session: AsyncSession, owner: str, ids: Sequence[str], max_bytes: int
    ) -> dict[str, ResponseRow]:
        """The rows that are there, by their ids; their sizes are added up before any is read."""
        some = [ResponseRow.id.in_(ids[start : start + _AT_ONCE]) for start in range(0, len(ids), _AT_ONCE)]
        sizes = [select(func.sum(ResponseRow.size)).where(each, *self._alive(owner)) for each in some]
        if (size := sum([await session.scalar(query) or 0 for query in sizes])) > max_bytes:
            raise KeptTooLargeError(int(size), max_bytes)
        rows: dict[str, ResponseRow] = {}
        for each in some:
            found = await session.scalars(select(ResponseRow).where(each, *self._alive(owner)))
            rows |= {row.id: row for row in found}
        return rows

    async def _note_items(self, session: AsyncSession, owner: str, response_id: str, items: Collection[str]) -> None:
        rows = [{"owner": owner, "id": item, "response_id": response_id} for item in items]
        for start in range(0, len(rows), _AT_ONCE):
            insert = self._database.upsert(ResponseItemRow).values(rows[start : start + _AT_ONCE])
            newest = {"response_id": insert.excluded["response_id"]}
            await session.execute(insert.on_conflict_do_update(index_elements=["owner", "id"], set_=newest))

    async def _loaded(self, row: ResponseRow) -> StoredResponse:
        return StoredResponse(row, await self._payloads.get(row.payload, row.blob_key))

    def _alive(self, owner: str) -> tuple[ColumnElement[bool], ...]:
        return ResponseRow.owner == owner, ResponseRow.expires_at > int(self._clock())


def _at_work(owner: str, response_id: str) -> tuple[ColumnElement[bool], ...]:
    return ResponseRow.id == response_id, ResponseRow.owner == owner, ResponseRow.lease_until.is_not(None)


def _last_event(response_id: str) -> Select[int | None]:
    return select(func.max(ResponseEventRow.last)).where(ResponseEventRow.response_id == response_id)


def _event_row(response_id: str, events: StoredEvents) -> ResponseEventRow:
    return ResponseEventRow(response_id=response_id, number=events.first, last=events.last, data=events.data)
