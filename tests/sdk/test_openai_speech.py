"""openai-python's `audio.speech` against the running gateway: each format, whole and streamed, decodes."""

import base64
from typing import Any

import openai
import orjson
import pytest
from openai import OpenAI
from tests.api.speech.support import LITE, OLD, TTS, heard
from tests.sdk.conftest import MakeClient
from tests.support.stack import GOOGLE, OPENAI

FORMATS: list[Any] = ["mp3", "opus", "aac", "flac", "wav", "pcm"]
TEXT = "Good morning, and welcome on board of this ship."
SECONDS = len(TEXT) / 15
"""How long the emulator takes to say it."""


def seconds_of(data: bytes, wanted: str) -> float:
    return len(data) / 48_000 if wanted == "pcm" else heard(data)[0]


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
@pytest.mark.parametrize("model", [TTS, OLD])
@pytest.mark.parametrize("wanted", FORMATS)
def test_each_format_lasts_as_long_as_the_text(make_client: MakeClient, prefix: str, model: str, wanted: Any) -> None:
    client = make_client(prefix)
    answer = client.audio.speech.create(model=model, input=TEXT, voice="coral", response_format=wanted)
    assert seconds_of(answer.content, wanted) == pytest.approx(SECONDS, abs=0.15)


@pytest.mark.parametrize("wanted", FORMATS)
def test_a_streamed_file_comes_in_pieces(client: OpenAI, wanted: Any) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", input=TEXT, voice="coral", response_format=wanted
    ) as answer:
        pieces = list(answer.iter_bytes())
        assert answer.headers["x-gemgate-model"] == LITE
    assert len(pieces) > 1
    assert seconds_of(b"".join(pieces), wanted) == pytest.approx(SECONDS, abs=0.15)


@pytest.mark.parametrize("wanted", FORMATS)
def test_events_hold_the_same_file(client: OpenAI, wanted: Any) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", input=TEXT, voice="coral", response_format=wanted, stream_format="sse"
    ) as answer:
        events = [orjson.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line]
    *deltas, done = events
    data = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert seconds_of(data, wanted) == pytest.approx(SECONDS, abs=0.15)
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["output_tokens"] > 50


def test_a_file_that_breaks_off_has_begun_and_has_no_end(client: OpenAI) -> None:
    received: list[bytes] = []
    with client.audio.speech.with_streaming_response.create(
        model=OLD, input=f"{TEXT} [[emulator: reset-mid-stream 4]]", voice="coral", response_format="pcm"
    ) as answer:
        assert answer.headers["content-type"] == "audio/pcm"
        with pytest.raises(Exception, match="peer closed connection"):
            received.extend(answer.iter_bytes())
    assert 0 < seconds_of(b"".join(received), "pcm") < SECONDS


def test_a_blocked_text_is_an_error_with_googles_reason(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(model=TTS, input=f"{TEXT} [[emulator: blocked-prompt]]", voice="coral")
    assert (caught.value.code, caught.value.param) == ("moderation_blocked", "input")
