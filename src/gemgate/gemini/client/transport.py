"""The network: httpx's requests and responses, carried by aiohttp's connections. No other module knows aiohttp.

httpx's own engine costs three times the CPU, and its client above a transport (`AsyncClient.send`) 75 to 100 µs a call,
as much again as a whole translation; its requests and responses cost 4 µs. So calls hand `httpx.Request` to a transport
and read an `httpx.Response`, and test doubles (`respx`, `httpx.MockTransport`) need nothing of ours.

A request whose body is in hand goes over a pooled connection directly: head and body are one write, and no task writes
them. That saves two thirds of what aiohttp's session costs.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Protocol

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from gemgate.gemini.errors import Failure

_PIECE = 1_048_576
_READ_BUFFER = 262_144
_KEEPALIVE = 60.0
_OWN_HEADERS = frozenset({b"host", b"content-length"})


class UnknownHostError(httpx.ConnectError):
    """The name of the host has no address."""


class UntrustedHostError(httpx.ConnectError):
    """No TLS connection that can be trusted came about."""


class MalformedResponseError(httpx.RemoteProtocolError):
    """The answer is not HTTP."""


class Resolver(Protocol):
    """Looks up the addresses of hosts."""

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> Sequence[tuple[socket.AddressFamily, str]]:
        """The addresses of `host`; raises OSError if it has none."""

    async def close(self) -> None:
        """No more look-ups."""


class ReadyStream(httpx.AsyncByteStream):
    """The body of an answer that can say what of it has arrived already.

    Attributes:
        encoding: The `content-encoding`.
    """

    encoding: str

    def read_nowait(self) -> bytes | None:
        """What of the body has arrived already: nothing at the end, None when there is something to wait for.

        Raises:
            httpx.ReadError: the connection broke.
        """
        raise NotImplementedError

    async def read(self) -> bytes:
        """All that comes next of the body; nothing at the end.

        Raises:
            httpx.ReadError: the connection broke.
        """
        raise NotImplementedError

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests until it is closed. Raises httpx's exceptions.

    aiohttp's timeouts (but that for connecting), cookies, `.netrc`, redirects and decompression stay off, and no limit
    but that on headers is left. A body that is a stream needs a `content-length` among the headers.

    Args:
        resolver: Looks up hosts.
        ssl_context: Which certificates are trusted; True for the system's.
        max_connections: Open connections; a request beyond them waits for one.
        connect_timeout: Seconds to open a connection, the TLS handshake and the wait for a place in the pool included;
            None for no limit.
        proxy: Through which all requests go.
    """

    def __init__(
        self,
        resolver: Resolver,
        ssl_context: ssl.SSLContext | bool,
        *,
        max_connections: int = 100,
        connect_timeout: float | None = None,
        proxy: str | None = None,
    ) -> None:
        self.ssl_context = ssl_context
        self._resolver = resolver
        self._max_connections = max_connections
        self._timeout = aiohttp.ClientTimeout(connect=connect_timeout, sock_connect=connect_timeout)
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._connector: aiohttp.TCPConnector | None = None
        self._origins: dict[tuple[str, bytes], aiohttp.ClientRequest] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, once its headers are here.

        Raises:
            httpx.TransportError: none came.
        """
        body = request.stream
        content = b"".join(body) if isinstance(body, httpx.ByteStream) else None
        try:
            if content is None or len(content) > _PIECE or not self._goes_directly(request):
                return await self._send(request, content)
            origin = self._origin(request.url)
            head = _head(request, len(content))
            connection = await self._connect(origin)
            try:
                protocol, transport = connection.protocol, connection.transport
                if protocol is None or transport is None:
                    raise aiohttp.ClientConnectionError("closed")  # noqa: TRY301  the connection is given back below
                protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_bufsize=_READ_BUFFER)
                transport.write(head + content)  # not again if a kept connection turns out to be closed
                message, payload = await protocol.read()
                while 100 <= message.code < 200 and message.code != HTTPStatus.SWITCHING_PROTOCOLS:
                    message, payload = await protocol.read()
            except BaseException:
                connection.close()
                raise
        except (aiohttp.ClientError, HttpProcessingError, ssl.SSLError) as error:
            raise _as_httpx(error) from error
        encoding = message.headers.get("content-encoding", "")
        return _Response(message.code, message.raw_headers, _PooledStream(payload, encoding, connection))

    def _goes_directly(self, request: httpx.Request) -> bool:
        """Whether no session of aiohttp's is needed."""
        return request.method == "POST" and self._proxy is None and not request.url.userinfo

    async def _connect(self, origin: aiohttp.ClientRequest) -> Connection:
        try:
            return await (self._connector or self._open()).connect(origin, [], self._timeout)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection came about in time") from error

    def _origin(self, url: httpx.URL) -> aiohttp.ClientRequest:
        """Where a connection leads to, in aiohttp's words: a request that is never sent."""
        key = (url.scheme, url.netloc)
        found = self._origins.get(key)
        if found is None:
            address, loop = URL(f"{url.scheme}://{url.netloc.decode()}"), asyncio.get_running_loop()
            found = self._origins[key] = aiohttp.ClientRequest("POST", address, loop=loop, ssl=self.ssl_context)
        return found

    async def _send(self, request: httpx.Request, content: bytes | None) -> httpx.Response:
        """Sends by aiohttp's session: large and streamed bodies, other methods, proxies."""
        body = request.stream if content is None else Pieces(content) if len(content) > _PIECE else content
        if self._session is None:
            self._open()
        if self._session is None:
            raise RuntimeError("the session is open")
        headers = [(name.decode(), value.decode()) for name, value in request.headers.raw]
        if content and "content-length" not in request.headers:
            headers.append(("content-length", str(len(content))))
        url = request.url
        target = request.extensions.get("target", url.raw_path)
        userinfo = url.userinfo + b"@" if url.userinfo else b""
        response = await self._session.request(
            request.method,
            URL(b"".join((url.raw_scheme, b"://", userinfo, url.netloc, target)).decode(), encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
        )
        encoding = response.headers.get("content-encoding", "")
        return _Response(response.status, response.raw_headers, _SessionStream(response.content, encoding, response))

    def _open(self) -> aiohttp.TCPConnector:
        """Inside the loop that uses it."""
        self._connector = aiohttp.TCPConnector(
            limit=self._max_connections,
            keepalive_timeout=_KEEPALIVE,
            ssl=self.ssl_context,
            resolver=_Resolver(self._resolver),
            use_dns_cache=False,  # the resolver has one
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            read_bufsize=_READ_BUFFER,
            auto_decompress=False,
            proxy=self._proxy,
        )
        return self._connector

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()


def _head(request: httpx.Request, length: int) -> bytes:
    """The head of a request, for a body of `length` bytes."""
    head = b"POST %b HTTP/1.1\r\nhost: %b\r\n" % (request.url.raw_path, request.url.netloc)
    lines = 4
    for name, value in request.headers.raw:
        if name.lower() not in _OWN_HEADERS:
            head += b"%b: %b\r\n" % (name, value)
            lines += 1
    head += b"content-length: %d\r\n\r\n" % length
    if head.count(b"\n") != lines:
        raise httpx.LocalProtocolError("a header holds a line break")
    return head


class _Response(httpx.Response):
    """Its headers are read when somebody asks for them: mostly nobody does."""

    def __init__(self, status: int, raw_headers: Sequence[tuple[bytes, bytes]], stream: ReadyStream) -> None:
        super().__init__(status, stream=stream)
        self._raw_headers = raw_headers
        del self.headers  # httpx's own, which are empty

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]  # it can be set, as every cached one
        return httpx.Headers(self._raw_headers)


@dataclass(eq=False, repr=False)
class _AiohttpStream(ReadyStream):
    """What aiohttp reads of an answer's body."""

    content: aiohttp.StreamReader
    encoding: str
    _taken: int = field(default=0, init=False)

    def read_nowait(self) -> bytes | None:
        content = self.content
        if content.total_bytes == self._taken and not content.is_eof() and content.exception() is None:
            return None
        try:
            piece = content.read_nowait()
        except (aiohttp.ClientError, HttpProcessingError, ssl.SSLError) as error:
            raise httpx.ReadError(str(error)) from error
        self._taken += len(piece)
        return piece

    async def read(self) -> bytes:
        try:
            piece = await self.content.readany()
        except (aiohttp.ClientError, HttpProcessingError, ssl.SSLError, RuntimeError) as error:
            # RuntimeError: aiohttp has closed the connection, and has not said why.
            raise httpx.ReadError(str(error)) from error
        self._taken += len(piece)
        return piece


@dataclass(eq=False, repr=False)
class _PooledStream(_AiohttpStream):
    """The body of an answer over a connection of the pool."""

    connection: Connection

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self.connection.release()


@dataclass(eq=False, repr=False)
class _SessionStream(_AiohttpStream):
    """The body of an answer to a request of aiohttp's session."""

    response: aiohttp.ClientResponse

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self.response.release()
        await self.response.wait_for_close()


class Pieces(httpx.AsyncByteStream):
    """Bytes to send, in pieces, as aiohttp wants a large body, so that the loop is not held up."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._whole), _PIECE):
            yield self._whole[start : start + _PIECE]


class _Resolver(AbstractResolver):
    """A resolver as aiohttp asks one."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address, port=port, family=found, proto=0, flags=flags)
            for found, address in await self._resolver.resolve(host, port, family)
        ]

    async def close(self) -> None:
        """Closed with the transport."""


TRANSPORT_ERRORS = (httpx.HTTPError, OSError)

# The first line that fits decides.
_AS_HTTPX: tuple[tuple[tuple[type[Exception], ...], type[httpx.TransportError]], ...] = (
    ((aiohttp.ClientSSLError, ssl.SSLError), UntrustedHostError),
    ((aiohttp.ClientConnectorDNSError,), UnknownHostError),
    ((aiohttp.ConnectionTimeoutError,), httpx.ConnectTimeout),
    ((aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), httpx.ProxyError),
    ((aiohttp.ClientConnectorError,), httpx.ConnectError),
    ((aiohttp.ClientResponseError, HttpProcessingError), MalformedResponseError),
)
_BEFORE_ANSWER: tuple[tuple[tuple[type[Exception], ...], Failure], ...] = (
    ((UntrustedHostError, ssl.SSLError), Failure.TLS_FAILED),
    ((httpx.ConnectTimeout, httpx.PoolTimeout), Failure.CONNECT_TIMEOUT),
    ((TimeoutError, httpx.TimeoutException), Failure.FIRST_BYTE_TIMEOUT),
    ((httpx.ConnectError, httpx.ProxyError), Failure.CONNECT_FAILED),
    ((MalformedResponseError,), Failure.INVALID_BODY),
)


def _as_httpx(error: Exception) -> httpx.TransportError:
    kind = next((kind for kinds, kind in _AS_HTTPX if isinstance(error, kinds)), httpx.ReadError)
    return kind(str(error))


def failure_before_answer(error: Exception) -> Failure:
    """What one of `TRANSPORT_ERRORS` means before a status has come."""
    return next((failure for kinds, failure in _BEFORE_ANSWER if isinstance(error, kinds)), Failure.CONNECTION_LOST)
