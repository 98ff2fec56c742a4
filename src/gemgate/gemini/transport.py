"""aiohttp as the engine of httpx: how it is set up, and what its exceptions mean."""

import ssl
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport

from gemgate.gemini.errors import Failure

WHOLE_BODY = 1_048_576
_PIECE = 262_144
_READ_BUFFER = 262_144
_KEEPALIVE = 60.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def open_transport(upstream: str, max_connections: int) -> httpx.AsyncBaseTransport:
    """The network. The session is made at the first call, inside the loop that will use it.

    aiohttp's own timeouts, cookies, `.netrc` and decompression stay off, and no limit but that on headers is left.

    Raises:
        ValueError: the environment names a proxy of a kind that aiohttp does not speak.
    """

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=_KEEPALIVE, ssl=transport.ssl_context)
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=_READ_BUFFER, proxy=proxy
        )

    proxy = _proxy_for(upstream)
    transport = AiohttpTransport(client=session)
    return transport


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
        msg = f"a proxy must be an http or https one, not {urlsplit(proxy).scheme}: check HTTPS_PROXY and ALL_PROXY"
        raise ValueError(msg)
    return proxy


class Pieces(httpx.AsyncByteStream):
    """A body larger than `WHOLE_BODY`, which aiohttp wants in pieces so that the loop is not held up."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), _PIECE):
            yield self._content[start : start + _PIECE]


class NoCookies(CookieJar):
    """Keeps nothing: one caller's answer must not travel with another's request."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Ignore the cookies of an answer."""


TRANSPORT_ERRORS = (httpx.HTTPError, aiohttp.ClientError, HttpProcessingError, OSError)

# The first line that fits decides. aiohttp's own exception is asked: httpx-aiohttp calls most of them ConnectTimeout.
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
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    return next((failure for kinds, failure in _BEFORE_ANSWER if isinstance(cause, kinds)), Failure.CONNECTION_LOST)
