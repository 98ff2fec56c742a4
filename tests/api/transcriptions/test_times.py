"""Words and segments with their times."""

import io

import pytest
import webvtt
from tests.api.transcriptions.support import WORDS

from gemgate.api.transcriptions.subtitles import srt, vtt
from gemgate.api.transcriptions.times import (
    TimedSegment,
    TimedWord,
    clock_time,
    folded,
    joined,
    offset,
    timed_words,
    within_segments,
    within_words,
)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("1.2s", 1.2),
        ("0s", 0),
        ("3600.000001s", 3600.000001),
        ("1.2", None),
        ("-1s", None),
        (None, None),
        ("NaNs", None),
    ],
)
def test_an_offset_is_a_duration_of_googles(given: object, seconds: float | None) -> None:
    assert offset(given) == seconds


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("01:02.500", 62.5),
        ("1:00:01", 3601),
        ("00:00,250", 0.25),
        ("12.5", 12.5),
        (7, 7),
        ("90:00", 5400),
        ("soon", None),
        (True, None),
        (float("inf"), None),
        (-1, None),
        ("1:2:3:4", None),
    ],
)
def test_a_clock_time_is_read_as_models_write_it(given: object, seconds: float | None) -> None:
    assert clock_time(given) == seconds


def test_each_field_of_a_word_may_be_absent() -> None:
    words = [{"word": "a", "endOffset": "0.5s"}, {"word": "b"}, {"word": "c", "startOffset": "1s"}, {"word": ""}, 7]
    assert timed_words(words) == [TimedWord("a", 0, 0.5), TimedWord("b", 0.5, 1), TimedWord("c", 1, 1)]
    assert timed_words([{"word": "a"}, {"word": "b"}]) == []


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        ([("One.", 0, 1), ("Two", 1, 2)], ["One.", "Two"]),
        ([("one", 0, 1), ("two", 1.5, 2)], ["one two"]),
        ([("one", 0, 1), ("two", 1.7, 2)], ["one", "two"]),
        ([("one", 0, 8), ("two", 8, 14.9), ("three", 14.9, 16)], ["one two", "three"]),
        ([("“Yes!”", 0, 1), ("he", 1, 2), (",", 2, 2)], ["“Yes!”", "he,"]),
        ([("\u4f60", 0, 1), ("\u597d", 1, 2), ("\u3002", 2, 2), ("\u518d", 2, 3)], ["\u4f60\u597d\u3002", "\u518d"]),
    ],
)
def test_a_segment_ends_with_a_sentence_before_a_pause_and_after_fifteen_seconds(
    words: list[tuple[str, float, float]], texts: list[str]
) -> None:
    assert [segment.text for segment in folded(TimedWord(*word) for word in words)] == texts


def test_a_segment_ends_with_its_speaker_and_keeps_its_place_among_others() -> None:
    other = TimedSegment("Hm.", None, None, "B")
    heard: list[TimedWord | TimedSegment] = [
        TimedWord("a", 0, 1, "A"),
        TimedWord("b", 1, 2, "B"),
        other,
        TimedWord("c", 2, 3, "B"),
    ]
    assert folded(heard) == [
        TimedSegment("a", 0, 1, "A"),
        TimedSegment("b", 1, 2, "B"),
        other,
        TimedSegment("c", 2, 3, "B"),
    ]


def test_times_are_in_order_and_within_the_audio() -> None:
    words = [TimedWord("b", 3, 2), TimedWord("a", 1, 9), TimedWord("c", 12, 13)]
    assert within_words(words, 10) == [TimedWord("a", 1, 9), TimedWord("b", 3, 3), TimedWord("c", 10, 10)]
    segments = [TimedSegment("b", 4, 8), TimedSegment("a", 0, 5), TimedSegment("c", 7, 99)]
    assert within_segments(segments, 10) == [
        TimedSegment("a", 0, 5),
        TimedSegment("b", 5, 8),
        TimedSegment("c", 8, 10),
    ]
    assert within_segments(segments, None)[-1].end == 99


@pytest.mark.parametrize(
    ("pieces", "text"),
    [(["a", "b"], "a b"), (["a ", "b"], "a b"), (["a", " b"], "a b"), (["a", ".", "(b"], "a. (b"), ([""], "")],
)
def test_pieces_are_joined_as_their_script_has_it(pieces: list[str], text: str) -> None:
    assert joined(pieces) == text


SEGMENTS = [
    TimedSegment("Good morning.\n\nAll --> well?", 0, 1.1),
    TimedSegment("Tom & <i>Jerry</i>", 59.9996, 3661.5),
    TimedSegment("\u4f60\u597d", 3661.5, 360_000),
]


def test_subrip_is_read_by_a_library() -> None:
    found = webvtt.from_buffer(io.StringIO(srt(SEGMENTS)), format="srt").captions
    assert [cue.raw_text for cue in found] == ["Good morning. All -> well?", "Tom & <i>Jerry</i>", "\u4f60\u597d"]
    assert [block.split("\n")[0] for block in srt(SEGMENTS).strip().split("\n\n")] == ["1", "2", "3"]
    assert [(cue.start_in_seconds, cue.end_in_seconds) for cue in found] == [(0, 1), (60, 3661), (3661, 360_000)]


def test_webvtt_is_read_by_a_library() -> None:
    found = webvtt.from_string(vtt(SEGMENTS)).captions
    assert [cue.raw_text for cue in found] == [
        "Good morning. All -> well?",
        "Tom &amp; &lt;i>Jerry&lt;/i>",
        "\u4f60\u597d",
    ]
    assert [(cue.start, cue.end) for cue in found][:2] == [
        ("00:00:00.000", "00:00:01.100"),
        ("00:01:00.000", "01:01:01.500"),
    ]
    assert webvtt.from_string(vtt([])).captions == []


def test_words_of_google_are_folded_into_sentences() -> None:
    assert [segment.text for segment in folded(timed_words(WORDS))] == ["Good morning.", "Welcome aboard."]
