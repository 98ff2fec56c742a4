"""An `Upstream` before a Google made of answers, with a clock that is put forward instead of waited for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from tests.support.clock import FakeClock
from tests.support.google import FakeGoogle

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.upstream.circuit_breaker import Breakers
from gemgate.upstream.client import Upstream
from gemgate.upstream.cooldowns import Cooldown
from gemgate.upstream.key_pool import KeyPool
from gemgate.upstream.observer import Observer
from gemgate.upstream.retry import RetryOptions, Shared

Json = dict[str, Any]

MODEL = "models/gemini-2.5-flash"
LITE = "models/gemini-2.5-flash-lite"
BODY: Json = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
HELLO: Json = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}
EMPTY: Json = {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]}
MALFORMED: Json = {"candidates": [{"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL"}]}


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
    google: FakeGoogle,
    *keys: str,
    clock: FakeClock | None = None,
    random: float = 1.0,
    breaker: int = 0,
    **options: Any,
) -> AsyncIterator[Upstream]:
    """A way to `google` with these keys; `random` is what every jitter is."""
    clock = clock or FakeClock()
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
