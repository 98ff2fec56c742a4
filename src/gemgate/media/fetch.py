"""Remote media, fetched by the gateway."""

import asyncio
import ssl
import sys
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from gemgate import __version__
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
        self._session: aiohttp.ClientSession | None = None
        self._budget = budget or ProcessBudget(sys.maxsize)
        self.lookups = Lookups(seconds=min(LOOKUP_SECONDS, timeout))

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._guard, self._resolve or self.lookups.addresses),
            use_dns_cache=False,
            ssl=True if self._ssl is None else self._ssl,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
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
        if self._session is None:
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
                    found = await self._follow(self._session, target, budget)
                return Inline(found.mime, budget.kept(found.data))
        except TimeoutError:
            raise _unreachable(target, f"it did not answer in full within {self._timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise _unreachable(target, _reason(error)) from error

    async def _follow(self, session: aiohttp.ClientSession, url: URL, budget: FetchBudget) -> Inline:
        first = url
        for _ in range(self._max_redirects + 1):
            self._guard.check_url(url)
            async with session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._read(response, url, budget)
                url = _target(url, response.headers)
        raise _unreachable(first, f"it redirects more than {self._max_redirects} times")

    async def _read(self, response: aiohttp.ClientResponse, url: URL, budget: FetchBudget) -> Inline:
        if response.status != HTTPStatus.OK:
            raise _unreachable(url, f"it answered {response.status}")
        if (response.content_length or 0) > self._max_bytes:
            raise self._too_large(url)
        budget.check(response.content_length or 0)
        content = bytearray()
        async for piece in response.content.iter_any():
            budget.take(len(piece))
            content += piece
            if len(content) > self._max_bytes:
                raise self._too_large(url)
        try:
            return from_bytes(content, response.headers.get("Content-Type"), url.name)
        except MediaError as error:
            msg = f"{shown(url)}: {error.message}"
            raise MediaError(msg, error.code) from None

    def _too_large(self, url: URL) -> MediaError:
        return MediaError(
            f"{shown(url)} holds more than {self._max_bytes} bytes, the most that is fetched. Send something smaller, "
            "or upload it to the Files API and send its URI.",
            "media_too_large",
        )


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


def _reason(error: aiohttp.ClientError) -> str:
    """The failure in words of our own, because aiohttp's messages quote the whole URL."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host name has no address on the public internet"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no trusted TLS connection to its host could be made"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "its host could not be connected to"
    return "its host broke off the answer, or sent one that is not valid HTTP"
