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

    async def claim(self, owner: str, name: str, key_label: str, lifetime: int | None = None) -> None:
        """It is the owner's from now on, made with the key of that label, and forgotten after `lifetime` seconds."""
        expires_at = None if lifetime is None else int(self._clock()) + lifetime
        row = {"name": name, "owner": owner, "expires_at": expires_at, "key_label": key_label}
        insert = self._database.upsert(ResourceRow).values(row)
        news = {column: insert.excluded[column] for column in row if column != "name"}
        async with self._database.write() as session:
            await session.execute(insert.on_conflict_do_update(index_elements=["name"], set_=news))

    async def owned(self, owner: str, names: Iterable[str]) -> dict[str, str]:
        """Those of `names` that are the owner's, and the labels of the keys that made them."""
        columns = select(ResourceRow.name, ResourceRow.key_label)
        wanted = columns.where(ResourceRow.owner == owner, ResourceRow.name.in_(set(names)))
        async with self._database.read() as session:
            return {name: label or "" for name, label in await session.execute(wanted)}

    async def forget(self, owner: str, name: str) -> None:
        """It was deleted at Google."""
        async with self._database.write() as session:
            await session.execute(delete(ResourceRow).where(ResourceRow.owner == owner, ResourceRow.name == name))
