"""Events of `POST /v1/audio/speech`."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12


class SpeechInputTokens(TypedDict):
    """Tokens by kind."""

    text_tokens: int
    audio_tokens: int


class SpeechUsage(TypedDict):
    """Tokens."""

    input_tokens: int
    input_token_details: SpeechInputTokens
    output_tokens: int
    total_tokens: int


class SpeechEvent(TypedDict):
    """A piece of the file in base64 (`audio`), or the end of it (`usage`)."""

    type: Literal["speech.audio.delta", "speech.audio.done"]
    audio: NotRequired[str]
    usage: NotRequired[SpeechUsage]
