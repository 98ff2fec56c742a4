"""Holds every request of a key with limits to them: the one place for all endpoints, whatever they do."""

import math
import secrets
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemgate.auth.caller import credential
from gemgate.auth.client_keys import ClientKey
from gemgate.auth.key_registry import ClientKeys
from gemgate.auth.rate_limits import (
    REFUSAL,
    BucketStatus,
    Quotas,
    RateLimitRefusal,
    RateLimitRequest,
    RateLimitStatus,
)
from gemgate.errors import ApiError
from gemgate.observability.record import current
from gemgate.web.limits_middleware import UNLIMITED

BYTES_PER_TOKEN = 4

_LONGEST_WORD = 512  # a longer text without a blank, of ASCII and without an escape, is media in base64


class QuotaMiddleware:
    """Takes what a request needs of its key's limits, and gives back what it did not use (pure ASGI, no task).

    Without a key that has limits it costs one look at the registry. A refusal is put into the scope, and raised by
    `services.caller_of` in the endpoint: so it is told in OpenAI's words or in Google's, and counted for its route.

    Args:
        app: What is served within the limits.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            services = scope["app"].state.services
            keys: ClientKeys = services.client_keys
            is_limited = keys.has_limits and scope["path"] not in UNLIMITED
            if is_limited and (key := _presented(scope, keys)) and key.limits:
                await self._within_limits(_LimitedExchange(key, services.quotas, receive, send), scope)
                return
        await self._app(scope, receive, send)

    async def _within_limits(self, exchange: "_LimitedExchange", scope: Scope) -> None:
        try:
            try:
                await exchange.begin(is_json=_is_json(scope))
            except ApiError as error:
                scope[REFUSAL] = error
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            await exchange.end()


class _LimitedExchange:
    """One request: what it has taken, and what its caller is told about the limits."""

    __slots__ = (
        "_first", "_has_begun", "_is_json", "_key", "_lease", "_quotas", "_receive", "_send", "_standing", "_taken",
        "_wanted",
    )  # fmt: skip

    def __init__(self, key: ClientKey, quotas: Quotas, receive: Receive, send: Send) -> None:
        self._key = key
        self._quotas = quotas
        self._receive = receive
        self._send = send
        self._lease = secrets.token_hex(8)
        self._first: Message | None = None
        self._standing = RateLimitStatus()
        self._has_begun = False
        self._is_json = False
        self._wanted = 0
        self._taken = 0

    async def begin(self, *, is_json: bool) -> None:
        """Take a request, a place, and the tokens of the body's first piece: of the whole body, where it is small.

        Raises:
            ApiError: 429, when there is too little of something.
        """
        current().caller = self._key.name
        self._is_json = is_json and self._key.limits.tokens_per_minute is not None
        self._first = await self._receive()
        self._estimate(self._first)
        self._has_begun = True  # before: a caller who goes while this waits must not keep a place
        await self._take(is_new=True)

    async def receive(self) -> Message:
        """The next message; with the last piece of a body in several, its tokens are taken.

        Raises:
            ApiError: 429, when there are too few.
        """
        if self._first is not None:
            message, self._first = self._first, None
            return message
        message = await self._receive()
        if message["type"] == "http.request":
            self._estimate(message)
            if self._wanted and not message.get("more_body", False):
                await self._take(is_new=False)
        return message

    async def send(self, message: Message) -> None:
        """Adds the headers; with the end of the answer, what was taken is settled before the caller can ask again."""
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_headers(self._standing)]
        elif not message.get("more_body", False):
            await self.end()
        await self._send(message)

    async def end(self) -> None:
        """The request is over, in whatever way: give back its place, and the tokens that it did not use."""
        if self._has_begun:
            self._has_begun = False
            await self._quotas.give(self._key, self._lease, self._taken - current().used_tokens())

    def _estimate(self, message: Message) -> None:
        if self._is_json:
            self._wanted += estimate(message.get("body", b""))

    async def _take(self, *, is_new: bool) -> None:
        wanted, self._wanted = self._wanted, 0
        self._standing = await self._quotas.take(self._key, RateLimitRequest(self._lease, wanted, is_new))
        if refusal := self._standing.refusal:
            self._has_begun = self._has_begun and not is_new
            raise _too_much(self._key, refusal)
        self._taken += wanted


def estimate(piece: bytes) -> int:
    """About how many tokens a piece of a JSON body makes; media in base64 counts nothing: its size says little."""
    strings = piece.split(b'"') if len(piece) > _LONGEST_WORD else [piece]
    size = sum(len(string) for string in strings if not _is_media(string))
    return size // BYTES_PER_TOKEN


def _is_media(string: bytes) -> bool:
    return len(string) > _LONGEST_WORD and b" " not in string and b"\\" not in string and string.isascii()


def _presented(scope: Scope, keys: ClientKeys) -> ClientKey | None:
    """The entry of the key that the request presents; None when it is invalid, which the endpoint answers."""
    try:
        return keys.find(credential(Headers(scope=scope)))
    except ApiError:
        query: bytes = scope["query_string"]  # Google's API takes a key there as well
        named = dict(parse_qsl(query.decode("latin-1"))).get("key") if b"key=" in query else None
        return keys.find(named) if named else None


def _is_json(scope: Scope) -> bool:
    """Whether the body makes tokens. Google's clients call the bytes of a file JSON too."""
    if scope["path"].startswith("/upload/"):
        return False
    content_type = Headers(scope=scope).get("content-type", "json")
    return "json" in content_type.lower()


_WHAT = {
    "requests": ("requests per minute (RPM)", "requests_per_minute", "requests"),
    "tokens": ("tokens per minute (TPM)", "tokens_per_minute", "tokens"),
    "concurrency": ("requests at once", "concurrent_requests", "requests"),
}


def _too_much(key: ClientKey, refusal: RateLimitRefusal) -> ApiError:
    """As OpenAI says it."""
    what, name, kind = _WHAT[refusal.kind]
    limit = getattr(key.limits, name)
    msg = f"Rate limit reached for the key '{key.name}' on {what}: Limit {limit}. "
    msg += (
        "Please try again when one of them has ended."
        if refusal.kind == "concurrency"
        else f"Please try again in {duration(refusal.wait)}."
    )
    headers = {
        "retry-after": str(math.ceil(refusal.wait)),
        "retry-after-ms": str(math.ceil(refusal.wait * 1000)),
    }
    return ApiError(429, msg, type=kind, code="rate_limit_exceeded", headers=headers)


def _headers(standing: RateLimitStatus) -> list[tuple[bytes, bytes]]:
    """OpenAI's `x-ratelimit-*`: https://platform.openai.com/docs/guides/rate-limits."""
    headers = []
    for name, level in (("requests", standing.requests), ("tokens", standing.tokens)):
        if level is not None:
            headers += _headers_of(name, level)
    return headers


def _headers_of(name: str, level: BucketStatus) -> list[tuple[bytes, bytes]]:
    values = {"limit": str(level.limit), "remaining": str(level.remaining), "reset": duration(level.reset)}
    return [(f"x-ratelimit-{what}-{name}".encode(), value.encode()) for what, value in values.items()]


def duration(seconds: float) -> str:
    """A time in OpenAI's form: `20ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 60:
        return f"{math.ceil(seconds * 1000) / 1000:g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s"
