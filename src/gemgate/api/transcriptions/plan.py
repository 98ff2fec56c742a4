"""What is to be heard, and what a transcript is read and written by."""

from dataclasses import dataclass, field

from gemgate.api.transcriptions.wire import TranscriptFormat
from gemgate.gemini.types import Part

_TIMED = frozenset({"srt", "vtt", "verbose_json", "diarized_json"})


@dataclass(frozen=True, slots=True)
class HeardAudio:
    """What is to be heard.

    Attributes:
        part: The part that holds it, or names it as a file at Google.
        mime_type: Its type, as Gemini spells it.
        seconds: How long it lasts; None where its head does not say.
    """

    part: Part = field(repr=False)
    mime_type: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TranscriptPlan:
    """What an answer is read and written by.

    Attributes:
        format: What the caller gets.
        is_translation: Whether it is a translation into English.
        is_structured: Whether a general model writes segments as JSON.
        has_words: Whether words are wanted in the answer.
        has_segments: Whether segments are.
        language: The language that the caller has named, if any.
        seconds: How long the audio lasts, if known.
        temperature: What the caller has asked for.
    """

    format: TranscriptFormat
    is_translation: bool = False
    is_structured: bool = False
    has_words: bool = False
    has_segments: bool = True
    language: str = ""
    seconds: float | None = None
    temperature: float = 0.0

    @property
    def needs_times(self) -> bool:
        """Whether the format has times."""
        return self.format in _TIMED
