"""An upstream that answers with exactly the bytes a test tells it to, and fails exactly where it is told to.

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD, chunk(sse({"candidates": []})))
        peer.reset()

    async with RawUpstream(script) as upstream:
        ...  # upstream.url, upstream.requests

A script serves one connection; when it returns, the connection is closed.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
MAX_SECONDS = 30.0


def sse(*events: Any) -> bytes:
    """Events as Google frames them."""
    return b"".join(b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in events)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def answer(status: int, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    """A whole response; `headers` are added to, or replace, the type (JSON) and the length."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    fields = {"content-type": "application/json; charset=UTF-8", "content-length": str(len(content)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode() + content


def unused_port() -> int:
    """A loopback port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True)
class RawRequest:
    """A request as it was sent: the target with its query, header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Peer:
    """The upstream's end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[RawRequest]
    asked: asyncio.Event

    async def request(self) -> RawRequest:
        """The next request of this connection; `asyncio.IncompleteReadError` when it is over."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        request = RawRequest(method, target, headers, body)
        self.requests.append(request)
        self.asked.set()
        return request

    async def send(self, *pieces: bytes) -> None:
        """Write each piece by itself, and let the loop run between them."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    def reset(self) -> None:
        """End with RST, as a crashed peer or a middlebox does."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the other side has closed, whatever it sends before."""
        async with asyncio.timeout(MAX_SECONDS):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65_536):
                    pass


Script = Callable[[Peer], Awaitable[None]]


class RawUpstream:
    """Serves each new connection with the next script, and with the last one when there are no more.

    Attributes:
        requests: What was asked so far, over all connections.
        asked: Set by the first request.
        connections: How many were opened so far.
    """

    def __init__(self, *scripts: Script) -> None:
        self.scripts = scripts
        self.requests: list[RawRequest] = []
        self.asked = asyncio.Event()
        self.connections = 0
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def settled(self) -> None:
        """Wait until every script so far has ended, and raise what one of them raised."""
        async with asyncio.timeout(MAX_SECONDS):
            await asyncio.gather(*self._serving)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        task = asyncio.ensure_future(self._serve(script, Peer(reader, writer, self.requests, self.asked)))
        self._serving.add(task)

    async def _serve(self, script: Script, peer: Peer) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await script(peer)
        finally:
            peer.writer.close()


class BackgroundUpstream:
    """`RawUpstream` in a thread with a loop of its own, for tests that block.

    Attributes:
        script: Serves each new connection; it may be replaced at any time.
        connections: How many were opened so far.
        url: Its address, once the block has begun.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.url = ""
        self.connections = 0
        self._raw: RawUpstream | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(MAX_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(MAX_SECONDS)
        self._loop.close()

    def open_connections(self) -> int:
        """How many are being served."""
        assert self._raw is not None
        return sum(not task.done() for task in list(self._raw._serving))

    async def _run(self) -> None:
        async def current(peer: Peer) -> None:
            self.connections += 1
            await self.script(peer)

        async with RawUpstream(current) as self._raw:
            self.url = self._raw.url
            self._ready.set()
            await self._stop.wait()


def always(response: bytes) -> Script:
    """A script that answers every request of its connection with the same bytes, and keeps the connection."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(response)

    return script


def in_turn(*responses: bytes) -> Script:
    """A script that answers the requests of its connection one after the other, then waits for the end."""

    async def script(peer: Peer) -> None:
        for response in responses:
            await peer.request()
            await peer.send(response)
        await peer.gone()

    return script


def once(*pieces: bytes) -> Script:
    """A script that answers one request, piece by piece, and closes."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)

    return script
