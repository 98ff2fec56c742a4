"""Server-sent events: framing, keep-alive, and when an answer may begin.

Framing as OpenAI's clients read it: `data: {json}` and a blank line, comments between events, `data: [DONE]` at the end
of a stream that succeeded. Never an `id:` line: openai-python would dispatch an empty event at the next comment.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import cache
from typing import Protocol

import anyio
import orjson
from sse_starlette import EventSourceResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gemgate.errors import ApiError
from gemgate.settings import Settings
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.error_handlers import as_api_error

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


class EventBatches(Protocol):
    """Whole events, ready to send; all those of one upstream read joined, because each item costs a write.

    An asynchronous generator, as far as it is read and closed.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Itself."""
        ...

    def __anext__(self) -> Awaitable[bytes]:
        """The next events."""
        ...

    async def aclose(self) -> None:
        """End it early."""
        ...


_CLEANUP_SECONDS = 5.0


def frame(data: object) -> bytes:
    """One event: `data: {json}` and a blank line."""
    return b"data: " + orjson.dumps(data) + b"\n\n"


def frames(events: Iterable[object]) -> bytes:
    """Several events, ready to be sent in one write."""
    return b"".join([b"data: " + orjson.dumps(data) + b"\n\n" for data in events])


def error_frame(error: ApiError) -> bytes:
    """The event that ends a failed stream; no `[DONE]` follows."""
    return frame(error.body())


class StreamVoice(Protocol):
    """The events of a stream that its answer does not bring: where nothing comes for long, and where it fails."""

    def silence(self) -> bytes:
        """Ready bytes that keep the stream alive; they begin with a comment, which counts as no answer."""
        ...

    def failure(self, error: ApiError) -> bytes:
        """The last events of a stream that has begun and failed, as ready bytes."""
        ...


class _Comments:
    """The voice of a stream without one of its own."""

    def silence(self) -> bytes:
        return KEEP_ALIVE

    def failure(self, error: ApiError) -> bytes:
        return error_frame(error)


_COMMENTS = _Comments()
VOICE = "gemgate.stream_voice"
"""The key of a stream's voice in the scope of its request."""


def failure_of(scope: Scope, error: ApiError) -> bytes:
    """The last events of the stream that answers the request of `scope`, where the server ends it."""
    voice: StreamVoice = scope.get(VOICE, _COMMENTS)
    return voice.failure(error)


def respond(
    request: Request,
    batches: EventBatches,
    settings: Settings,
    headers: Callable[[], Mapping[str, str]] = dict,
    voice: StreamVoice | None = None,
) -> Response:
    """Streams `batches` as an answer of status 200, which begins with the first batch or after `stream_start_after`.

    What `batches` raises before that is raised by the response and becomes an HTTP status; what it raises later becomes
    an error event. `batches` is closed as soon as the client goes. `headers` is asked when the answer begins.
    `voice` has the words for silence and failure, where they are more than a comment and an event with the error.
    """
    if voice is not None:
        request.scope[VOICE] = voice
    return _EventStream(request, batches, settings, headers)


class _EventStream(Response):
    """An answer of events. sse-starlette says what its head is.

    Its own response has a group of four tasks, and a cancel scope for each event: 150 µs a stream. Here the request's
    own task is the only one. At a shutdown the server's own deadline ends it, as it ends every request.
    """

    def __init__(
        self, request: Request, batches: EventBatches, settings: Settings, headers: Callable[[], Mapping[str, str]]
    ) -> None:
        # Not Starlette's, which would count the bytes of a body.
        self.status_code, self.background, self.raw_headers = 200, None, []
        self._request = request
        self._batches = batches
        self._settings = settings
        self._more = headers
        self._is_read = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  as Starlette has it
        """Send the body until it ends, or until the client goes.

        Raises:
            ClientDisconnect: the client went before the answer began.
        """
        out = _EventWriter(send, self._head, self._settings, self._request.scope.get(VOICE, _COMMENTS))
        try:
            with out:
                async with cancelled_on_disconnect(self._request):
                    try:
                        async for batch in self._batches:
                            await out.send(batch)
                        self._is_read = True
                    except Exception as error:
                        if not out.has_begun:
                            raise
                        # The head is sent: every failure becomes the last event.
                        await out.send(failure_of(scope, as_api_error(error)))
                await out.send(b"", more=False)
        except ClientDisconnect:
            if not out.has_begun:
                raise
        finally:
            if not self._is_read:
                await _close(self._batches)

    def _head(self) -> Message:
        more, self._more = self._more(), dict  # what knows the headers may hold the whole request
        self.raw_headers = _headers() + [(name.encode(), value.encode("latin-1")) for name, value in more.items()]
        return {"type": "http.response.start", "status": 200, "headers": self.raw_headers}


@cache
def _headers() -> list[tuple[bytes, bytes]]:
    response = EventSourceResponse(iter(()), headers={"cache-control": "no-cache"})
    del response.headers["connection"]  # HTTP/2 forbids it, and the server decides
    return response.raw_headers


class _EventWriter:
    """Where the pieces of a stream go. The answer begins with the first, or with a comment if none comes for long.

    Comments keep it alive until the block ends. There is a task only while one is being sent.

    Attributes:
        has_begun: Whether the head is sent.
    """

    def __init__(self, send: Send, head: Callable[[], Message], settings: Settings, voice: StreamVoice) -> None:
        self.has_begun = False
        self._voice = voice
        self._send = send
        self._head = head
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._is_sending = False

    def __enter__(self) -> None:
        self._set(self._settings.stream_start_after)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def send(self, piece: bytes, *, more: bool = True) -> None:
        """A piece, after a comment that is being sent."""
        self._is_sending = True
        if self._task is not None:
            await asyncio.wait((self._task,))
            self._task = None
        if not self.has_begun:
            await self._begin()
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        self._is_sending = False

    async def _begin(self) -> None:
        head, self.has_begun = self._head(), True
        self._timer.cancel()
        self._set(self._settings.keepalive_interval)
        await self._send(head)

    async def _keep_alive(self, piece: bytes) -> None:
        if not self.has_begun:
            await self._begin()
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    def _set(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._set(self._settings.keepalive_interval)
        if not self._is_sending and (self._task is None or self._task.done()):
            # Asked for now: its events are numbered. Those of the answer that come meanwhile wait for it; while one of
            # theirs waits, with a number of its own, there is no need of another.
            self._task = self._loop.create_task(self._keep_alive(self._voice.silence()))


async def _close(source: EventBatches) -> None:
    """Ends the iterator, which closes the call to Google."""
    with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
        await source.aclose()
