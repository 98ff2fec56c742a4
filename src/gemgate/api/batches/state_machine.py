"""The next step of a batch. Which states there are and what follows what is in `life_cycle`.

Each step reads where the batch is from its row and can be done again: it puts the same blobs and files in place of the
old ones, and Google is asked for a second job only after the first was looked for. So a process may be killed anywhere.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Unpack

import structlog

from gemgate.api.batches.claimed import ClaimedBatch, Progress
from gemgate.api.batches.job_backends import JobBackend
from gemgate.api.batches.key_vault import KeyVault
from gemgate.api.batches.life_cycle import BATCH_LIFE, LifeEvent, LifeState, move
from gemgate.api.batches.outcomes import NOT_RUN, batch_error, event_of, failure_of
from gemgate.api.batches.result_session import ResultSummary
from gemgate.api.batches.transfer import Transfer, TranslatedInput
from gemgate.api.batches.worker_process import CallTooLongError
from gemgate.auth.caller import Caller
from gemgate.gemini.batch_types import BatchJob as GoogleJob
from gemgate.gemini.batch_types import JobState
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import MissingFileError
from gemgate.store.batches import BatchChanges
from gemgate.store.tables import BatchRow

_log = structlog.get_logger()

NOW = 0.0
"""Due at once."""

_CANCEL_TIMEOUT = 3600
"""Seconds that Google may take to cancel a job before the batch ends without it."""

_AFTER_WINDOW = 172_800
"""Seconds after its window, for which Google keeps results; a batch that could not be finished by then has failed."""

_PASSING = frozenset({408, 409, 429, 499})
"""Refusals of a new job that may end. All of 5xx may."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often Google is asked, in seconds.

    Attributes:
        first: At first, and after a failure.
        maximum: When the job takes long.
        settle: After Google was asked for a job and did not answer: it may be there all the same, and is in the
            list by then.
    """

    first: float = 2
    maximum: float = 60
    settle: float = 15


Charge = Callable[[BatchRow, ResultSummary], Awaitable[None]]
"""Gets a batch that has ended, and what its results came to."""

Learn = Callable[[str, ResultSummary], None]
"""Gets the model of a batch that has ended, and what its results came to."""


class BatchStateMachine:
    """Does the next step of a batch."""

    def __init__(
        self,
        backend: JobBackend,
        transfer: Transfer,
        vault: KeyVault,
        clock: Callable[[], float],
        pace: Pace | None = None,
        charge: Charge | None = None,
        learn: Learn | None = None,
    ) -> None:
        self._backend = backend
        self._transfer = transfer
        self._vault = vault
        self._clock = clock
        self._pace = pace or Pace()
        self._charge = charge
        self._learn = learn
        self._steps: dict[LifeState, Callable[[ClaimedBatch, str], Awaitable[float | None]]] = {
            LifeState.VALIDATING: self._validate,
            LifeState.SUBMITTING: self._submit,
            LifeState.CANCELLING_UNSENT: self._submit,
            LifeState.POLLING: self._poll,
            LifeState.CANCELLING_SENT: self._poll,
            LifeState.COMPLETING: self._finish,
            LifeState.EXPIRING: self._finish,
            LifeState.FAILING: self._finish,
            LifeState.WINDING_UP: self._finish,
        }

    async def step(self, claimed: ClaimedBatch) -> float | None:
        """Do the next step; when the one after it is due, in Unix seconds, or None at the end.

        Raises:
            LeaseLostError: another worker has the batch.
            OvertakenError: its caller asked for something else meanwhile.
            GeminiError: Google gave no good answer, which may pass.
            StoreError: the store gave none.
        """
        state = claimed.state
        if not BATCH_LIFE[state]:
            return None
        if self._is_given_up(claimed):
            await self._give_up(claimed)
            return None
        if state is LifeState.UNDOING:
            await self._end(claimed, LifeEvent.NO_JOB)
            return None
        key = self._vault.open(claimed.row.key_ciphertext)
        if key is None:
            _log.warning("batch waits for its caller's key", batch=claimed.row.id)
            return self._clock() + self._pace.maximum
        return await self._steps[state](claimed, key)

    async def fail(self, claimed: ClaimedBatch, error: GeminiError) -> float | None:
        """What to do about a step that failed with `error`: when to try again, or the end."""
        is_created = claimed.row.google_name is not None or "outcome" in claimed.progress
        if not is_created and error.status < 500 and error.status not in _PASSING:
            await self._decide(claimed, LifeEvent.REFUSED, error)
            return NOW
        delay = error.retry_delay if error.status == 429 and not error.is_daily_quota else None
        if delay is None:
            delay = self.pause(claimed.row.attempt)
        if not is_created and "creating_at" in claimed.progress:
            delay = max(delay, self._pace.settle)
        return self._clock() + delay

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return min(self._pace.first * 2.0 ** min(failures, 16), 10 * self._pace.maximum)

    async def _validate(self, claimed: ClaimedBatch, key: str) -> float | None:
        row = claimed.row
        if not await self._transfer.keep_input(row):
            msg = f"The input file {row.input_file_id} was deleted before the batch could read it."
            errors = [batch_error("invalid_input_file", msg, "input_file_id")]
            await self._end(claimed, LifeEvent.INPUT_REFUSED, errors=errors)
            return None
        try:
            translated = await self._transfer.translate(claimed.job, Caller(key, row.owner, models=claimed.job.models))
        except CallTooLongError:
            msg = "A line of the input took too long to translate, so that the batch was given up. Simplify it."
            await self._end(claimed, LifeEvent.INPUT_REFUSED, errors=[batch_error("request_too_complex", msg)])
            return None
        summary = translated.summary
        if summary.errors:
            model = _bare(summary.model)
            await self._end(claimed, LifeEvent.INPUT_REFUSED, errors=summary.errors, total=summary.total, model=model)
            return None
        accepted = move(row, LifeEvent.INPUT_ACCEPTED, self._clock())
        counted: BatchChanges = {
            "total": summary.total,
            "failed": summary.refused,
            "model": _bare(summary.model),
            "progress": claimed.remembering(**_remembered(translated)),
        }
        await claimed.change(**accepted | counted)
        if not summary.requests:
            await self._decide(claimed, LifeEvent.ALL_LINES_REFUSED)
        return NOW

    async def _submit(self, claimed: ClaimedBatch, key: str) -> float | None:
        """Create the job, or find the one that a worker created who then died."""
        row, progress = claimed.row, claimed.progress
        if asked_at := progress.get("creating_at"):
            if job := await self._backend.find(claimed, key):
                await self._attach(claimed, job)
                return NOW
            if self._clock() < (visible_at := asked_at + self._pace.settle):
                return visible_at
        if row.status == "cancelling" or self._is_late(claimed):
            event = LifeEvent.NO_JOB if row.status == "cancelling" else LifeEvent.WINDOW_CLOSED
            await self._decide(claimed, event)
            return NOW
        prepared = await self._backend.prepare(claimed, key)
        await claimed.change(progress=claimed.remembering(creating_at=self._clock()))
        job = await self._backend.create(claimed, key, prepared)
        _log.info("batch created at Google", batch=row.id, job=job.name)
        await self._attach(claimed, job)
        return self._clock() + self._pace.first

    async def _attach(self, claimed: ClaimedBatch, job: GoogleJob) -> None:
        """The job is there, whatever the caller asks for meanwhile."""
        found: BatchChanges = {"google_name": job.name}
        await claimed.record(**move(claimed.row, LifeEvent.JOB_CREATED, self._clock()) | found)

    async def _poll(self, claimed: ClaimedBatch, key: str) -> float | None:
        row = claimed.row
        name = row.google_name or ""
        try:
            job = await self._backend.get(name, key)
        except GeminiError as error:
            if error.status != 404:
                raise
            await self._decide(claimed, LifeEvent.JOB_FAILED, error)
            return NOW
        if job.state.is_final:
            event = event_of(job, is_stopping="stopping_at" in claimed.progress)
            await self._decide(claimed, event, job.error)
            return NOW
        await self._count(claimed, job)
        if row.status == "cancelling" or self._is_late(claimed):
            return await self._stop(claimed, key, name)
        elapsed = self._clock() - (row.in_progress_at or 0)
        return self._clock() + min(max(elapsed / 10, self._pace.first), self._pace.maximum)

    async def _stop(self, claimed: ClaimedBatch, key: str, name: str) -> float | None:
        """Ask Google to cancel the job, once; end without it when that takes too long."""
        stopping_at = claimed.progress.get("stopping_at")
        if stopping_at is None:
            try:
                await self._backend.cancel(name, key)
            except GeminiError as error:
                # A job that has just ended cannot be cancelled: the next poll sees that.
                if error.status not in (400, 404, 409):
                    raise
            await claimed.record(progress=claimed.remembering(stopping_at=self._now()))
        elif self._now() - stopping_at > _CANCEL_TIMEOUT:
            await self._decide(claimed, LifeEvent.STOP_TIMED_OUT)
            return NOW
        return self._clock() + self._pace.first

    async def _count(self, claimed: ClaimedBatch, job: GoogleJob) -> None:
        """Google counts native requests; one line may have several."""
        row, progress = claimed.row, claimed.progress
        refused, requests = progress.get("refused", 0), max(progress.get("requests", 0), 1)
        lines = row.total - refused
        completed = min(job.counts.succeeded * lines // requests, lines)
        failed = refused + min(-(-job.counts.failed * lines // requests), lines - completed)
        if (completed, failed) != (row.completed, row.failed):
            await claimed.record(completed=completed, failed=failed)

    async def _decide(self, claimed: ClaimedBatch, event: LifeEvent, error: GeminiError | None = None) -> None:
        """From here on the batch can end in one way only."""
        changes = move(claimed.row, event, self._clock())
        if (progress := changes.get("progress")) and progress["outcome"] == "failed":
            progress["failure"] = failure_of(error)
        await claimed.change(**changes)

    async def _finish(self, claimed: ClaimedBatch, key: str) -> None:
        """Write the results. What Google has deleted is reported as not run."""
        progress = claimed.progress
        outcome, event = progress["outcome"], LifeEvent.RESULTS_WRITTEN
        job = await self._job_with_results(claimed, key)
        not_run = NOT_RUN.get(outcome)
        errors = [progress["failure"]] if outcome == "failed" and "failure" in progress else None
        try:
            written = await self._write(claimed, job, key, not_run)
        except MissingFileError:
            event = LifeEvent.RESULTS_GONE
            errors = [batch_error("results_unavailable", self._backend.results_gone)]
            written = await self._write(claimed, None, key, "batch_failed")
        summary, has_output, has_errors = written
        await self._end(
            claimed,
            event,
            errors=errors,
            completed=summary.completed,
            failed=summary.failed,
            usage=summary.usage,
            output_file_id=progress["output_file_id"] if has_output else None,
            error_file_id=progress["error_file_id"] if has_errors else None,
        )
        if self._learn is not None:
            self._learn(claimed.row.model or "", summary)
        if self._charge is not None and summary.usage:
            await self._charge(claimed.row, summary)
        await self._backend.forget(claimed, key)

    async def _write(
        self, claimed: ClaimedBatch, job: GoogleJob | None, key: str, not_run: str | None
    ) -> tuple[ResultSummary, bool, bool]:
        progress = claimed.progress
        found = self._backend.results(job or GoogleJob("", JobState.FAILED), key)
        async with aclosing(found) as results:
            return await self._transfer.write_results(
                claimed.row,
                claimed.job,
                results,
                requests=progress.get("requests", 0),
                has_refused=bool(progress.get("refused")),
                not_run=not_run,
                facts=progress.get("facts"),
                output_file_id=progress["output_file_id"],
                error_file_id=progress["error_file_id"],
            )

    async def _job_with_results(self, claimed: ClaimedBatch, key: str) -> GoogleJob | None:
        if claimed.row.google_name is None:
            return None
        try:
            return await self._backend.get(claimed.row.google_name, key)
        except GeminiError as error:
            if error.status != 404:
                raise
            return None

    async def _end(self, claimed: ClaimedBatch, event: LifeEvent, **more: Unpack[BatchChanges]) -> None:
        await claimed.change(**move(claimed.row, event, self._clock()) | more)
        _log.info("batch ended", batch=claimed.row.id, status=claimed.row.status)
        await self._transfer.tidy(claimed.row)

    def _is_late(self, claimed: ClaimedBatch) -> bool:
        return claimed.row.expires_at is not None and self._now() >= claimed.row.expires_at

    def _is_given_up(self, claimed: ClaimedBatch) -> bool:
        return self._now() > (claimed.row.expires_at or claimed.row.created_at) + _AFTER_WINDOW

    async def _give_up(self, claimed: ClaimedBatch) -> None:
        """Nothing could be done for days, because of the key or the store."""
        msg = "The gateway could not finish this batch in time; see its log."
        await self._end(claimed, LifeEvent.GIVEN_UP, errors=[batch_error("batch_failed", msg)])

    def _now(self) -> int:
        return int(self._clock())


def _remembered(translated: TranslatedInput) -> "Progress":
    summary = translated.summary
    news: Progress = {
        "requests": summary.requests,
        "refused": summary.refused,
        "native_bytes": translated.native_bytes,
    }
    return news if summary.facts is None else {**news, "facts": summary.facts}


def _bare(model: str | None) -> str | None:
    return model.removeprefix("models/") if model else None
