"""Comments in Google's event streams while nothing comes, for balancers that close connections which are silent."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from starlette.types import Message, Send

from gemgate.web.sse import KEEP_ALIVE

_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_HEAD: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
    ],
}


class KeptAlive:
    """Where the messages of a streamed answer go; comments go between its events, and before the first one.

    If none has come when the first comment is due, the answer begins with status 200: an error is an event then.

    Args:
        send: What sends to the caller.
        interval: Seconds without a message after which a comment is sent.

    Attributes:
        has_begun: Whether the head is sent.
    """

    def __init__(self, send: Send, interval: float) -> None:
        self.has_begun = False
        self._send = send
        self._interval = interval
        self._lock = asyncio.Lock()
        self._is_quiet = False
        self._end = b"\n\n"

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._comment())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await self._task

    async def send(self, message: Message) -> None:
        """One message of the answer."""
        async with self._lock:
            self._is_quiet = False
            if message["type"] == "http.response.start":
                if self.has_begun:
                    return
                self.has_begun = True
            else:
                self._end = (self._end + message.get("body", b"")[-4:])[-4:]
            await self._send(message)

    async def _comment(self) -> None:
        while True:
            self._is_quiet = True
            await asyncio.sleep(self._interval)
            async with self._lock:
                if not self._is_quiet or not self._end.endswith(_ENDS):
                    continue
                if not self.has_begun:
                    self.has_begun = True
                    await self._send(_HEAD)
                await self._send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
