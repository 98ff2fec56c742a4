"""What the store holds of all callers, for its operator: the newest batches, and sums."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select

from gemgate.store.database import Database
from gemgate.store.tables import BatchRow, ConversationRow, FileRow, ResponseRow, UploadRow


class Held(NamedTuple):
    """So many of a kind, and their bytes; None where they are not counted."""

    number: int
    bytes: int | None


class StoreOverview(NamedTuple):
    """What there is of all callers.

    Attributes:
        batches: The newest ones, newest first.
        files: By purpose.
        others: Responses, conversations and uploads that are not complete.
    """

    batches: Sequence[BatchRow]
    files: Mapping[str, Held]
    others: Mapping[str, Held]


async def overview(database: Database, most: int) -> StoreOverview:
    """What the store holds, with at most so many batches.

    Raises:
        StoreError: the database failed.
    """
    async with database.read() as session:
        newest = select(BatchRow).order_by(BatchRow.created_at.desc(), BatchRow.id.desc()).limit(most)
        batches = list(await session.scalars(newest))
        by_purpose = select(FileRow.purpose, func.count(), func.sum(FileRow.bytes)).group_by(FileRow.purpose)
        files = {purpose: Held(number, int(size or 0)) for purpose, number, size in await session.execute(by_purpose)}
        responses = (await session.execute(select(func.count(), func.sum(ResponseRow.size)))).one()
        conversations = await session.scalar(select(func.count()).select_from(ConversationRow))
        uploads = await session.scalar(select(func.count()).where(UploadRow.status == "pending"))
    others = {
        "responses": Held(responses[0], int(responses[1] or 0)),
        "conversations": Held(conversations or 0, None),
        "uploads": Held(uploads or 0, None),
    }
    return StoreOverview(batches, files, others)
