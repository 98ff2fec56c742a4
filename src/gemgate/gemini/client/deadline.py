"""A limit of time on each of many waits."""

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """Limits one wait after the other: `with deadline.at(when): await …`, and `close` once there will be no more.

    As `asyncio.timeout_at`, but with one timer for all of them, which is moved only when it rings: to set one and to
    take it back for each event of a stream costs more than to decode the event.

    Attributes:
        has_expired: Whether the last wait was ended because it took too long.
    """

    __slots__ = ("_at", "_cancelling", "_due", "_loop", "_task", "_timer", "has_expired")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._at = 0.0
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self.has_expired = False

    @property
    def now(self) -> float:
        """By the clock of the loop."""
        return self._loop.time()

    def at(self, when: float) -> Self:
        """Until when the next wait may last, by the clock of the loop."""
        self._at = when
        return self

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("there is no task to limit")
        self._task, self._cancelling, self.has_expired = task, task.cancelling(), False
        if self._timer is None or self._due > self._at:
            self._set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises `TimeoutError` in place of the cancellation that the timer caused; any other one passes."""
        task, self._task = self._task, None
        if not self.has_expired or task is None:
            return
        if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def close(self) -> None:
        """There are no more waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = self._at
        self._timer = self._loop.call_at(self._due, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._task is None:
            return
        if self._at > self._loop.time():
            self._set()
        else:
            self.has_expired = True
            self._task.cancel()
