"""The life of a batch, a step at a time.

    validating ─▶ in_progress ─▶ finalizing ─▶ completed
        │            │  │            └───────▶ expired     (its window closed, here or at Google)
        ▼            │  └────────────────────▶ failed      (Google failed the job)
      failed         ▼
                 cancelling ─────────────────▶ cancelled

Each step reads where the batch is from its row and can be done again: it puts the same blobs and files in place of the
old ones, and Google is asked for a second job only after the first was looked for. So a process may be killed anywhere.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import structlog

from gemgate.api.batches.claimed import FINAL, Held
from gemgate.api.batches.key_vault import KeyVault
from gemgate.api.batches.process_sessions import ResultSummary
from gemgate.api.batches.transfer import Intake, Transfer, results_of
from gemgate.auth.caller import Caller
from gemgate.gemini.batch_types import INPUT_TYPE, JobState, Kind
from gemgate.gemini.batch_types import Job as GoogleJob
from gemgate.gemini.batches import GeminiJobs
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import MissingFileError
from gemgate.gemini.files import GeminiFiles
from gemgate.store.ids import new_id
from gemgate.translation.google_errors import from_gemini

if TYPE_CHECKING:
    from gemgate.store.batches import BatchChanges

_log = structlog.get_logger()

NOW = 0.0
"""Due at once."""

MOST_INLINE_BYTES = 262_144
MOST_INLINE_REQUESTS: dict[Kind, int] = {"generate": 100, "embed": 16}
"""What goes to Google without a file. Small, because the answer is one piece of JSON that holds up the event loop."""

_CANCEL_PATIENCE = 3600
"""Seconds that Google may take to cancel a job before the batch ends without it."""

_AFTER_WINDOW = 172_800
"""Seconds after its window, for which Google keeps results; a batch that could not be finished by then has failed."""

_TIMESTAMPS: dict[str, Literal["completed_at", "failed_at", "expired_at", "cancelled_at"]] = {
    "completed": "completed_at",
    "failed": "failed_at",
    "expired": "expired_at",
    "cancelled": "cancelled_at",
}
_NOT_RUN = {"failed": "batch_failed", "expired": "batch_expired", "cancelled": "batch_cancelled"}
_PASSING = frozenset({408, 409, 429, 499})
"""Refusals of a new job that may end. All of 5xx may."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often Google is asked, in seconds.

    Attributes:
        first: At first, and after a failure.
        most: When the job takes long.
        settle: After Google was asked for a job and did not answer: it may be there all the same, and stands in the
            list by then.
    """

    first: float = 2
    most: float = 60
    settle: float = 15


class Machine:
    """Does the next step of a batch."""

    def __init__(
        self,
        jobs: GeminiJobs,
        google_files: GeminiFiles,
        transfer: Transfer,
        vault: KeyVault,
        clock: Callable[[], float],
        pace: Pace | None = None,
    ) -> None:
        self._jobs = jobs
        self._google_files = google_files
        self._transfer = transfer
        self._vault = vault
        self._clock = clock
        self._pace = pace or Pace()

    async def step(self, held: Held) -> float | None:
        """Do the next step; when the one after it is due, in Unix seconds, or None at the end.

        Raises:
            LeaseLostError: another worker has the batch.
            OvertakenError: its caller asked for something else meanwhile.
            GeminiError: Google gave no good answer, which may pass.
            StoreError: the store gave none.
        """
        row, progress = held.row, held.progress
        if row.status in FINAL:
            return None
        if self._is_given_up(held):
            await self._give_up(held)
            return None
        if row.status == "cancelling" and row.in_progress_at is None:
            await self._end(held, "cancelled")
            return None
        key = self._vault.open(row.key_ciphertext)
        if key is None:
            _log.warning("batch waits for its caller's key", batch=row.id)
            return self._clock() + self._pace.most
        if row.status == "validating":
            return await self._validate(held, key)
        if "outcome" in progress:
            await self._finish(held, key, progress["outcome"])
            return None
        if row.google_name is None:
            return await self._submit(held, key)
        return await self._poll(held, key, row.google_name)

    async def fail(self, held: Held, error: GeminiError) -> float | None:
        """What to do about a step that failed with `error`: when to try again, or the end."""
        is_created = held.row.google_name is not None or "outcome" in held.progress
        if not is_created and error.status < 500 and error.status not in _PASSING:
            await self._decide(held, "cancelled" if held.row.status == "cancelling" else "failed", error)
            return NOW
        delay = error.retry_delay if error.status == 429 and not error.is_daily_quota else None
        if delay is None:
            delay = self.pause(held.row.attempt)
        if not is_created and "creating_at" in held.progress:
            delay = max(delay, self._pace.settle)
        return self._clock() + delay

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return min(self._pace.first * 2.0 ** min(failures, 16), 10 * self._pace.most)

    async def _validate(self, held: Held, key: str) -> float | None:
        row = held.row
        if not await self._transfer.keep_input(row):
            msg = f"The input file {row.input_file_id} was deleted before the batch could read it."
            await self._end(held, "failed", errors=[_error("invalid_input_file", msg, "input_file_id")])
            return None
        intake = await self._transfer.translate(held.job, Caller(key, row.owner))
        summary = intake.summary
        if summary.errors:
            model = _bare(summary.model)
            await self._end(held, "failed", errors=summary.errors, total=summary.total, model=model)
            return None
        await held.change(
            status="in_progress",
            in_progress_at=self._now(),
            total=summary.total,
            failed=summary.refused,
            model=_bare(summary.model),
            progress=held.remembering(**_remembered(intake)),
        )
        if not summary.requests:
            await self._decide(held, "completed")
        return NOW

    async def _submit(self, held: Held, key: str) -> float | None:
        """Create the job, or find the one that a worker created who then died."""
        row, progress = held.row, held.progress
        if asked_at := progress.get("creating_at"):
            if job := await self._jobs.find_by_display_name(row.display_name, key=key):
                await held.record(google_name=job.name)
                return NOW
            if self._clock() < (visible_at := asked_at + self._pace.settle):
                return visible_at
        if row.status == "cancelling" or self._is_late(held):
            await self._decide(held, "cancelled" if row.status == "cancelling" else "expired")
            return NOW
        requests, file_name = None, ""
        if _is_inline(held):
            requests = await self._transfer.inline_requests(held.job)
        else:
            file_name = await self._upload(held, key)
        await held.change(progress=held.remembering(creating_at=self._clock()))
        job = await self._jobs.create(
            row.model or "",
            display_name=row.display_name,
            key=key,
            requests=requests,
            file_name=file_name,
            kind=_kind(held),
        )
        _log.info("batch created at Google", batch=row.id, job=job.name)
        await held.record(google_name=job.name)
        return self._clock() + self._pace.first

    async def _upload(self, held: Held, key: str) -> str:
        """The native input as a file at Google. Its name is fixed, so that it is found when it is there already."""
        name, size = _input_name(held), held.progress.get("native_bytes", 0)
        try:
            file = await self._google_files.get(name, key=key)
        except MissingFileError:
            file = await self._google_files.upload(
                lambda offset: self._transfer.native_from(held.job, offset),
                size=size,
                mime_type=INPUT_TYPE,
                display_name=held.row.display_name,
                key=key,
                name=name,
            )
        return (await self._google_files.wait_until_active(file, key=key)).name

    async def _poll(self, held: Held, key: str, name: str) -> float | None:
        row = held.row
        try:
            job = await self._jobs.get(name, key=key)
        except GeminiError as error:
            if error.status != 404:
                raise
            await self._decide(held, "cancelled" if row.status == "cancelling" else "failed", error=error)
            return NOW
        if job.state.is_final:
            await self._decide(held, _outcome(held, job), error=job.error)
            return NOW
        await self._count(held, job)
        if row.status == "cancelling" or self._is_late(held):
            return await self._stop(held, key, name)
        elapsed = self._clock() - (row.in_progress_at or 0)
        return self._clock() + min(max(elapsed / 10, self._pace.first), self._pace.most)

    async def _stop(self, held: Held, key: str, name: str) -> float | None:
        """Ask Google to cancel the job, once; end without it when that takes too long."""
        stopping_at = held.progress.get("stopping_at")
        if stopping_at is None:
            try:
                await self._jobs.cancel(name, key=key)
            except GeminiError as error:
                # A job that has just ended cannot be cancelled: the next poll sees that.
                if error.status not in (400, 404, 409):
                    raise
            await held.record(progress=held.remembering(stopping_at=self._now()))
        elif self._now() - stopping_at > _CANCEL_PATIENCE:
            await self._decide(held, "cancelled" if held.row.status == "cancelling" else "expired")
            return NOW
        return self._clock() + self._pace.first

    async def _count(self, held: Held, job: GoogleJob) -> None:
        """Google counts native requests; one line may have several."""
        row, progress = held.row, held.progress
        refused, requests = progress.get("refused", 0), max(progress.get("requests", 0), 1)
        lines = row.total - refused
        completed = min(job.counts.succeeded * lines // requests, lines)
        failed = refused + min(-(-job.counts.failed * lines // requests), lines - completed)
        if (completed, failed) != (row.completed, row.failed):
            await held.record(completed=completed, failed=failed)

    async def _decide(self, held: Held, outcome: str, error: GeminiError | None = None) -> None:
        """From here on the batch can end in one way only."""
        row, now = held.row, self._clock()
        progress = held.remembering(
            outcome=outcome,
            output_file_id=held.progress.get("output_file_id") or new_id("file-", now),
            error_file_id=held.progress.get("error_file_id") or new_id("file-", now),
        )
        if outcome == "failed":
            progress["failure"] = _failure(error)
        changes: BatchChanges = {"progress": progress}
        if row.status == "in_progress" and outcome in ("completed", "expired"):
            changes |= {"status": "finalizing", "finalizing_at": int(now)}
        await held.change(**changes)

    async def _finish(self, held: Held, key: str, outcome: str) -> None:
        """Write the results. What Google has deleted is told as not run."""
        progress = held.progress
        job = await self._job_with_results(held, key)
        not_run = _NOT_RUN.get(outcome)
        errors = [progress["failure"]] if outcome == "failed" and "failure" in progress else None
        try:
            written = await self._write(held, job, key, not_run)
        except MissingFileError:
            msg = "Google no longer has the results of this batch: it keeps them for 48 hours."
            outcome, errors = "failed", [_error("results_unavailable", msg)]
            written = await self._write(held, None, key, "batch_failed")
        summary, has_output, has_errors = written
        await self._end(
            held,
            outcome,
            errors=errors,
            completed=summary.completed,
            failed=summary.failed,
            usage=summary.usage,
            output_file_id=progress["output_file_id"] if has_output else None,
            error_file_id=progress["error_file_id"] if has_errors else None,
        )
        await self._forget_input(held, key)

    async def _write(
        self, held: Held, job: GoogleJob | None, key: str, not_run: str | None
    ) -> tuple[ResultSummary, bool, bool]:
        progress = held.progress
        found = results_of(job or GoogleJob("", JobState.FAILED), self._google_files, key)
        async with aclosing(found) as results:
            return await self._transfer.write_results(
                held.row,
                held.job,
                results,
                requests=progress.get("requests", 0),
                has_refused=bool(progress.get("refused")),
                not_run=not_run,
                output_file_id=progress["output_file_id"],
                error_file_id=progress["error_file_id"],
            )

    async def _job_with_results(self, held: Held, key: str) -> GoogleJob | None:
        if held.row.google_name is None:
            return None
        try:
            return await self._jobs.get(held.row.google_name, key=key)
        except GeminiError as error:
            if error.status != 404:
                raise
            return None

    async def _forget_input(self, held: Held, key: str) -> None:
        """Give back the room that the native input takes at Google; it would be gone after 48 hours anyway."""
        if held.row.google_name is None or _is_inline(held):
            return
        try:
            await self._google_files.delete(_input_name(held), key=key)
        except GeminiError as error:
            _log.info("batch input stays at Google", batch=held.row.id, reason=error.reason)

    async def _end(self, held: Held, status: str, **more: Any) -> None:
        changes: BatchChanges = {"status": status, "key_ciphertext": None, "next_poll_at": None, **more}  # type: ignore[typeddict-item]  # columns by name
        changes[_TIMESTAMPS[status]] = self._now()
        await held.change(**changes)
        _log.info("batch ended", batch=held.row.id, status=status)
        await self._transfer.tidy(held.row)

    def _is_late(self, held: Held) -> bool:
        return held.row.expires_at is not None and self._now() >= held.row.expires_at

    def _is_given_up(self, held: Held) -> bool:
        return self._now() > (held.row.expires_at or held.row.created_at) + _AFTER_WINDOW

    async def _give_up(self, held: Held) -> None:
        """Nothing could be done for days, because of the key or the store."""
        msg = "The gateway could not finish this batch in time; its log tells why."
        status = "cancelled" if held.row.status == "cancelling" else "failed"
        await self._end(held, status, errors=[_error("batch_failed", msg)])

    def _now(self) -> int:
        return int(self._clock())


def _outcome(held: Held, job: GoogleJob) -> str:
    """How a batch ends whose job has ended."""
    if held.row.status == "cancelling":
        return "cancelled"
    if job.state is JobState.CANCELLED:
        return "expired" if "stopping_at" in held.progress else "cancelled"
    return {JobState.SUCCEEDED: "completed", JobState.EXPIRED: "expired"}.get(job.state, "failed")


def _remembered(intake: Intake) -> dict[str, Any]:
    summary = intake.summary
    return {"requests": summary.requests, "refused": summary.refused, "native_bytes": intake.native_bytes}


def _kind(held: Held) -> Kind:
    return "embed" if held.row.endpoint == "/v1/embeddings" else "generate"


def _is_inline(held: Held) -> bool:
    """Whether the requests go to Google without a file."""
    requests, size = held.progress.get("requests", 0), held.progress.get("native_bytes", 0)
    return requests <= MOST_INLINE_REQUESTS[_kind(held)] and size <= MOST_INLINE_BYTES


def _input_name(held: Held) -> str:
    """The native input at Google, where a name has 40 characters at most: lower-case letters, digits and dashes."""
    return f"files/gemgate-{held.row.id.removeprefix('batch_')}"


def _bare(model: str | None) -> str | None:
    return model.removeprefix("models/") if model else None


def _failure(error: GeminiError | None) -> dict[str, Any]:
    if error is None:
        return _error("batch_failed", "Google failed the batch and did not say why.")
    told = from_gemini(error)
    return _error(told.code or error.reason.lower() or "batch_failed", told.message, told.param)


def _error(code: str, message: str, param: str | None = None) -> dict[str, Any]:
    return {"code": code, "line": None, "message": message, "param": param}
