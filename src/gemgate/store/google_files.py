"""What Google's Files API holds for us, so that the same bytes are uploaded once in its 48 hours."""

from sqlalchemy import delete, select

from gemgate.store.database import Clock, Database
from gemgate.store.tables import GoogleFileRow


class GoogleFiles:
    """Uploads by (owner, digest of the Gemini key, SHA-256, MIME type): Google shows a file to its own key only."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(
        self, owner: str, key_digest: str, sha256: str, mime_type: str, *, margin: float = 3600
    ) -> GoogleFileRow | None:
        """The upload of these bytes, if Google keeps it for `margin` more seconds."""
        wanted = select(GoogleFileRow).where(
            GoogleFileRow.owner == owner,
            GoogleFileRow.key_digest == key_digest,
            GoogleFileRow.sha256 == sha256,
            GoogleFileRow.mime_type == mime_type,
            GoogleFileRow.expires_at > self._clock() + margin,
        )
        async with self._database.read() as session:
            return await session.scalar(wanted)

    async def put(self, row: GoogleFileRow) -> None:
        """Remember an upload, in place of an older one of the same bytes."""
        columns = GoogleFileRow.__table__.columns
        insert = self._database.upsert(GoogleFileRow).values(
            {column.name: getattr(row, column.name) for column in columns}
        )
        news = {name: getattr(insert.excluded, name) for name in ("name", "uri", "expires_at")}
        key = [column.name for column in columns if column.primary_key]
        async with self._database.write() as session:
            await session.execute(insert.on_conflict_do_update(index_elements=key, set_=news))

    async def forget(self, owner: str, name: str) -> None:
        """Google no longer has the file `name` (`files/…`)."""
        async with self._database.write() as session:
            forgotten = delete(GoogleFileRow).where(GoogleFileRow.owner == owner, GoogleFileRow.name == name)
            await session.execute(forgotten)
