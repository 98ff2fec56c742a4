"""How long things take and how large they may be, and times as Google writes them."""

from dataclasses import dataclass
from datetime import UTC, datetime

GRANULARITY = 8 * 1024 * 1024
"""The unit of chunks of a resumable upload, in bytes."""

LIFE_SECONDS = 48 * 3600.0
"""How long files are kept, and how long a job may wait or run."""

_GIB = 1024**3
_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of the emulator's clock.

    Attributes:
        pending: How long a batch job is BATCH_STATE_PENDING.
        running: How long it is BATCH_STATE_RUNNING after that.
        processing: How long a video is PROCESSING.
        step_on_poll: Whether each GET of a job takes it one phase on as well, whatever the clock says.
    """

    pending: float = 0.5
    running: float = 1.5
    processing: float = 1.0
    step_on_poll: bool = False


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """Bytes: of a request body, of one with a job's requests in it, of a file, of all files of one key."""

    body: int = 100 * _MIB
    inline_batch: int = 20 * _MIB
    file: int = 2 * _GIB
    storage: int = 20 * _GIB


def rfc3339(seconds: float, digits: int = 9) -> str:
    """A moment, given in seconds since 1970, with `digits` decimals."""
    nanoseconds = round(seconds * 10**6) * 1000
    whole = datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{f'{nanoseconds % 10**9:09}'[:digits]}Z"
