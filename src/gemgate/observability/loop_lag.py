"""How late the event loop is: what every request of the process waits for while one of them computes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

INTERVAL = 0.25
"""Seconds between two measurements."""


class _Watch:
    """One timer; each time it fires, it says how late it was, and is set again."""

    def __init__(self, observe: Callable[[float], object], interval: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._observe = observe
        self._interval = interval
        self._set()

    def stop(self) -> None:
        self._handle.cancel()

    def _set(self) -> None:
        self._due = self._loop.time() + self._interval
        self._handle = self._loop.call_at(self._due, self._fire)

    def _fire(self) -> None:
        self._observe(max(self._loop.time() - self._due, 0.0))
        self._set()


@asynccontextmanager
async def loop_lag_watched(observe: Callable[[float], object], interval: float = INTERVAL) -> AsyncIterator[None]:
    """Measure the lag of the running event loop until the block ends.

    Args:
        observe: Called with each lag, in seconds.
        interval: Seconds between two measurements. A stall is seen once, in its length less this at most.
    """
    watch = _Watch(observe, interval)
    try:
        yield
    finally:
        watch.stop()
