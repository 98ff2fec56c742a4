"""aiohttp as a transport of httpx: how it is set up, and what its exceptions mean.

httpx's own engine costs three times the CPU, and its client above a transport as much again as a whole translation. So
requests are handed to the transport itself, and test doubles are httpx's transports.
"""

import ssl
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

from gemgate.gemini.errors import Failure

_PIECE = 1_048_576
_READ_BUFFER = 262_144
_KEEPALIVE = 60.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class UnusableEnvironmentError(ValueError):
    """The proxy or the certificates that the environment names; the text is a sentence for the operator."""


class AiohttpTransport(httpx.AsyncBaseTransport):
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

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, and give the answer once its headers are here."""
        session = self._session or self._open_session()
        body = request.stream
        response = await session.request(
            request.method,
            str(request.url),
            headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
            data=(body.whole or None) if isinstance(body, Body) and body.is_small else body,
            allow_redirects=False,
        )
        return httpx.Response(response.status, headers=response.raw_headers, stream=Incoming(response))

    def _open_session(self) -> aiohttp.ClientSession:
        """Inside the loop that uses it."""
        connector = aiohttp.TCPConnector(
            limit=self._max_connections, keepalive_timeout=_KEEPALIVE, ssl=self.ssl_context
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


class Incoming(httpx.AsyncByteStream):
    """The body of an answer: with each step, all that has arrived."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def at_hand(self) -> bytes | None:
        """What has arrived already: nothing at the end, None when there is something to wait for.

        Raises:
            aiohttp.ClientError: the connection broke.
        """
        content = self._response.content
        piece = content.read_nowait()
        return piece if piece or content.at_eof() else None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._response.content.readany()
        except RuntimeError as error:  # aiohttp has closed the connection, and has not said why
            raise aiohttp.ServerDisconnectedError from error
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self._response.release()
        await self._response.wait_for_close()


class Body(httpx.AsyncByteStream):
    """Bytes to send. aiohttp wants a large body in pieces, so that the loop is not held up."""

    def __init__(self, whole: bytes) -> None:
        self.whole = whole

    @property
    def is_small(self) -> bool:
        """Whether it can be sent at once."""
        return len(self.whole) <= _PIECE

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.whole), _PIECE):
            yield self.whole[start : start + _PIECE]


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
    """What one of `TRANSPORT_ERRORS` means while there is no status yet."""
    return next((failure for kinds, failure in _BEFORE_ANSWER if isinstance(error, kinds)), Failure.CONNECTION_LOST)
