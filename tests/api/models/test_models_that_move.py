"""Models that change under their names: learned from answers, shown, logged, counted; and models that are gone."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process, settings_of
from tests.support.google import FakeGoogle, failure
from tests.support.scrape import Scrape

from gemgate.gemini.model_table import TABLE_DATE
from gemgate.settings import problems
from gemgate.startup import lifespan

Json = dict[str, Any]

USER = {"role": "user", "content": "Hi"}
FLASH = "gemini-2.5-flash"
LISTED: Json = {
    "models": [
        {
            "name": f"models/{FLASH}",
            "supportedGenerationMethods": ["generateContent"],
            "thinking": True,
            "outputTokenLimit": 70_000,
        },
        {"name": "models/gemini-3.5-flash-lite", "supportedGenerationMethods": ["generateContent"], "thinking": True},
    ]
}
GONE = failure(404, "This model models/x is no longer available. Please update your code.", reason="NOT_FOUND")


def answer(version: str, **more: Any) -> Json:
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 1000, "totalTokenCount": 2000}
    return {**native({"text": "Hello"}, finishReason="STOP"), "modelVersion": version, "usageMetadata": usage, **more}


async def chat(client: httpx.AsyncClient, model: str = FLASH, **more: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json={"model": model, "messages": [USER], **more})


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_of_another_family_gives_the_name_its_facts(stream: bool) -> None:
    google = FakeGoogle(answer("gemini-3.5-flash-lite"), by_model={"/v1beta/models": LISTED})
    app = gateway_app(google)
    async with in_process(app) as client:
        with capture_logs() as logs:
            for _ in range(3):
                await chat(client, stream=stream, reasoning_effort="low", n=1)
        shown = (await client.get(f"/v1/models/{FLASH}")).json()
        metrics = Scrape((await client.get("/metrics")).text)
    sent = [body["generationConfig"]["thinkingConfig"] for body in google.bodies if body]
    assert sent == [{"thinkingBudget": 1024}, {"thinkingLevel": "LOW"}, {"thinkingLevel": "LOW"}]
    warned = [line for line in logs if line["event"].startswith("a model answers as another one")]
    assert [(line["model"], line["served"]) for line in warned] == [(FLASH, "gemini-3.5-flash-lite")]
    assert metrics.value("gemgate_learned_facts_total", model=FLASH, fact="like") == 1
    thinking = shown["facts"]["thinking"]
    assert (thinking["value"], thinking["origin"], thinking["source"]) == (
        "level",
        "learned",
        "answers come from gemini-3.5-flash-lite",
    )
    assert (shown["facts"]["output_limit"]["value"], shown["facts"]["output_limit"]["origin"]) == (70_000, "google")


async def test_a_model_shows_where_each_fact_is_from(tmp_path: Path) -> None:
    facts = {FLASH: {"since": "2026-01-01", "prefill": False}}
    async with in_process(gateway_app(FakeGoogle(LISTED), model_facts=facts)) as client:
        shown = (await client.get(f"/v1/models/{FLASH}")).json()["facts"]
        whole = (await client.get("/v1/models")).json()["data"][0]
    assert shown["prefill"] == {
        "value": False,
        "origin": "setting",
        "since": "2026-01-01",
        "source": f"GEMGATE_MODEL_FACTS, row {FLASH}",
    }
    assert shown["budget"] == {"value": [1, 24576], "origin": "table", "since": TABLE_DATE, "source": "docs/thinking"}
    assert "facts" not in whole


STATUS = {"modelStage": "DEPRECATED", "retirementTime": "2027-02-03T00:00:00Z", "message": "Move on."}


@pytest.mark.parametrize("stream", [False, True])
async def test_the_status_of_a_model_reaches_the_log_once_the_metric_and_the_model(stream: bool) -> None:
    google = FakeGoogle(answer(FLASH, modelStatus=STATUS), by_model={"/v1beta/models": LISTED})
    async with in_process(gateway_app(google)) as client:
        with capture_logs() as logs:
            for _ in range(3):
                await chat(client, stream=stream)
        shown = (await client.get(f"/v1/models/{FLASH}")).json()
        metrics = Scrape((await client.get("/metrics")).text)
    ends = [line for line in logs if line["event"] == "a model in use has an end"]
    assert [(line["model"], line["end"], line["stage"], line["message"]) for line in ends] == [
        (FLASH, "2027-02-03", "DEPRECATED", "Move on.")
    ]
    assert metrics.value("gemgate_model_retirement_timestamp_seconds", model=FLASH) == 1_801_612_800
    assert shown["retirement"] == {
        "date": "2027-02-03",
        "successor": None,
        "stage": "DEPRECATED",
        "message": "Move on.",
    }


@pytest.mark.parametrize("stream", [False, True])
async def test_the_status_of_a_model_reaches_its_callers(stream: bool) -> None:
    google = FakeGoogle(answer(FLASH, modelStatus=STATUS), by_model={"gemini-3.8-flash": answer("gemini-3.8-flash")})
    async with in_process(gateway_app(google)) as client:
        first, second = await chat(client, stream=stream), await chat(client, stream=stream)
        other = await chat(client, "gemini-3.8-flash", stream=stream)
    shown = '"model_status":{"modelStage":"DEPRECATED","retirementTime":"2027-02-03T00:00:00Z","message":"Move on."}'
    assert (first.text.count(shown), "model_status" in other.text) == (1, False)
    assert {answered.headers["x-gemgate-model-status"] for answered in (first, second)} == {
        "DEPRECATED; retirement=2027-02-03"
    }
    assert "x-gemgate-model-status" not in other.headers


async def test_an_end_that_the_table_knows_is_reported_too() -> None:
    google = FakeGoogle(answer("gemini-3.8-flash"), by_model={"gemini-3.1-flash-lite": answer("gemini-3.1-flash-lite")})
    async with in_process(gateway_app(google)) as client:
        with capture_logs() as logs:
            await chat(client, "gemini-3.1-flash-lite")
            await chat(client, "gemini-3.8-flash")
    ends = [line for line in logs if line["event"] == "a model in use has an end"]
    assert [(line["model"], line["end"], line["successor"]) for line in ends] == [
        ("gemini-3.1-flash-lite", "2027-05-07", "gemini-3.5-flash-lite")
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_404_of_a_retired_model_names_the_successor_and_the_setting(stream: bool) -> None:
    async with in_process(gateway_app(FakeGoogle(GONE))) as client:
        refused = await chat(client, "gemini-2.0-flash", stream=stream)
        unknown = await chat(client, "gemini-3.8-flash", stream=stream)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "`gemini-3.5-flash-lite`" in error["message"]
    assert "GEMGATE_RETIRED_MODELS=successor" in error["message"]
    assert "2026-06-01" in error["message"]
    assert "no longer available" in error["message"]
    assert (unknown.status_code, "GEMGATE_RETIRED_MODELS" in unknown.text) == (404, False)


async def test_the_404_of_imagen_names_the_successor_too() -> None:
    async with in_process(gateway_app(FakeGoogle(GONE))) as client:
        refused = await client.post("/v1/images/generations", json={"model": "imagen-4.0-generate-001", "prompt": "x"})
    assert refused.status_code == 404
    assert "`gemini-3.1-flash-image`" in refused.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asked", ["gemini-2.0-flash", "models/gemini-2.0-flash", "old"])
async def test_the_successor_of_a_retired_model_is_asked_in_its_place(asked: str, stream: bool) -> None:
    google = FakeGoogle(answer("gemini-3.5-flash-lite"))
    settings: Json = {"retired_models": "successor", "models": {"old": ("gemini-2.0-flash",)}}
    async with in_process(gateway_app(google, **settings)) as client:
        with capture_logs() as logs:
            answered = await chat(client, asked, stream=stream, temperature=0.5)
    assert (answered.status_code, answered.headers["x-gemgate-model"]) == (200, "gemini-3.5-flash-lite")
    assert answered.headers["x-gemgate-dropped-params"] == "temperature"
    assert google.models == ["gemini-3.5-flash-lite"]
    (line,) = [line for line in logs if line["event"] == "request"]
    assert (line["served"], line["cost_usd"]) == ("gemini-3.5-flash-lite", 0.0028)


async def test_a_model_that_is_there_is_asked_itself_whatever_the_setting() -> None:
    google = FakeGoogle(answer(FLASH))
    async with in_process(gateway_app(google, retired_models="successor")) as client:
        await chat(client, FLASH)
        await chat(client, "gemini-2.5-flash-preview-tts")
    assert google.models == [FLASH, "gemini-2.5-flash-preview-tts"]


async def test_an_embedding_model_is_not_replaced_by_one_whose_vectors_differ() -> None:
    google = FakeGoogle({"embeddings": [{"values": [1.0]}]})
    async with in_process(gateway_app(google, retired_models="successor", embedding_usage="off")) as client:
        for model in ("text-embedding-004", "gemini-embedding-2-preview"):
            await client.post("/v1/embeddings", json={"model": model, "input": "x"})
    assert google.models == ["text-embedding-004", "gemini-embedding-2"]


async def test_a_file_of_facts_is_read_again_while_the_gateway_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifespan, "REREAD_SECONDS", 0.01)
    path = tmp_path / "facts.yaml"
    path.write_text("gemini-9: {levels: [LOW]}\n")
    google = FakeGoogle(answer("gemini-9"))
    async with in_process(gateway_app(google, model_facts=path)) as client:
        await chat(client, "gemini-9", reasoning_effort="high")
        path.write_text("gemini-9: {levels: [HIGH, MINIMAL]}\n")
        for _ in range(500):
            await chat(client, "gemini-9", reasoning_effort="high")
            if google.bodies[-1]["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "HIGH":
                break
    assert google.bodies[0]["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}
    assert google.bodies[-1]["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "HIGH"}


@pytest.mark.parametrize("given", ["file", "inline"])
def test_wrong_facts_are_refused_at_the_start_with_the_row_and_the_reason(tmp_path: Path, given: str) -> None:
    rows = '{"gemini-9": {"levels": ["EXTREME"]}}'
    path = tmp_path / "facts.json"
    path.write_text(rows)
    with pytest.raises(ValueError, match="EXTREME") as refused:
        settings_of(model_facts=str(path) if given == "file" else rows)
    (sentence,) = problems(refused.value)  # type: ignore[arg-type]
    assert sentence.startswith("GEMGATE_MODEL_FACTS: ")
    assert "row 'gemini-9': 'levels' cannot be" in sentence


async def test_facts_of_a_day_to_come_hold_where_the_operator_says_so() -> None:
    google = FakeGoogle(answer("gemini-3.5-flash-lite"))
    async with in_process(gateway_app(google, model_facts_date="2026-12-01")) as client:
        await chat(client, FLASH, reasoning_effort="low")
    assert google.bodies[0]["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}
