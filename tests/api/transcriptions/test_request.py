"""A request for a transcript as a native request."""

from typing import Any, get_type_hints

import pytest
from openai.types.audio import transcription_create_params, translation_create_params
from tests.api.speech.support import options
from tests.api.transcriptions.support import ASR, GENERAL

from gemgate.api.transcriptions.languages import english_name, native_code
from gemgate.api.transcriptions.plan import HeardAudio
from gemgate.api.transcriptions.prompt import vocabulary_in
from gemgate.api.transcriptions.request import TranscriptionTranslation, to_gemini
from gemgate.api.transcriptions.wire import TRANSCRIPTIONS, TRANSLATIONS, TranscriptionRequest, TranslationRequest
from gemgate.errors import ApiError

PART: Any = {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}


def translated(
    model: str = ASR, *, seconds: float | None = 4, facts: Any = None, policy: Any = "warn", **fields: Any
) -> TranscriptionTranslation:
    request = TranscriptionRequest.model_validate({"model": model, **fields})
    audio = HeardAudio([PART], "audio/wav", seconds)
    return to_gemini(request, audio, options(facts=facts, unsupported_params=policy))


def english(model: str = GENERAL, **fields: Any) -> TranscriptionTranslation:
    request = TranslationRequest.model_validate({"model": model, **fields})
    return to_gemini(request, HeardAudio([PART], "audio/wav", 4), options())


def recognition(translation: TranscriptionTranslation) -> Any:
    return translation.body.get("generationConfig", {}).get("audioTranscriptionConfig")


def refusal(**fields: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        translated(**fields)
    return refused.value


def test_every_field_has_a_fate_and_every_parameter_of_the_official_client_is_known() -> None:
    assert set(TRANSCRIPTIONS) == set(TranscriptionRequest.model_fields) | {"file"}
    assert set(TRANSLATIONS) == set(TranslationRequest.model_fields) | {"file"}
    asked = get_type_hints(transcription_create_params.TranscriptionCreateParamsStreaming)
    assert set(asked) <= set(TRANSCRIPTIONS)
    assert set(get_type_hints(translation_create_params.TranslationCreateParams)) <= set(TRANSLATIONS)


def test_audio_alone_is_enough_for_the_model_that_recognizes_speech() -> None:
    translation = translated()
    assert translation.body == {"contents": [{"role": "user", "parts": [PART]}], "store": False}
    assert translation.notes.headers() == {}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"response_format": "verbose_json"}, {"wordTimestamp": True}),
        ({"response_format": "srt"}, {"wordTimestamp": True}),
        ({"response_format": "vtt"}, {"wordTimestamp": True}),
        ({"response_format": "diarized_json"}, {"wordTimestamp": True, "diarization": True}),
        ({"response_format": "text"}, None),
        ({"language": "de"}, {"languageCodes": ["de-DE"]}),
        ({"languages": ["en-GB", "fr", "fr"]}, {"languageCodes": ["en-GB", "fr-FR"]}),
        ({"prompt": "Kubernetes, Ødegaard; gRPC"}, {"customVocabulary": ["Kubernetes", "Ødegaard", "gRPC"]}),
        ({"keywords": ["a", "b", "a"], "prompt": "b\nc"}, {"customVocabulary": ["a", "b", "c"]}),
    ],
)
def test_options_are_those_of_the_recognition(fields: Any, expected: Any) -> None:
    assert recognition(translated(**fields)) == expected


def test_what_gemini_has_no_counterpart_for_is_named() -> None:
    translation = translated(
        prompt="The speakers talk about the weather and about nothing else at all.",
        temperature=0.4,
        include=["logprobs"],
        chunking_strategy="auto",
        known_speaker_names=["a"],
        shoe=1,
        stream=True,
        response_format="srt",
    )
    assert set(translation.notes.dropped) == {
        "prompt", "temperature", "include", "chunking_strategy", "known_speaker_names", "shoe", "stream",
    }  # fmt: skip
    assert refusal(policy="strict", include=["logprobs"]).code == "unsupported_parameter"


@pytest.mark.parametrize(
    ("response_format", "seconds", "limit"), [("json", 3601, "1h0m0s"), ("verbose_json", 1801, "30m0s")]
)
def test_audio_above_the_models_limit_is_refused_with_the_limit(
    response_format: str, seconds: float, limit: str
) -> None:
    error = refusal(response_format=response_format, seconds=seconds)
    assert (error.status, error.code, error.param) == (400, "audio_too_long", "file")
    assert limit in error.message
    assert translated(response_format=response_format, seconds=seconds - 2).plan.seconds == seconds - 2
    assert translated(GENERAL, response_format=response_format, seconds=seconds).calls == 1


def test_a_model_that_has_no_such_options_is_asked_without_them() -> None:
    facts = {ASR: {"refused_fields": ["audioTranscriptionConfig"]}}
    translation = translated(facts=facts, language="en", response_format="verbose_json")
    assert recognition(translation) is None
    assert translation.notes.dropped == ["language"]


def test_a_general_model_is_asked_in_words() -> None:
    translation = translated(GENERAL, language="de", keywords=["gRPC"], prompt="So far.", temperature=0.2)
    audio, text = translation.body["contents"][0]["parts"]
    assert audio == PART
    assert "german" in text["text"]
    assert "gRPC" in text["text"]
    assert text["text"].endswith("So far.")
    assert translation.body["generationConfig"] == {"thinkingConfig": {"thinkingLevel": "LOW"}}
    assert translation.notes.dropped == ["temperature"]


def test_the_times_of_a_general_model_are_estimated_and_called_so() -> None:
    translation = translated(GENERAL, response_format="diarized_json")
    schema: Any = translation.body["generationConfig"]["responseJsonSchema"]
    assert schema["properties"]["segments"]["items"]["required"] == ["start", "end", "speaker", "text"]
    assert translation.notes.adjusted == ["timestamps=estimated"]
    words = translated(GENERAL, response_format="verbose_json", timestamp_granularities=["word"])
    assert words.notes.dropped == ["timestamp_granularities=word"]
    without = translated(GENERAL, response_format="vtt", facts={GENERAL: {"refused_fields": ["responseJsonSchema"]}})
    assert without.body["generationConfig"]["responseMimeType"] == "application/json"
    assert "responseJsonSchema" not in without.body["generationConfig"]


def test_a_translation_asks_a_general_model_for_english() -> None:
    assert "into English" in english().body["contents"][0]["parts"][1]["text"]
    with pytest.raises(ApiError, match="does not translate") as refused:
        english(ASR)
    assert refused.value.code == "model_not_supported"


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-3.8-flash-tts", "gemini-3.1-flash-image"])
def test_a_model_that_hears_nothing_is_refused_by_name(model: str) -> None:
    assert refusal(model=model).code == "model_not_supported"


def test_googles_own_options_win() -> None:
    google = {"generation_config": {"audio_transcription_config": {"mode": "SMART"}}, "shoe": 1}
    translation = translated(extra_body={"google": google})
    assert recognition(translation) == {"mode": "SMART"}
    assert translation.notes.dropped == ["extra_body.google.shoe"]


@pytest.mark.parametrize(
    ("asked", "native", "name"),
    [
        ("en", "en-US", "english"),
        ("English", "en-US", "english"),
        ("pt_pt", "pt-PT", "portuguese"),
        ("zh-Hant", "zh-Hant", "chinese"),
        ("yue", "yue", "cantonese"),
        ("xx!", None, "xx!"),
    ],
)
def test_languages_are_named_as_each_side_names_them(asked: str, native: str | None, name: str) -> None:
    assert native_code(asked) == native
    assert english_name(asked) == name


def test_no_language_is_an_error() -> None:
    assert refusal(language="not a language").param == "language"


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Anna, Bob", ["Anna", "Bob"]),
        ("Hello", ["Hello"]),
        ("We talk about many things here, and about one more.", []),
        ("x" * 61, []),
        (" , ", []),
    ],
)
def test_a_prompt_that_is_a_list_is_a_vocabulary(prompt: str, words: list[str]) -> None:
    assert vocabulary_in(prompt) == words


def test_the_same_input_gives_the_same_bytes() -> None:
    assert translated(language="en").take_bodies() == translated(language="en").take_bodies()
