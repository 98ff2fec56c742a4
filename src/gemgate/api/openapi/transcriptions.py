"""The answers of `POST /v1/audio/transcriptions` and `/translations`.

Source: https://platform.openai.com/docs/api-reference/audio, and openai-python 3.57.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12


class TranscriptInputTokens(TypedDict):
    """Tokens by kind."""

    audio_tokens: int
    text_tokens: int


class TranscriptTokens(TypedDict):
    """Tokens."""

    type: Literal["tokens"]
    input_tokens: int
    input_token_details: TranscriptInputTokens
    output_tokens: int
    total_tokens: int


class AudioSeconds(TypedDict):
    """How long the audio lasts."""

    type: Literal["duration"]
    seconds: float


class TranscriptWord(TypedDict):
    """A word; times are seconds."""

    word: str
    start: float
    end: float


class TranscriptSegment(TypedDict):
    """A sentence or a part of one. Gemini has neither the ids of tokens nor probabilities: these are empty, and 0."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class SpeakerSegment(TypedDict):
    """What one speaker says; times are null where the model gave none."""

    type: Literal["transcript.text.segment"]
    id: str
    start: float | None
    end: float | None
    text: str
    speaker: str


class Transcript(TypedDict):
    """A transcript, or a translation.

    `verbose_json` adds the task, the language, the duration, the segments and the words, and `diarized_json` the
    segments with their speakers. A duration that nobody knows is null.
    """

    text: str
    task: NotRequired[Literal["transcribe", "translate"]]
    language: NotRequired[str]
    duration: NotRequired[float | None]
    segments: NotRequired[list[TranscriptSegment | SpeakerSegment]]
    words: NotRequired[list[TranscriptWord]]
    usage: NotRequired[TranscriptTokens | AudioSeconds]


class TranscriptEvent(TypedDict):
    """A piece of the text (`delta`), or the end with all of it (`text`, `usage`)."""

    type: Literal["transcript.text.delta", "transcript.text.done"]
    delta: NotRequired[str]
    text: NotRequired[str]
    usage: NotRequired[TranscriptTokens]
