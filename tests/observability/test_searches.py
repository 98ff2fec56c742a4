"""Web searches: counted, priced as Google prices them, and charged to budgets, on each endpoint."""

from typing import Any

import pytest
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle
from tests.support.scrape import Scrape

from gemgate.api.native.usage_watch import UsageTail
from gemgate.auth.client_keys import new_key
from gemgate.auth.keys_file import entry_text
from gemgate.observability.pricing import searches_cost

Json = dict[str, Any]

NEW, OLD = "gemini-3.5-flash", "gemini-2.5-flash"
GROUNDING: Json = {"webSearchQueries": ["a", 'b ] " c', "a", ""], "searchEntryPoint": {"renderedContent": "<p>"}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def answer(model: str, *parts: Json, grounding: Json = GROUNDING) -> Json:
    found = native(*(parts or ({"text": "Hello"},)), finishReason="STOP", groundingMetadata=grounding)
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    return {**found, "modelVersion": model, "usageMetadata": usage}


async def searched(path: str, body: Json, google: FakeGoogle, model: str) -> tuple[float | None, float]:
    async with in_process(gateway_app(google)) as client:
        answered = await client.post(path, json=body)
        assert answered.status_code == 200, answered.text
        metrics = Scrape((await client.get("/metrics")).text)
    return metrics.value("gemgate_web_searches_total", model=model), metrics.value(
        "gemgate_cost_usd_total", model=model
    )


CHAT: Json = {"messages": [{"role": "user", "content": "Hi"}]}
NATIVE: Json = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": NEW, **CHAT}),
        ("/v1/chat/completions", {"model": NEW, **CHAT, "stream": True}),
        ("/v1/responses", {"model": NEW, "input": "Hi"}),
        ("/v1/responses", {"model": NEW, "input": "Hi", "stream": True}),
        (f"/v1beta/models/{NEW}:generateContent", NATIVE),
        (f"/v1beta/models/{NEW}:streamGenerateContent?alt=sse", NATIVE),
    ],
)
async def test_each_query_is_counted_and_paid(path: str, body: Json) -> None:
    number, dollars = await searched(path, body, FakeGoogle(answer(NEW)), NEW)
    assert number == 2
    assert dollars == pytest.approx(2 * 0.014, abs=0.001)


async def test_images_that_were_searched_for_are_paid() -> None:
    model = "gemini-3-pro-image"
    google = FakeGoogle(answer(model, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}))
    number, dollars = await searched("/v1/images/generations", {"model": model, "prompt": "a cat"}, google, model)
    assert number == 2
    assert dollars == pytest.approx(2 * 0.014, abs=0.001)


async def test_gemini_2_5_is_paid_by_the_request_and_what_serves_decides() -> None:
    number, dollars = await searched("/v1/chat/completions", {"model": OLD, **CHAT}, FakeGoogle(answer(OLD)), OLD)
    assert number == 2
    assert dollars == pytest.approx(0.035, abs=0.001)
    _, dollars = await searched("/v1/chat/completions", {"model": OLD, **CHAT}, FakeGoogle(answer(NEW)), OLD)
    assert dollars == pytest.approx(2 * 0.014, abs=0.001)


async def test_an_answer_without_a_search_costs_none() -> None:
    google = FakeGoogle(answer(NEW, grounding={"webSearchQueries": [], "groundingChunks": []}))
    number, dollars = await searched("/v1/chat/completions", {"model": NEW, **CHAT}, google, NEW)
    assert number in (None, 0)
    assert dollars < 0.001


async def test_a_budget_is_charged_for_searches(tmp_path: Any) -> None:
    keys = tmp_path / "keys.yaml"
    key = new_key()
    keys.write_text("keys:\n" + entry_text("web", key) + "    limits: {usd_per_day: 0.02}\n")
    google = FakeGoogle(answer(NEW))
    app = gateway_app(google, gemini_api_key=("AIza-any-key-will-do",), client_keys_file=keys)
    headers = {"authorization": f"Bearer {key}"}
    async with in_process(app, headers=headers) as client:
        first = await client.post("/v1/chat/completions", json={"model": NEW, **CHAT})
        second = await client.post("/v1/chat/completions", json={"model": NEW, **CHAT})
    assert (first.status_code, second.status_code) == (200, 429)
    assert second.json()["error"]["code"] == "insufficient_quota"


def test_what_is_cut_or_is_no_list_of_texts_counts_for_what_is_there() -> None:
    tail = UsageTail()
    tail.feed(b'{"webSearchQueries": ["a", "b')
    assert tail.summary().searches == 1
    tail.feed(b'", 3], "x": "\\"webSearchQueries\\": [")')
    assert tail.summary().searches == 2


def test_no_search_costs_nothing() -> None:
    assert searches_cost(OLD, 0) == searches_cost(NEW, 0) == 0.0
