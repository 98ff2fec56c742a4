"""Stops the work for a caller who has gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request


@asynccontextmanager
async def cancelled_on_disconnect(request: Request) -> AsyncIterator[None]:
    """Cancels the block when the client closes the connection; the request's body must have been read before.

    Raises:
        ClientDisconnect: in place of the cancellation that the disconnect caused. Any other cancellation passes.
    """
    task = asyncio.current_task()
    if task is None:
        msg = "there is no task to cancel"
        raise RuntimeError(msg)
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    cancelling = task.cancelling()
    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone and task.uncancel() <= cancelling:
            raise ClientDisconnect from None
        raise
    finally:
        watcher.cancel()
