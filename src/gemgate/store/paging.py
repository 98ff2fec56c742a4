"""Lists in pages, stable while rows come and go."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from gemgate.store.errors import UnknownCursorError
from gemgate.store.ids import second_of
from gemgate.store.tables import BatchRow, FileRow

Row = TypeVar("Row", FileRow, BatchRow)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and whether there are more after the last of them."""

    rows: list[Row]
    has_more: bool


async def fetch_page(
    session: AsyncSession,
    table: type[Row],
    *conditions: ColumnElement[bool],
    after: str | None,
    limit: int,
    newest_first: bool,
) -> Page[Row]:
    """The rows of `table` that meet `conditions`, by (created_at, id), that follow the row with the id `after`.

    A row that is gone still has its place, which its id keeps: a caller may delete what it lists as it goes.

    Raises:
        UnknownCursorError: no id of ours looks like `after`.
    """
    place = tuple_(table.created_at, table.id)
    query = select(table).where(*conditions)
    if after is not None:
        known = await session.scalar(select(table.created_at).where(table.id == after, *conditions))
        second = second_of(after) if known is None else known
        if second is None:
            raise UnknownCursorError(after)
        query = query.where(place < (second, after) if newest_first else place > (second, after))
    order = (table.created_at.desc(), table.id.desc()) if newest_first else (table.created_at, table.id)
    rows = list(await session.scalars(query.order_by(*order).limit(limit + 1)))
    return Page(rows[:limit], len(rows) > limit)
