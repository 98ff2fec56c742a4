"""The life of a batch, as data: its states, what can happen in each, and the state that follows.

`BATCH_LIFE` decides each move, of workers and of callers who cancel; the picture of ARCHITECTURE.md is drawn from it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from gemgate.batch_limits import FINAL
from gemgate.store.batches import BatchChanges
from gemgate.store.ids import new_id
from gemgate.store.tables import BatchRow


class LifeState(StrEnum):
    """Where a batch is. Several states share one of OpenAI's statuses; the last four are statuses themselves."""

    VALIDATING = "validating"
    """Its input is checked and translated."""
    SUBMITTING = "submitting"
    """Its job is created at Google, or looked for if it may have been created before."""
    POLLING = "polling"
    """Google is asked how far its job is."""
    UNDOING = "undoing"
    """Cancelled before there was anything to cancel."""
    CANCELLING_UNSENT = "cancelling_unsent"
    """Cancelled; a job that may have been created is looked for."""
    CANCELLING_SENT = "cancelling_sent"
    """Cancelled; Google is asked to end its job, and polled."""
    COMPLETING = "completing"
    """Results are written, then it is completed."""
    EXPIRING = "expiring"
    """Results are written, then it is expired."""
    FAILING = "failing"
    """Results are written, then it is failed."""
    WINDING_UP = "winding_up"
    """Results are written, then it is cancelled."""
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class LifeEvent(StrEnum):
    """What happens to a batch, in words for the picture."""

    CANCEL_ASKED = "its caller cancels it"
    INPUT_ACCEPTED = "the input is good"
    INPUT_REFUSED = "the input is bad or gone"
    ALL_LINES_REFUSED = "every line was refused"
    REFUSED = "Google refuses"
    WINDOW_CLOSED = "its window closes"
    JOB_CREATED = "the job is there"
    NO_JOB = "there is no job"
    JOB_SUCCEEDED = "the job succeeds"
    JOB_EXPIRED = "the job expires"
    JOB_FAILED = "the job fails or vanishes"
    JOB_CANCELLED = "the job is cancelled"
    JOB_STOPPED = "the job ends as the window has closed"
    STOP_TIMED_OUT = "Google does not end the job"
    RESULTS_WRITTEN = "the results are written"
    RESULTS_GONE = "Google has deleted the results"
    GIVEN_UP = "nothing could be done for days"


_WRITING: Mapping[LifeState, tuple[LifeState, LifeState]] = {
    LifeState.COMPLETING: (LifeState.COMPLETED, LifeState.FAILED),
    LifeState.EXPIRING: (LifeState.EXPIRED, LifeState.FAILED),
    LifeState.FAILING: (LifeState.FAILED, LifeState.FAILED),
    LifeState.WINDING_UP: (LifeState.CANCELLED, LifeState.CANCELLED),
}
"""The states in which results are written: how each ends, and how it is given up."""

BATCH_LIFE: Mapping[LifeState, Mapping[LifeEvent, LifeState]] = MappingProxyType(
    {
        LifeState.VALIDATING: {
            LifeEvent.INPUT_ACCEPTED: LifeState.SUBMITTING,
            LifeEvent.INPUT_REFUSED: LifeState.FAILED,
            LifeEvent.REFUSED: LifeState.FAILING,
            LifeEvent.CANCEL_ASKED: LifeState.UNDOING,
            LifeEvent.GIVEN_UP: LifeState.FAILED,
        },
        LifeState.SUBMITTING: {
            LifeEvent.ALL_LINES_REFUSED: LifeState.COMPLETING,
            LifeEvent.JOB_CREATED: LifeState.POLLING,
            LifeEvent.REFUSED: LifeState.FAILING,
            LifeEvent.WINDOW_CLOSED: LifeState.EXPIRING,
            LifeEvent.CANCEL_ASKED: LifeState.CANCELLING_UNSENT,
            LifeEvent.GIVEN_UP: LifeState.FAILED,
        },
        LifeState.POLLING: {
            LifeEvent.JOB_SUCCEEDED: LifeState.COMPLETING,
            LifeEvent.JOB_EXPIRED: LifeState.EXPIRING,
            LifeEvent.JOB_STOPPED: LifeState.EXPIRING,
            LifeEvent.STOP_TIMED_OUT: LifeState.EXPIRING,
            LifeEvent.JOB_FAILED: LifeState.FAILING,
            LifeEvent.JOB_CANCELLED: LifeState.WINDING_UP,
            LifeEvent.CANCEL_ASKED: LifeState.CANCELLING_SENT,
            LifeEvent.GIVEN_UP: LifeState.FAILED,
        },
        LifeState.UNDOING: {LifeEvent.NO_JOB: LifeState.CANCELLED, LifeEvent.GIVEN_UP: LifeState.CANCELLED},
        LifeState.CANCELLING_UNSENT: {
            LifeEvent.NO_JOB: LifeState.WINDING_UP,
            LifeEvent.REFUSED: LifeState.WINDING_UP,
            LifeEvent.JOB_CREATED: LifeState.CANCELLING_SENT,
            LifeEvent.GIVEN_UP: LifeState.CANCELLED,
        },
        LifeState.CANCELLING_SENT: {
            **dict.fromkeys(
                (
                    LifeEvent.JOB_SUCCEEDED,
                    LifeEvent.JOB_EXPIRED,
                    LifeEvent.JOB_FAILED,
                    LifeEvent.JOB_CANCELLED,
                    LifeEvent.JOB_STOPPED,
                    LifeEvent.STOP_TIMED_OUT,
                ),
                LifeState.WINDING_UP,
            ),
            LifeEvent.GIVEN_UP: LifeState.CANCELLED,
        },
        **{
            state: {
                LifeEvent.RESULTS_WRITTEN: end,
                LifeEvent.RESULTS_GONE: LifeState.FAILED,
                LifeEvent.GIVEN_UP: given_up,
            }
            for state, (end, given_up) in _WRITING.items()
        },
        **{state: {} for state in (LifeState.COMPLETED, LifeState.FAILED, LifeState.EXPIRED, LifeState.CANCELLED)},
    }
)

_BY_OUTCOME: Mapping[str, LifeState] = {end.value: state for state, (end, _) in _WRITING.items()}

_TIMESTAMPS: Mapping[LifeState, Literal["completed_at", "failed_at", "expired_at", "cancelled_at"]] = {
    LifeState.COMPLETED: "completed_at",
    LifeState.FAILED: "failed_at",
    LifeState.EXPIRED: "expired_at",
    LifeState.CANCELLED: "cancelled_at",
}


def state_of(row: BatchRow) -> LifeState:
    """Where a batch is, by its columns."""
    if row.status in FINAL:
        return LifeState(row.status)
    if outcome := (row.progress or {}).get("outcome"):
        return _BY_OUTCOME[str(outcome)]
    if row.status == "validating":
        return LifeState.VALIDATING
    is_sent = row.google_name is not None
    if row.status != "cancelling":
        return LifeState.POLLING if is_sent else LifeState.SUBMITTING
    if row.in_progress_at is None:
        return LifeState.UNDOING
    return LifeState.CANCELLING_SENT if is_sent else LifeState.CANCELLING_UNSENT


def move(row: BatchRow, event: LifeEvent, now: float) -> BatchChanges:
    """The columns that take a batch to the state after `event`, at `now` in Unix seconds.

    The name of its job, the reason why it fails and the like are the caller's to add.

    Raises:
        KeyError: that does not happen in its state.
    """
    state = BATCH_LIFE[state_of(row)][event]
    if state in _TIMESTAMPS:
        end: BatchChanges = {"status": state.value, "key_ciphertext": None, "next_poll_at": None}
        end[_TIMESTAMPS[state]] = int(now)
        return end
    if state in _WRITING:
        return _writing(row, state, now)
    if state is LifeState.SUBMITTING:
        return {"status": "in_progress", "in_progress_at": int(now)}
    if event is LifeEvent.CANCEL_ASKED:
        return {"status": "cancelling", "cancelling_at": int(now), "next_poll_at": now}
    return {}


def _writing(row: BatchRow, state: LifeState, now: float) -> BatchChanges:
    """From here on a batch can end in one way only; its files get their ids now, so that they are written once."""
    before = row.progress or {}
    progress = {
        **before,
        "outcome": _WRITING[state][0].value,
        "output_file_id": before.get("output_file_id") or new_id("file-", now),
        "error_file_id": before.get("error_file_id") or new_id("file-", now),
    }
    if state in (LifeState.COMPLETING, LifeState.EXPIRING):
        return {"progress": progress, "status": "finalizing", "finalizing_at": int(now)}
    return {"progress": progress}
