"""The resumable upload of Google's Files API: chunk by chunk, and on from where a broken connection left it.

The protocol, in headers: `start` gives an address; `upload` sends a chunk, a multiple of the granularity long; `upload,
finalize` the last one; `query` says how much has arrived. https://ai.google.dev/gemini-api/docs/files
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx

from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.client.response import GeminiResponse
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.gemini.file_types import (
    GeminiFile,
    file_from_wire,
    file_path,
    start_body,
    start_headers,
)
from gemgate.gemini.proto_json import whole_number

PATH = "/upload/v1beta/files"
GRANULARITY = 8_388_608
"""The unit of chunks, when Google names none."""

CHUNK = 4 * GRANULARITY
"""What goes out in one request; a smaller file goes in one."""

_PIECE = 262_144

OpenAt = Callable[[int], AsyncIterator[bytes]]
"""The source from an offset on, in pieces of any size. It is called again after a broken connection."""

Sleep = Callable[[float], Awaitable[object]]


def is_passing(error: GeminiError) -> bool:
    """Whether the same call may go well a little later."""
    lasting = (Failure.REDIRECT, Failure.TLS_FAILED, Failure.INVALID_BODY)
    return error.status in (500, 502, 503, 504) and getattr(error, "failure", None) not in lasting


class Source:
    """What is left of a file, given out in chunks of an exact length.

    Attributes:
        position: The offset of the next byte.
        error: What reading raised: the HTTP client puts an error of its own in its place.
    """

    def __init__(self, open_at: OpenAt, position: int) -> None:
        self.position = position
        self.error: Exception | None = None
        self._pieces = open_at(position)
        self._rest = memoryview(b"")
        self._reading = asyncio.Lock()
        self._closed = False

    async def read(self, maximum: int) -> bytes:
        """Some bytes, `most` of them or fewer.

        Raises:
            EOFError: the source has ended.
            Exception: what the source raises.
        """
        # A request that failed may still be inside the source when `aclose` is called.
        async with self._reading:
            try:
                while not self._rest:
                    self._rest = memoryview(await self._next())
            except Exception as error:
                self.error = error
                raise
            piece = bytes(self._rest[:maximum])
            self._rest = self._rest[maximum:]
            self.position += len(piece)
            return piece

    async def aclose(self) -> None:
        """Close the source."""
        self._closed = True
        async with self._reading:
            if close := getattr(self._pieces, "aclose", None):
                await close()

    async def _next(self) -> bytes:
        if not self._closed and (piece := await anext(self._pieces, None)) is not None:
            return piece
        message = f"The source of the upload ended after {self.position} bytes, which is too soon."
        raise EOFError(message)


class Chunk(httpx.AsyncByteStream):
    """The next `length` bytes of a source, as the body of a request. Holds one piece at a time."""

    def __init__(self, source: Source, length: int) -> None:
        self._source = source
        self._left = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._left:
            piece = await self._source.read(min(self._left, _PIECE))
            self._left -= len(piece)
            yield piece


@dataclass(slots=True)
class ResumableUpload:
    """One upload: `start`, then `run`.

    Attributes:
        gemini: The way to Google.
        open_at: The source.
        size: Its length in bytes.
        name: `files/…`, chosen by us, so that the file can be found when the last answer is lost.
        key: The Gemini key.
        chunk: Bytes in one request, rounded down to a multiple of Google's granularity, which is the least.
        attempts: Failures in a row, without a byte that arrived between them, before the last one is raised.
        sleep: Waits for seconds.
        received: The bytes that Google is known to have.
    """

    gemini: GeminiClient
    open_at: OpenAt
    size: int
    name: str
    key: str
    chunk: int
    attempts: int
    sleep: Sleep
    received: int = 0
    _url: httpx.URL | None = None

    async def run(self, mime_type: str, display_name: str) -> GeminiFile:
        """The file, once all of it has arrived.

        Raises:
            GeminiError: Google refused, or the connection broke too often.
            EOFError: the source is shorter than `size`.
            Exception: what the source raises.
        """
        failures, best, is_broken = 0, 0, False
        while True:
            try:
                url = self._url or await self._start(mime_type, display_name)
                found = await self._query(url) if is_broken else None
                return self._checked(found or await self._send_rest(url))
            except GeminiError as error:
                failures = 1 if self.received > best else failures + 1
                if not is_passing(error) or failures >= self.attempts:
                    raise
            best = max(best, self.received)
            is_broken = self._url is not None
            await self.sleep(min(0.5 * 2**failures, 10.0))

    async def _start(self, mime_type: str, display_name: str) -> httpx.URL:
        """Open the upload, and learn its address and the length of its chunks."""
        headers, body = start_headers(self.size, mime_type), start_body(self.name, display_name)
        answer = await self.gemini.open("POST", self.gemini.url(PATH), key=self.key, headers=headers, body=body)
        await answer.skip()
        address = answer.headers.get("x-goog-upload-url")
        if not address:
            raise TransportError(Failure.INVALID_BODY, "The Gemini API did not say where to upload to.")
        granularity = whole_number(answer.headers.get("x-goog-upload-chunk-granularity")) or GRANULARITY
        self.chunk = max(self.chunk // granularity, 1) * granularity
        self._url = self.gemini.named_url(address)
        return self._url

    async def _send_rest(self, url: httpx.URL) -> GeminiFile:
        """Send what Google does not have yet, and finish."""
        source = Source(self.open_at, self.received)
        try:
            while (left := self.size - self.received) > self.chunk:
                answer = await self._send(url, "upload", source, self.chunk)
                await answer.skip()
                self.received += self.chunk
            answer = await self._send(url, "upload, finalize" if left else "finalize", source, left)
            return file_from_wire(await answer.json_object())
        finally:
            await source.aclose()

    async def _send(self, url: httpx.URL, command: str, source: Source, length: int) -> GeminiResponse:
        headers = {
            "x-goog-upload-command": command,
            "x-goog-upload-offset": str(self.received),
            "content-length": str(length),
        }
        body = Chunk(source, length) if length else None
        try:
            answer = await self.gemini.open("POST", url, key=self.key, headers=headers, body=body)
        except Exception:
            if source.error is not None:
                raise source.error from None
            raise
        if source.position != self.received + length:
            await answer.aclose()
            raise TransportError(Failure.ANSWER_CUT, "The Gemini API answered before it had the whole chunk.")
        return answer

    async def _query(self, url: httpx.URL) -> GeminiFile | None:
        """Ask how much has arrived. The file, if it was all."""
        headers = {"x-goog-upload-command": "query"}
        try:
            answer = await self.gemini.open("POST", url, key=self.key, headers=headers)
        except GeminiError as error:
            if is_passing(error):
                raise
            # An upload that is over may be forgotten, and the file be there.
            with suppress(GeminiError):
                return await self._stored()
            raise
        await answer.skip()
        status = answer.headers.get("x-goog-upload-status", "").strip().lower()
        if status == "final":
            return await self._stored()
        received = answer.headers.get("x-goog-upload-size-received", "").strip()
        if status != "active" or not received.isdecimal() or int(received) > self.size:
            raise TransportError(Failure.INVALID_BODY, "The Gemini API does not go on with an upload that broke.")
        self.received = int(received)
        return None

    async def _stored(self) -> GeminiFile:
        return file_from_wire(await self.gemini.request("GET", file_path(self.name), key=self.key))

    def _checked(self, file: GeminiFile) -> GeminiFile:
        if file.size != self.size:
            message = f"The Gemini API stored {file.size} of the {self.size} bytes that were uploaded."
            raise TransportError(Failure.INVALID_BODY, message)
        return file
