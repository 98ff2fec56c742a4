"""Google's side of the Files API over a real socket: resumable uploads that break where a test says."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from tests.support.raw_upstream import Peer, RawRequest, answer

NAME = "files/chosen-by-us"


@dataclass
class Store:
    """One upload. Each fault is used once, in order, by the request that reaches it.

    Attributes:
        granularity: What is announced; None for nothing.
        breaks_at: Offsets of the file at which the connection is reset.
        loses_answer: Whether the answer to `finalize` is lost.
        forgets: What an interrupted upload falls back to, in multiples of this.
        received: The bytes that have arrived.
        commands: What was asked: command, offset, length.
        is_final: Whether the file is whole.
    """

    granularity: int | None = None
    breaks_at: list[int] = field(default_factory=list)
    loses_answer: bool = False
    forgets: int = 1
    received: bytearray = field(default_factory=bytearray)
    commands: list[tuple[str, int, int]] = field(default_factory=list)
    heads: list[RawRequest] = field(default_factory=list)
    is_final: bool = False
    display_name: str = ""

    @property
    def native(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.received).hexdigest().encode()
        return {
            "name": NAME,
            "displayName": self.display_name,
            "sizeBytes": str(len(self.received)),
            "sha256Hash": base64.b64encode(digest).decode(),
            "uri": f"https://generativelanguage.googleapis.com/v1beta/{NAME}",
            "state": "ACTIVE",
            "source": "UPLOADED",
        }

    async def __call__(self, peer: Peer) -> None:
        while True:
            head = await _head(peer)
            self.heads.append(head)
            path = urlsplit(head.target)
            length = int(head.headers.get("content-length", "0"))
            if head.method == "GET":
                await peer.send(answer(200, self.native) if self.is_final else _missing())
            elif not path.query:
                await self._start(peer, head, length)
            elif not await self._command(peer, head, length):
                peer.reset()
                return

    async def _start(self, peer: Peer, head: RawRequest, length: int) -> None:
        body = orjson.loads(await peer.reader.readexactly(length))
        assert body["file"]["name"] == NAME
        assert head.headers["x-goog-upload-command"] == "start"
        self.display_name = body["file"]["displayName"]
        self.commands.append(("start", int(head.headers["x-goog-upload-header-content-length"]), 0))
        url = f"http://{head.headers['host']}{head.target}?upload_id=u1&upload_protocol=resumable"
        headers = {"x-goog-upload-status": "active", "x-goog-upload-url": url, "content-type": "text/plain"}
        if self.granularity is not None:
            headers["x-goog-upload-chunk-granularity"] = str(self.granularity)
        await peer.send(answer(200, b"", headers))

    async def _command(self, peer: Peer, head: RawRequest, length: int) -> bool:
        """Whether the connection lives on."""
        command = head.headers["x-goog-upload-command"]
        offset = int(head.headers.get("x-goog-upload-offset", "-1"))
        self.commands.append((command, offset, length))
        status = {"x-goog-upload-status": "final" if self.is_final else "active"}
        if command == "query":
            if not self.is_final:
                status["x-goog-upload-size-received"] = str(len(self.received))
            await peer.send(answer(200, b"", status))
            return True
        assert offset == len(self.received)
        if not await self._take(peer, length):
            return False
        if "finalize" not in command:
            assert self.granularity is None or length % self.granularity == 0
            await peer.send(answer(200, b"", status))
            return True
        self.is_final = True
        if self.loses_answer:
            return False
        await peer.send(answer(200, {"file": self.native}, {"x-goog-upload-status": "final"}))
        return True

    async def _take(self, peer: Peer, length: int) -> bool:
        """Read a chunk, unless a break stands in it."""
        while length:
            maximum = min(length, 65_536)
            if self.breaks_at:
                maximum = min(maximum, self.breaks_at[0] - len(self.received))
            if not maximum:
                self.breaks_at.pop(0)
                del self.received[len(self.received) // self.forgets * self.forgets :]
                return False
            piece = await peer.reader.readexactly(maximum)
            self.received += piece
            length -= len(piece)
        return True


async def _head(peer: Peer) -> RawRequest:
    first, *lines = (await peer.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return RawRequest(method, target, headers, b"")


def _missing() -> bytes:
    message = "You do not have permission to access the File chosen-by-us or it may not exist."
    return answer(403, {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}})


class Reader:
    """A source of an upload, in pieces of one size; counts how often it was opened and closed."""

    def __init__(self, content: bytes, piece: int = 100) -> None:
        self.content = content
        self.piece = piece
        self.opened: list[int] = []
        self.closed = 0

    async def __call__(self, offset: int) -> AsyncIterator[bytes]:
        self.opened.append(offset)
        try:
            for at in range(offset, len(self.content), self.piece):
                yield self.content[at : at + self.piece]
        finally:
            self.closed += 1
