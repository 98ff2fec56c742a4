"""The emulator speaks in each format that Google has, and hears what it has spoken."""

import base64
import io
from typing import Any

import av
import httpx
import orjson
import pytest
from tests.emulator.support import Emulator, inline, said

TTS = "gemini-3.8-flash-tts"
ASR = "gemini-3.5-transcribe"
GENERAL = "gemini-3.8-flash"
SAYING = "Good morning, and welcome on board. The sea is calm."
SECONDS = len(SAYING) / 15
FORMATS = pytest.mark.parametrize(
    ("wanted", "mime"),
    [("", "audio/wav"), ("AUDIO_WAV", "audio/wav"), ("AUDIO_MP3", "audio/mp3"), ("AUDIO_OGG_OPUS", "audio/ogg")],
)


def spoken(wanted: str = "", text: str = SAYING, **settings: Any) -> dict[str, Any]:
    """A request for speech."""
    asked = {"responseFormat": {"audio": {"mimeType": wanted}}} if wanted else {}
    return said(text, generationConfig={"responseModalities": ["AUDIO"], **asked, **settings})


def of(mime: str, data: bytes, text: str = "", **settings: Any) -> dict[str, Any]:
    """A request with audio."""
    parts = [inline(mime, data), *([{"text": text}] if text else [])]
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": settings}


def length(data: bytes) -> float:
    """Seconds of a file that PyAV decodes."""
    with av.open(io.BytesIO(data), "r") as file:
        return sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))


async def speech(emulator: Emulator, wanted: str, text: str = SAYING, **settings: Any) -> tuple[str, bytes]:
    """Type and bytes of a whole answer."""
    answer = await emulator.generate(TTS, spoken(wanted, text, **settings))
    blob = answer["candidates"][0]["content"]["parts"][0]["inlineData"]
    return blob["mimeType"].partition(";")[0], base64.b64decode(blob["data"], validate=True)


@FORMATS
async def test_whole_speech_is_a_file_of_the_asked_format_and_of_the_texts_length(
    emulator: Emulator, wanted: str, mime: str
) -> None:
    kind, data = await speech(emulator, wanted)
    assert kind == mime
    assert length(data) == pytest.approx(SECONDS, abs=0.15)


@pytest.mark.integration
@pytest.mark.parametrize("wanted", ["", "AUDIO_MP3", "AUDIO_OGG_OPUS"])
def test_streamed_speech_comes_in_pieces_that_are_one_file(served: httpx.Client, wanted: str) -> None:
    answer = served.post(f"/v1beta/models/{TTS}:streamGenerateContent?alt=sse", json=spoken(wanted))
    events = [orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    blobs = [
        part["inlineData"]
        for event in events
        for part in event["candidates"][0].get("content", {}).get("parts", ())
        if "inlineData" in part
    ]
    data = b"".join(base64.b64decode(blob["data"]) for blob in blobs)
    assert len(blobs) > 3
    if wanted:
        assert length(data) == pytest.approx(SECONDS, abs=0.15)
    else:
        assert {blob["mimeType"] for blob in blobs} == {"audio/L16;codec=pcm;rate=24000"}
        assert len(data) / 48_000 == pytest.approx(SECONDS, abs=0.15)


@FORMATS
async def test_what_was_spoken_is_heard_in_each_format(emulator: Emulator, wanted: str, mime: str) -> None:
    _, data = await speech(emulator, wanted, f"{SAYING} This is {wanted}.")
    answer = await emulator.generate(ASR, of(mime, data))
    assert answer["candidates"][0]["content"]["parts"][0]["text"] == f"{SAYING} This is {wanted}."
    assert answer["usageMetadata"]["promptTokensDetails"][0]["modality"] == "AUDIO"


async def test_words_have_times_in_order_and_within_the_audio(emulator: Emulator) -> None:
    _, data = await speech(emulator, "")
    answer = await emulator.generate(ASR, of("audio/wav", data, audioTranscriptionConfig={"wordTimestamp": True}))
    turns = [part["audioTranscription"] for part in answer["candidates"][0]["content"]["parts"]]
    assert "".join(turn["text"] for turn in turns) == SAYING
    words = [word for turn in turns for word in turn["words"]]
    times = [float(word[name].rstrip("s")) for word in words for name in ("startOffset", "endOffset")]
    assert [word["word"] for word in words] == SAYING.split()
    assert times == sorted(times)
    assert times[-1] <= SECONDS + 0.15


async def test_a_general_model_writes_segments_where_json_is_asked_for(emulator: Emulator) -> None:
    _, data = await speech(emulator, "AUDIO_MP3")
    asked = of("audio/mp3", data, "Transcribe the speech in this audio.", responseMimeType="application/json")
    answer = await emulator.generate(GENERAL, asked)
    found = orjson.loads(answer["candidates"][0]["content"]["parts"][0]["text"])
    assert [each["text"] for each in found["segments"]] == ["Good morning, and welcome on board.", "The sea is calm."]


async def test_audio_that_it_has_not_spoken_is_described(emulator: Emulator) -> None:
    from gemgate.translation.speech.samples import wav_head

    answer = await emulator.generate(ASR, of("audio/wav", wav_head(96_000) + bytes(96_000)))
    assert answer["candidates"][0]["content"]["parts"][0]["text"].startswith("I hear an audio file")


async def test_the_model_that_recognizes_speech_takes_nothing_but_audio(emulator: Emulator) -> None:
    refused = await emulator.post(ASR, said("Hello"))
    assert refused.status_code == 400
    assert "audio" in refused.json()["error"]["message"]
