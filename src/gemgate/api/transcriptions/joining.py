"""The transcripts of the pieces of one audio as one; where two pieces overlap, their transcripts meet."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise

from gemgate.api.transcriptions.plan import Span, TranscriptPlan
from gemgate.api.transcriptions.times import (
    TimedSegment,
    TimedWord,
    folded,
    is_unspaced,
    joined,
    separator,
    within_segments,
    within_words,
)
from gemgate.api.transcriptions.transcript import ReadTranscript, TranscriptReader, nth_speaker
from gemgate.gemini.types import GenerateContentResponse, UsageMetadata
from gemgate.gemini.usage import total
from gemgate.observability.record import AnswerSummary

_COMPARED_CHARS, _COMPARED_WORDS = 2_000, 160
"""How much of the end of one text and of the beginning of the next is compared: more than is said in an overlap."""

_SAME_WORDS = 3
"""Fewer may be the same by chance."""

Item = TimedWord | TimedSegment


@dataclass(slots=True)
class JoinedTranscript:
    """The transcript of several pieces."""

    text: str
    words: list[TimedWord]
    segments: list[TimedSegment]
    language: str
    is_cut: bool
    has_times: bool
    usage: UsageMetadata


class PieceReaders:
    """Takes the events of the answers for all pieces of an audio, or for a whole one.

    Attributes:
        rest: What is to be said at the end that `feed` has not given.
    """

    def __init__(self, plan: TranscriptPlan) -> None:
        self.rest = ""
        self._plan = plan
        lasting: list[float | None] = [span.end - span.start for span in plan.spans]
        self._readers = [
            TranscriptReader(replace(plan, seconds=seconds, spans=())) for seconds in lasting or [plan.seconds]
        ]
        self._text = _TextJoin()
        self._done = 0

    def feed(self, number: int, event: GenerateContentResponse) -> str:
        """What an event of the call `number` adds to the text.

        Of several pieces, one is given once the next has ended; nothing where times decide where they meet.
        """
        added = self._readers[number].feed(event)
        if len(self._readers) == 1:
            return added
        if self._plan.needs_times or not self._readers[number].has_ended:
            return ""
        given = ""
        while self._done < len(self._readers) and self._readers[self._done].has_ended:
            given += self._text.add(self._readers[self._done].text)
            self._done += 1
        return given

    def finish(self) -> ReadTranscript:
        """The whole transcript, once all answers have ended.

        Raises:
            ApiError: the model gave none for a piece, or a filter took it.
        """
        for reader in self._readers:
            reader.finish()
        if len(self._readers) == 1:
            (only,) = self._readers
            self.rest = only.text if self._plan.is_structured else ""
            return only
        found = self._joined()
        if self._plan.needs_times and found.has_times:
            self.rest = found.text
            return found
        self.rest = "".join(self._text.add(reader.text) for reader in self._readers[self._done :]) + self._text.finish()
        return replace(found, text=self._text.given)

    def summary(self) -> AnswerSummary:
        """What is known by now of the model and the tokens."""
        found = [reader.summary() for reader in self._readers]
        if len(found) == 1:
            return found[0]
        usage = total(reader.usage for reader in self._readers)
        reasons = [reason for each in found for reason in each.finish_reasons][:1]
        return found[0]._replace(usage=usage, finish_reasons=reasons)

    def _joined(self) -> JoinedTranscript:
        readers = self._readers
        has_times = all(reader.has_times for reader in readers)
        segments = [segment for reader in readers for segment in reader.segments]
        words: list[TimedWord] = []
        if self._plan.needs_times and has_times:
            items = _met([reader.items for reader in readers], self._plan.spans)
            words = within_words([item for item in items if isinstance(item, TimedWord)], self._plan.seconds)
            segments = within_segments(folded(items), self._plan.seconds)
        return JoinedTranscript(
            text=joined(segment.text for segment in segments),
            words=words,
            segments=segments,
            language=next((reader.language for reader in readers if reader.language), ""),
            is_cut=any(reader.is_cut for reader in readers),
            has_times=has_times,
            usage=total(reader.usage for reader in readers),
        )


class _TextJoin:
    """Joins texts of which each begins with words that the one before it ends with.

    Attributes:
        given: What is sure by now.
    """

    def __init__(self) -> None:
        self.given = ""
        self._held = ""

    def add(self, text: str) -> str:
        """What becomes sure with the next text: all of the one before it."""
        held, text = self._held, text.strip()
        end, start = meeting(held, text) if held else (0, 0)
        kept, following = held[:end].rstrip(), text[start:].lstrip()
        self.given += kept
        self._held = separator(kept, following) + following
        return kept

    def finish(self) -> str:
        """The last text."""
        held, self._held = self._held, ""
        self.given += held
        return held


def meeting(before: str, after: str) -> tuple[int, int]:
    """Where to leave `before`, and where to begin `after`, in characters.

    That is in the middle of the longest run of words that the end of the one and the beginning of the other share, or
    else at the end and at the beginning: then nothing is left out.
    """
    offset = max(0, len(before) - _COMPARED_CHARS)
    ends = _tokens(before[offset:])[-_COMPARED_WORDS:]
    begins = _tokens(after[:_COMPARED_CHARS])[:_COMPARED_WORDS]
    # Backwards, because of several runs that are as long the last one counts.
    left, right = [word for word, _ in reversed(ends)], [word for word, _ in reversed(begins)]
    same = SequenceMatcher(None, left, right, autojunk=False).find_longest_match(0, len(left), 0, len(right))
    if same.size < _SAME_WORDS:
        return len(before), 0
    half = same.size // 2
    return _place(ends, same.a + half, offset, before), _place(begins, same.b + half, 0, after)


def _place(tokens: Sequence[tuple[str, int]], last: int, offset: int, text: str) -> int:
    """Where the `last` words begin; the end of the text if they are 0."""
    return offset + tokens[len(tokens) - last][1] if last else len(text)


def _tokens(text: str) -> list[tuple[str, int]]:
    """The words of a text with the places where they begin; in scripts without blanks each character is one.

    They are compared without case and punctuation.
    """
    found: list[tuple[str, int]] = []
    word, start = "", 0
    for place, char in enumerate(f"{text} "):
        if char.isspace() or is_unspaced(char):
            if word:
                found.append((word, start))
                word = ""
            if not char.isspace() and unicodedata.category(char)[0] in "LN":
                found.append((char, place))
        elif unicodedata.category(char)[0] in "LNM":
            start = start if word else place
            word += char.casefold()
    return found


def _met(pieces: Sequence[Sequence[Item]], spans: Sequence[Span]) -> list[Item]:
    """The words or segments of all pieces in the time of the whole; in an overlap those of one piece, then the next."""
    found: list[Item] = []
    speakers: set[str] = set()
    for number, (items, span) in enumerate(zip(pieces, spans, strict=True)):
        moved = [_moved(item, span.start) for item in items]
        names: dict[str, str] = {}
        if number:
            overlap = Span(span.start, spans[number - 1].end)
            names = _same_speakers(found, moved, overlap)
            seam = _seam(found, overlap)
            found = [item for item in found if _middle(item) < seam]
            moved = [item for item in moved if _middle(item) >= seam]
        for item in moved:
            if item.speaker and item.speaker not in names:
                names[item.speaker] = nth_speaker(len(speakers))
            speakers.add(name := names.get(item.speaker, ""))
            speakers.discard("")
            found.append(item._replace(speaker=name))
    return found


def _moved(item: Item, seconds: float) -> Item:
    start = (item.start or 0.0) + seconds
    return item._replace(start=start, end=start if item.end is None else item.end + seconds)


def _middle(item: Item) -> float:
    start = item.start or 0.0
    return (start + (start if item.end is None else item.end)) / 2


def _seam(found: Sequence[Item], overlap: Span) -> float:
    """Where one piece is left for the next: in the longest pause of an overlap, or else in the middle of it."""
    longest, seam = 0.0, (overlap.start + overlap.end) / 2
    for before, after in pairwise(_within(found, overlap)):
        end, start = before.end or 0.0, after.start or 0.0
        if start - end > longest and overlap.start < (start + end) / 2 < overlap.end:
            longest, seam = start - end, (start + end) / 2
    return seam


def _same_speakers(found: Sequence[Item], moved: Sequence[Item], overlap: Span) -> dict[str, str]:
    """The names of a piece's speakers in the pieces before it: of those who speak at the same time.

    Each piece has names of its own, and Gemini takes no samples of voices.
    """
    shared: dict[tuple[str, str], float] = {}
    others = [item for item in _within(moved, overlap) if item.speaker]
    for item in _within(found, overlap):
        for other in others if item.speaker else ():
            seconds = min(item.end or 0.0, other.end or 0.0) - max(item.start or 0.0, other.start or 0.0)
            if seconds > 0:
                pair = other.speaker, item.speaker
                shared[pair] = shared.get(pair, 0.0) + seconds
    names: dict[str, str] = {}
    for (name, before), _ in sorted(shared.items(), key=lambda pair: -pair[1]):
        if name not in names and before not in names.values():
            names[name] = before
    return names


def _within(items: Sequence[Item], overlap: Span) -> list[Item]:
    """The items that reach into an overlap; no more than a model can have heard in it."""
    found = [item for item in items if (item.end or 0.0) > overlap.start and (item.start or 0.0) < overlap.end]
    return found[-_COMPARED_WORDS:]
