"""Other spellings are read as what they mean, and named where something is lost."""

from typing import Any

import pytest
from tests.faults.spellings import (
    EMBEDDING_SPELLINGS,
    IMAGE_SPELLINGS,
    PIXEL,
    PREFIXES,
    SPELLINGS,
    Spelling,
)
from tests.faults.test_field_histories import accepted
from tests.support.chat import FLASH_25, chat_options, translate

from gemgate.api.chat.request import to_gemini
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.api.embeddings.translation import to_gemini as embed
from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.api.images.request import to_gemini as draw
from gemgate.api.images.wire import GenerationRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.options import EmbeddingOptions, TranslationOptions


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: str(spelling.written)[:60])
def test_a_spelling_means_what_the_table_says(spelling: Spelling) -> None:
    translation = accepted(translate(model=spelling.model, **spelling.written))
    body: dict[str, Any] = dict(translation.body)
    assert {name: body.get(name) for name in spelling.native} == spelling.native
    assert spelling.native.get("generationConfig") == body.get("generationConfig")
    assert translation.notes.adjusted == spelling.adjusted
    assert translation.notes.dropped == spelling.dropped


def test_a_request_may_be_translated_again_for_another_model() -> None:
    body = {"model": FLASH_25, "messages": [{"role": "user", "content": "x"}], "thinking": {"type": "disabled"}}
    request = ChatCompletionRequest.model_validate(body)
    first, second = (to_gemini(request, chat_options(), model=model) for model in (FLASH_25, "gemini-2.5-flash-lite"))
    assert first.body == second.body
    assert first.notes.dropped == []


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        (
            {"reasoning_effort": {"effort": "low"}, "reasoning": {"effort": "high"}},
            ["reasoning_effort->reasoning.effort=high"],
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9000}, "reasoning": {"max_tokens": 2000}},
            ["thinking->reasoning.max_tokens=2000"],
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}, "reasoning": {"max_tokens": 2000}}, []),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "reasoning_effort": "low"},
            ["reasoning.max_tokens->reasoning_effort=low"],
        ),
    ],
)
def test_two_spellings_that_differ_are_named(body: dict[str, Any], notes: list[str]) -> None:
    assert translate(**body).notes.adjusted == notes


def test_a_mode_beside_other_fields_is_a_mode_and_they_are_named() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    translation = translate(tools=tools, tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert translation.body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY"}
    assert translation.notes.dropped == ["tool_choice.disable_parallel_tool_use"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_before_a_models_name_is_cut(prefix: str) -> None:
    assert translate(model=f"{prefix}gemini-2.5-flash").model == "models/gemini-2.5-flash"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"thinking": "on"}, "thinking"),
        ({"thinking": {"type": "perhaps"}}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "reasoning.max_tokens"),
        ({"safetySettings": "none"}, "extra_body.google.safety_settings"),
    ],
)
def test_a_spelling_of_a_wrong_type_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        translate(**body)
    assert caught.value.param == param


def test_what_cannot_be_read_of_a_spelling_is_named() -> None:
    assert translate(thinking={"type": "enabled", "budget_tokens": 9, "x": 1}).notes.dropped == ["thinking.x"]
    assert translate(guided_choice=[1]).notes.dropped == ["guided_choice"]
    assert translate(guided_regex="a+").notes.dropped == ["guided_regex"]
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert translate(guided_choice=["a"], tools=tools).notes.dropped == ["guided_choice"]
    for nested in ({"google": {"cached_content": "b"}}, {"extra_body": {"google": {"cachedContent": "b"}}}):
        both = translate(cached_content="a", **nested)
        assert both.body["cachedContent"] == "cachedContents/b"
        assert both.notes.adjusted == ["cached_content->google.cached_content"]


def embedded(given: Any, model: str = "gemini-embedding-001", **fields: Any) -> tuple[list[Any], list[str]]:
    request = EmbeddingRequest.model_validate({"model": model, "input": given, **fields})
    translation = embed(request, EmbeddingOptions(Catalog()))
    requests: list[Any] = [each for body in translation.bodies for each in body["requests"]]
    return requests, translation.notes.dropped


@pytest.mark.parametrize("spelling", EMBEDDING_SPELLINGS, ids=lambda spelling: str(spelling.written)[:60])
def test_a_spelling_of_embeddings_means_what_the_table_says(spelling: Spelling) -> None:
    fields = dict(spelling.written)
    (request,), dropped = embedded(fields.pop("input"), spelling.model, **fields)
    names = spelling.native.keys() | {"taskType", "title"}
    assert {name: value for name, value in request.items() if name in names} == spelling.native
    assert dropped == spelling.dropped


@pytest.mark.parametrize("spelling", IMAGE_SPELLINGS, ids=lambda spelling: str(spelling.written))
def test_a_spelling_of_images_means_what_the_table_says(spelling: Spelling) -> None:
    asked = GenerationRequest.model_validate({"model": spelling.model, "prompt": "a cat", **spelling.written})
    translation = draw(asked, TranslationOptions(Catalog()), "generateContent", [])
    assert translation.bodies[0]["generationConfig"].get("imageConfig", {}) == spelling.native
    assert (translation.notes.adjusted, translation.notes.dropped) == (spelling.adjusted, spelling.dropped)


def test_settings_of_embeddings_hold_for_each_item_and_googles_own_options_go_before_them() -> None:
    google = {"task_type": "SEMANTIC_SIMILARITY"}
    requests, dropped = embedded(["a", "b"], task_type="CLUSTERING", google=google)
    assert [one["taskType"] for one in requests] == ["SEMANTIC_SIMILARITY"] * 2
    assert dropped == []


def test_settings_of_embeddings_are_read_beside_each_item() -> None:
    items = [
        "a",
        {"type": "text", "text": "b", "task_type": "CLUSTERING", "title": "B"},
        {"type": "text", "text": "c", "x": 1},
    ]
    (first, second, third), dropped = embedded(items, task_type="RETRIEVAL_QUERY")
    assert (first["taskType"], second["taskType"], second["title"]) == ("RETRIEVAL_QUERY", "CLUSTERING", "B")
    assert second["content"] == {"parts": [{"text": "b"}]}
    assert third["taskType"] == "RETRIEVAL_QUERY"
    assert dropped == ["input[].x"]


@pytest.mark.parametrize("fields", [{"input_type": "poem"}, {"task_type": 3}, {"title": []}])
def test_wrong_settings_of_embeddings_are_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        embedded("a", **fields)
    assert caught.value.param == next(iter(fields))


def test_a_text_that_is_the_url_of_media_is_embedded_as_media() -> None:
    (first, second, third), _ = embedded(
        ["gs://b/o.png", f"data:image/png;base64,{PIXEL}", "data: the new oil"], "gemini-embedding-2"
    )
    assert first["content"]["parts"] == [{"fileData": {"fileUri": "gs://b/o.png", "mimeType": "image/png"}}]
    assert second["content"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}]
    assert third["content"]["parts"] == [{"text": "data: the new oil"}]


@pytest.mark.parametrize("url", ["gs://b/o.png", f"data:image/png;base64,{PIXEL}"])
def test_a_text_that_is_the_url_of_media_is_refused_where_the_model_embeds_text_only(url: str) -> None:
    with pytest.raises(ApiError) as caught:
        embedded(["a", url])
    assert caught.value.param == "input[1]"
