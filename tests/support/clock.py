"""Time in tests: a clock that only the test moves."""

import asyncio

START = 1_780_340_400.0
"""1 June 2026, noon in the Pacific time zone (where Google's days begin), 19:00 UTC."""


class FakeClock:
    """Unix seconds that stand still until the test moves them.

    It is called where the product calls `time.time`, and its `sleep` stands in place of `asyncio.sleep`.

    Attributes:
        now: What it says.
        slept: The waits so far, in seconds. Each passed at once and moved the clock.
    """

    def __init__(self, now: float = START) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait without waiting; other tasks get a turn."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
