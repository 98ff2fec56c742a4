"""A request for speech as a native request."""

from typing import Any, get_type_hints

import pytest
from openai.types.audio import speech_create_params
from tests.api.speech.support import LITE, OLD, TTS, options

from gemgate.api.speech import request as speech_request
from gemgate.api.speech.request import GOOGLE_OPTIONS, SpeechTranslation, to_gemini
from gemgate.api.speech.wire import PARAMETERS, SpeechRequest
from gemgate.errors import ApiError
from gemgate.translation.speech import encoders
from gemgate.translation.speech.voices import PREBUILT, VOICES


def translated(model: str = TTS, *, facts: Any = None, policy: Any = "warn", **fields: Any) -> SpeechTranslation:
    body = {"model": model, "input": "Good morning.", "voice": "alloy", **fields}
    return to_gemini(SpeechRequest.model_validate(body), options(facts=facts, unsupported_params=policy))


def parts(translation: SpeechTranslation) -> Any:
    return translation.body["contents"][0]["parts"]


def config(translation: SpeechTranslation) -> Any:
    return translation.body["generationConfig"]


def refusal(**fields: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        translated(**fields)
    return refused.value


def test_every_field_of_the_wire_model_has_a_fate() -> None:
    assert set(PARAMETERS) == set(SpeechRequest.model_fields)


def test_every_parameter_of_the_official_client_is_known() -> None:
    assert set(get_type_hints(speech_create_params.SpeechCreateParams)) <= set(PARAMETERS)


def test_the_whole_native_request() -> None:
    translation = translated(response_format="mp3", instructions="Cheerfully:", speed=1.5)
    assert translation.model == f"models/{TTS}"
    assert translation.body == {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {
                        "text": "Good morning.",
                        "speechMetadata": {"style": "Cheerfully, at 1.5 times the normal pace"},
                    }
                ],
            }
        ],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            "responseFormat": {"audio": {"mimeType": "AUDIO_MP3"}},
        },
        "store": False,
    }
    assert translation.notes.headers() == {"x-gemgate-adjusted": "voice=alloy->Kore; speed=1.5->style"}


def test_the_text_is_read_as_it_is() -> None:
    assert parts(translated(voice="Kore")) == [{"text": "Good morning."}]
    assert translated(voice="Kore", speed=1).notes.headers() == {}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"instructions": "Say it sadly."}, "Say it sadly: Good morning."),
        ({"speed": 0.5}, "Speak at 0.5 times the normal pace: Good morning."),
        ({}, "Good morning."),
    ],
)
def test_an_older_model_has_the_style_before_the_text(fields: Any, text: str) -> None:
    assert parts(translated(OLD, **fields)) == [{"text": text}]


@pytest.mark.parametrize(("wanted", "native"), [(None, "AUDIO_MP3"), ("mp3", "AUDIO_MP3"), ("opus", "AUDIO_OGG_OPUS")])
def test_a_format_that_the_model_writes_is_asked_of_it(wanted: str | None, native: str) -> None:
    assert config(translated(response_format=wanted))["responseFormat"] == {"audio": {"mimeType": native}}
    assert "responseFormat" not in config(translated(OLD, response_format=wanted))


@pytest.mark.parametrize("wanted", ["aac", "flac", "wav", "pcm"])
def test_other_formats_are_made_of_samples(wanted: str) -> None:
    translation = translated(response_format=wanted)
    assert "responseFormat" not in config(translation)
    assert translation.format == wanted


def test_a_model_that_is_known_to_refuse_the_format_is_asked_for_samples() -> None:
    facts = {TTS: {"refused_fields": ["responseFormat"]}}
    assert "responseFormat" not in config(translated(facts=facts))


@pytest.mark.parametrize("wanted", ["aac", "flac"])
def test_a_format_without_its_library_is_refused_with_what_is_possible(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "find_spec", lambda name: None if name == "av" else object())
    error = refusal(response_format=wanted)
    assert (error.status, error.param, error.code) == (400, "response_format", "unsupported_value")
    assert "pip install 'gemgate[audio]'" in error.message
    assert "mp3, wav, pcm" in error.message


def test_opus_without_its_library_is_left_to_a_model_that_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_request, "can_encode", lambda wanted: wanted in ("mp3", "wav", "pcm"))
    assert "responseFormat" in config(translated(response_format="opus"))
    assert refusal(model=OLD, response_format="opus").param == "response_format"


@pytest.mark.parametrize("voice", ["kore", "KORE", "Kore"])
def test_voices_of_gemini_are_spelled_as_gemini_does(voice: str) -> None:
    translation = translated(voice=voice)
    assert config(translation)["speechConfig"] == {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    assert translation.notes.headers() == {}


@pytest.mark.parametrize("voice", ["voices/abc", {"id": "voices/abc"}])
def test_a_voice_of_ones_own_has_the_field_of_newer_models(voice: Any) -> None:
    assert config(translated(voice=voice))["speechConfig"] == {"voiceConfig": {"voice": "voices/abc"}}
    older = config(translated(OLD, voice=voice))["speechConfig"]
    assert older == {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "voices/abc"}}}


def test_each_voice_of_openai_is_one_of_geminis() -> None:
    assert set(VOICES.values()) <= set(PREBUILT)
    assert len(PREBUILT) == 30


TWO: Any = {
    "speech_config": {
        "multi_speaker_voice_config": {
            "speaker_voice_configs": [
                {"speaker": "Joe", "voice_config": {"prebuilt_voice_config": {"voice_name": "Puck"}}},
                {"speaker": "Ann", "voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
            ]
        }
    }
}


def test_two_speakers_have_a_part_for_each_turn() -> None:
    text = "Joe: Hi: there.\nAnn: Hello.\nHow are you?\nJoe: Fine."
    translation = translated(input=text, google=TWO, instructions="Calm")
    assert "multiSpeakerVoiceConfig" in config(translation)["speechConfig"]
    assert parts(translation) == [
        {"text": "Hi: there.", "speechMetadata": {"speaker": "Joe", "style": "Calm"}},
        {"text": "Hello.\nHow are you?", "speechMetadata": {"speaker": "Ann", "style": "Calm"}},
        {"text": "Fine.", "speechMetadata": {"speaker": "Joe", "style": "Calm"}},
    ]


@pytest.mark.parametrize("text", ["No speaker here.", "Someone: hi\nJoe: ho", "Joe"])
def test_a_text_without_turns_is_one_part(text: str) -> None:
    assert parts(translated(input=text, google=TWO)) == [{"text": text}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": "Joe: a\n" * 1_000, "instructions": "x" * 1_000}, "instructions"),
        ({"input": "Joe: a\n" * 30_001}, "input"),
        ({"input": "Joe: " + "a" * 1_000_000}, "input"),
    ],
)
def test_a_dialogue_that_would_become_many_times_as_large_is_refused(fields: Any, param: str) -> None:
    assert refusal(google=TWO, **fields).param == param
    one = {**fields, "input": fields["input"].replace("Joe", "Someone")[:900_000]}
    assert len(parts(translated(google=TWO, **one))) == 1


def test_two_speakers_of_an_older_model_are_in_the_text() -> None:
    assert parts(translated(OLD, input="Joe: Hi.\nAnn: Ho.", google=TWO)) == [{"text": "Joe: Hi.\nAnn: Ho."}]


def test_googles_own_options_win() -> None:
    assert set(TWO) <= GOOGLE_OPTIONS
    google = {
        "speech_metadata": {"style": "whispering"},
        "safety_settings": [{"category": "A", "threshold": "B"}],
        "generation_config": {"response_format": {"audio": {"mimeType": "AUDIO_WAV"}}, "seed": 7},
        "shoe": 1,
    }
    translation = translated(extra_body={"google": google}, instructions="loud")
    assert parts(translation) == [{"text": "Good morning.", "speechMetadata": {"style": "whispering"}}]
    assert translation.body["safetySettings"] == [{"category": "A", "threshold": "B"}]
    assert config(translation)["responseFormat"] == {"audio": {"mimeType": "AUDIO_WAV"}}
    assert config(translation)["seed"] == 7
    assert translation.notes.dropped == ["extra_body.google.shoe"]


def test_a_model_that_does_not_speak_is_refused_by_name() -> None:
    error = refusal(model="gemini-2.5-flash")
    assert (error.status, error.param, error.code) == (400, "model", "model_not_supported")
    assert translated("gemini-2.5-flash", facts={"gemini-2.5-flash": {"speech": True}}).format == "mp3"


def test_an_unknown_parameter_is_named() -> None:
    assert translated(LITE, shoe=1, voice={"id": "Kore", "hat": 2}).notes.dropped == ["shoe", "voice.hat"]
    assert refusal(policy="strict", shoe=1).code == "unsupported_parameter"


def test_the_same_input_gives_the_same_bytes() -> None:
    assert translated().take_bodies() == translated().take_bodies()


def test_a_long_text_is_searched_once() -> None:
    text = "Joe: " + "a: " * 100_000 + "\n" + ":" * 100_000
    assert parts(translated(input=text, google=TWO))[0]["speechMetadata"] == {"speaker": "Joe"}
