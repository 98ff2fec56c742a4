"""Holds every request of a key with limits or a budget to them: the one place for all endpoints, whatever they do."""

import math
import secrets
from collections.abc import Awaitable
from dataclasses import replace

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemgate.auth.client_keys import ClientKey
from gemgate.auth.rate_limits import (
    REFUSAL,
    BucketStatus,
    Quotas,
    RateLimitRefusal,
    RateLimitRequest,
    RateLimitStatus,
)
from gemgate.errors import ApiError, duration
from gemgate.observability.record import current
from gemgate.web.budget_middleware import BudgetMiddleware, presented
from gemgate.web.disconnect import disconnect_of
from gemgate.web.limits_middleware import UNLIMITED
from gemgate.web.token_estimate import BYTES_PER_TOKEN, AnswerKind, TokenEstimate, estimate, kind_of

_SMALL_PIECE = 4096  # of a larger piece it is not known yet how much is text


class QuotaMiddleware:
    """Takes what a request needs of its key's limits, and gives back what it did not use (pure ASGI, no task).

    Without a key that has limits or a budget it costs one look at the registry. A refusal is put into the scope, and
    raised by `services.caller_of` in the endpoint: so the error is in OpenAI's words or in Google's, and counted for
    its route.

    Args:
        app: What is served within the limits and budgets.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._within_budgets = BudgetMiddleware(app)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request."""
        if scope["type"] == "http":
            services = scope["app"].state.services
            keys = services.client_keys
            app = self._within_budgets if keys.has_budgets else self._app
            is_limited = keys.has_limits and scope["path"] not in UNLIMITED
            if is_limited and (key := presented(scope, keys)) and key.limits.has_rate:
                key = _without_place(key) if _is_about_what_was_asked(scope) else key
                return self._within_limits(app, _LimitedExchange(key, services.quotas, scope, receive, send), scope)
            return app(scope, receive, send)
        return self._app(scope, receive, send)

    async def _within_limits(self, app: ASGIApp, exchange: "_LimitedExchange", scope: Scope) -> None:
        try:
            try:
                await exchange.begin()
            except ApiError as error:
                scope[REFUSAL] = error
            await app(scope, exchange.receive, exchange.send)
        finally:
            await exchange.end()


class _LimitedExchange:
    """One request: what it has taken, what has been answered, and how its caller is informed of the limits."""

    __slots__ = (
        "_answered", "_body", "_disconnect", "_estimate", "_first", "_has_begun", "_is_complete", "_is_read", "_key",
        "_kind", "_lease", "_limit", "_pieces", "_quotas", "_receive", "_send", "_standing", "_status", "_taken",
        "_uploaded",
    )  # fmt: skip

    def __init__(self, key: ClientKey, quotas: Quotas, scope: Scope, receive: Receive, send: Send) -> None:
        self._key = key
        self._limit = key.limits.tokens_per_minute
        self._quotas = quotas
        self._receive = receive
        self._send = send
        self._disconnect = disconnect_of(scope)
        self._lease = secrets.token_hex(8)
        self._first: Message | None = None
        self._standing = RateLimitStatus()
        self._has_begun = False
        self._kind = kind_of(scope["path"]) if self._limit is not None else None
        self._is_read = self._limit is not None and _is_read(scope, self._kind)
        self._uploaded = _declared(scope) if self._kind is AnswerKind.TRANSCRIPT else 0
        self._body: list[bytes] = []
        self._estimate = TokenEstimate()
        self._taken = 0
        self._status = 0
        self._answered = self._pieces = 0
        self._is_complete = False

    async def begin(self) -> None:
        """Take a request, a place, and tokens: of the whole request, or of the body's first piece if that is small.

        Raises:
            ApiError: 429, when there is too little of something.
        """
        current().caller = self._key.name
        self._first = await self._receive()
        wanted = self._wanted(self._first)
        if wanted is None:
            wanted = sum(len(piece) for piece in self._body if len(piece) <= _SMALL_PIECE) // BYTES_PER_TOKEN
        self._has_begun = True  # before: a caller who goes while this waits must not keep a place
        await self._take(wanted, is_new=True)

    async def receive(self) -> Message:
        """The next message; with the last piece of a body in several, its tokens are taken.

        Raises:
            ApiError: 429, when there are too few.
        """
        if self._first is not None:
            message, self._first = self._first, None
            return message
        message = await self._receive()
        if self._is_read and message["type"] == "http.request":
            # More than the limit would never be there again, once the first piece has taken its part.
            wanted = min(self._wanted(message) or 0, self._limit or 0) - self._taken
            if wanted > 0:
                await self._take(wanted, is_new=False)
        return message

    async def send(self, message: Message) -> None:
        """Adds the headers; with the end of the answer, what was taken is settled before the caller can ask again."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [*message.get("headers", ()), *_headers(self._standing)]
        else:
            body = message.get("body", b"")
            if body and not body.startswith(b":"):  # a comment keeps a stream alive
                self._answered += len(body)
                self._pieces += 1
            if not message.get("more_body", False):
                self._is_complete = True
                if not current().outlives_answer:
                    await self.end()
        await self._send(message)

    async def end(self) -> None:
        """The request is over, in whatever way: give back its place, and the tokens that it did not use."""
        if self._has_begun:
            self._has_begun = False
            self._body.clear()
            await self._quotas.give(self._key, self._lease, self._taken - self._used())

    def _used(self) -> int:
        """What the request costs: Google's count, or what went through where it is missing or may be incomplete."""
        record = current()
        used = record.used_tokens()
        if self._kind is None or not record.gemini_key:
            return used  # no model was asked
        if record.outlives_answer:
            return used or self._estimate.charge(0)
        is_gone = self._disconnect is not None and self._disconnect.is_set
        if not self._status:
            return max(used, self._estimate.charge(0)) if is_gone else used
        if self._status >= 400 or (used and self._is_complete and not is_gone):
            return used
        if record.error is not None and self._pieces <= 1:
            return used  # the only event is the error
        return max(used, self._estimate.charge(self._answered))

    def _wanted(self, message: Message) -> int | None:
        """The tokens of the request; None until its body is whole."""
        if self._limit is None:
            return 0
        if self._is_read:
            self._body.append(message.get("body", b""))
            if message.get("more_body", False):
                return None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._estimate = estimate(body, self._kind, self._limit, self._uploaded)
        return self._estimate.total

    async def _take(self, wanted: int, *, is_new: bool) -> None:
        self._standing = await self._quotas.take(self._key, RateLimitRequest(self._lease, wanted, is_new))
        if refusal := self._standing.refusal:
            self._has_begun = self._has_begun and not is_new
            raise _too_much(self._key, refusal)
        self._taken += wanted


def _is_about_what_was_asked(scope: Scope) -> bool:
    """Whether the request looks at, follows, ends or deletes a response, which may be what has its caller's places."""
    path: str = scope["path"]
    return "/responses/" in path and (scope["method"] != "POST" or path.endswith("/cancel"))


def _without_place(key: ClientKey) -> ClientKey:
    """The entry of a key for a request that takes no place among those that it may have at once."""
    return replace(key, limits=replace(key.limits, concurrent_requests=None))


def _is_read(scope: Scope, kind: AnswerKind | None) -> bool:
    """Whether the body makes tokens by its text. Google's clients call the bytes of a file JSON too."""
    if scope["path"].startswith("/upload/"):
        return False
    content_type = Headers(scope=scope).get("content-type", "json").lower()
    if kind is not None:
        return kind is not AnswerKind.TRANSCRIPT and not (kind is AnswerKind.IMAGE and "multipart/" in content_type)
    return "json" in content_type


def _declared(scope: Scope) -> int:
    """The bytes that the body has by its header."""
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 16 else 0


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
