"""A way to Google with a clock that is put forward instead of waited for, and a Google made of answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.upstream.circuit_breaker import Breakers
from gemgate.upstream.client import Upstream
from gemgate.upstream.cooldowns import Cooldown
from gemgate.upstream.key_pool import KeyPool
from gemgate.upstream.observer import Observer
from gemgate.upstream.retry import RetryOptions, Shared

Json = dict[str, Any]

NOON = 1_780_340_400.0
"""2026-06-01 12:00 in the Pacific time zone, which is 19:00 UTC."""

MODEL = "models/gemini-2.5-flash"
LITE = "models/gemini-2.5-flash-lite"
BODY: Json = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
HELLO: Json = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}
EMPTY: Json = {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]}
MALFORMED: Json = {"candidates": [{"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL"}]}
_TYPE = "type.googleapis.com/google.rpc."


class Clock:
    """Unix seconds. `slept` are the waits, each of which passes at once."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def failure(status: int, message: str = "no", *details: Json, reason: str = "X") -> httpx.Response:
    """A refusal in Google's shape."""
    error = {"code": status, "message": message, "status": reason, "details": list(details)}
    return httpx.Response(status, json={"error": error})


def detail(kind: str, **fields: Any) -> Json:
    """A detail of an error, such as `detail("ErrorInfo", reason="SERVICE_DISABLED")`."""
    return {"@type": _TYPE + kind, **fields}


def quota(
    delay: str | None = "48s",
    quota_id: str = "GenerateRequestsPerMinutePerProjectPerModel",
    *,
    message: str = "You exceeded your current quota.",
    limit: str = "10",
) -> httpx.Response:
    """A 429."""
    details = [detail("QuotaFailure", violations=[{"quotaId": quota_id, "quotaValue": limit}])] if quota_id else []
    if delay is not None:
        details.append(detail("RetryInfo", retryDelay=delay))
    return failure(429, message, *details, reason="RESOURCE_EXHAUSTED")


def daily() -> httpx.Response:
    """A 429 for the rest of the day; Google's delay means nothing."""
    return quota("2s", "GenerateRequestsPerDayPerProjectPerModel-FreeTier")


def overloaded() -> httpx.Response:
    """The commonest 503."""
    return failure(503, "The model is overloaded. Please try again later.", reason="UNAVAILABLE")


def bad_key() -> httpx.Response:
    """What a wrong key gets."""
    info = detail("ErrorInfo", reason="API_KEY_INVALID", domain="googleapis.com")
    return failure(400, "API key not valid. Please pass a valid API key.", info, reason="INVALID_ARGUMENT")


def sse(*events: Json) -> httpx.Response:
    """A stream."""
    content = b"".join(b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in events)
    return httpx.Response(200, content=content, headers={"content-type": "text/event-stream"})


Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Google:
    """Answers each call with the next of `answers`, and with the last one from then on.

    Attributes:
        by_key: Answers for calls with this key, which go first.
        requests: All calls.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.by_key: dict[str, list[Answer]] = {}
        self.requests: list[httpx.Request] = []

    @property
    def keys(self) -> list[str]:
        """The keys of all calls."""
        return [request.headers["x-goog-api-key"] for request in self.requests]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        answers = self.by_key.get(request.headers["x-goog-api-key"], self.answers)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)
        return answer(request)


class Seen(Observer):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.rested: list[Cooldown] = []
        self.retried: list[tuple[str, str]] = []
        self.fell_back: list[tuple[str, str, str]] = []

    def cools_down(self, cooldown: Cooldown) -> None:
        self.rested.append(cooldown)

    def retries(self, model: str, reason: str) -> None:
        self.retried.append((model, reason))

    def falls_back(self, asked: str, model: str, reason: str) -> None:
        self.fell_back.append((asked, model, reason))


@asynccontextmanager
async def upstream(
    google: Google, *keys: str, clock: Clock | None = None, random: float = 1.0, breaker: int = 0, **options: Any
) -> AsyncIterator[Upstream]:
    """A way to `google` with these keys; `random` is what every jitter is."""
    clock = clock or Clock()
    shared = Shared(
        pool=KeyPool(keys, clock=clock),
        breakers=Breakers(breaker, clock=clock),
        options=RetryOptions(**options),
        clock=clock,
        sleep=clock.sleep,
        random=lambda: random,
    )
    async with GeminiClient(ClientOptions(), transport=httpx.MockTransport(google)) as client:
        yield Upstream(client, shared)
