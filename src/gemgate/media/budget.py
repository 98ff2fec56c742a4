"""How much remote media is held: by one request, by the requests of one caller, and in the whole process."""

import asyncio
import weakref
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from gemgate.errors import ApiError
from gemgate.media.lookups import REQUEST_PLACES

_BUSY_SECONDS = 1


class BudgetSpentError(Exception):
    """The remote files of a request are larger than it may be."""


class ProcessBudget:
    """The bytes of media that a process holds for its requests, as base64.

    Args:
        maximum: For all callers; one of them may hold half of it.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._held: Counter[str] = Counter()
        self.held = 0

    def take(self, caller: str, size: int) -> None:
        """Hold `size` bytes more.

        Raises:
            ApiError: 503, the budget is spent.
        """
        if self.held + size > self._maximum or self._held[caller] + size > self._maximum // 2:
            if not self._held[caller]:
                del self._held[caller]
            msg = "The gateway holds as much remote media as it may (GEMGATE_MEDIA_BUDGET_BYTES). Please try again."
            headers = {"retry-after": str(_BUSY_SECONDS)}
            raise ApiError(503, msg, type="server_error", code="server_overloaded", headers=headers)
        self.held += size
        self._held[caller] += size

    def give(self, caller: str, size: int) -> None:
        """They are held no longer."""
        self.held -= size
        self._held[caller] -= size
        if self._held[caller] <= 0:
            del self._held[caller]


class _HeldText(str):
    """Base64 that is counted until nothing refers to it."""

    __slots__ = ("__weakref__",)


@dataclass(slots=True)
class RequestBudget:
    """What one request may fetch.

    Attributes:
        caller: Who asks.
        left: Bytes of base64 that may still come.
        places: For its look-ups.
    """

    caller: str
    left: int
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REQUEST_PLACES))


class FetchBudget:
    """What one fetch takes. When its block ends without `kept`, nothing of it counts any more."""

    def __init__(self, process: ProcessBudget, request: RequestBudget) -> None:
        self._process = process
        self._request = request
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.give(self._request.caller, self._taken)
        self._request.left += self._taken
        self._taken = 0

    def take(self, size: int) -> None:
        """`size` bytes more have come.

        Raises:
            BudgetSpentError: they are more than the request may have.
            ApiError: 503, the process has no room.
        """
        self.check(size)
        wanted = _in_base64(size)
        self._process.take(self._request.caller, wanted)
        self._request.left -= wanted
        self._taken += wanted

    def check(self, size: int) -> None:
        """Refuse what is announced.

        Raises:
            BudgetSpentError: `size` bytes are more than the request may have.
        """
        if _in_base64(size) > self._request.left:
            raise BudgetSpentError

    def kept(self, text: str) -> str:
        """`text`, which counts as what was taken for as long as anything refers to it."""
        held = _HeldText(text)
        weakref.finalize(held, self._process.give, self._request.caller, self._taken).atexit = False
        self._taken = 0
        return held


def _in_base64(size: int) -> int:
    return -(-size * 4 // 3)
