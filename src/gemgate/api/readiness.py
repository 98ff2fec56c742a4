"""Whether what the gateway needs is there, and what is missing where it serves without."""

import asyncio
from contextlib import suppress

import structlog

from gemgate.redaction import traceback_of
from gemgate.store import DiskFullError, Store

SILENT = "the store does not answer"
"""What is said of a database or a bucket that fails or is silent."""

FULL = "the disk is full but for its reserve"

_log = structlog.get_logger()


class Readiness:
    """Whether the store can be used, asked once for all probes that come within `kept` seconds.

    Args:
        store: What is asked.
        timeout: Seconds that it may take.
        kept: Seconds for which the answer is believed.
    """

    def __init__(self, store: Store, *, timeout: float = 3.0, kept: float = 1.0) -> None:
        self._store = store
        self._timeout = timeout
        self._kept = kept
        self._asked_at = float("-inf")
        self._problem = ""
        self._asking: asyncio.Task[None] | None = None

    async def problem(self, patience: float | None = None) -> str:
        """Why the store cannot be used; empty if it can. The log has each change.

        Args:
            patience: Seconds to wait for the answer, after which the store counts as silent; None: as long as it may
                take.
        """
        if self._asking is None and asyncio.get_running_loop().time() - self._asked_at < self._kept:
            return self._problem
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        done, _ = await asyncio.wait((self._asking,), timeout=patience)
        return self._problem if done else self._problem or SILENT

    async def aclose(self) -> None:
        """Ask no longer."""
        if (task := self._asking) is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _ask(self) -> None:
        try:
            self._note(await self._failure())
        finally:
            self._asked_at = asyncio.get_running_loop().time()
            self._asking = None

    async def _failure(self) -> Exception | None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._store.ping()
                await self._store.room.check_disk()
                await self._store.room.check_spool()
        except Exception as error:  # noqa: BLE001  whatever it is, the store cannot be used
            return error
        return None

    def _note(self, failure: Exception | None) -> None:
        problem = "" if failure is None else FULL if isinstance(failure, DiskFullError) else SILENT
        if failure is not None and not self._problem:
            _log.error(f"degraded: {problem}", exception=traceback_of(failure))
        elif failure is None and self._problem:
            _log.info("the store can be used again")
        self._problem = problem
