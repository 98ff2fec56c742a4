"""The request of `POST /v1/audio/speech`; what becomes of each field is in `PARAMETERS`.

Source: https://platform.openai.com/docs/api-reference/audio/createSpeech, and openai-python 3.57. Objects keep the
fields they do not know (`model_extra`). `null` means absent.
"""

from typing import Annotated, Literal

from pydantic import Field

from gemgate.translation.parameters import ParameterSupport, handled, mapped
from gemgate.wire import Wire


class CustomVoice(Wire):
    """A voice of the caller's own, by its id."""

    id: Annotated[str, Field(min_length=1)]


class SpeechRequest(Wire):
    """What is to be said, and how."""

    model: Annotated[str, Field(min_length=1)]
    input: Annotated[str, Field(min_length=1)]
    voice: Annotated[str, Field(min_length=1)] | CustomVoice
    instructions: str | None = None
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None
    speed: Annotated[float, Field(ge=0.25, le=4.0)] | None = None
    stream_format: Literal["audio", "sse"] | None = None

    extra_body: dict[str, object] | None = None
    google: dict[str, object] | None = None


PARAMETERS: dict[str, ParameterSupport] = {
    "model": mapped("the model in the path; OpenAI's names of models are answered by Gemini's (see above)"),
    "input": mapped("the text of the user's turn, of any length that the model takes"),
    "extra_body": mapped("`extra_body.google`: speech_config, speech_metadata, safety_settings, generation_config"),
    "google": mapped("as `extra_body.google`"),
    "instructions": mapped("`speechMetadata.style`; before the text on models older than Gemini 3.8"),
    "response_format": mapped(
        "`responseFormat.audio` for `mp3` and `opus` where the model has it; else the gateway encodes: `mp3`, `wav` "
        "and `pcm` always, `opus`, `aac` and `flac` if PyAV is installed (`gemgate[audio]`)"
    ),
    "speed": mapped("words in the style, such as “at 1.5 times the normal pace”, noted in `x-gemgate-adjusted`"),
    "stream_format": handled("`audio`: bytes as they are made; `sse`: events"),
    "voice": mapped("`speechConfig.voiceConfig`: OpenAI's voices by a near one of Gemini's, all others as they are"),
}
