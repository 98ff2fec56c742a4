"""Batches and the facts that move: lines use what was learned, answers are read by it, and refused lines teach."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.api.batches.support import CHAT, Batches, InProcessSessions, Json, batches_in, chat

from gemgate.api.batches.input_sessions import TranslateSession
from gemgate.api.batches.lessons import BatchLessons
from gemgate.api.batches.line_translation import LineJob
from gemgate.api.batches.result_session import ResultSession
from gemgate.api.batches.worker_process import Setup, WorkerProcess
from gemgate.gemini.fact_snapshot import FactSnapshot, PinnedFacts, catalog_of_pinned, pinned
from gemgate.gemini.learned_facts import LearnedFacts
from gemgate.gemini.model_catalog import Catalog
from gemgate.observability.metrics import Metrics
from gemgate.observability.model_watch import ModelWatch

pytestmark = pytest.mark.slow

FLASH = "gemini-2.5-flash"
NEW = "gemini-3.5-flash"
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMAT: Json = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
LEVEL = "Thinking level MINIMAL is not supported for this model."


@pytest.fixture
def catalog() -> Catalog:
    """What the gateway believes."""
    return Catalog()


@pytest.fixture
async def batches(tmp_path: Path, catalog: Catalog) -> AsyncIterator[Batches]:
    """A gateway that learns."""
    async with batches_in(tmp_path) as made:
        made.process = InProcessSessions(known=partial(FactSnapshot.of, catalog))
        made.learn = BatchLessons(catalog, ModelWatch(catalog, Metrics())).learn
        yield made


def refusing(refuses: Callable[[Json], bool], message: str) -> Callable[[str, Json], Json]:
    def answer(_key: str, request: Json) -> Json:
        if refuses(request):
            return {"error": {"code": 3, "message": message}}
        parts = [{"text": "{}"}]
        return {"response": {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}}

    return answer


def config(request: Json) -> Json:
    found: Json = request.get("generationConfig", {})
    return found


def sent(batches: Batches) -> list[Json]:
    """The requests of the latest job."""
    return [request for _, request in list(batches.google.jobs.values())[-1]["requests"]]


async def test_a_line_is_adjusted_to_what_was_learned_and_its_answer_says_so(
    batches: Batches, catalog: Catalog
) -> None:
    catalog.learn(NEW, "levels", ("LOW", "MEDIUM", "HIGH"))
    batches.google.answer = refusing(lambda _: False, "")
    row = await batches.finish(await batches.create([chat("a", model=NEW, reasoning_effort="minimal")]))
    output, _ = await batches.results(row)
    assert config(sent(batches)[0])["thinkingConfig"] == {"thinkingLevel": "LOW"}
    assert output["a"]["response"]["headers"]["x-gemgate-adjusted"] == "reasoning_effort=minimal->low"


async def test_a_line_is_adjusted_to_googles_list_and_to_a_name_that_answers_as_another(
    batches: Batches, catalog: Catalog
) -> None:
    catalog.listed([{"name": f"models/{NEW}", "outputTokenLimit": 1000}])
    catalog.answered_as(f"models/{FLASH}", "gemini-3.5-flash-lite")
    batches.google.answer = refusing(lambda _: False, "")
    await batches.finish(await batches.create([chat("a", model=NEW, max_tokens=5000)]))
    assert config(sent(batches)[0])["maxOutputTokens"] == 1000
    await batches.finish(await batches.create([chat("a", reasoning_effort="low")]))
    assert config(sent(batches)[0])["thinkingConfig"] == {"thinkingLevel": "LOW"}


@pytest.mark.parametrize(
    ("body", "fact", "value", "count"),
    [
        ({"n": 2}, "candidate_count", False, 1),
        ({"tools": [TOOL], "response_format": FORMAT}, "json_with_tools", True, 1),
    ],
)
async def test_an_answer_is_read_by_the_facts_of_its_request(
    batches: Batches, catalog: Catalog, body: Json, fact: str, value: Any, count: int
) -> None:
    def answer(_key: str, request: Json) -> Json:
        names = [one["name"] for tool in request.get("tools", []) for one in tool["functionDeclarations"]]
        call: list[Json] = [{"functionCall": {"name": name, "args": {"a": "x"}}} for name in names if name != "f"]
        parts = call or [{"text": "hello"}]
        candidates = [
            {"content": {"parts": parts}, "finishReason": "STOP", "index": n} for n in range(count_of(request))
        ]
        return {"response": {"candidates": candidates}}

    def count_of(request: Json) -> int:
        asked: int = config(request).get("candidateCount", 1)
        return asked

    batches.google.answer = answer
    batch = await batches.create([chat("a", **body)])
    await batches.work()
    assert len(sent(batches)) == count
    catalog.learn(FLASH, fact, value)
    output, errors = await batches.results(await batches.finish(batch))
    assert errors == {}
    choices = output["a"]["response"]["body"]["choices"]
    assert [choice["message"].get("tool_calls") for choice in choices] == [None] * len(choices)
    assert len(choices) == body.get("n", 1)


async def test_a_day_that_begins_meanwhile_changes_nothing_about_an_answer(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_key: str, request: Json) -> Json:
        parts = [{"text": "hello"}]
        number = config(request)["candidateCount"]
        found = [{"content": {"parts": parts}, "finishReason": "STOP", "index": index} for index in range(number)]
        return {"response": {"candidates": found}}

    batches.google.answer = answer
    batch = await batches.create([chat("a", n=2)])
    await batches.work()
    monkeypatch.setattr("gemgate.gemini.model_catalog.today", lambda: "2026-12-02")
    output, errors = await batches.results(await batches.finish(batch))
    assert errors == {}
    assert len(output["a"]["response"]["body"]["choices"]) == 2


async def test_a_refused_line_teaches_and_the_next_batch_is_right(batches: Batches, catalog: Catalog) -> None:
    told: list[str] = []
    catalog.learned.listeners.append(lambda fact: told.append(fact.fact))
    batches.google.answer = refusing(
        lambda request: config(request).get("thinkingConfig") == {"thinkingLevel": "MINIMAL"}, LEVEL
    )
    lines = [chat(name, model=NEW, reasoning_effort="minimal") for name in "ab"]
    _, errors = await batches.results(await batches.finish(await batches.create(lines)))
    assert LEVEL in errors["a"]["response"]["body"]["error"]["message"]
    assert (errors["a"]["response"]["status_code"], told) == (400, ["levels"])
    assert catalog.facts(NEW).levels == ("LOW", "MEDIUM", "HIGH")
    assert catalog.facts("gemini-3-flash-preview").levels == ("MINIMAL", "LOW", "MEDIUM", "HIGH")
    output, errors = await batches.results(await batches.finish(await batches.create(lines)))
    assert (len(output), errors) == (2, {})


async def test_lines_of_a_batch_teach_several_facts(batches: Batches, catalog: Catalog) -> None:
    def answer(_key: str, request: Json) -> Json:
        field = next(name for name in ("seed", "stopSequences", "temperature") if name in config(request))
        message = f"Invalid JSON payload received. Unknown name \"{field}\" at 'generation_config': Cannot find field."
        return {"error": {"code": 3, "message": message}}

    batches.google.answer = answer
    catalog.learn(FLASH, "refused_fields", ("topP",))
    lines = [chat("a", seed=1), chat("b", stop=["x"]), chat("c", seed=2, temperature=0.5), chat("d", temperature=1)]
    await batches.finish(await batches.create(lines))
    assert catalog.facts(FLASH).refused_fields == ("topP", "seed", "stopSequences", "temperature")


async def test_what_a_line_says_in_googles_own_terms_teaches_nothing(batches: Batches, catalog: Catalog) -> None:
    own = {"google": {"thinking_config": {"thinking_level": "MINIMAL"}}}
    batches.google.answer = refusing(lambda _: True, LEVEL)
    await batches.finish(await batches.create([chat("a", model=NEW, extra_body=own)]))
    batches.google.answer = refusing(lambda _: True, "Your prompt: " + LEVEL)
    await batches.finish(await batches.create([chat("a", model=NEW, reasoning_effort="minimal")]))
    assert catalog.learned.all() == ()


async def test_under_strict_the_error_of_the_line_names_the_parameter(batches: Batches, catalog: Catalog) -> None:
    batches.process.setup = Setup({}, unsupported_params="strict")
    batches.google.answer = refusing(lambda _: True, LEVEL)
    line = chat("a", model=NEW, reasoning_effort="minimal")
    _, errors = await batches.results(await batches.finish(await batches.create([line])))
    error = errors["a"]["response"]["body"]["error"]
    assert (error["param"], error["code"]) == ("reasoning_effort", "unsupported_parameter")
    assert catalog.learned.all() == ()


async def test_lines_of_the_responses_api_teach_too(batches: Batches, catalog: Catalog) -> None:
    batches.google.answer = refusing(lambda _: True, LEVEL)
    body = {"model": NEW, "input": "hi", "reasoning": {"effort": "minimal"}}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": body}
    await batches.finish(await batches.create([line], "/v1/responses"))
    assert catalog.facts(NEW).levels == ("LOW", "MEDIUM", "HIGH")


async def test_answers_of_another_family_give_the_name_its_facts(batches: Batches, catalog: Catalog) -> None:
    def answer(_key: str, _request: Json) -> Json:
        candidates = [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]
        return {"response": {"candidates": candidates, "modelVersion": "gemini-3.5-flash-lite"}}

    batches.google.answer = answer
    await batches.finish(await batches.create([chat("a")]))
    assert catalog.facts(FLASH).thinking == "level"


async def test_nothing_is_learned_where_that_is_switched_off(batches: Batches) -> None:
    catalog = Catalog(learned=LearnedFacts(0))
    batches.learn = BatchLessons(catalog, ModelWatch(catalog, Metrics())).learn
    batches.google.answer = refusing(lambda _: True, LEVEL)
    await batches.finish(await batches.create([chat("a", model=NEW, reasoning_effort="minimal")]))
    assert catalog.facts(NEW).levels == Catalog().facts(NEW).levels


def test_pinned_facts_survive_json_and_other_facts_since() -> None:
    catalog = Catalog({FLASH: {"budget": [5, 50]}})
    catalog.learn(FLASH, "refused_fields", ("seed",))
    catalog.learn(FLASH, "refused_values", ("ab",))
    kept: PinnedFacts = orjson.loads(orjson.dumps(pinned(catalog, f"models/{FLASH}")))
    again = catalog_of_pinned("2027-01-01", kept)
    assert again.facts(FLASH) == catalog.facts(FLASH)
    assert again.refused_values(FLASH) == ("ab",)


async def test_pinned_facts_of_another_release_are_left_alone(batches: Batches) -> None:
    batches.google.answer = refusing(lambda _: False, "")
    batch = await batches.create([chat("a")])
    await batches.work()
    row = await batches.store.batches.get(batch.owner, batch.id)
    assert row is not None
    changed: Json = {**(row.progress or {}), "facts": {"model": FLASH, "facts": {"levels": ["EXTREME"]}, "learned": {}}}
    await batches.store.batches.update(row.id, row.version, progress=changed)
    output, errors = await batches.results(await batches.finish(batch))
    assert (set(output), errors) == ({"a"}, {})


@pytest.mark.integration
async def test_the_process_beside_the_gateway_knows_what_was_learned(catalog: Catalog) -> None:
    catalog.learn(NEW, "levels", ("LOW", "MEDIUM", "HIGH"))
    line = orjson.dumps(chat("a", model=NEW, reasoning_effort="minimal")) + b"\n"
    process = WorkerProcess(Setup({}), partial(FactSnapshot.of, catalog))
    job = LineJob("batch_1", CHAT, 1)
    try:
        async with process.input(job) as call:
            native = orjson.loads((await call(TranslateSession.feed, line)).native)
            facts = (await call(TranslateSession.summary)).facts
        failed = {"key": "0-0-0-1", "error": {"code": 3, "message": LEVEL.replace("MINIMAL", "LOW")}}
        async with process.results(job, requests=1, not_run=None, facts=facts) as results:
            await results(ResultSession.feed_input, line)
            await results(ResultSession.feed_results, orjson.dumps(failed))
            await results(ResultSession.end_of_input)
            await results(ResultSession.write)
            summary = await results(ResultSession.summary)
    finally:
        await process.aclose()
    assert config(native["request"])["thinkingConfig"] == {"thinkingLevel": "LOW"}
    assert summary.lessons == {"levels": ("MEDIUM", "HIGH")}
