"""One answer of a model as a transcript, whatever parts it comes in.

The model that recognizes speech answers with texts, or with `audioTranscription` that has the text, the speaker and the
words with their times; no recording shows which, so each field may be absent, and both kinds are read. General models
write JSON where times are wanted.
"""

from collections.abc import Sequence
from typing import Protocol

import orjson

from gemgate.api.transcriptions.plan import TranscriptPlan
from gemgate.api.transcriptions.times import (
    TimedSegment,
    TimedWord,
    clock_time,
    folded,
    joined,
    offset,
    separator,
    timed_words,
    within_segments,
    within_words,
)
from gemgate.errors import ApiError
from gemgate.gemini.types import Candidate, GenerateContentResponse, Part, UsageMetadata
from gemgate.observability.record import AnswerSummary
from gemgate.translation.response_fields import BROKEN, FINISH_REASONS, block, no_answer

_MAX_SHOWN = 200


class ReadTranscript(Protocol):
    """What is written in the format that was asked for; its members are described at `TranscriptReader`."""

    text: str
    words: list[TimedWord]
    segments: list[TimedSegment]
    language: str
    is_cut: bool
    usage: UsageMetadata

    @property
    def has_times(self) -> bool:
        """Whether every segment has times."""
        ...


class TranscriptReader:
    """Takes the events of one answer, and has the transcript at the end.

    Attributes:
        text: What is said, as far as it has come; for JSON of a general model, once `finish` was called.
        words: The words with times, in order; once `finish` was called.
        segments: The segments, in order; once `finish` was called.
        language: What the model says of it; empty if nothing.
        is_cut: Whether the model reached the limit of its answer; once `finish` was called.
    """

    def __init__(self, plan: TranscriptPlan) -> None:
        self.text = ""
        self.words: list[TimedWord] = []
        self.segments: list[TimedSegment] = []
        self.language = ""
        self.is_cut = False
        self._plan = plan
        self._heard: list[TimedWord | TimedSegment] = []
        self._raw = ""
        self._last = ""
        self._has_turns: bool | None = None
        self._speakers: dict[str, str] = {}
        self._reason: str | None = None
        self._message: str | None = None
        self._blocked: str | None = None
        self._has_candidate = False
        self._served: str | None = None
        self._id: str | None = None
        self.usage: UsageMetadata = {}

    def feed(self, event: GenerateContentResponse) -> str:
        """What an event adds to the text; nothing where a general model writes JSON."""
        self._served = event.get("modelVersion") or self._served
        self._id = event.get("responseId") or self._id
        self.usage = event.get("usageMetadata") or self.usage
        if feedback := block(event):
            self._blocked = feedback.get("blockReason") or "BLOCK_REASON_UNSPECIFIED"
            self._message = feedback.get("blockReasonMessage")
        candidates = event.get("candidates") or []
        first: Candidate = candidates[0] if candidates else {}
        self._has_candidate = self._has_candidate or bool(first)
        self._reason = first.get("finishReason") or self._reason
        self._message = first.get("finishMessage") or self._message
        added = "".join(self._part(part) for part in (first.get("content") or {}).get("parts") or ())
        if self._plan.is_structured:
            self._raw += added
            return ""
        self.text += added
        return added

    def finish(self) -> None:
        """The answer has ended: complete the transcript.

        Raises:
            ApiError: the model gave none, a filter took it, or the stream ended before its end.
        """
        if (failure := self._failure()) is not None:
            raise failure
        self.is_cut = self._reason == "MAX_TOKENS"
        if self._plan.is_structured:
            self._read_json()
        else:
            self.segments = _in_time(folded(self._heard))
        self.words = within_words([word for word in self._heard if isinstance(word, TimedWord)], self._plan.seconds)
        self.segments = within_segments(self.segments, self._plan.seconds)

    def summary(self) -> AnswerSummary:
        """What is known by now of the model and the tokens."""
        reasons = [FINISH_REASONS.get(self._reason, "stop")] if self._reason else []
        return AnswerSummary(self._served, self.usage, self._id, reasons)

    @property
    def has_times(self) -> bool:
        """Whether every segment has times; so it is where nobody speaks."""
        return all(segment.start is not None for segment in self.segments) and bool(self.segments or not self.text)

    @property
    def has_ended(self) -> bool:
        """Whether the model has said that this was all."""
        return self._reason is not None or self._blocked is not None

    @property
    def items(self) -> Sequence[TimedWord | TimedSegment]:
        """The words if everything has them, else the segments; once `finish` was called."""
        return self.words if len(self.words) == len(self._heard) > 0 else self.segments

    def _part(self, part: Part) -> str:
        """What a part adds to the text. What comes both as text and as turns counts once: as what came first."""
        if part.get("thought"):
            return ""
        turn = part.get("audioTranscription")
        if isinstance(turn, dict):
            return self._turn(turn)
        text = part.get("text") or ""
        if not text or (self._has_turns and not self._plan.is_structured):
            return ""
        if text.strip():
            self._has_turns = False
        return text

    def _turn(self, turn: dict[str, object]) -> str:
        speaker = self._letter(turn.get("speakerLabel"))
        words = timed_words(given if isinstance(given := turn.get("words"), list) else [], speaker)
        self._heard += words
        said = turn.get("text")
        text = said if isinstance(said, str) else joined(word.word for word in words)
        if isinstance(code := turn.get("languageCode"), str):
            self.language = self.language or code
        if text.strip() and not words:
            times = offset(turn.get("startOffset")), offset(turn.get("endOffset"))
            self._heard.append(TimedSegment(text.strip(), *times, speaker))
        if self._has_turns is False or not text:
            return ""
        self._has_turns = True
        before, self._last = self._last, text
        return separator(before, text) + text

    def _letter(self, label: object) -> str:
        """OpenAI's name of a speaker: A for the first who speaks."""
        if not isinstance(label, str) or not label:
            return ""
        if label not in self._speakers:
            self._speakers[label] = nth_speaker(len(self._speakers))
        return self._speakers[label]

    def _read_json(self) -> None:
        """The segments that a general model wrote; half of one, where its answer was cut, is left out.

        Raises:
            ApiError: 502, it is something else.
        """
        found = _object(self._raw)
        if found is None:
            if not self._raw.strip():
                return
            shown = self._raw.strip()[:_MAX_SHOWN]
            msg = f"The model did not write segments with their times, but: {shown}"
            raise ApiError(502, msg, type="server_error", code="upstream_malformed_response")
        if isinstance(language := found.get("language"), str):
            self.language = language
        segments = found.get("segments")
        for segment in segments if isinstance(segments, list) else ():
            if isinstance(segment, dict) and isinstance(text := segment.get("text"), str) and text.strip():
                times = clock_time(segment.get("start")), clock_time(segment.get("end"))
                self.segments.append(TimedSegment(text.strip(), *times, self._letter(segment.get("speaker"))))
        self.segments = within_segments(_in_time(self.segments), self._plan.seconds)
        self.text = joined(segment.text for segment in self.segments)

    def _failure(self) -> ApiError | None:
        if self._blocked:
            return _refused("the audio", self._blocked, self._message)
        if self._reason is not None and FINISH_REASONS.get(self._reason) == "content_filter":
            return _refused("the transcript", self._reason, self._message)
        if self._reason in BROKEN:
            return no_answer(self._reason, self._message)
        if not self._has_candidate:
            return no_answer(self._reason, self._message)
        if self._reason is None:
            msg = "Gemini's answer ended before the transcript did."
            return ApiError(502, msg, type="server_error", code="stream_truncated")
        has_text = bool(self.text.strip() or self._raw.strip())
        if self._reason not in FINISH_REASONS and not has_text:
            return no_answer(self._reason, self._message)
        return None


def _object(text: str) -> dict[str, object] | None:
    """The JSON object of a text, which may be in a fence, or broken off within its list of segments."""
    start = text.find("{")
    if start < 0:
        return None
    end = text.rfind("}") + 1
    for candidate in (text[start:end], text[start:end] + "]}"):
        try:
            found = orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
        return found if isinstance(found, dict) else None
    return None


def _in_time(segments: list[TimedSegment]) -> list[TimedSegment]:
    """Segments of which some lack a time: it is that of the neighbour; none has times where none has any."""
    if all(segment.start is None and segment.end is None for segment in segments):
        return segments
    found: list[TimedSegment] = []
    for segment in segments:
        before = found[-1].end if found else 0.0
        start = before if segment.start is None else segment.start
        found.append(segment._replace(start=start, end=start if segment.end is None else segment.end))
    return found


def nth_speaker(number: int) -> str:
    """OpenAI's name of the speaker before whom `number` others have spoken: A to Z, then AA, and so on."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _refused(what: str, reason: str, message: str | None) -> ApiError:
    text = f"Google blocked {what} ({reason})." + (f" {message}" if message else "")
    google: dict[str, object] = {"status": reason, "details": []}
    return ApiError(400, text, param="file", code="moderation_blocked", google=google)
