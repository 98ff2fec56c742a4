"""One answer of Google's, read under the limits of time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import cached_property
from types import TracebackType
from typing import Self, cast

import httpx
import orjson

from gemgate.gemini.client.answer_size import MAX_BYTES, Inflater, check_depth, check_objects
from gemgate.gemini.client.transport import TRANSPORT_ERRORS, ReadyStream
from gemgate.gemini.errors import (
    Failure,
    GeminiError,
    Refusal,
    TransportError,
    decode_error,
    error_in,
)

_MAX_ERROR_BODY = 1_048_576
_PLAIN = "identity"


class Deadline:
    """Limits one wait after the other: `with deadline.at(when): await …`, and `close` once there will be no more.

    As `asyncio.timeout_at`, but with one timer for all of them, which is moved only when it rings: to set one and to
    take it back for each event of a stream costs more than to decode the event.

    Args:
        seconds: How long the first wait may last.

    Attributes:
        began: When it was made, by the clock of the loop.
        has_expired: Whether the last wait was ended because it took too long.
    """

    __slots__ = ("_at", "_cancelling", "_due", "_loop", "_task", "_timer", "began", "has_expired")

    def __init__(self, seconds: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self.began = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._at = self.began + seconds
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self.has_expired = False

    @property
    def now(self) -> float:
        """By the clock of the loop."""
        return self._loop.time()

    def at(self, when: float) -> Self:
        """Until when the next wait may last, by the clock of the loop."""
        self._at = when
        return self

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("there is no task to limit")
        self._task, self._cancelling, self.has_expired = task, task.cancelling(), False
        if self._timer is None or self._due > self._at:
            self._set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises `TimeoutError` in place of the cancellation that the timer caused; any other one passes."""
        task, self._task = self._task, None
        if not self.has_expired or task is None:
            return
        if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def close(self) -> None:
        """There are no more waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = self._at
        self._timer = self._loop.call_at(self._due, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._task is None:
            return
        if self._at > self._loop.time():
            self._set()
        else:
            self.has_expired = True
            self._task.cancel()


class GeminiResponse:
    """The body of a response, decompressed: `async for piece in answer: …`, then `aclose`.

    Args:
        response: As the transport gave it, unread.
        timer: Limits the time of each read.
        event_timeout: Seconds between two reads; the time that the caller takes does not count.
        first_byte_at: When, on the clock of the loop, the first bytes must be here.
        deadline: When the last ones must be.
        secret: The key, which no error may reveal.
        maximum: Bytes that are held at once.

    Attributes:
        status: The HTTP status.
        ended: Whether the last byte was read.
        on_close: Is called once the answer is closed; it may be called again.
        key_label: What the gateway's key that was used is called; empty for a caller's own.
        gateway_key: That key itself, which no caller may see; empty for a caller's own.
    """

    def __init__(
        self,
        response: httpx.Response,
        timer: Deadline,
        *,
        event_timeout: float,
        first_byte_at: float,
        deadline: float,
        secret: str,
        maximum: int = MAX_BYTES,
    ) -> None:
        self.status = response.status_code
        self.ended = False
        self.on_close: Callable[[], None] | None = None
        self.key_label = ""
        self.gateway_key = ""
        self._response = response
        stream = response.stream
        self._ready: ReadyStream | None = None
        self._pieces: AsyncGenerator[bytes, None] | None = None
        if isinstance(stream, ReadyStream):
            self._ready, encoding = stream, stream.encoding
        else:  # the body as it comes, without the bookkeeping of `Response.aiter_raw`
            self._pieces = cast("AsyncGenerator[bytes, None]", aiter(cast("httpx.AsyncByteStream", stream)))
            encoding = response.headers.get("content-encoding", "")
        self._encoding = encoding.strip().lower() or _PLAIN
        self._inflater = Inflater(maximum) if self._encoding in ("gzip", "x-gzip", "deflate") else None
        self._timer = timer
        self._event_timeout = event_timeout
        self._first_byte_at = first_byte_at
        self._deadline = deadline
        self._secret = secret
        self._max = maximum
        self._begun = False

    @cached_property
    def headers(self) -> httpx.Headers:
        """The headers of the response."""
        return self._response.headers

    @property
    def content_type(self) -> str:
        """The header."""
        content_type: str = self.headers.get("content-type", "")
        return content_type

    def leave_encoded(self) -> None:
        """Give the body as it comes, compressed or not: for code that hands `content-encoding` on."""
        self._inflater, self._encoding = None, _PLAIN

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece

    async def read(self) -> bytes:
        """What came next; empty at the end.

        Raises:
            TransportError: nothing came in time, the connection broke, or the compressed data is broken or cut.
        """
        if self._inflater is None and self._encoding != _PLAIN:
            raise TransportError(Failure.INVALID_BODY, "The Gemini API's answer is compressed in an unknown way.")
        while not self.ended:
            piece = await self._receive()
            self.ended = piece is None
            if self._inflater is not None:
                piece = self._inflater.finish() if piece is None else self._inflater.feed(piece)
            if piece:
                return piece
        return b""

    async def whole(self, maximum: int) -> bytes | None:
        """The whole body; None if it has more than `maximum` bytes. Closes the answer.

        Raises:
            TransportError: as `read`.
        """
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := await self.read():
                pieces.append(piece)
                size += len(piece)
                if size > maximum:
                    return None
        finally:
            await self.aclose()
        return b"".join(pieces)

    async def json_object(self, empty: bytes = b"") -> dict[str, object]:
        """The whole body as a JSON object; closes the answer.

        A resource with a `name` does not count as an error, though it may hold one: a file or a job that failed does.

        Args:
            empty: The result for a body without a byte.

        Raises:
            GeminiError: it is an error, or no object; or it did not come whole.
        """
        body = await self.whole(self._max)
        if body is None:
            raise TransportError(Failure.TOO_LARGE)
        check_objects(body)
        try:
            value = orjson.loads(body or empty)
        except orjson.JSONDecodeError:
            value = None
        check_depth(body, value)
        if isinstance(value, dict) and ("name" in value or not value.get("error")):
            return value
        error = error_in(value) or decode_error(200, body, self.content_type)
        error.hide(self._secret)
        raise error

    async def error(self) -> GeminiError:
        """What the body of a refusal says, as far as it comes: the status is worth more than a second failure."""
        read = bytearray()
        try:
            while len(read) < _MAX_ERROR_BODY and (piece := await self.read()):
                read += piece
        except TransportError:
            pass
        finally:
            await self.aclose()
        body = bytes(read)
        error = decode_error(self.status, body, self.content_type)
        error.refusal = Refusal(self.status, dict(self.headers), body)
        error.hide(self._secret)
        return error

    async def skip(self) -> None:
        """Read to the end what does not matter, so that the connection can be used again; closes the answer."""
        try:
            while await self.read():
                pass
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Give the connection back if the answer was read to its end, else close it."""
        self._timer.close()
        try:
            if self._ready is not None:
                await self._ready.aclose()
            elif self._pieces is not None:
                await self._response.aclose()
                await self._pieces.aclose()
        finally:
            if self.on_close is not None:
                self.on_close()

    async def _receive(self) -> bytes | None:
        """What came over the wire; None at the end. A timer is set only for what has not come yet."""
        try:
            piece = self._ready.read_nowait() if self._ready is not None else None
        except TRANSPORT_ERRORS as error:
            raise TransportError(Failure.ANSWER_CUT) from error
        if piece is not None:
            self._begun = True
            return piece or None
        limit = self._timer.now + self._event_timeout
        if not self._begun:
            limit = max(limit, self._first_byte_at)
        try:
            with self._timer.at(min(limit, self._deadline)):
                piece = await (self._ready.read() if self._ready is not None else self._next_piece())
        except TimeoutError as error:
            raise TransportError(self._lateness(limit)) from error
        except TRANSPORT_ERRORS as error:
            raise TransportError(Failure.ANSWER_CUT) from error
        self._begun = True
        return piece or None

    async def _next_piece(self) -> bytes:
        """What comes next from a stream that may give empty pieces."""
        if self._pieces is not None:
            async for piece in self._pieces:
                if piece:
                    return piece
        return b""

    def _lateness(self, limit: float) -> Failure:
        if self._deadline <= limit:
            return Failure.REQUEST_TIMEOUT
        return Failure.EVENT_TIMEOUT if self._begun else Failure.FIRST_BYTE_TIMEOUT
