"""Speech in answers: WAV files and raw samples, whole and in pieces."""

import base64
import io
import struct
import threading
import wave
from typing import Any

import pytest
from tests.api.speech.support import heard, tone
from tests.support.answers import Json, comparable, fold, message_of, native, sdk_fold, streamed, whole
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, sse

from gemgate.errors import ApiError
from gemgate.translation.speech import encoders

PCM = "audio/L16;codec=pcm;rate=24000"


def sound(samples: bytes, kind: str = PCM) -> Json:
    return {"inlineData": {"mimeType": kind, "data": base64.b64encode(samples).decode()}}


def opened(data: str) -> Any:
    return wave.open(io.BytesIO(base64.b64decode(data, validate=True)))


@pytest.mark.parametrize(("kind", "rate"), [(PCM, 24_000), ("audio/L16;rate=16000", 16_000), ("audio/L16", 24_000)])
def test_a_wav_file_has_a_header_that_players_read(kind: str, rate: int) -> None:
    audio = message_of(sound(b"\x01\x02\x03\x04", kind), audio_format="wav")["audio"]
    with opened(audio["data"]) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
        assert file.readframes(9) == b"\x01\x02\x03\x04"
    assert audio["id"].startswith("audio_")
    assert (audio["expires_at"], audio["transcript"]) == (0, "")


def test_pieces_of_speech_are_one_wav_file() -> None:
    audio = message_of(sound(b"\x01\x02"), sound(b"\x03\x04"), audio_format="wav")["audio"]
    with opened(audio["data"]) as file:
        assert file.readframes(9) == b"\x01\x02\x03\x04"


def test_a_wav_file_is_not_wrapped_again() -> None:
    audio = message_of(sound(wav_file(SAMPLES), "audio/wav"), audio_format="wav")["audio"]
    assert base64.b64decode(audio["data"]) == wav_file(SAMPLES)


def test_raw_samples_are_given_as_they_come() -> None:
    assert message_of(sound(b"\x01\x02"), audio_format="pcm16")["audio"]["data"] == "AQI="


def test_streamed_speech_is_one_base64_text_with_one_id() -> None:
    pieces = [b"\x01\x02", b"\x03\x04\x05\x06", b"\x07\x08\x09\x0a", b""]
    events: list[Any] = [native(sound(piece)) for piece in pieces] + [native(finishReason="STOP")]
    chunks = streamed(*events, audio_format="pcm16")
    folded = fold(chunks)
    audio = folded["choices"][0]["message"]["audio"]
    assert base64.b64decode(audio["data"], validate=True) == b"".join(pieces)
    assert folded["choices"][0]["finish_reason"] == "stop"
    deltas = [choice["delta"].get("audio", {}) for chunk in chunks for choice in chunk["choices"]]
    assert sum("id" in delta for delta in deltas) == 1
    assert comparable(sdk_fold(chunks))["choices"][0]["message"]["audio"] == audio
    whole_answer = whole(native(*[sound(piece) for piece in pieces], finishReason="STOP"), audio_format="pcm16")
    assert whole_answer["choices"][0]["message"]["audio"] == audio


def test_speech_that_was_not_asked_for_is_kept_as_it_came() -> None:
    message = message_of(sound(b"\x01\x02"))
    assert "audio" not in message
    assert message["extra_content"]["google"]["parts"] == [sound(b"\x01\x02")]


def test_speech_that_is_not_base64_is_an_error_of_the_upstream() -> None:
    with pytest.raises(ApiError) as failure:
        message_of({"inlineData": {"mimeType": PCM, "data": "A"}}, audio_format="wav")
    assert (failure.value.status, failure.value.code) == (502, "upstream_malformed_response")


def wav_file(samples: bytes, *, size: int | None = None, before: bytes = b"", after: bytes = b"") -> bytes:
    """A WAV file with these samples, and with chunks before and after them."""
    head = b"WAVE" + b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 24_000, 48_000, 2, 16)
    data = b"data" + struct.pack("<I", len(samples) if size is None else size) + samples
    body = head + before + data + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


LIST = b"LIST" + struct.pack("<I", 5) + b"INFO!" + b"\0"
SAMPLES = bytes(range(256)) * 4


@pytest.mark.parametrize(
    "file",
    [
        wav_file(SAMPLES),
        wav_file(SAMPLES, before=LIST),
        wav_file(SAMPLES, after=LIST),
        wav_file(SAMPLES, size=0xFFFFFFFF),
    ],
)
@pytest.mark.parametrize("kind", ["audio/wav", "audio/x-wav", PCM])
def test_raw_samples_are_taken_out_of_a_wav_file(file: bytes, kind: str) -> None:
    audio = message_of(sound(file, kind), audio_format="pcm16")["audio"]
    assert base64.b64decode(audio["data"], validate=True) == SAMPLES


@pytest.mark.parametrize("audio_format", ["wav", "pcm16"])
@pytest.mark.parametrize("pieces", [[wav_file(wav_file(SAMPLES))], [wav_file(SAMPLES[:512]), wav_file(SAMPLES[512:])]])
def test_heads_within_files_and_between_samples_are_not_heard(pieces: list[bytes], audio_format: str) -> None:
    audio = message_of(*[sound(piece, "audio/wav") for piece in pieces], audio_format=audio_format)["audio"]
    given = base64.b64decode(audio["data"], validate=True)
    assert given == (SAMPLES if audio_format == "pcm16" else wav_file(SAMPLES))


def test_encoded_sound_in_the_place_of_samples_is_an_error_of_the_upstream() -> None:
    with pytest.raises(ApiError) as failure:
        message_of(sound(b"ID3\x04" + SAMPLES, "audio/mpeg"), audio_format="pcm16")
    assert (failure.value.status, failure.value.code) == (502, "upstream_malformed_response")


@pytest.mark.parametrize("cut", [1, 3, 5, 11, 13, 30, 43, 44, 45, 47])
def test_the_head_of_a_wav_file_may_come_in_pieces(cut: int) -> None:
    file = wav_file(SAMPLES)
    events: list[Any] = [native(sound(file[:cut])), native(sound(file[cut:])), native(finishReason="STOP")]
    folded = fold(streamed(*events, audio_format="pcm16"))
    audio = folded["choices"][0]["message"]["audio"]
    assert base64.b64decode(audio["data"], validate=True) == SAMPLES


@pytest.mark.parametrize("samples", [b"", b"R", b"RI\x01\x02", b"RIFF", b"RIFF\0\0\0\0data"])
def test_samples_that_begin_like_a_wav_file_are_all_given(samples: bytes) -> None:
    audio = message_of(sound(samples), audio_format="pcm16")["audio"]
    assert base64.b64decode(audio["data"], validate=True) == samples


def test_raw_samples_with_the_type_of_a_wav_file_become_one() -> None:
    with opened(message_of(sound(b"\x01\x02", "audio/wav"), audio_format="wav")["audio"]["data"]) as file:
        assert file.readframes(9) == b"\x01\x02"


SECOND = tone(1)
ENCODED = pytest.mark.parametrize("wanted", ["mp3", "opus", "aac", "flac"])


@ENCODED
@pytest.mark.parametrize("kind", [PCM, "audio/wav"])
def test_speech_is_encoded_as_the_endpoint_for_speech_does_it(wanted: str, kind: str) -> None:
    halves = (SECOND[:20_001], SECOND[20_001:])
    pieces = [sound(half, kind) for half in halves] if kind == PCM else [sound(wav_file(SECOND), kind)]
    audio = message_of(*pieces, audio_format=wanted)["audio"]
    seconds, _, channels = heard(base64.b64decode(audio["data"], validate=True))
    assert seconds == pytest.approx(1, abs=0.12)
    assert channels == 1
    events: list[Any] = [native(piece) for piece in pieces] + [native(finishReason="STOP")]
    chunks = streamed(*events, audio_format=wanted)
    told = fold(chunks)["choices"][0]["message"]["audio"]["data"]
    assert len(told) == len(audio["data"])
    assert told == audio["data"] or wanted == "opus"  # each Ogg file has a number of its own
    assert heard(base64.b64decode(told, validate=True))[0] == seconds
    deltas = [choice["delta"].get("audio", {}).get("data") for chunk in chunks for choice in chunk["choices"]]
    assert len(pieces) == 1 or sum(bool(data) for data in deltas) > 1


def test_what_google_has_encoded_is_given_as_it_comes() -> None:
    encoder = encoders.encoder_for("mp3", 24_000, 1)
    file = encoder.feed(SECOND) + encoder.finish()
    audio = message_of(sound(file[:100], "audio/mpeg"), sound(file[100:], "audio/mpeg"), audio_format="mp3")["audio"]
    assert base64.b64decode(audio["data"], validate=True) == file
    with pytest.raises(ApiError) as failure:
        message_of(sound(file, "audio/mpeg"), audio_format="flac")
    assert (failure.value.status, failure.value.code) == (502, "upstream_malformed_response")


@pytest.mark.parametrize("is_stream", [False, True])
async def test_speech_is_encoded_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch, is_stream: bool) -> None:
    threads: list[int] = []
    real = encoders.encoder_for

    def watched(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return real(*arguments)

    monkeypatch.setattr("gemgate.translation.speech.writer.encoder_for", watched)
    answer = native(sound(SECOND), finishReason="STOP")
    google = FakeGoogle(sse(answer) if is_stream else answer)
    async with in_process(gateway_app(google)) as client:
        body = {
            "model": "gemini-2.5-flash-preview-tts",
            "messages": [{"role": "user", "content": "Hi"}],
            "modalities": ["text", "audio"],
            "audio": {"voice": "alloy", "format": "mp3"},
            "stream": is_stream,
        }
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
