"""Facts about models."""

import pytest

from gemgate.gemini.model_catalog import NEWEST, Catalog


def test_an_unknown_gemini_model_has_the_facts_of_the_newest_family() -> None:
    assert Catalog().facts("gemini-9.9-ultra") == NEWEST


def test_a_model_of_another_kind_has_careful_facts() -> None:
    facts = Catalog().facts("tunedModels/mine")
    assert (facts.thinking, facts.candidate_count, facts.signatures) == ("none", False, False)


def test_the_prefix_does_not_matter() -> None:
    assert Catalog().facts("models/gemini-2.5-pro") == Catalog().facts("gemini-2.5-pro")


@pytest.mark.parametrize(
    ("model", "budget"),
    [
        ("gemini-2.5-pro", (128, 32768)),
        ("gemini-2.5-flash-lite-preview-06-17", (512, 24576)),
        ("gemini-2.5-flash", (1, 24576)),
    ],
)
def test_the_2_5_family_thinks_by_budget(model: str, budget: tuple[int, int]) -> None:
    facts = Catalog().facts(model)
    assert (facts.thinking, facts.budget) == ("budget", budget)


@pytest.mark.parametrize(
    "model",
    ["gemini-2.5-flash-image", "gemini-3-pro-image-preview", "gemini-nano-banana-2.1", "gemini-2.5-pro-preview-tts"],
)
def test_makers_of_images_and_speech_do_not_take_thinking(model: str) -> None:
    assert Catalog().facts(model).thinking == "none"


def test_an_operator_can_override_facts_by_pattern() -> None:
    catalog = Catalog({"gemini-2.5-*": {"levels": ["LOW", "HIGH"], "thinking": "level"}})
    facts = catalog.facts("gemini-2.5-flash")
    assert (facts.thinking, facts.levels, facts.candidate_count) == ("level", ("LOW", "HIGH"), True)
    assert catalog.facts("gemini-3-flash-preview") == Catalog().facts("gemini-3-flash-preview")


def test_an_unknown_fact_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="shoe_size"):
        Catalog({"gemini-*": {"shoe_size": 44}})


@pytest.mark.parametrize(
    ("model", "asked", "given"),
    [
        ("gemini-3-pro-preview", "MINIMAL", "LOW"),
        ("gemini-3-pro-preview", "MEDIUM", "HIGH"),
        ("gemini-3.7-flash", "MINIMAL", "LOW"),
        ("gemini-3.5-flash", "MINIMAL", "MINIMAL"),
    ],
)
def test_a_level_is_clamped_to_the_nearest_ties_up(model: str, asked: str, given: str) -> None:
    assert Catalog().facts(model).nearest_level(asked) == given
