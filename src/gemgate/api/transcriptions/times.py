"""Words and segments of a transcript with their times, in seconds from the beginning of the audio."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

PAUSE = 0.6
"""Seconds of silence after which a new segment begins."""

LONGEST = 15.0
"""Seconds of a segment that has no end of a sentence."""

_SENTENCE_ENDS = (".", "?", "!", "\u2026", "\u3002", "\uff1f", "\uff01", "\u0964", "\u061f")
_CLOSING = "\"'\u201d\u2019\u00bb)]}\u300d\u300f"
_OPENING = frozenset({"Ps", "Pi", "Pd"})
_CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6}(?:[.,]\d{1,9})?)", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,12})?", re.ASCII)
# Scripts that put no blanks between words: Thai to Khmer, kana, ideographs and their punctuation.
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3000, 0x30FF), (0x3400, 0x9FFF), (0xFF00, 0xFFEF))


class TimedWord(NamedTuple):
    """A word, and who says it where that is known."""

    word: str
    start: float
    end: float
    speaker: str = ""


class TimedSegment(NamedTuple):
    """A stretch of a transcript; times are None where the model gave none."""

    text: str
    start: float | None
    end: float | None
    speaker: str = ""


def offset(value: object) -> float | None:
    """Seconds of a `google.protobuf.Duration` as JSON has it, such as `1.2s`; None for anything else."""
    if isinstance(value, str) and value.endswith("s") and _NUMBER.fullmatch(value[:-1]):
        return float(value[:-1])
    return None


def clock_time(value: object) -> float | None:
    """Seconds of `MM:SS.mmm` as a model writes it, with hours or without minutes too; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if math.isfinite(value) and value >= 0 else None
    if not isinstance(value, str):
        return None
    found = _CLOCK.fullmatch(value.strip().removesuffix("s"))
    if found is None:
        return None
    return int(found[1] or 0) * 3600 + int(found[2] or 0) * 60 + float(found[3].replace(",", "."))


def timed_words(given: Iterable[object], speaker: str = "") -> list[TimedWord]:
    """The words of `audioTranscription.words` that have times.

    Google leaves out what is zero: a word without a beginning begins where the one before it ends, and one without an
    end ends where the next begins. If no word has an offset, none has times.
    """
    words = [word for word in given if isinstance(word, dict) and isinstance(word.get("word"), str) and word["word"]]
    starts = [offset(word.get("startOffset")) for word in words]
    ends = [offset(word.get("endOffset")) for word in words]
    if all(time is None for time in (*starts, *ends)):
        return []
    found: list[TimedWord] = []
    for index, word in enumerate(words):
        start, end = starts[index], ends[index]
        if start is None:
            start = found[-1].end if found else 0.0
        if end is None:
            following = starts[index + 1] if index + 1 < len(words) else None
            end = start if following is None else following
        found.append(TimedWord(word["word"], start, end, speaker))
    return found


def within_words(words: Sequence[TimedWord], duration: float | None) -> list[TimedWord]:
    """The words in the order of their times, none before the one in front of it and none beyond the audio's end."""
    last, found = 0.0, []
    for word in sorted(words, key=lambda word: word.start):
        start = min(max(word.start, last), _end(duration))
        found.append(word._replace(start=start, end=min(max(word.end, start), _end(duration))))
        last = start
    return found


def within_segments(segments: Sequence[TimedSegment], duration: float | None) -> list[TimedSegment]:
    """The same for segments, of which none begins before the one in front of it has ended; those without times stay."""
    if any(segment.start is None for segment in segments):
        return list(segments)
    last, found = 0.0, []
    for segment in sorted(segments, key=lambda segment: segment.start or 0.0):
        start = min(max(segment.start or 0.0, last), _end(duration))
        end = min(max(start if segment.end is None else segment.end, start), _end(duration))
        found.append(segment._replace(start=start, end=end))
        last = end
    return found


def folded(heard: Iterable[TimedWord | TimedSegment]) -> list[TimedSegment]:
    """The words as segments, in their place among those that have no words.

    A segment ends with a sentence, with its speaker, before a pause, and after `LONGEST` seconds.
    """
    found: list[TimedSegment] = []
    group: list[TimedWord] = []
    for item in heard:
        if group and (isinstance(item, TimedSegment) or _begins_another(group, item)):
            found.append(_segment_of(group))
            group = []
        if isinstance(item, TimedSegment):
            found.append(item)
        else:
            group.append(item)
    return [*found, _segment_of(group)] if group else found


def _segment_of(group: Sequence[TimedWord]) -> TimedSegment:
    end = max(word.end for word in group)
    return TimedSegment(joined(word.word for word in group), group[0].start, end, group[0].speaker)


def _begins_another(group: Sequence[TimedWord], word: TimedWord) -> bool:
    last = group[-1]
    return (
        word.speaker != last.speaker
        or word.start - last.end > PAUSE
        or word.end - group[0].start > LONGEST
        or last.word.rstrip().rstrip(_CLOSING).endswith(_SENTENCE_ENDS)
    )


def joined(pieces: Iterable[str]) -> str:
    """Words or sentences as one text, with blanks where their script has them."""
    text: list[str] = []
    last = ""
    for piece in pieces:
        if piece:
            text += [separator(last, piece), piece]
            last = piece
    return "".join(text).strip()


def separator(before: str, after: str) -> str:
    """What belongs between two pieces of a text: a blank or nothing."""
    if not before or not after or before[-1].isspace() or after[0].isspace():
        return ""
    if is_unspaced(before[-1]) and is_unspaced(after[0]):
        return ""
    is_punctuation = all(unicodedata.category(char).startswith("P") for char in after[:8])
    is_opening = unicodedata.category(after[0]) in _OPENING or after[0] in "\"'\u00bf\u00a1"
    return "" if is_punctuation and not is_opening else " "


def is_unspaced(char: str) -> bool:
    """Whether the script of a character puts no blanks between words."""
    return any(first <= ord(char) <= last for first, last in _UNSPACED)


def _end(duration: float | None) -> float:
    return math.inf if duration is None else duration
