"""The events of a response in the background: kept while it is generated, and read by any number of callers."""

import asyncio
from collections.abc import AsyncGenerator

from gemgate.store import StoredEvents
from gemgate.web.sse import DONE

_END = b"\n\n"


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
            ready = self._pieces[place:]
            place += len(ready)
            if data := b"".join(events_after(piece, after) for piece in ready):
                yield data
            if self.is_ended and place == len(self._pieces):
                yield DONE
                return
            if not ready:
                await news.wait()

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
