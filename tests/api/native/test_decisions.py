"""Google's own Decisions API passes through, within what a key may do."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.auth.support import bearer, settings_with, write_keys
from tests.support.decisions import DECIDER, USAGE, decides
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, overloaded

from gemgate.api.native.usage_watch import DecisionUsageEnds

Json = dict[str, Any]
PATH = "/v1beta/decisions"
THEIRS = "https://generativelanguage.googleapis.com/v1beta/files/theirs"
BODY: Json = {"model": DECIDER, "input": "a", "questions": {"q": {"type": "noul", "instructions": "Is it?"}}}
PICK: Json = {"type": "choice", "instructions": "i"}
MINUTE = 1000


@pytest.fixture
def google() -> FakeGoogle:
    usage = {"total_input_tokens": 2 * MINUTE, "total_output_tokens": 0, "total_tokens": 2 * MINUTE}
    return FakeGoogle({"usage": usage, "answers": {"q": {"type": "noul", "noul": 0.1, "confidence": 0.9}}})


@pytest.fixture
async def client(tmp_path: Path, google: FakeGoogle) -> AsyncIterator[httpx.AsyncClient]:
    keys = write_keys(
        tmp_path / "keys.yaml",
        all={},
        some={"models": ["gemini-decision-*"]},
        other={"models": ["gemini-2.5-flash"]},
        limited={"limits": {"tokens_per_minute": MINUTE}},
        poor={"limits": {"usd_per_day": 0.0001}},
    )
    app = gateway_app(google, **{"data_dir": tmp_path, **settings_with(keys)})
    async with in_process(app) as client:
        del client.headers["authorization"]
        yield client


@pytest.mark.parametrize("path", [PATH, "/v1alpha/decisions"])
async def test_a_body_and_its_answer_pass_unchanged(path: str) -> None:
    google = FakeGoogle(decides())
    raw = orjson.dumps(BODY, option=orjson.OPT_INDENT_2)
    async with in_process(gateway_app(google)) as client:
        response = await client.post(path, content=raw, headers={"content-type": "application/json"})
    assert (google.last.url.path, google.last.content) == (path, raw)
    assert response.json() == {"answers": {"q": {"type": "noul", "noul": 0.1, "confidence": 0.9}}, "usage": USAGE}


async def test_below_v1_the_path_is_openais_unless_googles_client_asks() -> None:
    google = FakeGoogle(decides())
    async with in_process(gateway_app(google)) as client:
        openai = await client.post("/v1/decisions", json=BODY)
        assert (openai.status_code, openai.json()["error"]["param"]) == (400, "questions")
        own = await client.post("/v1/decisions", json=BODY, headers={"x-goog-api-client": "google-genai-sdk/3.6.1"})
    assert (own.status_code, google.last.url.path) == (200, "/v1/decisions")


@pytest.mark.parametrize(
    ("key", "model", "status"),
    [
        ("all", DECIDER, 200),
        ("some", DECIDER, 200),
        ("some", f"models/{DECIDER}", 200),
        ("other", DECIDER, 403),
        ("other", f"models/{DECIDER}", 403),
        ("some", "", 400),
        ("some", None, 400),
        ("some", ["gemini-2.5-pro"], 400),
    ],
)
async def test_a_key_decides_by_its_models_alone(
    client: httpx.AsyncClient, google: FakeGoogle, key: str, model: Any, status: int
) -> None:
    response = await client.post(PATH, json={**BODY, "model": model}, headers=bearer(key))
    assert response.status_code == status
    assert len(google.requests) == (status == 200)


async def test_an_option_that_is_called_model_or_name_is_an_option(client: httpx.AsyncClient) -> None:
    pick = {**PICK, "criteria": {"model": "a model", "name": "my name"}}
    response = await client.post(PATH, json={**BODY, "questions": {"model": pick}, "name": "x"}, headers=bearer("some"))
    assert response.status_code == 200


async def test_a_file_of_somebody_else_cannot_be_named(client: httpx.AsyncClient, google: FakeGoogle) -> None:
    blocks = [{"type": "image", "uri": THEIRS}]
    response = await client.post(PATH, json={**BODY, "input": blocks}, headers=bearer("all"))
    assert (response.status_code, google.requests) == (404, [])


async def test_its_tokens_count_against_the_limit_of_the_key(client: httpx.AsyncClient) -> None:
    response = await client.post(PATH, json=BODY, headers=bearer("limited"))
    assert response.status_code == 200
    after = await client.post(PATH, json=BODY, headers=bearer("limited"))
    assert after.status_code == 429


async def test_a_budget_that_is_spent_ends_it(client: httpx.AsyncClient, google: FakeGoogle) -> None:
    answers = [await client.post(PATH, json=BODY, headers=bearer("poor")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert len(google.requests) == 1


async def test_an_overloaded_model_is_asked_again() -> None:
    google = FakeGoogle(overloaded(), decides())
    async with in_process(gateway_app(google, retry_max_wait=0)) as client:
        response = await client.post(PATH, json=BODY)
    assert (response.status_code, len(google.requests)) == (200, 2)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("options", [1, 5000])
def test_its_tokens_are_found_before_and_after_the_answers(is_first: bool, options: int) -> None:
    shares = {f"o{number}": 0.1 for number in range(options)}
    answers = {"answers": {"usage": {"type": "choice", "probabilities": shares, "choice": "usage"}}}
    raw = orjson.dumps({"usage": USAGE, **answers} if is_first else {**answers, "usage": USAGE})
    watch = DecisionUsageEnds()
    for start in range(0, len(raw), 1000):
        watch.feed(raw[start : start + 1000])
    assert watch.summary().usage["promptTokenCount"] == 40
    assert DecisionUsageEnds().summary().usage == {}
