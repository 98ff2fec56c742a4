"""How a batch ends: what it means that its job has ended, and the codes and errors of each outcome."""

from gemgate.api.batches.life_cycle import LifeEvent
from gemgate.gemini.batch_types import BatchJob as GoogleJob
from gemgate.gemini.batch_types import JobState
from gemgate.gemini.errors import GeminiError
from gemgate.translation.google_errors import error_from_gemini

NOT_RUN = {"failed": "batch_failed", "expired": "batch_expired", "cancelled": "batch_cancelled"}
"""The code of each line that Google did not run, by the status that the batch ends with."""


_EVENTS = {
    JobState.SUCCEEDED: LifeEvent.JOB_SUCCEEDED,
    JobState.EXPIRED: LifeEvent.JOB_EXPIRED,
    JobState.CANCELLED: LifeEvent.JOB_CANCELLED,
}


def event_of(job: GoogleJob, *, is_stopping: bool) -> LifeEvent:
    """What it means for a batch that its job has ended; `is_stopping`: Google was asked to cancel it."""
    if is_stopping and job.state is JobState.CANCELLED:
        return LifeEvent.JOB_STOPPED
    return _EVENTS.get(job.state, LifeEvent.JOB_FAILED)


def failure_of(error: GeminiError | None) -> dict[str, object]:
    """The error of a batch that Google failed, as in `errors.data`."""
    if error is None:
        return batch_error("batch_failed", "Google failed the batch and did not say why.")
    found = error_from_gemini(error)
    return batch_error(found.code or error.reason.lower() or "batch_failed", found.message, found.param)


def batch_error(code: str, message: str, param: str | None = None) -> dict[str, object]:
    """An error of the whole batch, as in `errors.data`: it belongs to no line."""
    return {"code": code, "line": None, "message": message, "param": param}
