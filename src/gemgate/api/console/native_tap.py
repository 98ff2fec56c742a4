"""Shows the calls to Google of one request: the native requests and answers as they pass, without any key.

Only the requests that the console itself sends are tapped: it serves them with a copy of the way to Google, so that no
other request passes here.
"""

import zlib
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx
import orjson

from gemgate.observability.logged_bodies import elided
from gemgate.redaction import HIDDEN, redact

Report = Callable[[dict[str, object]], None]
"""Is called with each thing that is to be shown, at once."""

MAX_SHOWN = 4_194_304
"""Bytes of one answer that are shown."""

_ELIDED_FROM = 16_384
_SHORTEST_KEY = 8


class TappedTransport(httpx.AsyncBaseTransport):
    """Hands every call on to `inner`, and reports it.

    Args:
        inner: The transport that sends.
        report: Gets `native_request`, `native_head`, `native` (an event of a stream, or a whole body) and
            `native_failed`.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, report: Report) -> None:
        self._inner = inner
        self._report = report
        self._calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and give the answer, which is reported as it is read."""
        self._calls += 1
        call, key = self._calls, _key_of(request.headers)
        shown = {"type": "native_request", "call": call, "method": request.method, "path": request.url.path}
        self._report(shown | {"body": _json_of(_content(request), key)})
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx.HTTPError, OSError) as error:
            self._report({"type": "native_failed", "call": call, "error": type(error).__name__})
            raise
        self._report({"type": "native_head", "call": call, "status": response.status_code})
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_TappedStream(response, _NativeAnswer(call, key, response.headers, self._report)),
        )


class _TappedStream(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, answer: "_NativeAnswer") -> None:
        self._response = response
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in cast("httpx.AsyncByteStream", self._response.stream):
            self._answer.feed(piece)
            yield piece
        self._answer.end()

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._response.stream).aclose()


class _NativeAnswer:
    """Takes the bytes of an answer, and reports them as events, or as one body at the end."""

    def __init__(self, call: int, key: str, headers: httpx.Headers, report: Report) -> None:
        self._call = call
        self._key = key
        self._report = report
        self._is_stream = "event-stream" in headers.get("content-type", "")
        is_packed = headers.get("content-encoding", "identity").strip().lower() in ("gzip", "x-gzip", "deflate")
        self._inflater = zlib.decompressobj(47) if is_packed else None  # 47: either format, by its head
        self._rest = b""
        self._size = 0

    def feed(self, piece: bytes) -> None:
        if self._size > MAX_SHOWN:
            return
        if self._inflater is not None:
            try:
                piece = self._inflater.decompress(piece, MAX_SHOWN)
            except zlib.error:
                return
        self._size += len(piece)
        self._rest += piece
        if not self._is_stream:
            return
        *events, self._rest = self._rest.replace(b"\r\n", b"\n").split(b"\n\n")
        for event in events:
            self._show(event)

    def end(self) -> None:
        if self._rest.strip():
            self._show(self._rest)
        self._rest = b""
        if self._size > MAX_SHOWN:
            self._report({"type": "native", "call": self._call, "data": "<the answer goes on>"})

    def _show(self, event: bytes) -> None:
        data = event.removeprefix(b"data:").strip() if self._is_stream else event
        if data:
            self._report({"type": "native", "call": self._call, "data": _json_of(data, self._key)})


def _key_of(headers: httpx.Headers) -> str:
    """The Gemini key, or the token of Vertex AI."""
    key: str = headers.get("x-goog-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    return key


def _content(request: httpx.Request) -> bytes:
    stream = request.stream
    return b"".join(stream) if isinstance(stream, httpx.ByteStream) else b""


def _json_of(content: bytes, key: str) -> object:
    """The JSON value, or the text; without the key and, where it is large, without media."""
    text = content.decode("utf-8", "replace")
    if len(key) >= _SHORTEST_KEY:
        text = text.replace(key, HIDDEN)
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return redact(text)
    return elided(value) if len(text) > _ELIDED_FROM else value
