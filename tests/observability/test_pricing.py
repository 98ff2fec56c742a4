import time
from datetime import UTC, datetime
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from gemgate.gemini.types import UsageMetadata
from gemgate.gemini.usage import counts
from gemgate.observability import pricing
from gemgate.observability.pricing import cost_of, rates_of

HOUR = 3600


def cost(model: str, meta: UsageMetadata, served: str | None = None) -> float | None:
    return cost_of(model, served, counts(meta), meta)


def priced_models() -> list[str]:
    google = next(provider for provider in get_snapshot().providers if provider.id == "google")
    names = [model.id for model in google.models if model.id.startswith("gemini-")]
    return [name for name in names if rates_of(name, None, int(time.time()) // HOUR)]


MODELS = priced_models()


def test_the_table_knows_the_common_models() -> None:
    assert {"gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite", "gemini-embedding-001"} <= set(MODELS)


def test_decisions_cost_what_their_input_does() -> None:
    assert cost("gemini-decision-1", {"promptTokenCount": 2_000_000, "candidatesTokenCount": 0}) == pytest.approx(0.2)


@given(
    model=st.sampled_from(MODELS),
    prompt=st.integers(1, 400_000),
    cached_share=st.floats(0, 1),
    candidates=st.integers(0, 60_000),
    thoughts=st.integers(0, 30_000),
)
def test_the_cost_is_what_the_library_computes(
    model: str, prompt: int, cached_share: float, candidates: int, thoughts: int
) -> None:
    cached = int(prompt * cached_share)
    meta: UsageMetadata = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": cached,
    }
    used = Usage(input_tokens=prompt, output_tokens=candidates + thoughts, cache_read_tokens=cached)
    hour = int(time.time()) // HOUR * HOUR
    moment = datetime.fromtimestamp(hour, UTC)
    found = calc_price(used, model, provider_id="google", genai_request_timestamp=moment)
    ours = cost(model, meta)
    if ours is None:
        assert candidates + thoughts > 0
        assert float(found.output_price) == 0  # the table has no price for answers: unknown, and not free
    else:
        assert ours == pytest.approx(float(found.total_price), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("reported", "counted"),
    [
        (
            {
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 300},
                    {"modality": "TEXT", "tokenCount": 700},
                ]
            },
            {"input_audio_tokens": 300},
        ),
        (
            {
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 300}],
                "cachedContentTokenCount": 500,
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 200}],
            },
            {"input_audio_tokens": 300, "cache_read_tokens": 500, "cache_audio_read_tokens": 200},
        ),
    ],
)
def test_audio_has_its_own_price(reported: Any, counted: dict[str, int]) -> None:
    meta: Any = {"promptTokenCount": 1000, "candidatesTokenCount": 50, **reported}
    found = calc_price(Usage(input_tokens=1000, output_tokens=50, **counted), "gemini-2.5-flash", provider_id="google")
    assert cost("gemini-2.5-flash", meta) == pytest.approx(float(found.total_price))


def test_images_in_the_answer_have_their_own_price() -> None:
    meta: UsageMetadata = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 1300,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
    }
    used = Usage(input_tokens=10, output_tokens=1300, output_image_tokens=1290)
    found = calc_price(used, "gemini-2.5-flash-image", provider_id="google")
    assert cost("gemini-2.5-flash-image", meta) == pytest.approx(float(found.total_price))


def test_a_long_prompt_costs_more_a_token() -> None:
    short = cost("gemini-2.5-pro", {"promptTokenCount": 200_000})
    longer = cost("gemini-2.5-pro", {"promptTokenCount": 200_001})
    assert short == pytest.approx(0.25)
    assert longer == pytest.approx(0.5000025)


@pytest.mark.parametrize("model", ["gemini-99-unheard-of", "x", "../", "imagen-4.0-generate-001"])
def test_an_unknown_model_has_no_cost(model: str) -> None:
    assert cost(model, {"promptTokenCount": 10}) is None


def test_a_model_without_a_price_has_no_cost() -> None:
    assert cost("gemma-3", {"promptTokenCount": 10}) is None


def test_an_alias_costs_what_answered() -> None:
    meta: UsageMetadata = {"promptTokenCount": 1_000_000}
    assert cost("some-alias", meta, served="gemini-2.5-flash-lite") == pytest.approx(0.1)
    assert cost("gemini-2.5-flash-lite", meta, served="gemini-2.5-flash-lite-unheard") == pytest.approx(0.1)


def test_a_tier_without_a_known_price_has_no_cost() -> None:
    meta: UsageMetadata = {"promptTokenCount": 1000, "serviceTier": "priority"}
    assert cost("gemini-2.5-flash", meta) is None
    assert cost("gemini-2.5-flash", {**meta, "serviceTier": "standard"}) is not None


def test_a_tier_with_a_known_price_has_that() -> None:
    model, variant = next(
        (model, variant)
        for provider in get_snapshot().providers
        if provider.id == "google"
        for model in provider.models
        for variant in model.price_variants or ()
        if variant.when == {"service_tier": "flex"} and variant.prices.input_mtok
    )
    hour = int(datetime(2027, 6, 1, tzinfo=UTC).timestamp()) // HOUR
    standard, flex = rates_of(model.id, None, hour)[-1][1], rates_of(model.id, "flex", hour)[-1][1]
    assert variant is not None
    assert standard.input is not None
    assert flex.input == pytest.approx(standard.input / 2)


def test_what_was_looked_up_once_is_kept() -> None:
    cost("gemini-2.5-flash", {"promptTokenCount": 1})
    before = rates_of.cache_info().misses
    cost("gemini-2.5-flash", {"promptTokenCount": 2})
    assert rates_of.cache_info().misses == before


def test_callers_cannot_make_it_remember_without_end() -> None:
    for number in range(600):
        cost(f"made-up-{number}", {"promptTokenCount": 1})
    assert rates_of.cache_info().currsize <= 512


def test_newer_prices_are_fetched_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import genai_prices

    events: list[str] = []

    class Updates:
        def __enter__(self) -> None:
            events.append("started")

        def __exit__(self, *_: object) -> None:
            events.append("stopped")

    monkeypatch.setattr(genai_prices, "UpdatePrices", Updates)
    pricing.load()
    assert events == []
    with pricing.refreshed():
        assert events == ["started"]
    assert events == ["started", "stopped"]
