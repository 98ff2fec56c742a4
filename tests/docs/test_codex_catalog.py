"""The catalog of models for Codex agrees with what the gateway knows of them."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.support.chat import chat_options

CATALOG = Path(__file__).parents[2] / "docs" / "assets" / "codex-gemini-models.json"
MODELS: list[Any] = orjson.loads(CATALOG.read_bytes())["models"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["slug"])
def test_an_entry_says_what_the_model_can(model: Any) -> None:
    facts = chat_options().catalog.facts(model["slug"])
    assert facts.purpose == "chat"
    assert facts.functions
    assert model["context_window"] == model["max_context_window"] == facts.input_limit
    efforts = [level["effort"] for level in model["supported_reasoning_levels"]]
    assert model["default_reasoning_level"] in efforts
    if facts.thinking == "level":
        assert efforts == [level.lower() for level in facts.levels if level.lower() in efforts]
        assert set(efforts) == {level.lower() for level in facts.levels}


def test_entries_have_one_form_and_an_order() -> None:
    assert len({tuple(model) for model in MODELS}) == 1
    assert [model["priority"] for model in MODELS] == list(range(1, len(MODELS) + 1))
