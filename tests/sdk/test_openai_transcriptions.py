"""openai-python's and openai-node's transcriptions, translations and speech against the running gateway.

The emulator transcribes what it has spoken, so what is asked of `speech` must come back.
"""

import io
from pathlib import Path
from typing import Any

import openai
import pytest
import webvtt
from openai import OpenAI
from tests.api.speech.support import heard, tone, wav
from tests.api.transcriptions.support import ASR, GENERAL
from tests.sdk.conftest import MakeClient
from tests.sdk.node_project import run
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack

TEXT = "Good morning, and welcome on board. We leave at noon."
SECONDS = len(TEXT) / 15
FORMATS = ["mp3", "opus", "aac", "flac", "wav"]


@pytest.fixture(scope="module")
def spoken(client: OpenAI) -> dict[str, bytes]:
    """The text as a file of each format."""
    formats: list[Any] = FORMATS
    return {
        each: client.audio.speech.create(model="tts-1", input=TEXT, voice="coral", response_format=each).content
        for each in formats
    }


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
@pytest.mark.parametrize("form", FORMATS)
def test_what_was_spoken_is_transcribed(
    make_client: MakeClient, spoken: dict[str, bytes], prefix: str, form: str
) -> None:
    answer = make_client(prefix).audio.transcriptions.create(model="whisper-1", file=(f"a.{form}", spoken[form]))
    assert answer.text == TEXT
    assert answer.usage is not None
    assert answer.usage.type == "tokens"
    if form in ("mp3", "wav"):  # the emulator cannot read how long the others last
        assert answer.usage.input_tokens == pytest.approx(32 * SECONDS, abs=3)


@pytest.mark.parametrize("model", [ASR, GENERAL])
def test_verbose_json_has_times_in_order_and_within_the_audio(
    client: OpenAI, spoken: dict[str, bytes], model: str
) -> None:
    answer = client.audio.transcriptions.create(
        model=model,
        file=("a.mp3", spoken["mp3"]),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
    )
    assert answer.duration == pytest.approx(SECONDS, abs=0.2)
    assert answer.segments is not None
    assert [segment.text for segment in answer.segments] == TEXT.replace("board. ", "board.|").split("|")
    times = [time for segment in answer.segments for time in (segment.start, segment.end)]
    assert times == sorted(times)
    assert times[-1] <= answer.duration
    if model == ASR:
        assert answer.words is not None
        assert [word.word for word in answer.words] == TEXT.split()
        starts = [word.start for word in answer.words]
        assert starts == sorted(starts)
        assert all(word.end <= answer.duration for word in answer.words)


@pytest.mark.parametrize("wanted", ["srt", "vtt"])
@pytest.mark.parametrize("model", ["whisper-1", GENERAL])
def test_subtitles_parse(client: OpenAI, spoken: dict[str, bytes], wanted: Any, model: str) -> None:
    answer: Any = client.audio.transcriptions.create(model=model, file=("a.wav", spoken["wav"]), response_format=wanted)
    cues = webvtt.from_buffer(io.StringIO(answer), format=wanted).captions
    assert " ".join(cue.text for cue in cues) == TEXT
    assert all(cue.start_in_seconds <= cue.end_in_seconds <= SECONDS + 1 for cue in cues)


def test_text_is_a_string(client: OpenAI, spoken: dict[str, bytes]) -> None:
    answer: Any = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("a.flac", spoken["flac"]), response_format="text"
    )
    assert answer == f"{TEXT}\n"


def test_speakers_are_told_apart(client: OpenAI) -> None:
    voices = [{"speaker": name, "voice_config": {"voice": name}} for name in ("Kore", "Puck")]
    speech = client.audio.speech.create(
        model="gemini-3.8-flash-tts",
        voice="Kore",
        response_format="wav",
        input="Kore: How was it?\nPuck: Wonderful.",
        extra_body={"google": {"speech_config": {"multi_speaker_voice_config": {"speaker_voice_configs": voices}}}},
    )
    answer: Any = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=("a.wav", speech.content),
        response_format="diarized_json",
        chunking_strategy="auto",
    )
    assert [(each.speaker, each.text) for each in answer.segments] == [("A", "How was it?"), ("B", "Wonderful.")]


@pytest.mark.parametrize("model", ["gpt-4o-mini-transcribe", GENERAL])
def test_a_stream_of_deltas_is_the_text(client: OpenAI, spoken: dict[str, bytes], model: str) -> None:
    with client.audio.transcriptions.create(model=model, file=("a.wav", spoken["wav"]), stream=True) as stream:
        *deltas, done = list(stream)
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas if event.type == "transcript.text.delta") == done.text == TEXT
    assert done.usage is not None
    assert len(deltas) > 1


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI's model for it, Whisper, is to end
@pytest.mark.parametrize("wanted", ["json", "verbose_json", "srt"])
def test_a_translation_is_in_english(client: OpenAI, spoken: dict[str, bytes], wanted: Any) -> None:
    answer: Any = client.audio.translations.create(
        model="whisper-1", file=("a.mp3", spoken["mp3"]), response_format=wanted
    )
    assert TEXT.startswith((answer if wanted == "srt" else answer.text).splitlines()[2 if wanted == "srt" else 0][:30])


def test_other_sound_is_described(client: OpenAI) -> None:
    answer = client.audio.transcriptions.create(model=ASR, file=("a.wav", wav(tone(1.5))))
    assert answer.text == "I hear an audio file (audio/wav) of 1.5 seconds."


def test_google_answers_with_a_refusal_that_names_the_file(client: OpenAI, spoken: dict[str, bytes]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(
            model=ASR, file=("a.wav", spoken["wav"]), prompt="[[emulator: blocked-prompt]]"
        )
    assert (caught.value.code, caught.value.param) == ("moderation_blocked", "file")


def test_a_stream_that_breaks_off_is_an_error(client: OpenAI, spoken: dict[str, bytes]) -> None:
    with (
        client.audio.transcriptions.create(
            model=ASR, file=("a.wav", spoken["wav"]), prompt="[[emulator: reset-mid-stream 1]]", stream=True
        ) as stream,
        pytest.raises(openai.APIError),
    ):
        list(stream)


@pytest.fixture(scope="module")
def node(project: Path, servers: Stack, spoken: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `audio.mjs` saw."""
    folder = tmp_path_factory.mktemp("audio")
    (folder / "a.mp3").write_bytes(spoken["mp3"])
    (seen,) = run(project, "audio.mjs", servers.base(OPENAI), KEY, str(folder / "a.mp3"), TEXT, str(folder))
    seen["folder"] = folder
    return seen


def test_openai_node_transcribes(node: Any) -> None:
    assert node["json"]["text"] == TEXT
    assert node["text"] == f"{TEXT}\n"
    assert [word["word"] for word in node["verbose"]["words"]] == TEXT.split()
    assert node["vtt"].startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert node["translated"]["text"] == TEXT
    assert "".join(event.get("delta", "") for event in node["streamed"]) == TEXT
    assert node["streamed"][-1]["type"] == "transcript.text.done"
    assert node["failure"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize("wanted", [*FORMATS, "pcm"])
def test_openai_node_speaks(node: Any, wanted: str) -> None:
    file = (node["folder"] / f"node.{wanted}").read_bytes()
    seconds = len(file) / 48_000 if wanted == "pcm" else heard(file)[0]
    assert seconds == pytest.approx(SECONDS, abs=0.15)
    assert node["spoken"][wanted] > 1
