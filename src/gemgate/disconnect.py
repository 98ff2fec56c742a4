"""Stops the work for a caller who has gone."""

import asyncio
from types import TracebackType

from starlette.requests import ClientDisconnect, Request


class cancelled_on_disconnect:  # noqa: N801  used like a function; a generator would cost each request a little more
    """Cancels the block when the client closes the connection; the request's body must have been read before.

    Raises:
        ClientDisconnect: in place of the cancellation that the disconnect caused. Any other cancellation passes.
    """

    __slots__ = ("_cancelling", "_gone", "_request", "_task", "_watcher")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._gone = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            msg = "there is no task to cancel"
            raise RuntimeError(msg)
        self._task = task
        self._cancelling = task.cancelling()
        self._watcher = asyncio.create_task(self._watch())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.cancel()
        del self._watcher  # it keeps how it ended, which leads to `self`: a cycle for each request
        if self._gone and isinstance(error, asyncio.CancelledError) and self._task.uncancel() <= self._cancelling:
            raise ClientDisconnect from None

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._task.cancel()
