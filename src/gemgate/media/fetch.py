"""Remote media, fetched by the gateway."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Self, cast

import httpx
from yarl import URL

from gemgate import __version__
from gemgate.gemini.client.answer_size import Inflater
from gemgate.gemini.client.transport import AiohttpTransport, UnknownHostError, UntrustedHostError
from gemgate.gemini.errors import Failure, TransportError
from gemgate.media.budget import FetchBudget, ProcessBudget, RequestBudget
from gemgate.media.classify import UNREADABLE
from gemgate.media.errors import MediaError
from gemgate.media.inline import Inline, from_bytes
from gemgate.media.lookups import LOOKUP_SECONDS, Lookups
from gemgate.media.ssrf_guard import (
    INSTEAD,
    Guard,
    GuardedResolver,
    Resolve,
    parse,
    shown,
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Media gains nothing from compression, and what is not compressed cannot be a bomb. A server may compress all the same.
_BROKEN = "its host broke off the answer, or sent one that is not valid HTTP"
_HEADERS = {"User-Agent": f"gemgate/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}


class MediaFetcher:
    """Fetches media from URLs that strangers choose; use it as an async context manager.

    What it may reach is decided by `Guard`. It sends no cookies and no credentials, and follows redirects by hand,
    checking each. Proxies in the environment (HTTPS_PROXY) are not used, because a proxy would resolve the name again
    and so undo the check; where a proxy is the only way out, callers send data URLs, or Google fetches.

    Args:
        max_bytes: The largest content, in bytes, as sent and as decompressed.
        timeout: Seconds for one fetch, redirects included.
        max_redirects: How many redirects are followed.
        guard: What is in bounds.
        resolve: How names are resolved; the system's resolver by default, within the limits of `Lookups`.
        ssl_context: Which certificates are trusted; the system's by default.
        budget: What all fetches together may hold; unlimited by default.

    Attributes:
        lookups: The look-ups of names, whose places one request shares.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout: float,
        max_redirects: int = 3,
        guard: Guard | None = None,
        resolve: Resolve | None = None,
        ssl_context: ssl.SSLContext | None = None,
        budget: ProcessBudget | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._max_redirects = max_redirects
        self._guard = guard or Guard()
        self._resolve = resolve
        self._ssl = ssl_context
        self._transport: AiohttpTransport | None = None
        self._budget = budget or ProcessBudget(sys.maxsize)
        self.lookups = Lookups(seconds=min(LOOKUP_SECONDS, timeout))

    async def __aenter__(self) -> Self:
        resolver = GuardedResolver(self._guard, self._resolve or self.lookups.addresses)
        self._transport = AiohttpTransport(resolver, True if self._ssl is None else self._ssl)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()
        await self.lookups.close()

    async def fetch(self, url: str, request: RequestBudget | None = None) -> Inline:
        """The content behind `url`, as base64, with its sniffed type, within what the `request` may still fetch.

        Raises:
            MediaError: `invalid_image_url`, `forbidden_url`, `media_unreachable`, `media_too_large` or
                `unsupported_media_type`.
            BudgetSpentError: It is more than the request may have.
            ApiError: 503, the process holds too much.
            RuntimeError: Outside of the context manager.
        """
        if self._transport is None:
            msg = "a MediaFetcher works inside `async with`"
            raise RuntimeError(msg)
        target = parse(url)
        request = request or RequestBudget("", sys.maxsize)
        try:
            with (
                self.lookups.of_request(request.caller, request.places),
                FetchBudget(self._budget, request) as budget,
            ):
                async with asyncio.timeout(self._timeout):
                    found = await self._follow(self._transport, target, budget)
                return Inline(found.mime, budget.kept(found.data))
        except TimeoutError:
            raise _unreachable(target, f"it did not answer in full within {self._timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(target, _reason(error)) from error

    async def _follow(self, transport: AiohttpTransport, url: URL, budget: FetchBudget) -> Inline:
        first = url
        for _ in range(self._max_redirects + 1):
            self._guard.check_url(url)
            response = await transport.handle_async_request(_get(url))
            try:
                if response.status_code not in _REDIRECTS:
                    return await self._read(response, url, budget)
                url = _target(url, response.headers)
            finally:
                await response.aclose()
        raise _unreachable(first, f"it redirects more than {self._max_redirects} times")

    async def _read(self, response: httpx.Response, url: URL, budget: FetchBudget) -> Inline:
        if response.status_code != HTTPStatus.OK:
            raise _unreachable(url, f"it answered {response.status_code}")
        announced = response.headers.get("Content-Length", "")
        size = int(announced) if announced.isdecimal() else 0
        if size > self._max_bytes:
            raise self._too_large(url)
        budget.check(size)
        content = bytearray()
        async for piece in self._plain(response, url):
            budget.take(len(piece))
            content += piece
            if len(content) > self._max_bytes:
                raise self._too_large(url)
        try:
            return from_bytes(content, response.headers.get("Content-Type"), url.name)
        except MediaError as error:
            msg = f"{shown(url)}: {error.message}"
            raise MediaError(msg, error.code) from None

    async def _plain(self, response: httpx.Response, url: URL) -> AsyncIterator[bytes]:
        """The pieces of the content, without the compression that a server may have used all the same."""
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        inflater = Inflater(self._max_bytes + 2) if encoding in ("gzip", "x-gzip", "deflate") else None
        if inflater is None and encoding not in ("", "identity"):
            raise _unreachable(url, _BROKEN)
        try:
            async for piece in cast("httpx.AsyncByteStream", response.stream):
                yield inflater.feed(piece) if inflater is not None else piece
            if inflater is not None:
                yield inflater.finish()
        except TransportError as error:
            if error.failure is Failure.TOO_LARGE:
                raise self._too_large(url) from None
            raise _unreachable(url, _BROKEN) from error

    def _too_large(self, url: URL) -> MediaError:
        return MediaError(
            f"{shown(url)} holds more than {self._max_bytes} bytes, the most that is fetched. Send something smaller, "
            "or upload it to the Files API and send its URI.",
            "media_too_large",
        )


def _get(url: URL) -> httpx.Request:
    """Byte for byte: a signature in a query survives."""
    where = httpx.URL(scheme=url.scheme, host=url.raw_host or "", port=url.port)
    target = {"target": url.raw_path_qs.encode()}
    return httpx.Request("GET", where, headers=_HEADERS, stream=httpx.ByteStream(b""), extensions=target)


def _target(url: URL, headers: Mapping[str, str]) -> URL:
    location = headers.get("Location")
    if not location:
        raise _unreachable(url, "it redirects to nowhere")
    try:
        joined = str(url.join(URL(location, encoded=True)))
    except UNREADABLE:
        joined = ""
    return parse(joined)


def _unreachable(url: URL, reason: str) -> MediaError:
    return MediaError(f"{shown(url)} could not be fetched: {reason}. {INSTEAD}", "media_unreachable")


def _reason(error: Exception) -> str:
    """The failure in words of our own, because others' messages quote the whole URL."""
    if isinstance(error, UnknownHostError):
        return "its host name has no address on the public internet"
    if isinstance(error, UntrustedHostError):
        return "no trusted TLS connection to its host could be made"
    if isinstance(error, httpx.ConnectError):
        return "its host could not be connected to"
    return _BROKEN
