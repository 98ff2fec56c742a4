"""A response is limited, counted and charged as a completion of chat is, in the background too."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.auth.support import bearer, write_keys
from tests.support.answers import native
from tests.support.early import early_answers
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, overloaded
from tests.support.responses import FLASH_25

pytestmark = pytest.mark.slow

CHAT = ("/v1/chat/completions", {"model": FLASH_25, "messages": [{"role": "user", "content": "Hi"}]})
RESPONSE = ("/v1/responses", {"model": FLASH_25, "input": "Hi", "store": False})
BACKGROUND = ("/v1/responses", {"model": FLASH_25, "input": "Hi", "background": True})
STREAMED_CHAT = (CHAT[0], {**CHAT[1], "stream": True})
STREAM = (RESPONSE[0], {**RESPONSE[1], "stream": True})
STREAMED_BACKGROUND = (BACKGROUND[0], {**BACKGROUND[1], "stream": True})
ALL = [CHAT, RESPONSE, BACKGROUND, STREAMED_CHAT, STREAM, STREAMED_BACKGROUND]
NAMES = ["chat", "response", "background", "streamed chat", "stream", "streamed background"]
# A million tokens of gemini-2.5-flash cost 0.30 $ in and 2.50 $ out.
ANSWER = native({"text": "Hello"}, finishReason="STOP") | {
    "usageMetadata": {"promptTokenCount": 100_000, "candidatesTokenCount": 100_000, "totalTokenCount": 200_000},
    "modelVersion": FLASH_25,
}

every_way = pytest.mark.parametrize(
    "asked", ALL, ids=["chat", "response", "background", "streamed chat", "stream", "streamed background"]
)


def app(tmp_path: Path, google: FakeGoogle, **entry: Any) -> Any:
    keys = write_keys(tmp_path / "keys.yaml", web=entry)
    return gateway_app(
        google, retries=0, gemini_api_key="the-gateways-key", client_keys_file=keys, data_dir=tmp_path / "data"
    )


async def ask(client: httpx.AsyncClient, asked: Any, **headers: str) -> httpx.Response:
    path, body = asked
    return await client.post(path, json=body, headers={**bearer("web"), **headers})


@every_way
async def test_requests_of_a_minute_are_counted(tmp_path: Path, asked: Any) -> None:
    limits = {"requests_per_minute": 2}
    async with in_process(app(tmp_path, FakeGoogle(ANSWER), limits=limits), {}) as client:
        answers = [await ask(client, asked) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].json()["error"]["code"] == "rate_limit_exceeded"


@every_way
async def test_tokens_are_those_that_google_counts_at_the_end(tmp_path: Path, asked: Any) -> None:
    limits = {"tokens_per_minute": 150_000}
    async with in_process(app(tmp_path, FakeGoogle(ANSWER), limits=limits), {}) as client:
        assert (await ask(client, asked)).status_code == 200
        refused = await ask(client, asked)
    assert refused.status_code == 429
    assert refused.json()["error"]["type"] == "tokens"


@every_way
async def test_what_it_cost_is_charged_to_its_key(tmp_path: Path, asked: Any) -> None:
    limits = {"usd_per_day": 0.25}
    async with in_process(app(tmp_path, FakeGoogle(ANSWER), limits=limits), {}) as client:
        assert (await ask(client, asked)).status_code == 200
        refused = await ask(client, asked)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")


@every_way
async def test_a_key_has_its_models(tmp_path: Path, asked: Any) -> None:
    google = FakeGoogle(ANSWER)
    async with in_process(app(tmp_path, google, models=["gemini-2.5-pro"]), {}) as client:
        refused = await ask(client, asked)
        unknown = await client.post(asked[0], json=asked[1], headers=bearer("unknown"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_found")
    assert unknown.status_code == 401
    assert google.requests == []


@every_way
async def test_the_line_of_the_log_and_the_metrics_say_the_same(
    tmp_path: Path, asked: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with in_process(app(tmp_path, FakeGoogle(ANSWER)), {}) as client:
        await ask(client, asked)
        metrics = (await client.get("/metrics")).text
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    (line,) = [line for line in out.splitlines() if "method=POST" in line]
    for said in (
        "prompt_tokens=100000",
        "completion_tokens=100000",
        "cost_usd=0.28",
        "caller=web",
        f"model={FLASH_25}",
    ):
        assert said in line, line
    assert "outcome=completed" in line
    samples = [line.rpartition(" ") for line in metrics.splitlines() if line[0] != "#"]
    counted = {name: float(value) for name, _, value in samples}
    labels = f'caller="web",kind="prompt",model="{FLASH_25}"'
    assert counted[f"gemgate_tokens_total{{{labels}}}"] == 100_000
    assert counted[f'gemgate_cost_usd_total{{caller="web",model="{FLASH_25}"}}'] == pytest.approx(0.28)


@every_way
async def test_a_dry_run_is_the_native_request(tmp_path: Path, asked: Any) -> None:
    google = FakeGoogle(ANSWER)
    async with in_process(app(tmp_path, google), {}) as client:
        shown = (await ask(client, asked, **{"x-gemgate-dry-run": "1"})).json()
    assert shown["body"]["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert google.requests == []


@every_way
async def test_another_model_answers_where_the_first_cannot(tmp_path: Path, asked: Any) -> None:
    google = FakeGoogle(by_model={"gemini-2.5-pro": overloaded(), FLASH_25: ANSWER})
    keys = write_keys(tmp_path / "keys.yaml", web={})
    models = {"best": ["gemini-2.5-pro", FLASH_25]}
    made = gateway_app(
        google, retries=0, gemini_api_key="k" * 20, client_keys_file=keys, data_dir=tmp_path / "d", models=models
    )
    async with in_process(made, {}) as client:
        path, body = asked
        assert (await ask(client, (path, {**body, "model": "best"}))).status_code == 200
    assert google.models == ["gemini-2.5-pro", FLASH_25]


async def test_a_response_in_the_background_has_its_place_until_it_has_ended(tmp_path: Path) -> None:
    google = FakeGoogle(ANSWER)
    made = app(tmp_path, google, limits={"concurrent_requests": 1})
    async with early_answers(made, {}) as (client, transport):
        google.gate = asyncio.Event()
        first = await ask(client, BACKGROUND)
        assert first.json()["status"] == "queued"
        busy = await ask(client, RESPONSE)
        assert (busy.status_code, busy.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        google.gate.set()
        await transport.answered_all()
        assert (await ask(client, RESPONSE)).status_code == 200
