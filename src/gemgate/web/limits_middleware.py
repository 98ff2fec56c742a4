"""What one caller may ask of the gateway at most, and how long it may take to ask."""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemgate.errors import ApiError, overloaded
from gemgate.web.error_handlers import answer

LEAST_RATE = 1024
"""Bytes a second that a caller must send, or take, at least."""

UNLIMITED = frozenset({"/healthz", "/readyz", "/metrics"})
"""A gateway that is busy must still be able to say so."""

WHOLE_BODY = "gemgate.whole_body"
"""In the scope of a request whose body has arrived to its end, though nobody may have read it."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may cost. Times are seconds.

    Attributes:
        max_head_bytes: Request line and headers of a request.
        head_timeout: From the first byte of a request to the end of its headers.
        body_timeout: For the rest of a body that nobody reads, because it was answered before its end.
        send_timeout: A caller that takes less than `LEAST_RATE` for so long is cut off.
    """

    max_head_bytes: int = 65_536
    head_timeout: float = 30
    body_timeout: float = 30
    send_timeout: float = 60


class LimitsMiddleware:
    """Refuses the request too many with a 503 at once, and a body that comes too slowly with a 408.

    Pure ASGI, and a microsecond or two for each request: no task, and no timer while nothing is awaited.

    Args:
        app: What is served within the limits.
        maximum: Requests at once.
        body_timeout: Seconds without a byte of a body; and what it may take beyond a second for `LEAST_RATE` bytes.
    """

    def __init__(self, app: ASGIApp, *, maximum: int, body_timeout: float) -> None:
        self._app = app
        self._max = maximum
        self._body_timeout = body_timeout
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        if self._running >= self._max:
            await answer(overloaded(self._max))(scope, receive, send)
            return
        self._running += 1
        try:
            body = receive if WHOLE_BODY in scope else _BoundedBody(scope, receive, self._body_timeout).receive
            await self._app(scope, body, send)
        finally:
            self._running -= 1


class _BoundedBody:
    """The body of one request as it comes in."""

    __slots__ = ("_began", "_receive", "_scope", "_size", "_timeout", "_whole")

    def __init__(self, scope: Scope, receive: Receive, timeout: float) -> None:
        self._scope = scope
        self._receive = receive
        self._timeout = timeout
        self._began: float | None = None
        self._size = 0
        self._whole = False

    async def receive(self) -> Message:
        """The next message.

        Raises:
            ApiError: 408, when the caller lets the gateway wait for its body.
        """
        if self._whole or WHOLE_BODY in self._scope:
            return await self._receive()
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
        deadline = self._began + self._timeout + self._size / LEAST_RATE
        try:
            async with asyncio.timeout_at(min(now + self._timeout, deadline)):
                message = await self._receive()
        except TimeoutError:
            raise self._too_slow() from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message

    def _too_slow(self) -> ApiError:
        msg = (
            f"The body did not come in time: {self._size} bytes so far. Send it without pauses of {self._timeout:g} s, "
            f"and at {LEAST_RATE} bytes a second at least."
        )
        return ApiError(408, msg, code="request_timeout", headers={"connection": "close"})
