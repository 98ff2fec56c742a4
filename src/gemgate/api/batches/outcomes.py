"""How a batch ends: the columns, codes and errors of each outcome."""

from typing import Any, Literal

from gemgate.api.batches.claimed import ClaimedBatch
from gemgate.gemini.batch_types import BatchJob as GoogleJob
from gemgate.gemini.batch_types import JobState
from gemgate.gemini.errors import GeminiError
from gemgate.translation.google_errors import error_from_gemini

TIMESTAMPS: dict[str, Literal["completed_at", "failed_at", "expired_at", "cancelled_at"]] = {
    "completed": "completed_at",
    "failed": "failed_at",
    "expired": "expired_at",
    "cancelled": "cancelled_at",
}
NOT_RUN = {"failed": "batch_failed", "expired": "batch_expired", "cancelled": "batch_cancelled"}
"""The code of each line that Google did not run, by the status that the batch ends with."""


def outcome_of(claimed: ClaimedBatch, job: GoogleJob) -> str:
    """How a batch ends whose job has ended."""
    if claimed.row.status == "cancelling":
        return "cancelled"
    if job.state is JobState.CANCELLED:
        return "expired" if "stopping_at" in claimed.progress else "cancelled"
    return {JobState.SUCCEEDED: "completed", JobState.EXPIRED: "expired"}.get(job.state, "failed")


def failure_of(error: GeminiError | None) -> dict[str, Any]:
    """The error of a batch that Google failed, as in `errors.data`."""
    if error is None:
        return batch_error("batch_failed", "Google failed the batch and did not say why.")
    found = error_from_gemini(error)
    return batch_error(found.code or error.reason.lower() or "batch_failed", found.message, found.param)


def batch_error(code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """An error of the whole batch, as in `errors.data`: it belongs to no line."""
    return {"code": code, "line": None, "message": message, "param": param}
