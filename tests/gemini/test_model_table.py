"""The built-in table of models: today's facts, each with its source."""

from dataclasses import fields
from datetime import date
from inspect import getdoc
from typing import Any

import pytest
from tests.support.chat import USER, config, translate

from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.model_facts import LEVELS, ModelFacts
from gemgate.gemini.model_overrides import FACT_NAMES, checked_fact
from gemgate.gemini.model_table import DATED, GUESSES, ROWS, TABLE_DATE, FactRow

ALL_ROWS = [*DATED, *ROWS]


@pytest.mark.parametrize("row", ALL_ROWS, ids=lambda row: f"{row.pattern}{row.since}")
def test_a_row_states_its_source_and_its_day(row: FactRow) -> None:
    assert row.source
    assert date.fromisoformat(row.date) <= date.fromisoformat(TABLE_DATE)


@pytest.mark.parametrize("row", ALL_ROWS, ids=lambda row: f"{row.pattern}{row.since}")
def test_a_row_holds_facts_that_an_operator_could_write(row: FactRow) -> None:
    facts = row.facts
    for name in FACT_NAMES:
        assert checked_fact(name, getattr(facts, name)) == getattr(facts, name)


def test_no_pattern_is_there_twice() -> None:
    patterns = [row.pattern for row in ROWS]
    assert len(set(patterns)) == len(patterns)


def test_every_successor_is_a_model_that_is_there() -> None:
    catalog = Catalog()
    successors = {row.facts.successor for row in ROWS if row.facts.successor}
    assert [name for name in successors if catalog.facts(name).is_retired(TABLE_DATE)] == []
    assert [name for name in successors if catalog.belief(name).pattern in GUESSES] == []


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("gemini-flash-latest", ("LOW", "MEDIUM", "HIGH")),
        ("gemini-flash-lite-latest", ("MINIMAL", "LOW", "MEDIUM", "HIGH")),
        ("gemini-pro-latest", ("LOW", "MEDIUM", "HIGH")),
        ("gemini-4-hydrogen", ("LOW", "MEDIUM", "HIGH", "XHIGH")),
        ("gemini-4-argon", ("LOW", "MEDIUM", "HIGH")),
        ("gemini-4-carbon", ("LOW", "MEDIUM", "HIGH")),
        ("gemini-4-neon", ("LOW", "MEDIUM", "HIGH")),
        ("gemini-3.1-flash-image", ("MINIMAL", "HIGH")),
        ("gemini-3.1-flash-image-preview", ("MINIMAL", "HIGH")),
        ("gemini-3.1-flash-lite-image", ("MINIMAL", "HIGH")),
        ("gemini-3.8-flash", ("LOW", "MEDIUM", "HIGH")),
        ("gemini-3.7-flash", ("LOW", "MEDIUM", "HIGH")),
        ("gemini-3.6-flash", ("MINIMAL", "LOW", "MEDIUM", "HIGH")),
        ("gemini-3.5-flash-lite", ("MINIMAL", "LOW", "MEDIUM", "HIGH")),
        ("gemini-3-pro-preview", ("LOW", "HIGH")),
        ("gemini-robotics-er-2", ("LOW", "MEDIUM", "HIGH")),
        ("gemma-4-31b-it", ("MINIMAL", "HIGH")),
        ("gemma-4-26b-a4b-it", ("MINIMAL", "HIGH")),
    ],
)
def test_a_model_thinks_by_these_levels(model: str, levels: tuple[str, ...]) -> None:
    facts = Catalog().facts(model)
    assert (facts.thinking, facts.levels) == ("level", levels)


@pytest.mark.parametrize("model", ["gemini-2.5-flash-image", "gemini-3-pro-image", "gemini-nano-banana-2.1"])
def test_image_models_of_unknown_levels_take_none(model: str) -> None:
    assert Catalog().facts(model).thinking == "none"


@pytest.mark.parametrize(
    ("model", "effort", "level", "note"),
    [
        ("gemini-4-hydrogen", "xhigh", "XHIGH", None),
        ("gemini-4-hydrogen", "max", "XHIGH", "reasoning_effort=max->xhigh"),
        ("gemini-4-argon", "xhigh", "HIGH", "reasoning_effort=xhigh->high"),
        ("gemini-3.5-flash", "max", "HIGH", "reasoning_effort=max->high"),
        ("gemini-flash-latest", "minimal", "LOW", "reasoning_effort=minimal->low"),
        ("gemma-4-31b-it", "high", "HIGH", None),
        ("gemma-4-31b-it", "minimal", "MINIMAL", None),
        ("gemma-4-31b-it", "none", "MINIMAL", "reasoning_effort=none->minimal"),
        ("gemma-4-31b-it", "low", "MINIMAL", "reasoning_effort=low->minimal"),
        ("gemma-4-31b-it", "medium", "HIGH", "reasoning_effort=medium->high"),
        ("gemini-3.1-flash-image", "medium", "HIGH", "reasoning_effort=medium->high"),
    ],
)
def test_an_effort_becomes_the_nearest_level(model: str, effort: str, level: str, note: str | None) -> None:
    translation = translate(model=model, reasoning_effort=effort)
    assert translation.body["generationConfig"]["thinkingConfig"]["thinkingLevel"] == level
    assert translation.notes.adjusted == ([note] if note else [])


def test_gemma_4_gets_a_system_instruction_and_gemma_3_does_not() -> None:
    messages = [{"role": "system", "content": "Be kind."}, USER]
    assert translate(model="gemma-4-31b-it", messages=messages).body["systemInstruction"] == {
        "parts": [{"text": "Be kind."}]
    }
    assert "systemInstruction" not in translate(model="gemma-3-27b-it", messages=messages).body


SAMPLING: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "top_k": 7}
TAKEN = {"temperature": 0.5, "topP": 0.9, "topK": 7}


@pytest.mark.parametrize(
    "model",
    ["gemini-2.5-flash", "gemini-3-flash-preview", "gemini-3.1-pro-preview", "gemini-3.5-flash", "gemma-4-31b-it"],
)
def test_older_models_take_sampling_parameters(model: str) -> None:
    assert config(model=model, **SAMPLING) == TAKEN


@pytest.mark.parametrize(
    "model",
    [
        "gemini-3.5-flash-lite",
        "gemini-3.6-flash",
        "gemini-3.7-flash",
        "gemini-3.8-flash",
        "gemini-flash-latest",
        "gemini-4-argon",
        "gemini-3.8-flash-tts",
        "gemini-3.8-flash-lite-tts",
        "gemini-3.1-flash-tts-preview",
        "gemini-2.5-flash-preview-tts",
    ],
)
def test_sampling_parameters_that_have_no_effect_or_are_refused_are_dropped_and_reported(model: str) -> None:
    translation = translate(model=model, **SAMPLING)
    assert "generationConfig" not in translation.body
    assert translation.notes.dropped == ["temperature", "top_p", "top_k"]


@pytest.mark.parametrize(
    ("model", "purpose", "where"),
    [
        ("gemini-3.5-transcribe", "transcription", "/v1/audio/transcriptions"),
        ("gemini-3.5-transcribe-live", "live", "Live API"),
        ("gemini-3.8-live", "live", "Live API"),
        ("gemini-3.8-live-extended-thinking", "live", "Live API"),
        ("gemini-2.5-flash-native-audio-latest", "live", "Live API"),
        ("gemini-2.5-flash-native-audio-preview-12-2025", "live", "Live API"),
        ("gemini-3.1-flash-live-preview", "live", "Live API"),
        ("gemini-live-2.5-flash", "live", "Live API"),
        ("gemini-3.5-live-translate-preview", "live", "Live API"),
        ("gemini-robotics-er-2-streaming-preview", "live", "Live API"),
        ("gemini-omni-1.2-flash", "interactions", "Interactions API"),
        ("gemini-omni-1.1-flash", "interactions", "Interactions API"),
        ("gemini-decision-1", "decisions", "/v1/decisions"),
        ("veo-3.1-generate-preview", "video", "predictLongRunning"),
        ("lyria-3", "music", "Interactions API"),
        ("deep-research-pro-preview", "agents", "Interactions API"),
        ("antigravity-1", "agents", "Interactions API"),
        ("imagen-4.0-generate-001", "images", "/v1/images/generations"),
        ("gemini-embedding-2", "embeddings", "/v1/embeddings"),
        ("gemini-embedding-001", "embeddings", "/v1/embeddings"),
    ],
)
def test_a_model_that_does_not_chat_is_refused_by_name_with_what_it_is_for(
    model: str, purpose: str, where: str
) -> None:
    assert Catalog().facts(model).purpose == purpose
    with pytest.raises(ApiError) as refused:
        translate(model=model)
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, "model", "model_not_supported")
    assert model in refused.value.message
    assert where in refused.value.message


@pytest.mark.parametrize("model", ["gemini-4-argon", "gemini-3.8-flash-tts", "gemini-3.1-flash-image"])
def test_a_model_without_explicit_caching_refuses_a_cache(model: str) -> None:
    with pytest.raises(ApiError) as refused:
        translate(model=model, extra_body={"google": {"cached_content": "cachedContents/x"}})
    assert refused.value.param == "extra_body.google.cached_content"
    assert "no explicit caching" in refused.value.message


def test_the_speech_models_of_3_8_have_a_wire_of_their_own() -> None:
    old, new = Catalog().facts("gemini-3.1-flash-tts-preview"), Catalog().facts("gemini-3.8-flash-tts")
    assert (old.speech, old.sampling, old.speech_output, old.speech_style) == (True, "ignored", "pcm", "text")
    assert (new.speech, new.sampling, new.speech_output, new.speech_style) == (True, "refused", "wav", "metadata")
    assert "AUDIO_MP3" in new.speech_formats


@pytest.mark.parametrize(
    ("model", "day", "successor"),
    [
        ("gemini-2.0-flash", "2026-06-01", "gemini-3.5-flash-lite"),
        ("gemini-2.0-flash-lite-001", "2026-06-01", "gemini-3.1-flash-lite"),
        ("gemini-1.5-pro", "2025-09-24", "gemini-3.5-flash-lite"),
        ("gemini-3-pro-preview", "2026-03-09", "gemini-3.1-pro-preview"),
        ("imagen-4.0-generate-001", "2026-08-17", "gemini-3.1-flash-image"),
        ("imagen-3.0-generate-002", "2025-11-10", "gemini-3.1-flash-image"),
        ("veo-3.1-generate-preview", "2026-10-22", "gemini-omni-1.2-flash"),
        ("gemini-embedding-2-preview", "2026-11-06", "gemini-embedding-2"),
        ("text-embedding-004", "2026-01-14", "gemini-embedding-001"),
    ],
)
def test_a_retired_model_names_its_end_and_its_successor(model: str, day: str, successor: str) -> None:
    facts = Catalog().facts(model)
    assert (facts.shutdown, facts.successor) == (day, successor)
    assert facts.is_retired(TABLE_DATE)


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-2.5-flash-image", "gemini-2.5-flash-preview-tts"])
def test_a_model_that_still_answers_is_not_retired(model: str) -> None:
    assert not Catalog().facts(model).is_retired(TABLE_DATE)


def test_limits_of_gemini_4_differ_between_streamed_and_whole_answers() -> None:
    argon, flash = Catalog().facts("gemini-4-argon"), Catalog().facts("gemini-3.8-flash")
    assert (argon.output_limit, argon.unary_output_limit, argon.cache_minimum) == (65_536, 32_768, 6144)
    assert (flash.output_limit, flash.unary_output_limit, flash.cache_minimum) == (65_536, 65_536, 4096)
    assert argon.continuation
    assert Catalog().facts("gemini-2.0-flash").output_limit == 8192


@pytest.mark.parametrize(
    ("model", "successor"),
    [("gemini-2.5-pro", "gemini-3.8-flash"), ("gemini-2.5-flash", "gemini-3.5-flash-lite")],
)
def test_from_december_the_names_of_2_5_have_the_facts_of_their_successors(model: str, successor: str) -> None:
    before, after = Catalog(date="2026-11-30"), Catalog(date="2026-12-01")
    assert before.facts(model).thinking == "budget"
    assert after.facts(model) == after.facts(successor)
    assert after.belief(model).origins["thinking"].since == "2026-12-01"
    for untouched in ("gemini-2.5-flash-lite", "gemini-2.5-flash-image", "gemini-3.8-flash"):
        assert after.facts(untouched) == before.facts(untouched)


def test_every_level_that_google_has_is_known() -> None:
    assert LEVELS == ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
    assert {level for row in ROWS for level in row.facts.levels} <= set(LEVELS)


def test_every_fact_is_documented() -> None:
    documented = getdoc(ModelFacts) or ""  # Python 3.13 and later take the indent out of `__doc__`
    assert [field.name for field in fields(ModelFacts) if f"\n    {field.name}: " not in documented] == []
