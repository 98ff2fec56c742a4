"""Hands Google's answers on: the bytes as they come, and those headers that mean something to the caller."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson
import structlog
from starlette.types import Send

from gemgate.api.native.key_filter import KeyFilter
from gemgate.api.native.usage_watch import UsageTail
from gemgate.errors import ApiError, shutting_down
from gemgate.gemini.client.response import GeminiResponse
from gemgate.gemini.errors import GeminiError, Refusal
from gemgate.redaction import HIDDEN
from gemgate.web.error_handlers import as_api_error
from gemgate.web.error_shapes import google_body

_PASSED = frozenset(
    {
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "expires",
        "last-modified",
        "retry-after",
        "server-timing",
        "vary",
        "x-content-type-options",
        "x-gemini-service-tier",
        "x-goog-upload-chunk-granularity",
        "x-goog-upload-size-received",
        "x-goog-upload-status",
    }
)
_OF_STREAMS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""nginx holds a stream back unless it is asked not to."""

_OF_THE_BYTES = frozenset({"content-encoding", "content-length"})

RawHeaders = list[tuple[bytes, bytes]]

_log = structlog.get_logger()


def forwarded_response_headers(
    headers: Mapping[str, str], *, decoded: bool = False, secret: str = ""
) -> dict[str, str]:
    """The headers for the caller; those that name Google's addresses, cookies and connections stay behind.

    Args:
        headers: Google's.
        decoded: Whether the body is another than the one that came.
        secret: The gateway's key, which no value may reveal.
    """
    left = _PASSED - _OF_THE_BYTES if decoded else _PASSED
    found = {name: value for name in left if (value := headers.get(name)) is not None}
    if secret and any(secret in value for value in found.values()):
        return {name: value.replace(secret, HIDDEN) for name, value in found.items()}
    return found


class WholeAnswer(NamedTuple):
    """An answer that was read here: `await reply(send, *answer)`.

    Attributes:
        status: The HTTP status.
        headers: Those for the caller.
        content: The body.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


async def reply(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """One whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": raw(headers, len(body))})
    await send({"type": "http.response.body", "body": body})


async def reply_error(send: Send, error: ApiError, more: Mapping[str, str] | None = None) -> None:
    """An error of the gateway, in Google's shape."""
    headers = {"content-type": "application/json; charset=UTF-8", **error.headers, **(more or {})}
    await reply(send, error.status, headers, orjson.dumps(google_body(error)))


async def reply_refusal(send: Send, refusal: Refusal, more: Mapping[str, str] | None = None) -> None:
    """What Google refused, as it did."""
    headers = forwarded_response_headers(refusal.headers, decoded=True)
    await reply(send, refusal.status, headers | dict(more or {}), refusal.body)


async def relay(answer: GeminiResponse, send: Send, watch: UsageTail | None = None) -> None:
    """Google's answer as it comes, read by read.

    `watch` sees what passes. What breaks on the way is reported in a stream of events; any other answer stops there
    without its end, so that nobody takes it for whole. The gateway's own key is hidden in it, so an answer to one is
    unpacked.
    """
    secret = answer.gateway_key
    hidden = KeyFilter(secret) if secret else None
    is_unpacked = hidden is not None and answer.headers.get("content-encoding", "identity") != "identity"
    if not is_unpacked:
        answer.leave_encoded()
    headers = forwarded_response_headers(answer.headers, decoded=is_unpacked, secret=secret)
    is_event_stream = "text/event-stream" in headers.get("content-type", "")
    is_stream = is_event_stream and "content-encoding" not in headers
    if is_event_stream:
        headers |= _OF_STREAMS
    await send({"type": "http.response.start", "status": answer.status, "headers": raw(headers)})
    try:
        async for piece in answer:
            if watch is not None:
                watch.feed(piece)
            if hidden is not None:
                piece = hidden.feed(piece)  # noqa: PLW2901  what was read is not needed any more
                if not piece:
                    continue
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except GeminiError as error:
        if not is_stream:
            _log.warning("answer cut", reason=error.reason)
            return
        rest = hidden.finish() if hidden is not None else b""
        await send({"type": "http.response.body", "body": rest + error_event(as_api_error(error)), "more_body": True})
    except asyncio.CancelledError:
        if is_stream:
            await send({"type": "http.response.body", "body": error_event(shutting_down())})
        raise
    await send({"type": "http.response.body", "body": hidden.finish() if hidden is not None else b""})


def raw(headers: Mapping[str, str], length: int | None = None) -> RawHeaders:
    """Headers as ASGI takes them; with the `length` of the body, if it is known."""
    pairs: Iterable[tuple[str, str]] = headers.items()
    if length is not None:
        pairs = [*((name, value) for name, value in pairs if name != "content-length"), ("content-length", str(length))]
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


async def read_whole(answer: GeminiResponse, maximum: int) -> WholeAnswer:
    """An answer of at most `maximum` bytes, without the gateway's key; closes it.

    Raises:
        ApiError: 502 when there is more.
        GeminiError: it did not come whole.
    """
    body = await answer.whole(maximum)
    if body is None:
        raise ApiError(502, f"Google's answer has more than {maximum} bytes.", code="invalid_answer")
    headers = forwarded_response_headers(answer.headers, decoded=True, secret=answer.gateway_key)
    secret = answer.gateway_key.encode()
    return WholeAnswer(answer.status, headers, body.replace(secret, b"*" * len(secret)) if secret else body)


def error_event(error: ApiError) -> bytes:
    """The last event of a stream that failed on its way."""
    return b"data: " + orjson.dumps(google_body(error)) + b"\r\n\r\n"
