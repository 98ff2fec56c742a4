"""Background worker: claims due batches by lease and runs one step of each. Any number may run against one database."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gemgate.api.batches.claimed import ClaimedBatch, LeaseLostError, OvertakenError
from gemgate.api.batches.state_machine import NOW, BatchStateMachine
from gemgate.gemini.errors import GeminiError
from gemgate.redaction import traceback_of
from gemgate.store.batches import BatchRows
from gemgate.store.errors import StoreError
from gemgate.store.tables import BatchRow

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """How a worker works; times are seconds.

    Attributes:
        lease: For how long a batch is held without a sign of life; another worker takes it after that.
        concurrency: Batches at once; one caller has all of these places but one at most.
        idle: Between two looks for batches that other processes have left, at most.
    """

    lease: float = 30
    concurrency: int = 4
    idle: float = 5


class Worker:
    """Claims batches that are due, one step at a time: `async with worker.running(): …`.

    Args:
        rows: The queue.
        state_machine: Does the steps.
        name: Names this run of this process, and no other.
        options: How to work.
        clock: Unix seconds.
    """

    def __init__(
        self,
        rows: BatchRows,
        state_machine: BatchStateMachine,
        name: str,
        options: WorkOptions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rows = rows
        self._state_machine = state_machine
        self._name = name
        self._options = options or WorkOptions()
        self._clock = clock
        self._news = asyncio.Event()
        self._running: dict[asyncio.Task[None], str] = {}

    def wake(self) -> None:
        """There is something to do."""
        self._news.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the block ends; what is held then is given back."""
        loop = asyncio.create_task(self._run())
        try:
            yield
        finally:
            loop.cancel()
            for task in self._running:
                task.cancel()
            await asyncio.gather(loop, *self._running, return_exceptions=True)

    async def work_off(self) -> int:
        """Do all steps that are due now, one after another; how many there were."""
        steps = 0
        while row := await self._rows.claim(self._name, self._options.lease):
            await self._work(row)
            steps += 1
        return steps

    async def _run(self) -> None:
        while True:
            self._news.clear()
            pause = self._options.idle
            try:
                while len(self._running) < self._options.concurrency:
                    but_of = self._served_enough()
                    row = await self._rows.claim(self._name, self._options.lease, but_of)
                    if row is None and but_of:
                        break  # the end of a step is news
                    if row is None:
                        due = await self._rows.next_due()
                        pause = pause if due is None else min(max(due - self._clock(), 0.05), pause)
                        break
                    task = asyncio.create_task(self._work(row))
                    self._running[task] = row.owner
                    task.add_done_callback(self._done)
            except (StoreError, SQLAlchemyError, OSError) as error:
                _log.warning("the store of batches does not answer", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001  the loop must go on, or no batch ever ends
                _log.error("no batch could be claimed", exception=traceback_of(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()

    def _served_enough(self) -> list[str]:
        """The callers who have all places but one, which is kept for another."""
        maximum = max(self._options.concurrency - 1, 1)
        if len(self._running) < maximum or self._options.concurrency == 1:
            return []
        return [owner for owner, count in Counter(self._running.values()).items() if count >= maximum]

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._news.set()

    async def _work(self, row: BatchRow) -> None:
        """One step, under a lease that is renewed for as long as it takes."""
        claimed = ClaimedBatch(self._rows, row, self._name)
        step = asyncio.create_task(self._step(claimed))
        try:
            await self._renewed(step, row.id)
            due = await step
        except asyncio.CancelledError:
            step.cancel()
            await asyncio.gather(step, return_exceptions=True)
            await self._release(claimed, row.next_poll_at)
            raise
        except LeaseLostError:
            _log.info("another worker has the batch", batch=row.id)
            return
        await self._release(claimed, NOW if claimed.is_overtaken and due is not None else due)

    async def _renewed(self, step: "asyncio.Task[float | None]", batch_id: str) -> None:
        """Keep the lease until `step` ends.

        Raises:
            LeaseLostError: it is lost; the step is cancelled.
        """
        lease = self._options.lease
        good_until = self._clock() + lease
        while not (await asyncio.wait({step}, timeout=lease / 3))[0]:
            try:
                is_mine = await self._rows.renew(batch_id, self._name, lease)
                good_until = self._clock() + lease if is_mine else NOW
            except (StoreError, SQLAlchemyError, OSError) as error:
                _log.warning("a lease could not be renewed", batch=batch_id, error=type(error).__name__)
            if self._clock() > good_until - lease / 3:
                step.cancel()
                await asyncio.gather(step, return_exceptions=True)
                raise LeaseLostError

    async def _step(self, claimed: ClaimedBatch) -> float | None:
        """The next step, and what to do when it fails."""
        try:
            due = await self._state_machine.step(claimed)
            if claimed.row.attempt and claimed.row.next_poll_at is not None:
                await claimed.record(attempt=0)
        except OvertakenError:
            return NOW
        except LeaseLostError:
            raise
        except GeminiError as error:
            _log.warning("a step of a batch failed", batch=claimed.row.id, status=error.status, reason=error.reason)
            due = await self._failed(claimed, error)
        except (StoreError, SQLAlchemyError, OSError) as error:
            _log.warning("a step of a batch failed", batch=claimed.row.id, error=type(error).__name__)
            due = self._clock() + self._state_machine.pause(claimed.row.attempt)
            await self._count(claimed)
        except Exception as error:  # noqa: BLE001  one batch must not stop the others
            _log.error("a step of a batch failed", batch=claimed.row.id, exception=traceback_of(error))
            due = self._clock() + self._state_machine.pause(claimed.row.attempt)
            await self._count(claimed)
        return due

    async def _failed(self, claimed: ClaimedBatch, error: GeminiError) -> float | None:
        try:
            due = await self._state_machine.fail(claimed, error)
        except OvertakenError:
            return NOW
        await self._count(claimed)
        return due

    async def _count(self, claimed: ClaimedBatch) -> None:
        with suppress(StoreError, SQLAlchemyError, OSError):
            await claimed.record(attempt=claimed.row.attempt + 1)

    async def _release(self, claimed: ClaimedBatch, due: float | None) -> None:
        """Give the batch back; when that fails, its lease runs out."""
        with suppress(StoreError, SQLAlchemyError, OSError):
            await self._rows.release(claimed.row.id, self._name, claimed.row.version, due)
