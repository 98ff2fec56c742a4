"""Whose the files, caches and jobs at Google are, where callers share the gateway's keys."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import String, delete, literal, or_, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from gemgate.store.database import Clock, Database
from gemgate.store.errors import DiskFullError, StoreError, StoreUnavailableError
from gemgate.store.tables import GoogleFileRow, ResourceRow

_AT_ONCE = 1000
"""Names in one query: the parameters of a statement are limited."""


class Resources:
    """Owners of Google's resources by their names, such as `cachedContents/x`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, owner: str, lifetimes: Mapping[str, int | None], key_label: str) -> set[str]:
        """Note that `owner` has made these names with the key of that label; those that are another's stay so.

        Args:
            owner: Whose they are.
            lifetimes: For each name the seconds after which it is forgotten; None for never.
            key_label: What the Gemini key is called.

        Returns:
            Those that are the owner's now.

        Raises:
            StoreError: the database failed.
        """
        now = int(self._clock())
        rows = [
            {"name": name, "owner": owner, "expires_at": None if life is None else now + life, "key_label": key_label}
            for name, life in lifetimes.items()
        ]
        insert = self._database.upsert(ResourceRow).values(rows)
        news = {column: insert.excluded[column] for column in ("owner", "expires_at", "key_label")}
        is_free = or_(ResourceRow.owner == owner, ResourceRow.expires_at <= now)
        claimed = insert.on_conflict_do_update(index_elements=["name"], set_=news, where=is_free)
        try:
            async with self._database.write() as session:
                return set(await session.scalars(claimed.returning(ResourceRow.name)))
        except DiskFullError:
            raise
        except (StoreError, SQLAlchemyError, OSError) as error:
            raise StoreUnavailableError("the owner of what was made at Google could not be noted") from error

    async def owned(self, owner: str, names: Collection[str]) -> dict[str, str]:
        """Those of `names` that the owner has made or uploaded, and the labels of the keys that made them, if known."""
        wanted = sorted(names)
        found: dict[str, str] = {}
        async with self._database.read() as session:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                made = select(ResourceRow.name, ResourceRow.key_label)
                uploaded = select(GoogleFileRow.name, literal(None, String))
                both: Any = union_all(
                    made.where(ResourceRow.owner == owner, ResourceRow.name.in_(some)),
                    uploaded.where(GoogleFileRow.owner == owner, GoogleFileRow.name.in_(some)),
                )
                for name, label in await session.execute(both):
                    found[name] = label or found.get(name, "")
        return found

    async def of_others(self, owner: str, names: Collection[str]) -> dict[str, str]:
        """Those of `names` that another has made, and the labels of the keys that made them."""
        is_kept = or_(ResourceRow.expires_at.is_(None), ResourceRow.expires_at > int(self._clock()))
        columns = select(ResourceRow.name, ResourceRow.key_label)
        wanted = columns.where(ResourceRow.name.in_(list(names)), ResourceRow.owner != owner, is_kept)
        async with self._database.read() as session:
            return {name: label or "" for name, label in await session.execute(wanted)}

    async def forget(self, owner: str, name: str) -> None:
        """It was deleted at Google."""
        async with self._database.write() as session:
            await session.execute(delete(ResourceRow).where(ResourceRow.owner == owner, ResourceRow.name == name))
