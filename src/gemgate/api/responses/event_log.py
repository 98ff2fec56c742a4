"""The events of a response in the background: kept while it is generated, and read by any number of callers."""

import asyncio
from collections.abc import AsyncGenerator

from gemgate.store import StoredEvents
from gemgate.web.sse import DONE

_END = b"\n\n"
_AT_ONCE = 65_536
"""Bytes that one follower is given at a time. It may take them slowly, and others may follow beside it."""


class EventLog:
    """The events of one response in this process, from the first one on.

    Attributes:
        is_ended: Whether the last one is there.
        added_at: When the latest came, by the clock of the event loop.
    """

    def __init__(self) -> None:
        self.is_ended = False
        self.added_at = 0.0
        self._pieces: list[StoredEvents] = []
        self._kept = 0
        self._news = asyncio.Event()

    @property
    def next(self) -> int:
        """The number of the next event."""
        return self._pieces[-1].last + 1 if self._pieces else 0

    def add(self, data: bytes, next_number: int) -> None:
        """Add the events that end before the number `next_number`; comments are no events, and are not kept."""
        if data and next_number > self.next:
            self._pieces.append(StoredEvents(self.next, next_number - 1, data))
            self.added_at = asyncio.get_running_loop().time()
            self._wake()

    def end(self) -> None:
        """No more will come."""
        self.is_ended = True
        self._wake()

    def unkept(self) -> StoredEvents | None:
        """The events that are not in the store yet, in one piece; None where all are."""
        pieces = self._pieces[self._kept :]
        if not pieces:
            return None
        return StoredEvents(pieces[0].first, pieces[-1].last, b"".join(piece.data for piece in pieces))

    def kept(self, last: int) -> None:
        """The events up to the number `last` are in the store."""
        while self._kept < len(self._pieces) and self._pieces[self._kept].last <= last:
            self._kept += 1

    async def follow(self, after: int = -1) -> AsyncGenerator[bytes, None]:
        """The events beyond the number `after`, those that are there and those that come, and the end of the stream."""
        place = 0
        while True:
            news = self._news
            data, place = self._ready(place, after)
            if data:
                yield data
            if place < len(self._pieces):
                continue
            if self.is_ended:
                yield DONE
                return
            if not data:
                await news.wait()

    def _ready(self, place: int, after: int) -> tuple[bytes, int]:
        """The next events beyond the number `after`, of pieces from `place` on, and the place after them."""
        ready: list[bytes] = []
        size = 0
        while place < len(self._pieces) and size < _AT_ONCE:
            data = events_after(self._pieces[place], after)
            ready.append(data)
            size += len(data)
            place += 1
        return b"".join(ready), place

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def events_after(events: StoredEvents, after: int) -> bytes:
    """The bytes of those events whose numbers are beyond `after`."""
    if events.last <= after:
        return b""
    place = 0
    for _ in range(after - events.first + 1):
        place = events.data.index(_END, place) + len(_END)
    return events.data[place:]
