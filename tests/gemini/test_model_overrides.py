"""The operator's rows of model facts: checked, dated, and read again when their file changes."""

import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.model_overrides import FACT_NAMES, ModelFactsError, read_rows


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"gemini-9-*": {"shoe_size": 44}}, "row 'gemini-9-*': unknown shoe_size; known are since, like, purpose"),
        ({"gemini-9-*": {"thinking": "hard"}}, "row 'gemini-9-*': 'thinking' cannot be 'hard'"),
        ({"gemini-9-*": {"levels": ["LOW", "EXTREME"]}}, "row 'gemini-9-*': 'levels' cannot be"),
        ({"gemini-9-*": {"levels": []}}, "'levels' is empty"),
        ({"gemini-9-*": {"levels": "LOW"}}, "'levels' cannot be 'LOW'"),
        ({"gemini-9-*": {"budget": [5, 1]}}, "'budget' is the least and the largest"),
        ({"gemini-9-*": {"budget": [1]}}, "'budget' cannot be"),
        ({"gemini-9-*": {"prefill": "yes"}}, "'prefill' cannot be 'yes'"),
        ({"gemini-9-*": {"prefill": 1}}, "'prefill' cannot be 1"),
        ({"gemini-9-*": {"output_limit": "many"}}, "'output_limit' cannot be 'many'"),
        ({"gemini-9-*": {"sampling": "sometimes"}}, "'sampling' cannot be"),
        ({"gemini-9-*": {"shutdown": "soon"}}, "'shutdown' is a day such as 2026-12-01, not 'soon'"),
        ({"gemini-9-*": {"since": "December"}}, "'since' is a day such as 2026-12-01, not 'December'"),
        ({"gemini-9-*": {"like": 3}}, "'like' is the name of a model, not int 3"),
        ({"gemini-9-*": {"learned": ["prefill"]}}, "unknown learned"),
        ({"gemini-9-*": "level"}, "row 'gemini-9-*': facts are an object, not str 'level'"),
        ({"gemini-9-*": [{"thinking": "none"}, 7]}, "row 'gemini-9-*': facts are an object, not int 7"),
        ({"": {"thinking": "none"}}, "row '': a pattern of names is a text"),
        (["gemini-9-*"], "model facts are an object of patterns of names, not list"),
    ],
)
def test_a_wrong_row_is_refused_with_the_row_and_the_reason(rows: Any, reason: str) -> None:
    with pytest.raises(ModelFactsError) as refused:
        read_rows(rows)
    assert reason in str(refused.value)


OTHER: dict[str, Any] = {
    "purpose": "live",
    "thinking": "none",
    "budget": [7, 8],
    "levels": ["HIGH", "MINIMAL"],
    "sampling": "refused",
    "max_temperature": 1,
    "refused_fields": ["seed"],
    "image_method": None,
    "image_modalities": ["IMAGE"],
    "aspect_ratios": [],
    "image_sizes": ["4K"],
    "speech_output": "wav",
    "speech_style": "metadata",
    "speech_formats": ["AUDIO_MP3"],
    "audio_limit": 60,
    "timed_audio_limit": 60,
    "cache_minimum": 1,
    "input_limit": 2,
    "output_limit": 3,
    "unary_output_limit": 4,
    "shutdown": "2030-01-01",
    "successor": "gemini-9",
}


@pytest.mark.parametrize("fact", FACT_NAMES)
def test_each_fact_can_be_overridden(fact: str) -> None:
    before = getattr(Catalog().facts("gemini-9"), fact)
    value = OTHER.get(fact, not before)
    after = getattr(Catalog({"gemini-9": {fact: value}}).facts("gemini-9"), fact)
    assert after != before
    assert after == (("MINIMAL", "HIGH") if fact == "levels" else tuple(value) if isinstance(value, list) else value)


def test_a_row_holds_from_its_day_on() -> None:
    rows = {"gemini-9": {"since": "2027-01-01", "prefill": True}}
    assert not Catalog(rows, date="2026-12-31").facts("gemini-9").prefill
    assert Catalog(rows, date="2027-01-01").facts("gemini-9").prefill


def test_a_row_may_have_the_facts_of_another_model_and_change_some() -> None:
    catalog = Catalog({"mine-*": {"like": "gemini-2.5-pro", "logprobs": False}})
    theirs = catalog.facts("gemini-2.5-pro")
    assert catalog.facts("mine-1").budget == theirs.budget == (128, 32768)
    assert (catalog.facts("mine-1").logprobs, theirs.logprobs) == (False, True)


def test_several_rows_of_one_pattern_follow_each_other() -> None:
    rows = {"gemini-9": [{"levels": ["LOW"]}, {"since": "2027-01-01", "levels": ["HIGH"]}]}
    assert Catalog(rows, date="2026-12-31").facts("gemini-9").levels == ("LOW",)
    assert Catalog(rows, date="2027-01-01").facts("gemini-9").levels == ("HIGH",)


def test_a_day_begins_while_the_gateway_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    days = ["2026-11-30"]
    now = [1_780_000_000.0]
    monkeypatch.setattr("gemgate.gemini.model_catalog.today", lambda: days[0])
    catalog = Catalog(clock=lambda: now[0])
    assert catalog.facts("gemini-2.5-flash").thinking == "budget"
    days[0] = "2026-12-01"
    now[0] += 86_400
    assert catalog.facts("gemini-2.5-flash").thinking == "level"


def write(path: Path, text: str) -> None:
    """A file that is newer than it was, whatever the file system's clock resolves."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.mark.parametrize(
    "text", ['{"gemini-9": {"levels": ["LOW"]}}', "gemini-9:\n  levels: [LOW]\n  since: 2026-01-01\n"]
)
def test_a_file_is_json_or_yaml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "facts.yaml"
    write(path, text)
    assert Catalog(path).facts("gemini-9").levels == ("LOW",)


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write(path, '{"gemini-9": {"levels": ["LOW"]}}')
    catalog = Catalog(path)
    assert catalog.facts("gemini-9").levels == ("LOW",)
    assert not catalog.refresh()
    write(path, '{"gemini-9": {"levels": ["HIGH"]}}')
    assert catalog.refresh()
    assert catalog.facts("gemini-9").levels == ("HIGH",)


def test_a_file_that_becomes_wrong_leaves_the_old_rows_in_force(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write(path, '{"gemini-9": {"levels": ["LOW"]}}')
    catalog = Catalog(path)
    write(path, '{"gemini-9": {"levels": ["EXTREME"]}}')
    with capture_logs() as logs:
        assert not catalog.refresh()
    assert catalog.facts("gemini-9").levels == ("LOW",)
    (line,) = logs
    assert line["log_level"] == "error"
    assert "row 'gemini-9'" in line["problem"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1: this is neither JSON nor YAML"),
        ("- a\n- b\n", "model facts are an object"),
        ('{"x": {"levels": 3}}', "facts.yaml: row 'x': 'levels' cannot be 3"),
        (None, "facts.yaml cannot be read: No such file or directory"),
        ("a: " + "x" * 1_100_000, "is larger than"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_reason(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "facts.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ModelFactsError) as refused:
        Catalog(path)
    assert reason in str(refused.value)
    assert str(path) in str(refused.value)
