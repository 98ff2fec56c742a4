"""Access tokens in tests: a clock that sleepers wait on, and a source that a test opens and shuts."""

import asyncio
import threading
from collections.abc import Callable

from gemgate.gemini.vertex.credentials import AccessToken, CredentialsError

SECONDS = 10.0


class Clocks:
    """A monotonic clock and a wall clock that only the test moves; who sleeps wakes when it moves far enough.

    Attributes:
        monotonic: Seconds, never set back.
        wall: Unix seconds.
    """

    def __init__(self) -> None:
        self.monotonic = 1_000.0
        self.wall = 1_780_340_400.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        """Wait until the monotonic clock has moved on by `seconds`."""
        event = asyncio.Event()
        self._sleepers.append((self.monotonic + seconds, event))
        await event.wait()

    async def advance(self, seconds: float) -> None:
        """Let time pass on both clocks, in steps of a second, so that a sleeper wakes when it is due."""
        await _turns()
        for _ in range(int(seconds)):
            self.monotonic += 1
            self.wall += 1
            await self._wake()

    async def _wake(self) -> None:
        due = [event for at, event in self._sleepers if at <= self.monotonic]
        self._sleepers = [(at, event) for at, event in self._sleepers if at > self.monotonic]
        for event in due:
            event.set()
        if due:
            await _turns()


class Source:
    """Gives `token-1`, `token-2` and so on, or fails.

    Attributes:
        fetched: How often it was asked.
        together: How many asked at once, at most.
        is_down: Whether it fails.
        may_answer: Clear it, and whoever asks hangs.
        lifetime: Seconds that each token lasts.
        threads: Where it was asked from.
    """

    def __init__(self) -> None:
        self.fetched = 0
        self.together = 0
        self.is_down = False
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.lifetime = 3600.0
        self.threads: list[threading.Thread] = []
        self._now = 0

    def fetch(self) -> AccessToken:
        """The next token, once it may answer."""
        self.fetched += 1
        self._now += 1
        self.together = max(self.together, self._now)
        self.threads.append(threading.current_thread())
        number = self.fetched
        self.may_answer.wait(SECONDS)
        self._now -= 1
        if self.is_down:
            raise CredentialsError("the token endpoint is down")
        return AccessToken(f"ya29.token-{number}", self.lifetime, "a-project", "a-payer")


async def soon(is_so: Callable[[], object]) -> None:
    """Wait until something is so that a thread brings about, and until the loop has done what follows from it."""
    async with asyncio.timeout(SECONDS):
        while not is_so():  # noqa: ASYNC110  a thread has no event of the loop's
            await asyncio.sleep(0.001)
    await _turns()


async def _turns() -> None:
    """Let the loop do what is already due."""
    for _ in range(5):
        await asyncio.sleep(0)
