"""Budgets of client keys: what is spent is added up, and the request after it is refused."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.shared_state.support import process
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, failure, sse
from tests.support.redis import RedisServer, redis_server

from gemgate.auth.budgets import BudgetRefusal, LocalBudgets, Spent, refusal
from gemgate.auth.client_keys import ClientKey, Limits, new_key
from gemgate.auth.keys_file import entry_text
from gemgate.shared_state.budgets import SharedBudgets

__all__ = ["redis_server"]

pytestmark = pytest.mark.integration

KEY, OTHER = new_key(), new_key()
# A million tokens of gemini-2.5-flash cost 0.30 $ in and 2.50 $ out.
USAGE = {"promptTokenCount": 1_000_000, "candidatesTokenCount": 1_000_000, "totalTokenCount": 2_000_000}
ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
    "usageMetadata": USAGE,
    "modelVersion": "gemini-2.5-flash",
}
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}
NATIVE = "/v1beta/models/gemini-2.5-flash:generateContent"
BUDGETED = ClientKey("web", (), "owner", Limits(usd_per_day=1.0, usd_per_month=10.0))


def keys_file(path: Path, limits: str) -> Path:
    file = path / "keys.yaml"
    text = "keys:\n" + entry_text("web", KEY) + f"    limits: {{{limits}}}\n" + entry_text("batch", OTHER)
    file.write_text(text)
    return file


def app(path: Path, google: FakeGoogle, limits: str = "usd_per_day: 5") -> Any:
    return gateway_app(google, gemini_api_key="the-gateways-key", client_keys_file=keys_file(path, limits))


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def chat(client: httpx.AsyncClient, key: str = KEY, **more: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json=CHAT | more, headers=bearer(key))


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_key_that_has_spent_its_budget_is_refused_and_others_are_not(tmp_path: Path, is_stream: bool) -> None:
    async with in_process(app(tmp_path, FakeGoogle(ANSWER)), {}) as client:
        for _ in range(2):  # 2.80 $ each
            assert (await chat(client, stream=is_stream)).status_code == 200
        refused = await chat(client, stream=is_stream)
        assert refused.status_code == 429
        error = refused.json()["error"]
        assert (error["code"], error["type"]) == ("insufficient_quota", "insufficient_quota")
        assert "'web'" in error["message"]
        assert "$5 a day" in error["message"]
        assert refused.headers["x-should-retry"] == "false"
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        native = await client.post(NATIVE, json={"contents": []}, headers={"x-goog-api-key": KEY})
        assert (native.status_code, native.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert (await client.get("/v1/files", headers=bearer(KEY))).status_code == 200, "results can be fetched"
        assert (await chat(client, OTHER)).status_code == 200


async def test_native_calls_are_charged_too(tmp_path: Path) -> None:
    async with in_process(app(tmp_path, FakeGoogle(ANSWER), "usd_per_month: 5"), {}) as client:
        for _ in range(2):
            answer = await client.post(NATIVE, json={"contents": []}, headers={"x-goog-api-key": KEY})
            assert answer.status_code == 200
        assert "$5 a month" in (await chat(client)).json()["error"]["message"]


async def test_what_google_refuses_costs_nothing(tmp_path: Path) -> None:
    google = FakeGoogle(failure(400, "no", reason="INVALID_ARGUMENT"))
    async with in_process(app(tmp_path, google, "usd_per_day: 0.000001"), {}) as client:
        for _ in range(3):
            assert (await chat(client)).status_code == 400


async def test_an_answer_without_usage_is_charged_by_its_size(tmp_path: Path) -> None:
    text = {"candidates": [{"content": {"role": "model", "parts": [{"text": "word " * 4000}]}, "finishReason": "STOP"}]}
    async with in_process(app(tmp_path, FakeGoogle(sse(text)), "usd_per_day: 0.001"), {}) as client:
        assert (await chat(client, stream=True)).status_code == 200
        assert (await chat(client, stream=True)).status_code == 429


def test_the_day_and_the_month_end_at_midnight_in_utc() -> None:
    night = 1_798_761_540.0  # 2026-12-31T23:59:00Z
    assert refusal(BUDGETED, Spent(0.99, 9.99), night) is None
    assert refusal(BUDGETED, Spent(1.0, 1.0), night) == BudgetRefusal("day", 1.0, 60.0)
    assert refusal(BUDGETED, Spent(1.0, 10.0), night) == BudgetRefusal("month", 10.0, 60.0)


async def test_what_was_spent_counts_in_its_day_and_its_month() -> None:
    now = 1_798_761_540.0
    budgets = LocalBudgets(lambda: now)
    await budgets.charge(BUDGETED, 0.6)
    await budgets.charge(BUDGETED, 0.6)
    assert await budgets.spent(BUDGETED) == Spent(1.2, 1.2)
    now += 120
    assert await budgets.spent(BUDGETED) == Spent(0.0, 0.0)


async def test_processes_add_up_together_and_each_for_itself_without_redis(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as one, process(redis_server.url) as two:
        first, second = SharedBudgets(one.link, LocalBudgets()), SharedBudgets(two.link, LocalBudgets())
        await first.charge(BUDGETED, 0.25)
        await second.charge(BUDGETED, 0.5)
        assert await first.spent(BUDGETED) == await second.spent(BUDGETED) == Spent(0.75, 0.75)
        redis_server.stop()
        assert await first.spent(BUDGETED) == Spent(0.25, 0.25)
        await first.charge(BUDGETED, 1.0)
        assert await first.spent(BUDGETED) == Spent(1.25, 1.25)
