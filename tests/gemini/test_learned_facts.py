"""What is learned about models, for a while, from refusals, from answers and from Google's list."""

from typing import Any

import pytest
from tests.support.clock import FakeClock

from gemgate.gemini.learned_facts import MAX_MODELS, LearnedFact, LearnedFacts
from gemgate.gemini.model_catalog import Catalog

FLASH = "gemini-3.5-flash"


def catalog_at(clock: FakeClock, ttl: float = 60.0, **more: Any) -> Catalog:
    return Catalog(learned=LearnedFacts(ttl, clock), clock=clock, **more)


def test_a_fact_is_believed_until_its_time_is_over() -> None:
    clock = FakeClock(1000.0)
    catalog = catalog_at(clock)
    assert catalog.facts(FLASH).prefill
    catalog.suppose(FLASH, "prefill", False)
    assert not catalog.facts(FLASH).prefill
    assert catalog.facts(FLASH).learned == {"prefill"}
    clock.now += 61
    assert catalog.facts(FLASH).prefill


def test_a_supposition_that_is_withdrawn_leaves_what_was_believed_before() -> None:
    catalog = catalog_at(FakeClock(1000.0))
    first = catalog.suppose(FLASH, "levels", ("LOW", "HIGH"))
    second = catalog.suppose(FLASH, "levels", ("LOW",))
    catalog.withdraw(second)
    assert catalog.facts(FLASH).levels == ("LOW", "HIGH")
    catalog.withdraw(first)
    assert catalog.facts(FLASH).levels == Catalog().facts(FLASH).levels


def test_what_was_learned_goes_before_what_the_operator_says() -> None:
    catalog = catalog_at(FakeClock(1000.0), overrides={FLASH: {"prefill": True, "levels": ["LOW"]}})
    catalog.suppose(FLASH, "prefill", False)
    assert (catalog.facts(FLASH).prefill, catalog.facts(FLASH).levels) == (False, ("LOW",))
    origins = catalog.belief(FLASH).origins
    assert (origins["prefill"].kind, origins["levels"].kind, origins["images"].kind) == ("learned", "setting", "table")
    assert origins["prefill"].since == "1970-01-01T00:16:40Z"
    assert origins["levels"].source == f"GEMGATE_MODEL_FACTS, row {FLASH}"


def test_the_models_that_can_be_learned_about_are_bounded() -> None:
    learned = LearnedFacts(60.0, FakeClock(1000.0))
    for number in range(MAX_MODELS + 10):
        learned.suppose(f"m{number}", "prefill", False, "refusal")
    assert not learned.of("m0")
    assert learned.of(f"m{MAX_MODELS + 9}")


def test_an_answer_of_another_family_gives_the_name_its_facts_once() -> None:
    catalog = catalog_at(FakeClock(1000.0))
    told: list[LearnedFact] = []
    catalog.learned.listeners.append(told.append)
    assert catalog.answered_as("models/gemini-2.5-flash", "gemini-3.5-flash-lite")
    assert not catalog.answered_as("models/gemini-2.5-flash", "gemini-3.5-flash-lite")
    assert catalog.facts("gemini-2.5-flash") == Catalog().facts("gemini-3.5-flash-lite")
    assert catalog.facts("gemini-2.5-flash-lite").thinking == "budget"
    assert [(fact.model, fact.fact, fact.value, fact.teacher) for fact in told] == [
        ("gemini-2.5-flash", "like", "gemini-3.5-flash-lite", "answer")
    ]
    assert catalog.belief("gemini-2.5-flash").origins["thinking"].source == "answers come from gemini-3.5-flash-lite"


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ("gemini-2.5-flash", "gemini-2.5-flash"),
        ("gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("gemini-2.5-flash", "gemini-2.5-flash-preview-05-20"),
        ("gemini-2.5-pro-preview-03-25", "models/gemini-2.5-pro"),
        ("gemini-flash-latest", "gemini-3.8-flash"),
        ("gemini-2.5-flash", "something-of-another-vendor"),
        ("gemini-2.5-flash", ""),
    ],
)
def test_an_answer_of_the_same_family_or_of_nobody_known_teaches_nothing(asked: str, version: str) -> None:
    catalog = catalog_at(FakeClock(1000.0))
    assert not catalog.answered_as(f"models/{asked}", version)
    assert not catalog.learned.of(asked)


def test_a_name_that_goes_back_to_its_own_family_has_its_own_facts_again() -> None:
    catalog = catalog_at(FakeClock(1000.0))
    catalog.answered_as("gemini-2.5-flash", "gemini-3.5-flash-lite")
    assert catalog.answered_as("gemini-2.5-flash", "gemini-2.5-flash-001")
    assert catalog.facts("gemini-2.5-flash").thinking == "budget"


LISTED: dict[str, Any] = {
    "name": "models/gemini-9-nova",
    "inputTokenLimit": 2_000_000,
    "outputTokenLimit": 100_000,
    "supportedGenerationMethods": ["generateContent", "countTokens"],
    "maxTemperature": 1.5,
    "thinking": True,
}


def test_an_unknown_model_is_what_googles_list_says() -> None:
    catalog = Catalog()
    catalog.listed([LISTED])  # type: ignore[list-item]
    facts = catalog.facts("gemini-9-nova")
    assert (facts.input_limit, facts.output_limit, facts.max_temperature) == (2_000_000, 100_000, 1.5)
    assert (facts.thinking, facts.purpose) == ("level", "chat")
    assert catalog.belief("gemini-9-nova").origins["output_limit"].kind == "google"


@pytest.mark.parametrize(
    ("methods", "purpose"),
    [
        (["generateContent"], "chat"),
        (["bidiGenerateContent"], "live"),
        (["embedContent"], "embeddings"),
        (["predictLongRunning"], "video"),
        (["predict"], "images"),
        (["somethingNew"], "chat"),
    ],
)
def test_the_methods_of_an_unknown_model_say_what_it_is_for(methods: list[str], purpose: str) -> None:
    catalog = Catalog()
    catalog.listed([LISTED | {"supportedGenerationMethods": methods}])  # type: ignore[list-item]
    assert catalog.facts("gemini-9-nova").purpose == purpose


def test_an_unknown_model_that_does_not_think_is_not_asked_to() -> None:
    catalog = Catalog()
    catalog.listed([{key: value for key, value in LISTED.items() if key != "thinking"}])  # type: ignore[list-item]
    assert catalog.facts("gemini-9-nova").thinking == "none"


def test_of_a_known_model_the_list_gives_the_limits_alone() -> None:
    catalog = Catalog()
    catalog.listed([LISTED | {"name": "models/gemini-2.5-flash", "supportedGenerationMethods": ["embedContent"]}])  # type: ignore[list-item]
    facts = catalog.facts("gemini-2.5-flash")
    assert (facts.output_limit, facts.thinking, facts.purpose) == (100_000, "budget", "chat")


@pytest.mark.parametrize("wrong", [{"inputTokenLimit": "many"}, {"outputTokenLimit": -1}, {"maxTemperature": None}])
def test_limits_that_are_not_numbers_say_nothing(wrong: dict[str, Any]) -> None:
    catalog = Catalog()
    catalog.listed([{"name": "models/gemini-9-nova"} | wrong])  # type: ignore[list-item]
    assert catalog.facts("gemini-9-nova") == Catalog().facts("gemini-9-nova")


def test_the_operators_rows_go_before_googles_list() -> None:
    catalog = Catalog({"gemini-9-*": {"output_limit": 5}})
    catalog.listed([LISTED])  # type: ignore[list-item]
    assert catalog.facts("gemini-9-nova").output_limit == 5
