"""What `/metrics` tells, read from a running gateway before the emulator."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.scrape import Scrape, scrape
from tests.support.stack import KEY, Stack, gateway, stack

from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.observability.metrics import MAX_MODELS, OTHER, Metrics
from gemgate.observability.record import Record
from gemgate.upstream.cooldowns import Cooldown, CooldownReason
from gemgate.upstream.key_pool import label_of

FLASH = "gemini-2.5-flash"
CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def running() -> Iterator[Stack]:
    with stack() as found:
        yield found


def post(running: Stack, path: str = CHAT, **body: Any) -> httpx.Response:
    asked = {"model": FLASH, "messages": HELLO} | body
    return httpx.post(f"{running.gateway}{path}", json=asked, headers={"authorization": f"Bearer {KEY}"}, timeout=30)


def after(running: Stack, name: str = "gemgate_requests_total", least: float = 1) -> Scrape:
    """The metrics, once they have counted what has been asked: a request is counted just after its last byte."""
    for _ in range(200):
        found = scrape(running.gateway)
        if found.value(name) >= least:
            return found
        threading.Event().wait(0.01)
    raise AssertionError(f"{name} stays below {least}")


def test_a_request_is_counted_by_route_model_and_status(running: Stack) -> None:
    post(running)
    found = after(running)
    labels = {"method": "POST", "route": CHAT, "model": FLASH, "status": "200", "caller": "pass-through"}
    assert found.value("gemgate_requests_total", **labels) == 1
    assert found.value("gemgate_request_duration_seconds_count", route=CHAT, model=FLASH) == 1


def test_tokens_are_counted_by_kind_and_add_up_to_the_usage(running: Stack) -> None:
    usage = post(running, reasoning_effort="high").json()["usage"]
    found = after(running)
    kinds = {kind: found.value("gemgate_tokens_total", model=FLASH, kind=kind) for kind in ("prompt", "cached")}
    assert sum(kinds.values()) == usage["prompt_tokens"]
    thoughts = found.value("gemgate_tokens_total", model=FLASH, kind="thoughts")
    assert thoughts == usage["completion_tokens_details"]["reasoning_tokens"] > 0
    completion = found.value("gemgate_tokens_total", model=FLASH, kind="completion")
    assert completion + thoughts == usage["completion_tokens"]


def test_the_cost_is_that_of_the_tokens(running: Stack) -> None:
    usage = post(running).json()["usage"]
    expected = usage["prompt_tokens"] * 0.3e-6 + usage["completion_tokens"] * 2.5e-6
    found = after(running)
    assert found.value("gemgate_cost_usd_total", model=FLASH) == pytest.approx(expected)
    assert found.value("gemgate_unpriced_requests_total") == 0


def test_a_model_without_a_price_has_no_cost_but_is_counted(running: Stack) -> None:
    post(running, model="emulator-lf")
    found = after(running)
    assert found.labels("gemgate_cost_usd_total", "model") == set()
    assert found.value("gemgate_unpriced_requests_total", model="emulator-lf") == 1


def test_prices_can_be_switched_off() -> None:
    with stack(prices="off") as running:
        post(running)
        assert after(running).value("gemgate_cost_usd_total") == 0


def test_a_stream_tells_its_first_token_its_pace_and_its_end(running: Stack) -> None:
    post(running, model="emulator-slow-stream-0.2", stream=True)
    found = after(running)
    labels = {"route": CHAT, "model": "emulator-slow-stream-0.2"}
    assert found.value("gemgate_streams_total", outcome="completed", **labels) == 1
    assert found.value("gemgate_time_to_first_token_seconds_count", **labels) == 1
    assert found.value("gemgate_time_per_output_token_seconds_count", **labels) == 1
    assert found.value("gemgate_stream_longest_gap_seconds_sum", **labels) >= 0.1
    assert found.value("gemgate_tokens_total", kind="completion", model=labels["model"]) > 0


def test_a_stream_is_open_until_it_ends(running: Stack) -> None:
    body = {"model": "emulator-slow-stream-20", "messages": HELLO, "stream": True}
    url, headers = f"{running.gateway}{CHAT}", {"authorization": f"Bearer {KEY}"}
    with httpx.stream("POST", url, json=body, headers=headers, timeout=30) as answer:
        pieces = answer.iter_bytes()
        next(pieces)
        during = scrape(running.gateway)
    assert during.value("gemgate_open_streams") == 1
    assert during.value("gemgate_requests_in_progress") == 1
    found = after(running)
    assert found.value("gemgate_open_streams") == 0
    assert found.value("gemgate_requests_in_progress") == 0
    assert found.value("gemgate_streams_total", outcome="client_gone") == 1
    assert found.value("gemgate_requests_total", status="499") == 1


def test_a_stream_that_breaks_off_has_failed_although_its_status_was_200(running: Stack) -> None:
    post(running, model="emulator-reset-mid-stream", stream=True)
    found = after(running)
    assert found.value("gemgate_streams_total", outcome="failed") == 1
    assert found.value("gemgate_requests_total", status="200") == 1
    assert found.value("gemgate_upstream_errors_total", code="none", status=Failure.ANSWER_CUT) == 1


def test_googles_refusals_are_counted_by_googles_status(running: Stack) -> None:
    post(running)
    post(running, model="emulator-404")
    found = after(running, least=2)
    assert found.value("gemgate_upstream_errors_total", code="404", status="NOT_FOUND", model=OTHER) == 1
    assert found.value("gemgate_requests_total", status="404", model=OTHER) == 1


def test_dropped_and_adjusted_parameters_are_counted_by_name(running: Stack) -> None:
    post(running, logit_bias={"1": 1}, made_up_by_a_caller=1, seed=2**40)
    found = after(running)
    assert found.value("gemgate_dropped_params_total", param="logit_bias") == 1
    assert found.value("gemgate_dropped_params_total", param=OTHER) == 1
    assert found.value("gemgate_adjusted_params_total", param="seed") == 1
    assert "made_up_by_a_caller" not in found.text


def test_embeddings_and_images_have_their_tokens_counted(running: Stack) -> None:
    post(running, "/v1/embeddings", model="gemini-embedding-001", input="one two three")
    post(running, "/v1/images/generations", model="gemini-2.5-flash-image", prompt="A cat")
    found = after(running, least=2)
    assert found.value("gemgate_tokens_total", model="gemini-embedding-001", kind="prompt") > 0
    assert found.value("gemgate_cost_usd_total", model="gemini-embedding-001") > 0
    assert found.value("gemgate_tokens_total", model="gemini-2.5-flash-image", kind="completion") > 0


def test_callers_cannot_mint_labels(running: Stack) -> None:
    before = len(scrape(running.gateway).text.splitlines())
    post(running)
    httpx.request("PROPFIND", f"{running.gateway}/nowhere")
    for number in range(10):
        post(running, model=f"emulator-404-{number}")
        made_up: dict[str, Any] = {f"param_{number}": 1}
        post(running, model="../etc", **made_up)
        httpx.get(f"{running.gateway}/nowhere/{number}")
        httpx.get(f"{running.base()}/files/file-{number}", headers={"authorization": f"Bearer {KEY}{number}"})
    found = after(running, least=42)
    assert found.labels("gemgate_requests_total", "model") == {"", FLASH, OTHER}
    assert found.labels("gemgate_requests_total", "route") == {CHAT, "/v1/files/{file_id:path}", "unmatched"}
    assert found.labels("gemgate_requests_total", "method") == {"GET", "POST", OTHER}
    assert len(found.text.splitlines()) < before + 150


def test_a_listed_model_has_a_label_of_its_own_before_its_first_answer(running: Stack) -> None:
    httpx.get(f"{running.base()}/models", headers={"authorization": f"Bearer {KEY}"})
    post(running, model="gemini-2.5-pro", messages=[{"role": "user", "content": "[[emulator: 503]]"}])
    found = after(running, least=2)
    assert found.value("gemgate_requests_total", model="gemini-2.5-pro", status="503") == 1


def test_the_models_with_a_label_are_limited() -> None:
    metrics = Metrics()
    labels = {metrics.model(f"model-{number}", is_good=True) for number in range(MAX_MODELS + 50)}
    assert len(labels) == MAX_MODELS + 1
    assert OTHER in labels
    assert metrics.model("model-0", is_good=False) == "model-0"


def test_models_of_one_caller_alone_are_not_taken_from_a_list() -> None:
    metrics = Metrics()
    metrics.models_known(["models/gemini-x", "tunedModels/mine"])
    assert metrics.model("gemini-x", is_good=False) == "gemini-x"
    assert metrics.model("tunedModels/mine", is_good=False) == OTHER


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (GeminiError(429, "", "RESOURCE_EXHAUSTED"), "429", "RESOURCE_EXHAUSTED"),
        (GeminiError(502, "<html>", ""), "502", OTHER),
        (GeminiError(500, "", "ANYTHING_AN_UPSTREAM_SAYS"), "500", OTHER),
        (TransportError(Failure.TLS_FAILED), "none", "tls_failed"),
    ],
)
def test_an_upstream_error_has_a_status_of_a_fixed_list(error: GeminiError, code: str, status: str) -> None:
    metrics = Metrics()
    metrics.upstream_error(error)
    labels = {"model": "", "code": code, "status": status}
    assert metrics.registry.get_sample_value("gemgate_upstream_errors_total", labels) == 1


def test_counts_that_make_no_sense_do_not_make_a_counter_fall() -> None:
    metrics = Metrics()
    record = Record("id", "POST", "/")
    record.asks("chat", FLASH)
    record.answered(FLASH, {"promptTokenCount": 1, "cachedContentTokenCount": 5, "candidatesTokenCount": -3})
    record.settle()
    metrics.in_progress(1)
    metrics.ended(record)
    assert metrics.registry.get_sample_value("gemgate_requests_in_progress") == 0


def test_batches_are_counted_by_status(running: Stack, tmp_path: Path) -> None:
    with gateway(running.emulator, data_dir=tmp_path) as origin:
        found = scrape(origin)
    assert found.labels("gemgate_batches", "status") >= {"validating", "in_progress", "completed", "failed"}
    assert found.value("gemgate_batches") == 0


def test_the_version_is_told(running: Stack) -> None:
    from gemgate import __version__

    assert scrape(running.gateway).value("gemgate_build_info", version=__version__) == 1


def test_probes_and_scrapes_are_not_counted(running: Stack) -> None:
    httpx.get(f"{running.gateway}/healthz")
    found = scrape(running.gateway)
    assert found.value("gemgate_requests_total") == 0
    assert found.value("gemgate_requests_in_progress") == 0


def test_a_key_that_google_refuses_is_told_by_its_label(running: Stack) -> None:
    with gateway(running.emulator, gemini_api_key=("invalid", "AIza-good")) as origin:
        for _ in range(3):
            httpx.post(f"{origin}{CHAT}", json={"model": FLASH, "messages": HELLO}, timeout=30)
        found = scrape(origin)
    label = label_of("invalid")
    assert found.value("gemgate_upstream_calls_total", key=label) == 1
    assert found.value("gemgate_upstream_calls_total", key=label_of("AIza-good"), model=FLASH) == 2
    assert found.value("gemgate_keys") == 2
    assert found.value("gemgate_cooldowns_total", key=label, kind="key_refused", model="") == 1
    assert found.value("gemgate_cooldown_until_timestamp_seconds", key=label) > time.time()
    assert found.labels("gemgate_cooldowns_total", "key") == {label}
    assert found.value("gemgate_upstream_errors_total", code="400", status="INVALID_ARGUMENT") == 1


def test_calls_that_were_made_again_are_counted_with_the_reason(running: Stack) -> None:
    answer = post(running, model="emulator-flaky-1")
    assert answer.status_code == 200
    found = after(running)
    assert found.value("gemgate_retries_total", reason="503") == 1
    assert found.value("gemgate_upstream_errors_total", code="503", status="UNAVAILABLE") == 1


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_rest_that_ends_early_is_over() -> None:
    metrics = Metrics()
    cooldown = Cooldown("abcd1234", "models/gemini-x", CooldownReason.RATE_LIMIT, until=4_000_000_000.0)
    labels = {"key": "abcd1234", "model": OTHER, "methods": "generate", "kind": "rate_limit"}
    metrics.cools_down(cooldown)
    assert sample(metrics, "gemgate_cooldown_until_timestamp_seconds", **labels) == 4_000_000_000.0
    metrics.cools_down(replace(cooldown, until=0.0))
    assert sample(metrics, "gemgate_cooldown_until_timestamp_seconds", **labels) == 0
    assert sample(metrics, "gemgate_cooldowns_total", **labels) == 1


def test_a_model_that_answers_in_place_of_another_is_counted() -> None:
    metrics = Metrics()
    metrics.models_known(["models/gemini-x"])
    metrics.falls_back("gpt-4o", "models/gemini-x", "429")
    metrics.falls_back("gpt-4o", "models/gemini-x", "whatever an upstream says")
    assert sample(metrics, "gemgate_fallbacks_total", model="gemini-x", reason="429") == 1
    assert sample(metrics, "gemgate_fallbacks_total", model="gemini-x", reason=OTHER) == 1


async def test_models_that_the_operator_names_have_their_name_before_google_has_answered() -> None:
    from tests.support.gateway import gateway_app, in_process
    from tests.support.google import FakeGoogle, overloaded

    facts = {"gemini-9-*": {"thinking": "level"}, "gemini-9-pro": {"thinking": "level"}}
    app = gateway_app(FakeGoogle(overloaded()), models="gpt-4o=gemini-8-flash", model_facts=facts, retries=0)
    async with in_process(app) as client:
        for model in ("gpt-4o", "gemini-9-pro", "made-up"):
            body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 503
        text = (await client.get("/metrics")).text
    assert 'model="gemini-8-flash"' in text
    assert 'model="gemini-9-pro"' in text
    assert "made-up" not in text
