"""The parameters of a request: each has a fate, and the native request is what they ask for."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
from openai.types.responses import response_create_params
from tests.support.chat import chat_options
from tests.support.responses import FLASH_3, WEATHER, request_of, translate

from gemgate.api.responses.request import INCLUDABLE
from gemgate.api.responses.wire import DROPPED, PARAMETERS, ResponseRequest
from gemgate.errors import ApiError

DROPPED_VALUES: dict[str, Any] = {
    "access_programs": ["a"],
    "background_options": {"completion_window": "soonest"},
    "image": {"context_compression": "auto"},
    "max_tool_calls": 3,
    "moderation": {},
    "prompt_cache_options": {"mode": "auto"},
    "prompt_cache_retention": "24h",
}


def official_parameters() -> Iterator[str]:
    for name in ("ResponseCreateParamsNonStreaming", "ResponseCreateParamsStreaming"):
        yield from get_type_hints(getattr(response_create_params, name))


def test_every_field_of_the_wire_model_has_a_fate() -> None:
    assert set(PARAMETERS) == set(ResponseRequest.model_fields)


def test_every_parameter_of_the_official_client_is_known() -> None:
    assert set(official_parameters()) - set(PARAMETERS) == set()


def test_everything_that_the_official_client_may_include_is_known() -> None:
    from openai.types.responses import ResponseIncludable

    assert frozenset(get_args(ResponseIncludable)) == INCLUDABLE


def test_every_dropped_parameter_is_tested() -> None:
    assert set(DROPPED_VALUES) == DROPPED


@pytest.mark.parametrize(("name", "value"), DROPPED_VALUES.items())
def test_a_parameter_without_a_counterpart_is_dropped_visibly_or_refused(name: str, value: Any) -> None:
    assert translate(**{name: value}).notes.dropped == [name]
    with pytest.raises(ApiError) as caught:
        translate(chat_options(unsupported_params="strict"), **{name: value})
    assert caught.value.param == name


def test_unknown_parameters_are_dropped_visibly() -> None:
    assert translate(tempature=1, text={"verbosity": "low"}).notes.dropped == ["tempature", "text.verbosity"]


@pytest.mark.parametrize(
    "body",
    [
        {"client_metadata": {"x": "y"}},
        {"prompt_cache_key": "k", "safety_identifier": "s", "user": "u"},
        {"text": {}, "include": [], "tools": []},
        {"tools": [{**WEATHER, "strict": None, "description": None}]},
        {"tools": [{"type": "function", "name": "f", "parameters": None}]},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        {"tool_choice": "auto", "parallel_tool_calls": True, "truncation": "disabled"},
    ],
)
def test_what_clients_send_by_default_changes_nothing_and_is_no_error(body: Any) -> None:
    notes = translate(chat_options(unsupported_params="strict"), **body).notes
    assert (notes.dropped, notes.adjusted) == ([], [])


def test_nothing_is_sent_that_nobody_asked_for() -> None:
    assert translate().body == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "store": False}


@pytest.mark.parametrize("store", [None, True, False])
def test_google_keeps_nothing_whatever_store_says_and_the_echo_is_honest(store: Any) -> None:
    translation = translate(store=store)
    assert translation.body["store"] is False
    assert translation.notes.adjusted == ([] if store is False else ["store->false"])


@pytest.mark.parametrize(
    ("body", "native"),
    [
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "topP": 0.9}),
        ({"max_output_tokens": 16}, {"maxOutputTokens": 16}),
        ({"reasoning": {"effort": "none"}}, {"thinkingConfig": {"thinkingBudget": 0}}),
        ({"reasoning": {"summary": "detailed"}}, {"thinkingConfig": {"includeThoughts": True}}),
        ({"reasoning": {"generate_summary": "auto"}}, {"thinkingConfig": {"includeThoughts": True}}),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}, "model": FLASH_3},
            {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}},
        ),
        ({"text": {"format": {"type": "json_object"}}}, {"responseMimeType": "application/json"}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}},
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}},
        ),
        (
            {"extra_body": {"google": {"generation_config": {"top_k": 5}}}, "temperature": 1},
            {"temperature": 1.0, "topK": 5},
        ),
    ],
)
def test_scalars_are_mapped(body: Any, native: Any) -> None:
    assert translate(**body).body["generationConfig"] == native


@pytest.mark.parametrize(
    ("asked", "tier", "adjusted"),
    [
        ("auto", None, []),
        ("default", None, []),
        ("flex", "flex", []),
        ("priority", "priority", []),
        ("fast", "priority", ["service_tier=fast->priority"]),
        ("ultrafast", None, ["service_tier=ultrafast->default"]),
        ("scale", None, ["service_tier=scale->default"]),
    ],
)
def test_service_tiers_are_mapped(asked: str, tier: str | None, adjusted: list[str]) -> None:
    translation = translate(service_tier=asked)
    assert translation.body.get("serviceTier") == tier
    assert translation.notes.adjusted == adjusted


def test_penalties_of_zero_say_nothing() -> None:
    assert translate(presence_penalty=0, frequency_penalty=0).notes.dropped == []
    assert translate(presence_penalty=1).notes.dropped == ["presence_penalty"]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"include": ["everything"]}, "include[0]", "invalid_value"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name", "missing_required_parameter"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n"}}},
            "text.format.schema",
            "missing_required_parameter",
        ),
        ({"model": "gemini-2.5-pro", "reasoning": {"effort": "none"}}, "reasoning.effort", "unsupported_value"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(body: Any, param: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        translate(**body)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


def test_the_same_request_gives_the_same_bytes() -> None:
    body: dict[str, Any] = {"tools": [WEATHER], "instructions": "A", "reasoning": {"effort": "low"}}
    assert translate(**body).body == translate(**body).body


def test_metadata_has_openais_bounds() -> None:
    assert request_of(metadata={"a" * 64: "b" * 512}).metadata
    for metadata in ({"a" * 65: ""}, {"a": "b" * 513}, {str(number): "" for number in range(17)}):
        with pytest.raises(ValueError, match="metadata"):
            request_of(metadata=metadata)


@pytest.mark.parametrize("limit", [65_537, 2**31, 2**40])
def test_a_limit_beyond_the_models_is_lowered_and_noted(limit: int) -> None:
    translation = translate(max_output_tokens=limit)
    assert translation.body["generationConfig"]["maxOutputTokens"] == 65_536
    assert translation.notes.adjusted == [f"max_output_tokens={limit}->65536"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"google": {"cached_content": 5}}, "invalid_type"),
        ({"google": {"cached_content": "abc"}, "instructions": "Be brief."}, "invalid_value"),
        ({"google": {"cached_content": "abc"}, "tools": [WEATHER]}, "invalid_value"),
    ],
)
def test_a_cache_that_google_would_refuse_is_refused_by_name(more: Any, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        translate(**more)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert caught.value.param == "extra_body.google.cached_content"


def test_googles_own_config_wins_and_that_is_noted() -> None:
    translation = translate(temperature=0.5, google={"generation_config": {"temperature": 1}})
    assert translation.body["generationConfig"]["temperature"] == 1
    assert translation.notes.adjusted == ["generationConfig.temperature->extra_body.google.generation_config"]
