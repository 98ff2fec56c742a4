"""Whose the files, caches and jobs at Google are, where callers share the gateway's keys."""

from collections.abc import Iterable

from sqlalchemy import delete, select

from gemgate.store.database import Clock, Database
from gemgate.store.tables import ResourceRow


class Resources:
    """Owners of Google's resources by their names, such as `cachedContents/x`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, owner: str, name: str, lifetime: int | None = None) -> None:
        """It is the owner's from now on, and forgotten after `lifetime` seconds."""
        expires_at = None if lifetime is None else int(self._clock()) + lifetime
        insert = self._database.upsert(ResourceRow).values(name=name, owner=owner, expires_at=expires_at)
        news = {"owner": insert.excluded.owner, "expires_at": insert.excluded.expires_at}
        async with self._database.write() as session:
            await session.execute(insert.on_conflict_do_update(index_elements=["name"], set_=news))

    async def owned(self, owner: str, names: Iterable[str]) -> set[str]:
        """Those of `names` that are the owner's."""
        wanted = select(ResourceRow.name).where(ResourceRow.owner == owner, ResourceRow.name.in_(set(names)))
        async with self._database.read() as session:
            return set(await session.scalars(wanted))

    async def forget(self, owner: str, name: str) -> None:
        """It was deleted at Google."""
        async with self._database.write() as session:
            await session.execute(delete(ResourceRow).where(ResourceRow.owner == owner, ResourceRow.name == name))
