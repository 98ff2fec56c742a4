"""What is to be heard, and what a transcript is read and written by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gemgate.api.transcriptions.wire import TranscriptFormat
from gemgate.gemini.types import Part

TIMED = frozenset({"srt", "vtt", "verbose_json", "diarized_json"})
"""Formats that have times."""


class Span(NamedTuple):
    """From when to when a piece of audio lasts, in seconds from the beginning of the whole."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class HeardAudio:
    """What is to be heard.

    Attributes:
        parts: The parts that hold it, or name it as files at Google: one, or one for each of `spans`.
        mime_type: Its type, as Gemini spells it.
        seconds: How long it lasts; None where its head does not say.
        spans: Where its pieces are, each of which repeats the end of the one before it; empty for a whole.
    """

    parts: Sequence[Part] = field(repr=False)
    mime_type: str
    seconds: float | None = None
    spans: Sequence[Span] = ()


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
        spans: Where the pieces of the audio are; empty for a whole.
    """

    format: TranscriptFormat
    is_translation: bool = False
    is_structured: bool = False
    has_words: bool = False
    has_segments: bool = True
    language: str = ""
    seconds: float | None = None
    temperature: float = 0.0
    spans: Sequence[Span] = ()

    @property
    def needs_times(self) -> bool:
        """Whether the format has times."""
        return self.format in TIMED
