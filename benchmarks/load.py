"""The load: HTTP/1.1 clients that cost little, and check what they are answered."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools

from gemgate.tasks import all_of

_SPREAD = 0.02
"""Seconds over which paced streams begin, so that their events do not come all at once."""


@dataclass(slots=True)
class Result:
    """What one run saw. Times are seconds.

    Attributes:
        units: Answers that came whole.
        wall: From the first request to the last answer.
        cpu: What the load itself cost.
        latencies: Of whole answers.
        firsts: To the first bytes of a body.
        gaps: Between pieces of a stream.
    """

    units: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and what their answers must end with."""

    url: str
    headers: dict[str, str]
    body: bytes
    ending: bytes = b""
    has_gaps: bool = False

    def request(self) -> bytes:
        """The bytes on the wire."""
        parts = urlsplit(self.url)
        lines = [f"POST {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1", f"host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += ["content-type: application/json", f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode() + self.body


class _Client(asyncio.Protocol):
    """One connection, which sends a request as soon as the answer to the last one is whole."""

    def __init__(self, target: Target, result: Result, until: float, maximum: int) -> None:
        self._target, self._result, self._until, self._left = target, result, until, maximum
        self._request = target.request()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.first = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._begun = time.perf_counter()
        self._last = 0.0
        self._tail = b""
        self._left -= 1
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def on_body(self, body: bytes) -> None:
        now = time.perf_counter()
        if not self._last:
            self._result.firsts.append(now - self._begun)
            self.first.set()
        elif self._target.has_gaps:
            self._result.gaps.append(now - self._last)
        self._last = now
        self._tail = (self._tail + body)[-64:]

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200 or not self._tail.rstrip().endswith(self._target.ending):
            self._fail(RuntimeError(f"{self._target.url} answered {status}, ending in {self._tail!r}"))
            return
        now = time.perf_counter()
        self._result.units += 1
        self._result.latencies.append(now - self._begun)
        if self._left > 0 and now < self._until:
            self._send()
        else:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or ConnectionError(f"{self._target.url} closed the connection"))

    def close(self) -> None:
        """Leave, whatever is under way."""
        if not self.done.done():
            self.done.set_result(None)
        self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


async def _connect(target: Target, result: Result, until: float, maximum: int) -> _Client:
    parts = urlsplit(target.url)
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: _Client(target, result, until, maximum), parts.hostname or "", parts.port or 80
    )
    return client


async def run(target: Target, connections: int, *, seconds: float = 0, each: int = 1_000_000_000) -> Result:
    """Load `target` over `connections` for so long, or with so many requests each.

    Raises:
        RuntimeError: an answer was not what it must be.
        OSError: a connection broke.
    """
    result = Result()
    begun, cpu = time.perf_counter(), time.process_time()
    until = begun + (seconds or 3600)

    async def one(number: int) -> None:
        if target.has_gaps:
            await asyncio.sleep(_SPREAD * number / connections)
        client = await _connect(target, result, until, each)
        try:
            await client.done
        finally:
            client.close()

    await all_of([one(number) for number in range(connections)])
    result.wall, result.cpu = time.perf_counter() - begun, time.process_time() - cpu
    return result


class Held:
    """Streams that are held open: `async with Held(target, 1000): …`, once each has begun."""

    def __init__(self, target: Target, count: int) -> None:
        self._target, self._count = target, count
        self._clients: list[_Client] = []

    async def __aenter__(self) -> None:
        result = Result()
        try:
            async with asyncio.timeout(60):
                for _ in range(self._count):
                    self._clients.append(await _connect(self._target, result, 0, 1))
                for client in self._clients:
                    await client.first.wait()
        except BaseException:
            await self.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        await asyncio.gather(*(client.done for client in self._clients), return_exceptions=True)
