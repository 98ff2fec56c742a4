"""Clients of OpenAI's transcriptions, with their default settings: what each does, and how it is judged.

A program of `transcription_clients/` is called with a feature, a file of speech, a base URL and a key, and writes JSON:

- `text`: `{"text"}`, the transcript,
- `subtitles`: `{"subtitles"}`, a file in SubRip's format,
- `streamed`: `{"pieces": […]}`, the pieces of a transcript.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import orjson
import webvtt
from tests.conformance.environments import run, start_of
from tests.conformance.matrix import NonconformingError
from tests.conformance.responses import NODE
from tests.support.stack import KEY, OPENAI, Stack

PROGRAMS = Path(__file__).parent / "transcription_clients"
SPOKEN = "Good morning, and welcome on board. We leave at noon."

TranscriptionFeature = Literal["text", "subtitles", "streamed"]
TRANSCRIPTION_FEATURES: tuple[TranscriptionFeature, ...] = ("text", "subtitles", "streamed")


@dataclass(frozen=True, slots=True)
class TranscriptionClient:
    """A client.

    Attributes:
        program: In `transcription_clients/`; the ending says what runs it.
        package: Whose version is shown.
        lock: The environment: `requirements/{lock}.txt`.
        without: Features that it does not have, and why.
    """

    program: str
    package: str = ""
    lock: str = "clients"
    without: dict[TranscriptionFeature, str] = field(default_factory=dict)


_TEXT_ONLY = "it asks for the text only"
TRANSCRIPTION_CLIENTS: dict[str, TranscriptionClient] = {
    "openai, Python": TranscriptionClient("with_openai.py", "openai"),
    "openai, Node": TranscriptionClient("with_openai.mjs", "openai"),
    "openai, command": TranscriptionClient(
        "with_command_line.py", "openai", "clients-whisper", {"streamed": "its command line has no streams"}
    ),
    "SpeechRecognition": TranscriptionClient(
        "with_speech_recognition.py",
        "speechrecognition",
        "clients-whisper",
        {"subtitles": _TEXT_ONLY, "streamed": _TEXT_ONLY},
    ),
    "Vercel AI SDK": TranscriptionClient(
        "with_vercel.mjs", "@ai-sdk/openai", without={"subtitles": _TEXT_ONLY, "streamed": _TEXT_ONLY}
    ),
    "curl": TranscriptionClient("with_curl.sh"),
}


def speech_file(servers: Stack, folder: Path) -> Path:
    """A WAV file in which the gateway, before the emulator, says `SPOKEN`."""
    asked = {"model": "tts-1", "voice": "coral", "input": SPOKEN, "response_format": "wav"}
    headers = {"authorization": f"Bearer {KEY}"}
    spoken = httpx.post(f"{servers.base(OPENAI)}/audio/speech", json=asked, headers=headers, trust_env=False)
    spoken.raise_for_status()
    file = folder / "speech.wav"
    file.write_bytes(spoken.content)
    return file


def attempt_transcription(
    client: TranscriptionClient, feature: TranscriptionFeature, speech: Path, servers: Stack, cache: Path
) -> None:
    """Let the client transcribe `speech`.

    Raises:
        NonconformingError: it failed, or was given something else than what was spoken.
    """
    start, folder = start_of(PROGRAMS / client.program, cache, NODE, client.lock)
    done = run([*start, feature, str(speech), servers.base(OPENAI), KEY], folder=folder)
    if done.returncode:
        raise NonconformingError(done.stderr.strip()[-800:])
    judge_transcription(feature, orjson.loads(done.stdout))


def judge_transcription(feature: TranscriptionFeature, answer: Any) -> None:
    """Whether `answer` is what was spoken.

    Raises:
        NonconformingError: it is not.
    """
    if feature == "text":
        is_right = answer["text"].strip() == SPOKEN
    elif feature == "streamed":
        is_right = len(answer["pieces"]) > 1 and "".join(answer["pieces"]) == SPOKEN
    else:
        is_right = _are_subtitles(answer["subtitles"])
    if not is_right:
        raise NonconformingError(f"got {answer!r}")


def _are_subtitles(text: str) -> bool:
    """Whether these are SubRip's, of what was spoken, one after the other."""
    try:
        cues = webvtt.from_buffer(io.StringIO(text), format="srt").captions
    except webvtt.errors.MalformedFileError:
        return False
    times = [time for cue in cues for time in (cue.start_in_seconds, cue.end_in_seconds)]
    return times == sorted(times) and " ".join(cue.text for cue in cues) == SPOKEN
