"""Streams whose responses are kept even where they fail: at a shutdown the store stays open until they are."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_SECONDS = 5.0


class KeptStreams:
    """Those of one process that are being sent."""

    def __init__(self) -> None:
        self._open = 0
        self._none_open = asyncio.Event()
        self._none_open.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """One stream, from its beginning until its response is kept."""
        self._open += 1
        self._none_open.clear()
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._none_open.set()

    async def ended(self) -> None:
        """Wait, but not for long, until all have ended: the server has cancelled those that were left."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await self._none_open.wait()
