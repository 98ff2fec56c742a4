"""Stops the work for a caller who has gone."""

import asyncio
from types import TracebackType

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

DISCONNECT = "gemgate.disconnect"
"""The key of a `Disconnect` in the scope of each request that came over its connection."""

ENDLESS = "gemgate.endless"
"""The key of a true value in the scope of a request whose answer goes on until its client goes: no shutdown waits."""


class Disconnect:
    """Reports that the client of a connection has gone, so that no task need wait for each request's `http.disconnect`.

    Attributes:
        is_set: Whether it has gone.
        watched: Blocks that are cancelled when it does.
    """

    __slots__ = ("is_set", "watched")

    def __init__(self) -> None:
        self.is_set = False
        self.watched: set[cancelled_on_disconnect] = set()

    def set(self) -> None:
        """The client has gone."""
        self.is_set = True
        for block in tuple(self.watched):
            block.cancel()


def disconnect_of(scope: Scope) -> Disconnect | None:
    """That of the request's connection; None where the server is not ours, and knows ASGI alone."""
    found: Disconnect | None = scope.get(DISCONNECT)
    return found


class cancelled_on_disconnect:  # noqa: N801  used like a function; a generator would cost each request a little more
    """Cancels the block when the client closes the connection; the request's body must have been read before.

    Raises:
        ClientDisconnect: in place of the cancellation that the disconnect caused. Any other cancellation passes.
    """

    __slots__ = ("_cancelling", "_disconnect", "_gone", "_request", "_task", "_watcher")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._disconnect = disconnect_of(request.scope)
        self._watcher: asyncio.Task[None] | None = None
        self._gone = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            msg = "there is no task to cancel"
            raise RuntimeError(msg)
        self._task = task
        self._cancelling = task.cancelling()
        if self._disconnect is None:
            self._watcher = asyncio.create_task(self._watch())
        elif self._disconnect.is_set:
            self.cancel()
        else:
            self._disconnect.watched.add(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None  # it keeps how it ended, which leads to `self`: a cycle for each request
        elif self._disconnect is not None:
            self._disconnect.watched.discard(self)
        if self._gone and isinstance(error, asyncio.CancelledError) and self._task.uncancel() <= self._cancelling:
            raise ClientDisconnect from None

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.cancel()

    def cancel(self) -> None:
        """The client has gone."""
        self._gone = True
        self._task.cancel()
