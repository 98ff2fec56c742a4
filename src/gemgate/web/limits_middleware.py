"""What one caller may ask of the gateway at most, and how long it may take to ask."""

import asyncio
import math
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemgate.errors import SERVER_ERROR, ApiError, overloaded
from gemgate.web.error_handlers import answer

LEAST_RATE = 1024
"""Bytes a second that a caller must send, or take, at least."""

UNLIMITED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths without limits: probes and metrics must be answered under load."""

WHOLE_BODY = "gemgate.whole_body"
"""In the scope of a request whose body has arrived to its end, though nobody may have read it."""

CREDENTIAL = "gemgate.credential"
"""In the scope of a request that presents a key: the value of the header, as it came."""


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

    A place is for a request whose body is here. Bodies that still come have places of their own, of which the slowest
    body loses its one when there are too many: a slow sender takes no place from anybody.

    Pure ASGI, and a microsecond or two for each request: no task, and no timer while nothing is awaited.

    Args:
        app: What is served within the limits.
        maximum: Concurrent requests; and as many more whose bodies are still arriving.
        share: Concurrent requests of one caller, by its key, or by address without one; None means unlimited.
        body_timeout: Seconds without a byte of a body; and what it may take beyond a second for `LEAST_RATE` bytes.
        body_total_timeout: Seconds for a whole body, whatever its size.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        maximum: int,
        share: int | None = None,
        body_timeout: float,
        body_total_timeout: float = math.inf,
    ) -> None:
        self._app = app
        self._max = maximum
        self._share = math.inf if share is None else share
        self._body_timeout = body_timeout
        self._body_total_timeout = body_total_timeout
        self._running = 0
        self._arriving: set[_BoundedBody] = set()
        self._callers: dict[object, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        caller = scope.get(CREDENTIAL) or (scope.get("client") or ("",))[0]
        held, is_whole = self._callers.get(caller, 0), WHOLE_BODY in scope
        if held >= self._share:
            await answer(_too_many(held))(scope, receive, send)
            return
        if is_whole and self._running >= self._max:
            await answer(overloaded(self._max))(scope, receive, send)
            return
        self._callers[caller] = held + 1
        self._running += is_whole
        try:
            await (self._app if is_whole else self._receiving_body)(scope, receive, send)
        finally:
            self._running -= is_whole
            if (held := self._callers[caller]) > 1:
                self._callers[caller] = held - 1
            else:
                del self._callers[caller]

    async def _receiving_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _BoundedBody(self, scope, receive, self._body_timeout, self._body_total_timeout)
        if len(self._arriving) >= self._max:
            slowest = min(self._arriving, key=_BoundedBody.rate)
            self._arriving.remove(slowest)
            slowest.cut_off()
        self._arriving.add(body)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._arriving.discard(body)
            self._running -= body.has_place

    def arrived(self, body: "_BoundedBody") -> None:
        """The body is whole: from now on the request takes a place.

        Raises:
            ApiError: 503, when all are taken.
        """
        self._arriving.discard(body)
        if self._running >= self._max:
            raise overloaded(self._max)
        self._running += 1
        body.has_place = True


class _BoundedBody:
    """The body of one request as it comes in.

    Attributes:
        has_place: Whether it has come to its end, and its request has a place.
    """

    __slots__ = (
        "_began", "_deadline", "_is_cut_off", "_limits", "_receive", "_scope", "_size", "_timeout", "_total_timeout",
        "has_place",
    )  # fmt: skip

    def __init__(
        self, limits: LimitsMiddleware, scope: Scope, receive: Receive, timeout: float, total_timeout: float
    ) -> None:
        self._limits = limits
        self._scope = scope
        self._receive = receive
        self._timeout = timeout
        self._total_timeout = total_timeout
        self._began = asyncio.get_running_loop().time()
        self._deadline: asyncio.Timeout | None = None
        self._is_cut_off = False
        self._size = 0
        self.has_place = False

    def rate(self) -> float:
        """Bytes a second; what has just begun counts as if it had taken a second."""
        return self._size / (asyncio.get_running_loop().time() - self._began + 1)

    def cut_off(self) -> None:
        """Another body needs the place of this one."""
        self._is_cut_off = True
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())

    async def receive(self) -> Message:
        """The next message.

        Raises:
            ApiError: 408, when the caller lets the gateway wait for its body; 503, when another needs its place, or
                when it is here and all places are taken.
        """
        if self.has_place:
            return await self._receive()
        if self._is_cut_off:
            raise _slowest()
        message = await (self._receive() if WHOLE_BODY in self._scope else self._in_time())
        self._size += len(message.get("body", b""))
        if not message.get("more_body", False):
            self._limits.arrived(self)
        return message

    async def _in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        maximum = min(self._timeout + self._size / LEAST_RATE, self._total_timeout)
        try:
            async with asyncio.timeout_at(min(now + self._timeout, self._began + maximum)) as self._deadline:
                return await self._receive()
        except TimeoutError:
            raise (_slowest() if self._is_cut_off else self._too_slow()) from None
        finally:
            self._deadline = None

    def _too_slow(self) -> ApiError:
        msg = (
            f"The body did not come in time: {self._size} bytes so far. Send it without pauses of {self._timeout:g} s, "
            f"at {LEAST_RATE} bytes a second at least, and within {self._total_timeout:g} s."
        )
        return ApiError(408, msg, code="request_timeout", headers={"connection": "close"})


def _slowest() -> ApiError:
    msg = "The gateway waits for as many bodies as it can, and this one came slowest. Please retry."
    headers = {"connection": "close", "retry-after": "1"}
    return ApiError(503, msg, type=SERVER_ERROR, code="server_overloaded", headers=headers)


def _too_many(share: int) -> ApiError:
    msg = (
        f"You have {share} requests running, as many as one caller may have at once "
        "(GEMGATE_MAX_CONCURRENT_REQUESTS_PER_CALLER). Please retry when one of them has ended."
    )
    return ApiError(429, msg, type="requests", code="rate_limit_exceeded", headers={"retry-after": "1"})
