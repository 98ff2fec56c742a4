"""Server-sent events: framing, keep-alive, and when an answer may begin.

Framing as OpenAI's clients read it: `data: {json}` and a blank line, comments between events, `data: [DONE]` at the end
of a stream that succeeded. Never an `id:` line: openai-python would dispatch an empty event at the next comment.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import anyio
import orjson
from sse_starlette import EventSourceResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gemgate.disconnect import cancelled_on_disconnect
from gemgate.errors import ApiError
from gemgate.handlers import as_api_error
from gemgate.settings import Settings

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"

Batches = AsyncGenerator[bytes, None]
"""Whole events, ready to send; all those of one upstream read joined, because each item costs a write."""

_CLEANUP_SECONDS = 5.0


def frame(data: Any) -> bytes:
    """One event: `data: {json}` and a blank line."""
    return b"data: " + orjson.dumps(data) + b"\n\n"


def error_frame(error: ApiError) -> bytes:
    """The event that ends a failed stream; no `[DONE]` follows."""
    return frame(error.body())


async def respond(
    request: Request, batches: Batches, settings: Settings, headers: Mapping[str, str] | None = None
) -> Response:
    """Streams `batches` as an answer of status 200, which begins with the first batch or after `stream_start_after`.

    What `batches` raises before that surfaces here and becomes an HTTP status; what it raises later becomes an error
    event. `batches` is closed as soon as the client goes.

    Raises:
        ClientDisconnect: the client went before the answer began.
    """
    async with cancelled_on_disconnect(request):
        first = await peek(batches, settings.stream_start_after)
    response = _EventStream(
        first,
        batches,
        headers={"cache-control": "no-cache", **(headers or {})},
        sep="\n",
        ping=settings.keepalive_interval,
    )
    del response.headers["connection"]  # HTTP/2 forbids it, and the server decides
    return response


class _EventStream(EventSourceResponse):
    """sse-starlette's response without its group of four tasks and its cancel scope for each event: 150 µs a stream.

    At a shutdown the server's own deadline ends it, as it ends every request.
    """

    def __init__(self, first: asyncio.Task[bytes | None], batches: Batches, **options: Any) -> None:
        super().__init__(batches, **options)
        self._first = first
        self._batches = batches
        self._is_read = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body until it ends, or until the client goes."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            with _Comments(send, self.ping_interval):
                async with cancelled_on_disconnect(Request(scope, receive)):
                    await self._send_batches(send)
        except ClientDisconnect:
            return
        finally:
            if not self._is_read:
                await _close(self._first, self._batches)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_batches(self, send: Send) -> None:
        try:
            if not self._first.done():
                await _send_piece(send, KEEP_ALIVE)
            batch = await self._first
            if batch is not None:
                await _send_piece(send, batch)
                async for batch in self._batches:
                    await send({"type": "http.response.body", "body": batch, "more_body": True})
            self._is_read = True
        except Exception as error:  # noqa: BLE001  the headers are sent: every failure becomes the last event
            await _send_piece(send, error_frame(as_api_error(error)))


async def _send_piece(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


class _Comments:
    """Sends a comment every so many seconds until the block ends. There is a task only while one is being sent."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = self._loop.call_later(self._seconds, self._begin)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._comment())

    async def _comment(self) -> None:
        await _send_piece(self._send, KEEP_ALIVE)
        self._timer = self._loop.call_later(self._seconds, self._begin)


async def peek(source: Batches, start_after: float) -> asyncio.Task[bytes | None]:
    """Waits up to `start_after` seconds for the first batch, and hands the read on, done (`None` = empty) or pending.

    Raises:
        Exception: whatever `source` raised within that time.
    """
    first = asyncio.ensure_future(_first(source))
    try:
        await asyncio.wait((first,), timeout=start_after)
    except asyncio.CancelledError:
        await _close(first, source)
        raise
    if first.done():
        first.result()
    return first


async def _first(source: Batches) -> bytes | None:
    return await anext(source, None)


async def _close(first: asyncio.Task[bytes | None], source: Batches) -> None:
    """Ends the pending read, then the iterator, which closes the call to Google."""
    with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
        if first.cancel():
            await asyncio.wait((first,))
        await source.aclose()
