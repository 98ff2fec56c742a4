"""`POST /audio/speech`, from the caller to Google and back."""

import base64
from typing import Any

import httpx
import orjson
import pytest
from tests.api.speech.support import (
    LITE,
    NO_FORMAT,
    NO_METADATA,
    OLD,
    TTS,
    USAGE,
    blob,
    heard,
    speak,
    spoken,
    tone,
    wav,
)
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, failure, overloaded, sse

from gemgate.translation.speech import encoders

pytestmark = pytest.mark.slow

TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
SECOND = tone(1)
HALVES = (SECOND[:20_001], SECOND[20_001:])


def error_of(response: httpx.Response) -> tuple[int, Any, Any]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def events_in(response: httpx.Response) -> list[Any]:
    return [orjson.loads(text.removeprefix("data: ")) for text in response.text.strip().split("\n\n")]


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
async def test_a_text_is_an_mp3_unless_another_format_is_asked_for(prefix: str) -> None:
    google = FakeGoogle(spoken(*HALVES))
    async with in_process(gateway_app(google)) as client:
        response = await client.post(f"{prefix}/audio/speech", json={"model": TTS, "input": "Hi", "voice": "nova"})
    assert google.paths == [f"/v1beta/models/{TTS}:streamGenerateContent?alt=sse"]
    assert response.headers["content-type"] == "audio/mpeg"
    assert response.headers["x-gemgate-model"] == TTS
    assert response.headers["x-gemgate-adjusted"] == "voice=nova->Aoede"
    seconds, rate, channels = heard(response.content, "mp3")
    assert seconds == pytest.approx(1, abs=0.1)
    assert (rate, channels) == (24_000, 1)


@pytest.mark.parametrize("wanted", TYPES)
@pytest.mark.parametrize("pieces", [HALVES, (wav(SECOND),), (wav(wav(SECOND)),), (wav(HALVES[0]), wav(HALVES[1]))])
async def test_whatever_comes_is_the_format_that_was_asked_for(wanted: str, pieces: tuple[bytes, ...]) -> None:
    response = await speak(spoken(*pieces), {"response_format": wanted})
    assert response.headers["content-type"] == TYPES[wanted]
    if wanted == "pcm":
        assert response.content == SECOND
    else:
        assert heard(response.content)[0] == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("mime", ["audio/l16; rate=24000; channels=1", "audio/L16;codec=pcm;rate=24000", "AUDIO/L16"])
async def test_each_spelling_of_the_mime_type_is_understood(mime: str) -> None:
    assert (await speak(spoken(SECOND, mime=mime), {"response_format": "pcm"})).content == SECOND


async def test_the_rate_of_the_mime_type_is_that_of_the_file() -> None:
    response = await speak(spoken(tone(1, 16_000), mime="audio/l16; rate=16000"), {"response_format": "wav"})
    assert heard(response.content)[1] == 16_000
    assert heard(response.content)[0] == pytest.approx(1)


def written(wanted: Any) -> bytes:
    encoder = encoders.encoder_for(wanted, 24_000, 1)
    return encoder.feed(SECOND) + encoder.finish()


@pytest.mark.parametrize(("wanted", "mime"), [("mp3", "audio/mpeg"), ("opus", "audio/ogg")])
async def test_what_google_has_encoded_is_passed_on(wanted: str, mime: str) -> None:
    file = written(wanted)
    response = await speak(spoken(file[:100], file[100:], mime=mime), {"response_format": wanted})
    assert response.content == file


async def test_another_encoding_than_the_one_asked_for_is_an_error() -> None:
    response = await speak(spoken(written("opus"), mime="audio/ogg"), {"response_format": "flac"})
    assert error_of(response) == (502, "upstream_malformed_response", None)


async def test_opus_that_google_did_not_write_needs_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "find_spec", lambda name: None if name == "av" else object())
    response = await speak(spoken(SECOND), {"response_format": "opus"})
    assert error_of(response) == (400, "unsupported_value", "response_format")


async def test_events_have_the_bytes_and_then_the_tokens() -> None:
    response = await speak(spoken(*HALVES), {"response_format": "pcm", "stream_format": "sse"})
    assert response.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events_in(response)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == SECOND
    assert done == {
        "type": "speech.audio.done",
        "usage": {
            "input_tokens": 8,
            "input_token_details": {"text_tokens": 8, "audio_tokens": 0},
            "output_tokens": 50,
            "total_tokens": 58,
        },
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (spoken(finish="SAFETY"), (400, "moderation_blocked", "input")),
        (spoken(finish="OTHER"), (502, "upstream_no_answer", None)),
        (spoken(), (502, "upstream_no_answer", None)),
        (sse({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), (400, "moderation_blocked", "input")),
        (
            sse({"candidates": [{"content": {"parts": [{"text": "I will not."}]}, "finishReason": "STOP"}]}),
            (502, "upstream_no_answer", None),
        ),
        (failure(400, "* GenerateContentRequest.generation_config.speech_config: x"), (400, None, "voice")),
    ],
)
@pytest.mark.parametrize("stream_format", ["audio", "sse"])
async def test_no_speech_is_an_error_and_no_empty_file(answer: Any, expected: Any, stream_format: str) -> None:
    response = await speak(answer, {"stream_format": stream_format})
    assert error_of(response) == expected


async def test_googles_reason_is_in_the_error() -> None:
    response = await speak(spoken(finish="OTHER", finishMessage="Too odd."))
    assert "(OTHER)" in response.json()["error"]["message"]
    assert "Too odd." in response.json()["error"]["message"]


async def test_speech_that_breaks_off_is_an_error_event() -> None:
    response = await speak(spoken(*HALVES, finish=None), {"response_format": "pcm", "stream_format": "sse"})
    *_, last = events_in(response)
    assert last["error"]["code"] == "stream_truncated"


@pytest.mark.parametrize(
    ("sentence", "body", "field"),
    [
        (NO_FORMAT, {"response_format": "mp3"}, "responseFormat"),
        ("response_format is not supported for models/" + TTS, {"response_format": "mp3"}, "responseFormat"),
        (NO_METADATA, {"response_format": "pcm", "instructions": "Sadly"}, "speechMetadata"),
    ],
)
async def test_what_the_model_refuses_is_left_out_and_remembered(sentence: str, body: Any, field: str) -> None:
    def google(request: httpx.Request) -> httpx.Response:
        if field.encode() in request.content:
            return failure(400, sentence, reason="INVALID_ARGUMENT")
        return spoken(SECOND)

    fake = FakeGoogle(google)
    async with in_process(gateway_app(fake)) as client:
        asked = {"model": TTS, "input": "Hi", "voice": "Kore", **body}
        first = await client.post("/v1/audio/speech", json=asked)
        second = await client.post("/v1/audio/speech", json=asked)
    assert [first.status_code, second.status_code] == [200, 200]
    assert len(fake.requests) == 3
    assert first.headers["x-gemgate-adjusted"] == f"learned={field}"
    if field == "speechMetadata":
        assert fake.bodies[-1]["contents"][0]["parts"] == [{"text": "Sadly: Hi"}]


@pytest.mark.parametrize(("asked", "model"), [("tts-1", LITE), ("tts-1-hd", TTS), ("gpt-4o-mini-tts", LITE)])
async def test_openais_names_of_models_are_geminis(asked: str, model: str) -> None:
    google = FakeGoogle(spoken(SECOND))
    response = await speak(google, {"model": asked})
    assert google.models == [model]
    assert response.headers["x-gemgate-model"] == model


async def test_the_operators_table_goes_before_openais_names() -> None:
    google = FakeGoogle(spoken(SECOND))
    await speak(google, {"model": "tts-1"}, models=f"tts-1={OLD}")
    assert google.models == [OLD]


async def test_the_next_model_answers_in_place_of_one_that_cannot() -> None:
    google = FakeGoogle(by_model={TTS: overloaded(), LITE: spoken(SECOND)})
    asked = {"model": "voice", "response_format": "pcm"}
    response = await speak(google, asked, models=f"voice={TTS},{LITE}", retries=0)
    assert response.content == SECOND
    assert response.headers["x-gemgate-model"] == LITE


async def test_a_dry_run_shows_the_native_request_and_calls_nobody() -> None:
    google = FakeGoogle()
    async with in_process(gateway_app(google)) as client:
        body = {"model": "tts-1", "input": "Hi", "voice": "Kore"}
        response = await client.post("/v1/audio/speech", json=body, headers={"x-gemgate-dry-run": "true"})
    shown = response.json()
    assert shown["path"] == f"/v1beta/models/{LITE}:streamGenerateContent?alt=sse"
    assert shown["body"]["contents"][0]["parts"] == [{"text": "Hi"}]
    assert google.requests == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"voice": ""}, "voice"),
        ({"voice": {"id": ""}}, "voice.id"),
        ({"speed": 9}, "speed"),
        ({"response_format": "wma"}, "response_format"),
        ({"model": ""}, "model"),
    ],
)
async def test_a_wrong_parameter_is_named(body: Any, param: str) -> None:
    response = await speak(FakeGoogle(), body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] in (param, param.split(".", maxsplit=1)[0])


async def test_several_parts_of_one_event_are_one_file() -> None:
    parts = [blob(HALVES[0]), {"text": "", "thoughtSignature": "c2ln"}, blob(HALVES[1])]
    event = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": USAGE}
    assert (await speak(sse(event), {"response_format": "pcm"})).content == SECOND
