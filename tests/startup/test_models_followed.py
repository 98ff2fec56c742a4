"""Google's list of models, which is read at the start and now and then, and never on the way of a request."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.answers import native
from tests.support.clock import FakeClock
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, daily, failure

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.model_list import PATH
from gemgate.startup.models_followed import models_followed
from gemgate.upstream.client import Upstream
from gemgate.upstream.key_pool import KeyPool
from gemgate.upstream.retry import Shared
from gemgate.upstream.targets import method_call, target_of

Json = dict[str, Any]

DAY = 86_400.0
KEY = "AIzaSyOneKeyOfTheGatewayOfThirtyNineXXX"
NEW = "gemini-9-flash"
PAGE: Json = {
    "models": [{"name": f"models/{NEW}", "supportedGenerationMethods": ["generateContent"], "outputTokenLimit": 1000}]
}
CHAT: Json = {"model": NEW, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5000}
HELLO = native({"text": "Hello"}, finishReason="STOP")


class Stopped(FakeClock):
    """A clock that stops the work after so many waits."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.waits = waits
        self.done = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if len(self.slept) >= self.waits:
            self.done.set()
            await asyncio.Event().wait()


async def lists(google: FakeGoogle, waits: int) -> tuple[list[list[str]], list[float], Upstream]:
    """The lists that came before so many waits, and the waits."""
    came: list[list[str]] = []

    def announce(models: Mapping[str, Any]) -> None:
        came.append(list(models))

    clock = Stopped(waits)
    async with GeminiClient(ClientOptions(), transport=httpx.MockTransport(google)) as client:
        gemini = Upstream(client, Shared(pool=KeyPool([KEY])))
        async with models_followed(gemini, DAY, announce, clock.sleep):
            await clock.done.wait()
    return came, clock.slept, gemini


async def test_the_list_is_read_at_once_and_once_a_day_with_all_its_pages() -> None:
    first = {**PAGE, "nextPageToken": "more"}
    google = FakeGoogle(first, {"models": [{"name": "models/other"}]}, PAGE)
    came, slept, _ = await lists(google, 2)
    assert came == [[f"models/{NEW}", "models/other"], [f"models/{NEW}"]]
    assert slept == [DAY, DAY]
    assert google.paths[1].endswith("pageToken=more")
    assert google.keys == [KEY] * 3


async def test_a_failure_is_quiet_costs_the_key_nothing_and_is_followed_by_longer_and_longer_pauses() -> None:
    google = FakeGoogle(daily(), httpx.ReadError("gone"), {"models": 3}, failure(403), PAGE)
    with capture_logs() as logs:
        came, slept, gemini = await lists(google, 5)
    assert slept == [60.0, 120.0, 240.0, 480.0, DAY]
    assert came == [[f"models/{NEW}"]]
    assert {line["log_level"] for line in logs} <= {"debug"}
    for method in ("generateContent", "embedContent"):
        assert gemini.shared.pool.choose(method_call(f"models/{NEW}", method)) is not None
    assert gemini.shared.pool.choose(target_of("GET", PATH)) is not None


@pytest.mark.parametrize(
    "settings", [{"gemini_api_key": (), "models_refresh": DAY}, {"gemini_api_key": (KEY,), "models_refresh": 0}]
)
async def test_nothing_is_read_without_a_key_of_the_gateway_or_where_that_is_switched_off(settings: Json) -> None:
    google = FakeGoogle(HELLO)
    async with in_process(gateway_app(google, **settings)) as client:
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
    assert google.models == [NEW]


async def test_what_the_list_says_holds_although_no_caller_has_asked_for_it() -> None:
    google = FakeGoogle(HELLO, by_model={"/v1beta/models": PAGE})
    async with in_process(gateway_app(google, gemini_api_key=(KEY,), models_refresh=DAY)) as client:
        for _ in range(500):
            answer = await client.post("/v1/chat/completions", json=CHAT)
            if "max_tokens" in answer.headers.get("x-gemgate-adjusted", ""):
                break
            await asyncio.sleep(0.01)
    assert google.bodies[-1]["generationConfig"]["maxOutputTokens"] == 1000
    assert google.paths.count("/v1beta/models?pageSize=1000") == 1


async def test_a_list_that_does_not_come_holds_up_neither_the_start_nor_a_request_nor_the_end() -> None:
    asked = asyncio.Event()

    async def never(_: httpx.Request) -> httpx.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    google = FakeGoogle(HELLO, by_model={"/v1beta/models": never})
    async with in_process(gateway_app(google, gemini_api_key=(KEY,), models_refresh=DAY)) as client:
        assert (await client.get("/readyz")).status_code == 200
        await asked.wait()
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
    assert google.cancelled == 1
