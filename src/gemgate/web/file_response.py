"""The content of a stored file as an answer: headers, ranges, and bytes as they come out of the store."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gemgate.errors import ApiError
from gemgate.store import FileRow, Store

_MIME_TYPE = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}(; ?[\w-]{1,20}=\"?[\w.:+-]{1,60}\"?)*", re.ASCII)
_RANGE = re.compile(r"\s*+bytes\s*+=\s*+(\d{0,18})\s*+-\s*+(\d{0,18})\s*+", re.ASCII | re.IGNORECASE)


async def content_response(request: Request, store: Store, row: FileRow) -> Response:
    """The bytes of a file; those of a `Range`, if one is asked for.

    Raises:
        ApiError: 416 when there are no such bytes.
        BlobMissingError: the file was deleted meanwhile.
    """
    headers = content_headers(row)
    fits = request.headers.get("if-range", headers["etag"]) == headers["etag"]
    wanted = byte_range(request.headers.get("range") if fits else None, row.bytes)
    start, end = wanted or (0, row.bytes)
    headers["content-length"] = str(end - start)
    if wanted:
        headers["content-range"] = f"bytes {start}-{end - 1}/{row.bytes}"
    chunks = store.files.open(row, start, end) if wanted else store.files.open(row)
    first = await anext(chunks, b"")
    return _Content(first, chunks, end - start, headers, 206 if wanted else 200)


class _Content(StreamingResponse):
    """Closes the file when it is sent, or the client has gone."""

    def __init__(
        self, first: bytes, rest: AsyncGenerator[bytes], size: int, headers: dict[str, str], status: int
    ) -> None:
        self._rest = rest
        self._size = size
        super().__init__(self._chunks(first), status, headers)

    async def _chunks(self, first: bytes) -> AsyncGenerator[bytes]:
        yield first
        async for chunk in self._rest:
            yield chunk

    async def stream_response(self, send: Send) -> None:
        """Send the bytes; the last of them end the answer, so that a client may go as soon as it has them."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        left = self._size
        async for chunk in self.body_iterator:
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
        if left > 0:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._rest):
            await super().__call__(scope, receive, send)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The part of `size` bytes that a `Range` header asks for: its start, and the byte after its end.

    None is the whole: no header, one of several ranges, or one that is not understood (RFC 9110, section 14.2).

    Raises:
        ApiError: 416 when there are no such bytes.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
        if found[2] and int(found[2]) < start:
            return None
    else:
        start, end = max(size - int(found[2]), 0), size
    if start >= end:
        msg = f"The file has {size} bytes, and none of them is in the range asked for."
        raise ApiError(416, msg, code="range_not_satisfiable", headers={"content-range": f"bytes */{size}"})
    return start, end


def content_headers(row: FileRow) -> dict[str, str]:
    """The headers of a file's content. Nothing that a caller once sent can end a header, or run in a browser."""
    plain = re.sub(r"[^ !#-\[\]-~]", "_", row.filename)
    given = row.mime_type or ""
    return {
        "content-type": given if _MIME_TYPE.fullmatch(given) else "application/octet-stream",
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(row.filename, safe='')}",
        "x-content-type-options": "nosniff",
        "accept-ranges": "bytes",
        "etag": f'"{row.sha256}"',
        "cache-control": "private, no-cache",
    }
