"""Bytes of a file: in memory while they are few, in an unnamed temporary file when they are many."""

import base64
import hashlib
import tempfile
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

IN_MEMORY = 8 * 1024 * 1024
_PIECE = 256 * 1024


class RequestContent:
    """A growing sequence of bytes, which several threads may read."""

    def __init__(self, data: bytes = b"") -> None:
        self.size = 0
        # It is closed by the finalizer: it lives as long as the file of the emulator does.
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self._digest = hashlib.sha256()
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)
        self.write(data)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        with self._lock:
            self._file.seek(self.size)
            self._file.write(data)
            self._digest.update(data)
            self.size += len(data)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `start` on, or all that follow."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(self.size - start if length is None else length)

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, piece by piece."""
        end = self.size if end is None else end
        while start < end:
            piece = self.read(start, min(_PIECE, end - start))
            start += len(piece)
            yield piece

    def lines(self) -> Iterator[bytes]:
        """The lines that are not blank, without their ends."""
        rest = b""
        for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line for line in whole if line.strip())
        if rest.strip():
            yield rest

    def hash(self) -> str:
        """`sha256Hash` as Google gives it: base64 of the hexadecimal text of the digest."""
        return base64.b64encode(self._digest.hexdigest().encode()).decode()


@dataclass(frozen=True, slots=True)
class ContentReply:
    """An ASGI answer: a part of a content, with what is read never held as a whole."""

    content: RequestContent
    status: int
    headers: dict[str, str]
    start: int
    end: int

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        headers = {**self.headers, "content-length": str(self.end - self.start)}
        listed = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": listed})
        for piece in self.content.pieces(self.start, self.end):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
