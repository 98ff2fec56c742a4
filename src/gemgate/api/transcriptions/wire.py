"""The forms of `POST /v1/audio/transcriptions` and `/translations`; what becomes of each field is in the tables.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription, and openai-python 3.57. Objects keep
the fields they do not know (`model_extra`). The file is read beside them.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gemgate.translation.parameters import ParameterSupport, dropped, handled, mapped
from gemgate.wire import Wire

RECOGNIZER = "gemini-3.5-transcribe"
"""The model that transcribes unless another one is named."""

TRANSLATOR = "gemini-3.8-flash"
"""The model that translates unless another one is named: the one that recognizes speech does not translate."""

TranscriptFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]


def _absent_if_empty(value: object) -> object:
    return None if value == "" else value


def _listed(value: object) -> object:
    """A field that was sent once, without brackets, as a list of one."""
    if value is None or value == "":
        return None
    return [value] if isinstance(value, str) else value


Temperature = Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False), BeforeValidator(_absent_if_empty)]
Text = Annotated[str | None, BeforeValidator(_absent_if_empty)]
Texts = Annotated[list[str] | None, BeforeValidator(_listed)]


class TranscriptionRequest(Wire):
    """The fields beside the file."""

    model: Annotated[str, Field(min_length=1)] = RECOGNIZER
    language: Text = None
    languages: Texts = None
    prompt: Text = None
    keywords: Texts = None
    temperature: Temperature = None
    response_format: Annotated[TranscriptFormat | None, BeforeValidator(_absent_if_empty)] = None
    timestamp_granularities: Annotated[list[Literal["word", "segment"]] | None, BeforeValidator(_listed)] = None
    include: Texts = None
    stream: Annotated[bool | None, BeforeValidator(_absent_if_empty)] = None
    chunking_strategy: object = None
    known_speaker_names: Texts = None
    known_speaker_references: Texts = None

    extra_body: dict[str, object] | None = None
    google: dict[str, object] | None = None


class TranslationRequest(Wire):
    """The fields beside the file."""

    model: Annotated[str, Field(min_length=1)] = TRANSLATOR
    prompt: Text = None
    temperature: Temperature = None
    response_format: Annotated[
        Literal["json", "text", "srt", "verbose_json", "vtt"] | None, BeforeValidator(_absent_if_empty)
    ] = None
    stream: Annotated[bool | None, BeforeValidator(_absent_if_empty)] = None

    extra_body: dict[str, object] | None = None
    google: dict[str, object] | None = None


LISTS = frozenset(
    {"timestamp_granularities", "include", "languages", "keywords", "known_speaker_names", "known_speaker_references"}
)
"""Fields that may come several times, with `[]` behind their names or without."""

_FILE = mapped(
    "`inlineData`; above 8 MB, unless `GEMGATE_LARGE_MEDIA=refuse`, a file of Google's Files API, which is deleted "
    "after the answer; what is longer than the model takes is cut into pieces"
)
_MODEL = "the model in the path; OpenAI's names of models are answered by Gemini's (see above)"
_FORMAT = (
    "`verbose_json`, `srt` and `vtt`: `audioTranscriptionConfig.wordTimestamp`, or a `responseJsonSchema` on general "
    "models; all are written by the gateway"
)
_TEMPERATURE = mapped("`generationConfig.temperature` where the model takes it, else dropped")
_EXTRA = mapped("`extra_body.google`: generation_config, safety_settings")
_SAME = mapped("as `extra_body.google`")

TRANSCRIPTIONS: dict[str, ParameterSupport] = {
    "file": _FILE,
    "model": mapped(f"{_MODEL}; `{RECOGNIZER}` without it"),
    "language": mapped("`audioTranscriptionConfig.languageCodes` (`en` as `en-US`); words on general models"),
    "languages": mapped("as `language`, for several"),
    "prompt": mapped(
        "`audioTranscriptionConfig.customVocabulary` if it is a list of names and terms, else dropped; words on "
        "general models"
    ),
    "keywords": mapped("`audioTranscriptionConfig.customVocabulary`; words on general models"),
    "temperature": _TEMPERATURE,
    "response_format": mapped(
        f"{_FORMAT}; `diarized_json`: `audioTranscriptionConfig.diarization` and words with times"
    ),
    "timestamp_granularities": mapped(
        "of `verbose_json`: `word` has the words, `segment` (the default) sentences made of them; general models have "
        "no `word`"
    ),
    "stream": handled("events, for `json`, `text` and `diarized_json`; dropped for the other formats"),
    "include": dropped("Gemini's transcripts have no log probabilities"),
    "chunking_strategy": dropped("Gemini hears the whole"),
    "known_speaker_names": dropped("Gemini takes no samples of voices; speakers are A, B, …"),
    "known_speaker_references": dropped("Gemini takes no samples of voices"),
    "extra_body": _EXTRA,
    "google": _SAME,
}

TRANSLATIONS: dict[str, ParameterSupport] = {
    "file": _FILE,
    "model": mapped(f"{_MODEL}; `{TRANSLATOR}` without it"),
    "prompt": mapped("words before the audio"),
    "temperature": _TEMPERATURE,
    "response_format": mapped(
        "`verbose_json`, `srt` and `vtt`: a `responseJsonSchema`; all are written by the gateway"
    ),
    "stream": handled("events, for `json` and `text`; OpenAI has none here"),
    "extra_body": _EXTRA,
    "google": _SAME,
}
