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


_S, _E = LifeState, LifeEvent

_WRITING: Mapping[LifeState, tuple[LifeState, LifeState]] = {
    _S.COMPLETING: (_S.COMPLETED, _S.FAILED),
    _S.EXPIRING: (_S.EXPIRED, _S.FAILED),
    _S.FAILING: (_S.FAILED, _S.FAILED),
    _S.WINDING_UP: (_S.CANCELLED, _S.CANCELLED),
}
"""The states in which results are written: how each ends, and how it is given up."""

BATCH_LIFE: Mapping[LifeState, Mapping[LifeEvent, LifeState]] = MappingProxyType(
    {
        _S.VALIDATING: {
            _E.INPUT_ACCEPTED: _S.SUBMITTING,
            _E.INPUT_REFUSED: _S.FAILED,
            _E.REFUSED: _S.FAILING,
            _E.CANCEL_ASKED: _S.UNDOING,
            _E.GIVEN_UP: _S.FAILED,
        },
        _S.SUBMITTING: {
            _E.ALL_LINES_REFUSED: _S.COMPLETING,
            _E.JOB_CREATED: _S.POLLING,
            _E.REFUSED: _S.FAILING,
            _E.WINDOW_CLOSED: _S.EXPIRING,
            _E.CANCEL_ASKED: _S.CANCELLING_UNSENT,
            _E.GIVEN_UP: _S.FAILED,
        },
        _S.POLLING: {
            _E.JOB_SUCCEEDED: _S.COMPLETING,
            _E.JOB_EXPIRED: _S.EXPIRING,
            _E.JOB_STOPPED: _S.EXPIRING,
            _E.STOP_TIMED_OUT: _S.EXPIRING,
            _E.JOB_FAILED: _S.FAILING,
            _E.JOB_CANCELLED: _S.WINDING_UP,
            _E.CANCEL_ASKED: _S.CANCELLING_SENT,
            _E.GIVEN_UP: _S.FAILED,
        },
        _S.UNDOING: {_E.NO_JOB: _S.CANCELLED, _E.GIVEN_UP: _S.CANCELLED},
        _S.CANCELLING_UNSENT: {
            _E.NO_JOB: _S.WINDING_UP,
            _E.REFUSED: _S.WINDING_UP,
            _E.JOB_CREATED: _S.CANCELLING_SENT,
            _E.GIVEN_UP: _S.CANCELLED,
        },
        _S.CANCELLING_SENT: {
            **dict.fromkeys(
                (
                    _E.JOB_SUCCEEDED,
                    _E.JOB_EXPIRED,
                    _E.JOB_FAILED,
                    _E.JOB_CANCELLED,
                    _E.JOB_STOPPED,
                    _E.STOP_TIMED_OUT,
                ),
                _S.WINDING_UP,
            ),
            _E.GIVEN_UP: _S.CANCELLED,
        },
        **{
            state: {_E.RESULTS_WRITTEN: end, _E.RESULTS_GONE: _S.FAILED, _E.GIVEN_UP: given_up}
            for state, (end, given_up) in _WRITING.items()
        },
        **{state: {} for state in (_S.COMPLETED, _S.FAILED, _S.EXPIRED, _S.CANCELLED)},
    }
)

_BY_OUTCOME: Mapping[str, LifeState] = {end.value: state for state, (end, _) in _WRITING.items()}

_TIMESTAMPS: Mapping[LifeState, Literal["completed_at", "failed_at", "expired_at", "cancelled_at"]] = {
    _S.COMPLETED: "completed_at",
    _S.FAILED: "failed_at",
    _S.EXPIRED: "expired_at",
    _S.CANCELLED: "cancelled_at",
}


def state_of(row: BatchRow) -> LifeState:
    """Where a batch is, by its columns."""
    if row.status in FINAL:
        return LifeState(row.status)
    if outcome := (row.progress or {}).get("outcome"):
        return _BY_OUTCOME[outcome]
    if row.status == "validating":
        return _S.VALIDATING
    is_sent = row.google_name is not None
    if row.status != "cancelling":
        return _S.POLLING if is_sent else _S.SUBMITTING
    if row.in_progress_at is None:
        return _S.UNDOING
    return _S.CANCELLING_SENT if is_sent else _S.CANCELLING_UNSENT


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
    if state is _S.SUBMITTING:
        return {"status": "in_progress", "in_progress_at": int(now)}
    if event is _E.CANCEL_ASKED:
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
    if state in (_S.COMPLETING, _S.EXPIRING):
        return {"progress": progress, "status": "finalizing", "finalizing_at": int(now)}
    return {"progress": progress}
