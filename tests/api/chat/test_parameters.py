"""Every parameter has one fate."""

from typing import Any, ClassVar, get_type_hints

import orjson
import pytest
from openai.types.chat import completion_create_params
from pydantic import ValidationError
from tests.support.chat import (
    FLASH_3,
    FLASH_20,
    FLASH_25,
    FLASH_35,
    FLASH_37,
    PRO_25,
    USER,
    chat_options,
    config,
    function_tool,
    translate,
)

from gemgate.api.chat.wire import DROPPED, PARAMETERS, ChatCompletionRequest
from gemgate.errors import ApiError
from gemgate.translation.notes import Notes
from gemgate.translation.speech import encoders


def error(**body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        translate(**body)
    assert caught.value.status == 400
    return caught.value


def test_every_field_of_the_wire_model_has_a_fate() -> None:
    assert set(PARAMETERS) == set(ChatCompletionRequest.model_fields)


def test_every_parameter_of_the_official_client_is_known() -> None:
    base = set(get_type_hints(completion_create_params.CompletionCreateParamsBase))
    assert base | {"stream"} <= set(PARAMETERS)


DROPPED_VALUES: dict[str, Any] = {
    "logit_bias": {"5": 1},
    "metadata": {"k": "v"},
    "moderation": {"model": "x"},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "implicit"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "user": "u",
    "verbosity": "low",
}


def test_every_dropped_parameter_is_tested() -> None:
    assert set(DROPPED_VALUES) == DROPPED


@pytest.mark.parametrize(("name", "value"), DROPPED_VALUES.items())
def test_a_parameter_without_a_counterpart_is_dropped_visibly_or_refused(name: str, value: Any) -> None:
    plain = translate()
    dropped = translate(**{name: value})
    assert dropped.body == plain.body
    assert dropped.notes.headers() == {"x-gemgate-dropped-params": name}
    assert translate(chat_options(unsupported_params="ignore"), **{name: value}).notes.headers() == {}
    with pytest.raises(ApiError) as caught:
        translate(chat_options(unsupported_params="strict"), **{name: value})
    assert (caught.value.param, caught.value.code) == (name, "unsupported_parameter")
    nothing: dict[str, Any] = {name: None}
    assert translate(**nothing).notes.headers() == {}


def test_unknown_parameters_are_dropped_visibly() -> None:
    translation = translate(frobnicate=1, nothing=None, stream_options={"shape": 1})
    assert translation.notes.dropped == ["frobnicate", "stream_options.shape"]


def test_the_same_request_gives_the_same_bytes() -> None:
    body: dict[str, Any] = {
        "tools": [function_tool("b"), function_tool("a")],
        "temperature": 0.3,
        "seed": 1,
        "stop": ["x"],
    }
    assert orjson.dumps(translate(**body).body) == orjson.dumps(translate(**body).body)


def test_nothing_is_sent_that_nobody_asked_for() -> None:
    assert translate().body == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "store": False}


@pytest.mark.parametrize("asked", ["models/gemini-2.5-flash", "google/gemini-2.5-flash", "gemini-2.5-flash"])
def test_a_prefix_of_the_model_does_not_matter_and_comes_back(asked: str) -> None:
    translation = translate(model=asked)
    assert translation.model == "models/gemini-2.5-flash"
    assert translation.context.model == asked


def test_store_is_false_unless_asked_for() -> None:
    assert translate().body["store"] is False
    assert translate(store=True).body["store"] is True


@pytest.mark.parametrize(
    ("body", "native"),
    [
        ({"temperature": 0}, {"temperature": 0}),
        ({"top_p": 0.5, "top_k": 40}, {"topP": 0.5, "topK": 40}),
        ({"max_tokens": 5}, {"maxOutputTokens": 5}),
        ({"max_completion_tokens": 6}, {"maxOutputTokens": 6}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"maxOutputTokens": 6}),
        ({"stop": "end"}, {"stopSequences": ["end"]}),
        ({"stop": ["a", "b", ""]}, {"stopSequences": ["a", "b"]}),
        ({"stop": ""}, {}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": 2**31}, {"seed": -(2**31)}),
        ({"seed": 2**63 - 1}, {"seed": -1}),
        ({"presence_penalty": 0, "frequency_penalty": 0}, {}),
        ({"modalities": ["text"]}, {}),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
    ],
)
def test_scalars_are_mapped(body: dict[str, Any], native: dict[str, Any]) -> None:
    assert config(**body) == native


def test_changed_scalars_are_said() -> None:
    adjusted = translate(max_tokens=5, max_completion_tokens=6, seed=2**31, stop=["", "a"]).notes.adjusted
    assert adjusted == ["max_tokens=5->6", "stop=''->none", "seed=2147483648->-2147483648"]


def test_more_than_five_stop_sequences_are_refused() -> None:
    assert error(stop=list("abcdef")).param == "stop"


def test_penalties_are_dropped_visibly_on_models_that_refuse_them() -> None:
    penalties: dict[str, Any] = {"presence_penalty": 1, "frequency_penalty": 0.5}
    assert config(model=FLASH_20, **penalties) == {"presencePenalty": 1, "frequencyPenalty": 0.5}
    translation = translate(**penalties)
    assert "generationConfig" not in translation.body
    assert translation.notes.dropped == ["presence_penalty", "frequency_penalty"]


class TestManyChoices:
    def test_many_choices_are_a_candidate_count_where_the_model_has_it(self) -> None:
        translation = translate(n=3)
        assert translation.body["generationConfig"] == {"candidateCount": 3}
        assert translation.calls == 1

    def test_many_choices_are_parallel_calls_where_the_model_has_no_candidate_count(self) -> None:
        translation = translate(model=FLASH_35, n=3)
        assert "generationConfig" not in translation.body
        assert translation.bodies() == [translation.body] * 3

    def test_each_call_has_a_seed_of_its_own(self) -> None:
        bodies = translate(model=FLASH_35, n=3, seed=2**31 - 1).bodies()
        assert [body["generationConfig"]["seed"] for body in bodies] == [2**31 - 1, -(2**31), -(2**31) + 1]

    def test_one_choice_is_not_mentioned(self) -> None:
        assert config(n=1) == {}

    @pytest.mark.parametrize("n", [0, 9])
    def test_one_to_eight_choices_may_be_asked_for(self, n: int) -> None:
        with pytest.raises(ValidationError):
            translate(n=n)


class TestLogprobs:
    def test_logprobs_are_asked_for(self) -> None:
        assert config(logprobs=True) == {"responseLogprobs": True}
        assert config(logprobs=True, top_logprobs=3) == {"responseLogprobs": True, "logprobs": 3}
        assert config(logprobs=False) == {}

    def test_logprobs_are_refused_where_gemini_has_none(self) -> None:
        assert error(logprobs=True, stream=True).param == "logprobs"
        assert error(logprobs=True, model=FLASH_35).param == "logprobs"
        assert error(top_logprobs=2).param == "top_logprobs"


class TestSpeech:
    def test_a_request_for_speech_names_a_voice(self) -> None:
        translation = translate(
            model="gemini-2.5-flash-preview-tts",
            modalities=["text", "audio"],
            audio={"voice": "alloy", "format": "wav"},
        )
        assert translation.body["generationConfig"] == {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        }
        assert translation.notes.adjusted == ["audio.voice=alloy->Kore"]
        assert translation.context.audio_format == "wav"

    def test_geminis_own_voices_may_be_asked_for(self) -> None:
        native = config(modalities=["audio"], audio={"voice": {"id": "Puck"}, "format": "pcm16"})
        assert native["speechConfig"] == {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}}

    def test_audio_formats_that_cannot_be_made_are_refused(self) -> None:
        assert error(modalities=["audio"], audio={"voice": "Kore", "format": "midi"}).param == "audio.format"
        streamed = error(modalities=["audio"], stream=True, audio={"voice": "Kore", "format": "wav"})
        assert "pcm16" in streamed.message
        assert error(modalities=["text", "audio"]).param == "audio"

    def test_google_writes_the_formats_that_its_model_can_write(self) -> None:
        asked: dict[str, Any] = {"modalities": ["text", "audio"], "audio": {"voice": "Kore", "format": "mp3"}}
        new = config(model="gemini-3.8-flash-tts", **asked)
        assert new["responseFormat"] == {"audio": {"mimeType": "AUDIO_MP3"}}
        assert "responseFormat" not in config(model="gemini-2.5-flash-preview-tts", **asked)

    def test_a_format_whose_library_is_missing_is_refused_before_google_is_asked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(encoders, "find_spec", lambda name: None if name == "av" else object())
        refused = error(modalities=["audio"], audio={"voice": "Kore", "format": "flac"})
        assert (refused.param, refused.code) == ("audio.format", "unsupported_value")
        assert "may be mp3, wav, pcm16." in refused.message


@pytest.mark.parametrize(
    ("asked", "tier", "adjusted"),
    [
        (None, None, []),
        ("auto", None, []),
        ("default", None, []),
        ("flex", "flex", []),
        ("priority", "priority", []),
        ("fast", "priority", ["service_tier=fast->priority"]),
        ("scale", None, ["service_tier=scale->default"]),
    ],
)
def test_service_tiers_are_mapped(asked: str | None, tier: str | None, adjusted: list[str]) -> None:
    translation = translate(service_tier=asked)
    assert translation.body.get("serviceTier") == tier
    assert translation.notes.adjusted == adjusted


class TestReasoning:
    @pytest.mark.parametrize(
        ("model", "effort", "native", "adjusted"),
        [
            (FLASH_25, "none", {"thinkingBudget": 0}, []),
            (FLASH_25, "minimal", {"thinkingBudget": 1024}, []),
            (FLASH_25, "low", {"thinkingBudget": 1024}, []),
            (FLASH_25, "medium", {"thinkingBudget": 8192}, []),
            (FLASH_25, "high", {"thinkingBudget": 24576}, []),
            (FLASH_25, "xhigh", {"thinkingBudget": 24576}, ["reasoning_effort=xhigh->thinking_budget=24576"]),
            (PRO_25, "high", {"thinkingBudget": 24576}, []),
            (PRO_25, "max", {"thinkingBudget": 32768}, ["reasoning_effort=max->thinking_budget=32768"]),
            (FLASH_3, "minimal", {"thinkingLevel": "MINIMAL"}, []),
            (FLASH_3, "high", {"thinkingLevel": "HIGH"}, []),
            (
                FLASH_3,
                "none",
                {"thinkingLevel": "MINIMAL", "includeThoughts": False},
                ["reasoning_effort=none->minimal"],
            ),
            (FLASH_37, "none", {"thinkingLevel": "LOW", "includeThoughts": False}, ["reasoning_effort=none->low"]),
            (FLASH_37, "minimal", {"thinkingLevel": "LOW"}, ["reasoning_effort=minimal->low"]),
            (FLASH_37, "xhigh", {"thinkingLevel": "HIGH"}, ["reasoning_effort=xhigh->high"]),
            ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "LOW"}, ["reasoning_effort=minimal->low"]),
            ("gemini-3-pro-preview", "medium", {"thinkingLevel": "HIGH"}, ["reasoning_effort=medium->high"]),
            ("gemini-4-argon", "medium", {"thinkingLevel": "MEDIUM"}, []),
        ],
    )
    def test_effort_follows_the_model(
        self, model: str, effort: str, native: dict[str, Any], adjusted: list[str]
    ) -> None:
        translation = translate(model=model, reasoning_effort=effort)
        assert translation.body["generationConfig"] == {"thinkingConfig": native}
        assert translation.notes.adjusted == adjusted

    def test_pro_2_5_cannot_stop_thinking(self) -> None:
        caught = error(model=PRO_25, reasoning_effort="none")
        assert (caught.param, caught.code) == ("reasoning_effort", "unsupported_value")
        assert "minimal" in caught.message

    def test_reasoning_is_dropped_visibly_on_models_that_do_not_think(self) -> None:
        assert translate(model=FLASH_20, reasoning_effort="high").notes.dropped == ["reasoning_effort"]
        assert translate(model=FLASH_20, reasoning_effort="none").notes.dropped == []

    @pytest.mark.parametrize("options", [{"thinking_budget": 5}, {"thinkingLevel": "low"}])
    def test_effort_and_an_explicit_config_are_a_conflict_that_names_both(self, options: dict[str, Any]) -> None:
        caught = error(reasoning_effort="low", google={"thinking_config": options})
        assert "reasoning_effort" in caught.message
        assert "thinking_config.thinking_" in caught.message

    def test_effort_and_a_wish_for_thoughts_go_together(self) -> None:
        native = config(reasoning_effort="low", google={"thinking_config": {"include_thoughts": True}})
        assert native == {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1024}}

    @pytest.mark.parametrize(
        ("reasoning", "native"),
        [
            ({"effort": "low"}, {"thinkingBudget": 1024}),
            ({"max_tokens": 77}, {"thinkingBudget": 77}),
            ({"effort": "low", "exclude": False}, {"thinkingBudget": 1024, "includeThoughts": True}),
            ({"exclude": True}, {"includeThoughts": False}),
            ({"summary": "auto"}, {"includeThoughts": True}),
        ],
    )
    def test_the_spelling_of_other_gateways_is_read(self, reasoning: dict[str, Any], native: dict[str, Any]) -> None:
        assert config(reasoning=reasoning) == {"thinkingConfig": native}

    def test_an_unknown_effort_in_that_spelling_is_refused(self) -> None:
        assert error(reasoning={"effort": "huge"}).param == "reasoning.effort"


class TestExtraBody:
    GOOGLE: ClassVar = {"thinking_config": {"thinking_budget": 800, "include_thoughts": True}}

    @pytest.mark.parametrize(
        "nesting",
        [
            {"extra_body": {"google": GOOGLE}},
            {"extra_body": {"extra_body": {"google": GOOGLE}}},
            {"google": GOOGLE},
            {"google": {"thinkingConfig": {"thinkingBudget": 800, "includeThoughts": True}}},
        ],
    )
    def test_every_nesting_is_read(self, nesting: dict[str, Any]) -> None:
        translation = translate(**nesting)
        assert translation.body["generationConfig"] == {
            "thinkingConfig": {"thinkingBudget": 800, "includeThoughts": True}
        }
        assert translation.notes.headers() == {}

    def test_safety_settings_and_generation_config_pass(self) -> None:
        google = {
            "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
            "generation_config": {"media_resolution": "MEDIA_RESOLUTION_LOW", "temperature": 0.1},
            "tool_config": {"retrieval_config": {"language_code": "de"}},
        }
        translation = translate(google=google, temperature=0.9)
        assert translation.body["safetySettings"] == google["safety_settings"]
        assert translation.body["generationConfig"] == {"temperature": 0.1, "mediaResolution": "MEDIA_RESOLUTION_LOW"}
        assert translation.body["toolConfig"] == {"retrievalConfig": {"languageCode": "de"}}
        assert translation.notes.adjusted == ["generationConfig.temperature->extra_body.google.generation_config"]

    def test_unknown_options_are_dropped_visibly(self) -> None:
        translation = translate(extra_body={"google": {"shape": 1}, "other": 2})
        assert translation.notes.dropped == ["extra_body.other", "extra_body.google.shape"]

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"extra_body": {"google": 5}}, "extra_body.google"),
            ({"extra_body": {"extra_body": []}}, "extra_body.extra_body"),
            ({"google": {"thinking_config": 5}}, "extra_body.google.thinking_config"),
            ({"google": {"safety_settings": {}}}, "extra_body.google.safety_settings"),
            ({"google": {"tools": [5]}}, "extra_body.google.tools"),
            ({"google": {"cached_content": 5}}, "extra_body.google.cached_content"),
        ],
    )
    def test_wrong_shapes_are_refused_by_name(self, body: dict[str, Any], param: str) -> None:
        assert error(**body).param == param


class TestCachedContent:
    @pytest.mark.parametrize("name", ["cachedContents/abc", "abc"])
    def test_cached_content_is_named_in_the_native_request(self, name: str) -> None:
        assert translate(google={"cached_content": name}).body["cachedContent"] == "cachedContents/abc"

    @pytest.mark.parametrize(
        ("body", "culprit"),
        [
            ({"messages": [{"role": "system", "content": "S"}, USER]}, "system and developer messages"),
            ({"tools": [function_tool()]}, "tools"),
            ({"tools": [function_tool()], "tool_choice": "required"}, "tool_choice"),
        ],
    )
    def test_what_the_cache_holds_already_is_refused_beside_it(self, body: dict[str, Any], culprit: str) -> None:
        caught = error(google={"cached_content": "cachedContents/abc"}, **body)
        assert caught.param == "extra_body.google.cached_content"
        assert culprit in caught.message


class TestNotes:
    def test_each_note_is_said_once(self) -> None:
        notes = Notes()
        for _ in range(2):
            notes.drop("user")
            notes.adjust("n=2->1")
        assert notes.headers() == {"x-gemgate-dropped-params": "user", "x-gemgate-adjusted": "n=2->1"}

    def test_a_header_is_ascii_and_bounded(self) -> None:
        notes = Notes()
        notes.adjust("ä\r\nx: y" + "z" * 5000)
        header = notes.headers()["x-gemgate-adjusted"]
        assert header.startswith("???x: y")
        assert len(header) == 2048
