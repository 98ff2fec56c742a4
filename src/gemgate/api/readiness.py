"""Whether what the gateway needs is there."""

import asyncio

import structlog

from gemgate.redaction import traceback_of
from gemgate.store import Store

_log = structlog.get_logger()


class Readiness:
    """Whether the store answers, asked once for all probes that come within `kept` seconds.

    Args:
        store: What is asked.
        timeout: Seconds that it may take.
        kept: Seconds for which the answer is kept.
    """

    def __init__(self, store: Store, *, timeout: float = 3.0, kept: float = 1.0) -> None:
        self._store = store
        self._timeout = timeout
        self._kept = kept
        self._asked_at = float("-inf")
        self._is_ready = True
        self._asking = asyncio.Lock()

    async def is_ready(self) -> bool:
        """The answer; what is wrong, and that it is right again, is in the log."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at >= self._kept:
                self._note(await self._failure())
                self._asked_at = asyncio.get_running_loop().time()
            return self._is_ready

    async def _failure(self) -> Exception | None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._store.ping()
                await self._store.room.check_disk()
        except Exception as error:  # noqa: BLE001  whatever it is, the store cannot be used
            return error
        return None

    def _note(self, failure: Exception | None) -> None:
        if failure is not None and self._is_ready:
            _log.error("not ready: the store does not answer", exception=traceback_of(failure))
        elif failure is None and not self._is_ready:
            _log.info("ready: the store answers again")
        self._is_ready = failure is None
