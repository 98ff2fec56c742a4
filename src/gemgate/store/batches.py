"""Batches: their rows, and which process works at which of them."""

from collections.abc import Collection
from typing import TypedDict, Unpack

from sqlalchemy import ColumnElement, case, func, or_, select, true, update

from gemgate.store.database import Clock, Database
from gemgate.store.paging import Page, fetch_page
from gemgate.store.tables import BatchRow


class BatchChanges(TypedDict, total=False):
    """The columns of `BatchRow` that may change."""

    status: str
    meta: dict[str, str] | None
    model: str | None
    google_name: str | None
    output_file_id: str | None
    error_file_id: str | None
    total: int
    completed: int
    failed: int
    in_progress_at: int | None
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    expires_at: int | None
    errors: list[dict[str, object]] | None
    usage: dict[str, object] | None
    progress: dict[str, object] | None
    key_ciphertext: bytes | None
    attempt: int
    next_poll_at: float | None


class BatchRows:
    """The batches of all callers, as a queue of jobs for any number of workers in any number of processes.

    A job is due at `next_poll_at`. A worker claims one that is due, for the length of a lease which it renews while it
    works. When it dies the lease runs out, and another worker claims the job: that raises the row's version, so that
    what the first one may still write is refused. Clocks of replicas must agree to well under a lease.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, row: BatchRow) -> BatchRow:
        """Add a batch."""
        async with self._database.write() as session:
            session.add(row)
        return row

    async def get(self, owner: str, batch_id: str) -> BatchRow | None:
        """The caller's batch, or None."""
        async with self._database.read() as session:
            return await session.scalar(select(BatchRow).where(BatchRow.id == batch_id, BatchRow.owner == owner))

    async def list(self, owner: str, *, after: str | None = None, limit: int = 20) -> Page[BatchRow]:
        """The caller's batches, newest first, those that follow the id `after`.

        Raises:
            UnknownCursorError: `after` is not the id of a batch.
        """
        mine = BatchRow.owner == owner
        async with self._database.read() as session:
            return await fetch_page(session, BatchRow, mine, after=after, limit=limit, newest_first=True)

    async def count_by_status(self) -> dict[str, int]:
        """How many batches of all callers there are in each status that one is in."""
        async with self._database.read() as session:
            rows = await session.execute(select(BatchRow.status, func.count()).group_by(BatchRow.status))
            return {row[0]: row[1] for row in rows}

    async def update(self, batch_id: str, expected_version: int, **changes: Unpack[BatchChanges]) -> BatchRow | None:
        """Change a row that is still at `expected_version`: the row as it is now, or None when it has moved on."""
        return await self._change(
            BatchRow.id == batch_id, BatchRow.version == expected_version, version=BatchRow.version + 1, **changes
        )

    async def claim(self, worker: str, lease_seconds: float, but_of: Collection[str] = ()) -> BatchRow | None:
        """Take the job that has been due for longest and that nobody holds; None without one.

        `worker` names one run of one process. Two workers never get the same job, not even in two processes. Jobs of
        the owners `but_of` are left.
        """
        now = self._clock()
        due = (
            select(BatchRow.id)
            .where(BatchRow.next_poll_at <= now, or_(BatchRow.lease_until.is_(None), BatchRow.lease_until <= now))
            .where(BatchRow.owner.not_in(but_of) if but_of else true())
            .order_by(BatchRow.next_poll_at, BatchRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        lease = {"lease_owner": worker, "lease_until": now + lease_seconds}
        return await self._change(BatchRow.id == due, version=BatchRow.version + 1, **lease)

    async def renew(self, batch_id: str, worker: str, lease_seconds: float) -> bool:
        """Hold the job for `lease_seconds` from now; False when another worker has taken it: stop at once."""
        until = self._clock() + lease_seconds
        return await self._change(*_held(batch_id, worker), lease_until=until) is not None

    async def release(self, batch_id: str, worker: str, seen_version: int, next_poll_at: float | None) -> bool:
        """Give the job back, due again at `next_poll_at` (None: it is done); False when another worker has taken it.

        If the row has left `seen_version`, someone wants something of the job, and its own due time stays.
        """
        is_unchanged = BatchRow.version == seen_version
        due = case((is_unchanged, next_poll_at), else_=BatchRow.next_poll_at)
        released = await self._change(
            *_held(batch_id, worker),
            lease_owner=None,
            lease_until=None,
            next_poll_at=due,
            version=BatchRow.version + 1,
        )
        return released is not None

    async def next_due(self) -> float | None:
        """When, in Unix seconds, the next job can be claimed; it may be past. None without a job."""
        is_leased_longer = BatchRow.lease_until > BatchRow.next_poll_at
        free = case((is_leased_longer, BatchRow.lease_until), else_=BatchRow.next_poll_at)
        async with self._database.read() as session:
            earliest: float | None = await session.scalar(select(func.min(free)))
            return earliest

    async def _change(self, *conditions: ColumnElement[bool], **values: object) -> BatchRow | None:
        wanted = update(BatchRow).where(*conditions).values(**values).returning(BatchRow)
        async with self._database.write() as session:
            return await session.scalar(wanted, execution_options={"synchronize_session": False})


def _held(batch_id: str, worker: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return BatchRow.id == batch_id, BatchRow.lease_owner == worker
