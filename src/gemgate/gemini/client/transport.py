"""The network, by way of aiohttp: how it is set up, and what its exceptions mean.

httpx's own engine costs three times the CPU, its client above a transport as much again as a whole translation, and its
requests and responses a third of one. They are made for test doubles alone, which are httpx's transports.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

from gemgate.gemini.client.addresses import KeptAddresses
from gemgate.gemini.errors import Failure

_PIECE = 1_048_576
_READ_BUFFER = 262_144
_KEEPALIVE = 60.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class UnusableEnvironmentError(ValueError):
    """The proxy or the certificates that the environment names; the text is a sentence for the operator."""


@dataclass(slots=True)
class TransportRequest:
    """A request to be sent.

    Attributes:
        method: The HTTP method.
        url: Where to.
        headers: By lower-case names; a body has a `content-length` among them.
        body: Bytes, or a stream of them; None for nothing.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | httpx.AsyncByteStream | None = None


class TransportResponse(Protocol):
    """What is answered, once its headers are here.

    Attributes:
        status: The HTTP status.
        encoding: The `content-encoding`.
    """

    status: int
    encoding: str

    @property
    def headers(self) -> httpx.Headers:
        """All headers."""

    def read_nowait(self) -> bytes | None:
        """What of the body has arrived already: nothing at the end, None when there is something to wait for.

        Raises:
            Exception: one of `TRANSPORT_ERRORS`: the connection broke.
        """

    async def read(self) -> bytes:
        """All that comes next of the body; nothing at the end.

        Raises:
            Exception: one of `TRANSPORT_ERRORS`: the connection broke.
        """

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""


class Transport(Protocol):
    """Sends requests until it is closed."""

    async def send(self, call: TransportRequest) -> TransportResponse:
        """The answer, once its headers are here.

        Raises:
            Exception: one of `TRANSPORT_ERRORS`.
        """

    async def aclose(self) -> None:
        """Close every connection."""


class AiohttpTransport:
    """The network. Exceptions are aiohttp's own.

    aiohttp's timeouts (but that for connecting), cookies, `.netrc`, redirects and decompression stay off, and no limit
    but that on headers is left.

    Args:
        upstream: The origin, which decides whether there is a proxy on the way.
        max_connections: Open connections; a request beyond them waits for one.
        connect_timeout: Seconds to open a connection, the TLS handshake and the wait for a place in the pool included.

    Attributes:
        ssl_context: Trusts the certificates that the environment names, or certifi's.

    Raises:
        UnusableEnvironmentError: the environment names a proxy of a kind that aiohttp does not speak, or certificates
            that cannot be read.
    """

    def __init__(self, upstream: str, max_connections: int, connect_timeout: float) -> None:
        self.ssl_context = _ssl_context()
        self._max_connections = max_connections
        self._timeout = aiohttp.ClientTimeout(connect=connect_timeout, sock_connect=connect_timeout)
        self._proxy = _proxy_for(upstream)
        self._session: aiohttp.ClientSession | None = None
        self._addresses: KeptAddresses | None = None

    async def send(self, call: TransportRequest) -> TransportResponse:
        """See `Transport`."""
        session = self._session or self._open_session()
        body: Any = call.body
        if isinstance(body, bytes) and len(body) > _PIECE:
            body = Pieces(body)
        response = await session.request(
            call.method, call.url, headers=call.headers, data=body or None, allow_redirects=False
        )
        return _Incoming(response)

    def _open_session(self) -> aiohttp.ClientSession:
        """Inside the loop that uses it."""
        self._addresses = KeptAddresses()
        connector = aiohttp.TCPConnector(
            limit=self._max_connections,
            keepalive_timeout=_KEEPALIVE,
            ssl=self.ssl_context,
            resolver=self._addresses,
            use_dns_cache=False,  # the resolver has one
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            read_bufsize=_READ_BUFFER,
            auto_decompress=False,
            proxy=self._proxy,
        )
        return self._session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        if self._addresses is not None:
            await self._addresses.close()


class _Incoming:
    """The answer of aiohttp."""

    __slots__ = ("_content", "_response", "_taken", "encoding", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.encoding = response.headers.get("content-encoding", "")
        self._response = response
        self._content = response.content
        self._taken = 0

    @property
    def headers(self) -> httpx.Headers:
        return httpx.Headers(self._response.raw_headers)

    def read_nowait(self) -> bytes | None:
        content = self._content
        if content.total_bytes == self._taken and not content.is_eof() and content.exception() is None:
            return None
        piece = content.read_nowait()
        self._taken += len(piece)
        return piece

    async def read(self) -> bytes:
        try:
            piece = await self._content.readany()
        except RuntimeError as error:  # aiohttp has closed the connection, and has not said why
            raise aiohttp.ServerDisconnectedError from error
        self._taken += len(piece)
        return piece

    async def aclose(self) -> None:
        self._response.release()
        await self._response.wait_for_close()


class HttpxTransport:
    """One of httpx's transports in the place of the network, in tests."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, call: TransportRequest) -> TransportResponse:
        """See `Transport`."""
        body = call.body if isinstance(call.body, httpx.AsyncByteStream) else httpx.ByteStream(call.body or b"")
        request = httpx.Request(call.method, call.url, headers=call.headers, stream=body)
        return _Scripted(await self._transport.handle_async_request(request))

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


class _Scripted:
    """The answer of a test double."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.encoding = response.headers.get("content-encoding", "")
        self._response = response
        # The body as it comes, without the bookkeeping of `Response.aiter_raw`.
        self._pieces = cast("AsyncGenerator[bytes]", aiter(cast("httpx.AsyncByteStream", response.stream)))

    def read_nowait(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        async for piece in self._pieces:
            if piece:
                return piece
        return b""

    async def aclose(self) -> None:
        await self._response.aclose()
        await self._pieces.aclose()


class Pieces(httpx.AsyncByteStream):
    """Bytes to send, in pieces, as aiohttp wants a large body, so that the loop is not held up."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._whole), _PIECE):
            yield self._whole[start : start + _PIECE]


def _ssl_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or error
        msg = f"No certificates can be read where SSL_CERT_FILE or SSL_CERT_DIR says that they are: {why}."
        raise UnusableEnvironmentError(msg) from None


def _proxy_for(upstream: str) -> str | None:
    """The proxy that the environment names for `upstream`."""
    parts = urlsplit(upstream)
    if parts.hostname in _LOOPBACK or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        scheme = urlsplit(proxy).scheme
        msg = f"The environment's proxy must be an http or https one, not {scheme}: check HTTPS_PROXY and ALL_PROXY."
        raise UnusableEnvironmentError(msg)
    return proxy


TRANSPORT_ERRORS = (httpx.HTTPError, aiohttp.ClientError, HttpProcessingError, OSError)

# The first line that fits decides.
_BEFORE_ANSWER: tuple[tuple[tuple[type[Exception], ...], Failure], ...] = (
    ((aiohttp.ClientSSLError, ssl.SSLError), Failure.TLS_FAILED),
    ((aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout, httpx.PoolTimeout), Failure.CONNECT_TIMEOUT),
    ((TimeoutError, httpx.TimeoutException), Failure.FIRST_BYTE_TIMEOUT),
    (
        (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, httpx.ConnectError, httpx.ProxyError),
        Failure.CONNECT_FAILED,
    ),
    ((aiohttp.ClientResponseError, HttpProcessingError), Failure.INVALID_BODY),
)


def failure_before_answer(error: Exception) -> Failure:
    """What one of `TRANSPORT_ERRORS` means before a status has come."""
    return next((failure for kinds, failure in _BEFORE_ANSWER if isinstance(error, kinds)), Failure.CONNECTION_LOST)
