"""The transcripts of several pieces of one audio as one."""

from typing import Any, cast

import orjson
import pytest
from tests.api.transcriptions.support import heard, turn

from gemgate.api.transcriptions.joining import PieceReaders, meeting
from gemgate.api.transcriptions.plan import Span, TranscriptPlan
from gemgate.gemini.types import GenerateContentResponse

STORY = [f"w{number}" for number in range(100)]
SPANS = (Span(0, 60), Span(45, 105), Span(90, 150))


def plan(form: Any = "json", spans: tuple[Span, ...] = SPANS, **fields: Any) -> TranscriptPlan:
    return TranscriptPlan(form, spans=spans, seconds=spans[-1].end, **fields)


def event(*parts: dict[str, Any], finish: str | None = "STOP") -> GenerateContentResponse:
    answer: GenerateContentResponse = cast("Any", heard(*parts, finish=finish))
    return answer


def words_between(span: Span, speaker: str | None = None, piece: Span | None = None) -> dict[str, Any]:
    """A word each second, of which each lasts 0.6 seconds; as the model hears them in a piece of the audio."""
    begin = (piece or span).start
    said = [
        {"word": f"w{n}", "startOffset": f"{n - begin:.3f}s", "endOffset": f"{n + 0.6 - begin:.3f}s"}
        for n in range(1000)
        if span.start <= n and n + 0.6 <= span.end
    ]
    fields = {"speakerLabel": speaker} if speaker else {}
    return turn(said, text=" ".join(word["word"] for word in said), **fields)


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        ("one two three four five six", "three four five six seven eight", "one two three four five six seven eight"),
        ("One two, three four five. Six", "Three, four, five! Six seven.", "One two, three four five! Six seven."),
        ("a b c d e f gar", "bage c d e f garden h", "a b c d e f garden h"),
        ("what is said", "nothing of it", "what is said nothing of it"),
        ("", "all of it", "all of it"),
        ("all of it", "", "all of it"),
        ("今日は天気がいいですね散歩", "がいいですね散歩に行きます", "今日は天気がいいですね散歩に行きます"),
        ("the end is the end is the end", "the end is the end of it", "the end is the end is the end of it"),
    ],
)
def test_two_texts_meet_in_the_words_that_they_share(before: str, after: str, whole: str) -> None:
    readers = PieceReaders(plan(spans=SPANS[:2]))
    given = [readers.feed(0, event({"text": before})), readers.feed(1, event({"text": after}))]
    found = readers.finish()
    assert found.text == whole
    assert "".join(given) + readers.rest == whole


def test_nothing_is_left_out_where_no_words_are_shared() -> None:
    assert meeting("a b c", "x y z") == (5, 0)


def test_a_long_text_is_compared_at_its_end_alone() -> None:
    repeated = "the same words again and again " * 10_000
    end, start = meeting(repeated, repeated)
    assert len(repeated) - end < 2_000
    assert start < 2_000


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_a_stream_gives_each_piece_once_the_next_has_ended_in_their_order(order: list[int]) -> None:
    texts = [" ".join(STORY[start : start + 40]) for start in (0, 30, 60)]
    readers = PieceReaders(plan())
    given = []
    for number in order:
        middle = len(texts[number]) // 2
        assert readers.feed(number, event({"text": texts[number][:middle]}, finish=None)) == ""
        given.append(readers.feed(number, event({"text": texts[number][middle:]})))
    transcript = readers.finish()
    assert transcript.text == " ".join(STORY)
    assert "".join(given) + readers.rest == transcript.text
    assert given[-1]


def test_words_with_times_are_those_of_one_piece_and_then_of_the_next() -> None:
    readers = PieceReaders(plan("verbose_json"))
    for number, span in enumerate(SPANS):
        assert readers.feed(number, event(words_between(span))) == ""
    transcript = readers.finish()
    assert [word.word for word in transcript.words] == [f"w{number}" for number in range(150)]
    assert [word.start for word in transcript.words] == pytest.approx(list(range(150)))
    assert transcript.text == " ".join(f"w{number}" for number in range(150))
    assert readers.rest == transcript.text
    ends = [segment.end or 0.0 for segment in transcript.segments]
    assert ends == sorted(ends)
    assert ends[-1] <= 150


def test_a_word_that_a_cut_has_halved_is_that_of_the_whole_one() -> None:
    first = turn([{"word": "half", "startOffset": "59.2s", "endOffset": "60s"}], text="half")
    second = turn([{"word": "halves", "startOffset": "14.2s", "endOffset": "15.6s"}], text="halves")
    parts = [words_between(Span(0, 57)), first], [words_between(Span(45, 57)), second]
    readers = PieceReaders(plan("verbose_json", SPANS[:2]))
    for number, given in enumerate(parts):
        readers.feed(number, event(*given))
    words = [word.word for word in readers.finish().words]
    assert words[-1] == "halves"
    assert "half" not in words


def test_segments_of_a_general_model_meet_between_sentences() -> None:
    def written(*sentences: tuple[str, str, str]) -> GenerateContentResponse:
        segments = [{"start": start, "end": end, "text": text} for start, end, text in sentences]
        return event({"text": orjson.dumps({"language": "en", "segments": segments}).decode()})

    readers = PieceReaders(plan("srt", SPANS[:2], is_structured=True))
    readers.feed(0, written(("00:00", "00:50", "First."), ("00:51", "00:54", "Second."), ("00:55", "01:00", "Thi")))
    readers.feed(1, written(("00:01", "00:05", "irst."), ("00:06", "00:09", "Second."), ("00:10", "00:40", "Third.")))
    transcript = readers.finish()
    assert [segment.text for segment in transcript.segments] == ["First.", "Second.", "Third."]
    assert transcript.segments[-1].start == pytest.approx(55)
    assert transcript.language == "en"


def test_a_speaker_keeps_the_name_that_the_overlap_shows() -> None:
    readers = PieceReaders(plan("diarized_json", SPANS[:2]))
    first, second = SPANS[:2]
    heard_first = [(Span(0, 50), "spk_1"), (Span(50, 60), "spk_2")]
    heard_second = [(Span(45, 50), "spk_9"), (Span(50, 60), "spk_1"), (Span(60, 70), "spk_3")]
    readers.feed(0, event(*(words_between(span, speaker, first) for span, speaker in heard_first)))
    readers.feed(1, event(*(words_between(span, speaker, second) for span, speaker in heard_second)))
    transcript = readers.finish()
    speakers = {word.word: word.speaker for word in transcript.words}
    assert speakers["w47"] == "A"
    assert speakers["w55"] == "B"
    assert speakers["w65"] == "C"


def test_without_times_nothing_is_made_up_and_the_text_is_whole() -> None:
    readers = PieceReaders(plan("verbose_json", SPANS[:2]))
    readers.feed(0, event({"text": "one two three four five"}))
    readers.feed(1, event({"text": "three four five six seven"}))
    transcript = readers.finish()
    assert not transcript.has_times
    assert transcript.text == "one two three four five six seven"


def test_tokens_of_all_pieces_are_counted() -> None:
    readers = PieceReaders(plan())
    for number in range(3):
        readers.feed(number, event({"text": "x"}))
    assert readers.finish().usage["promptTokenCount"] == 390
    summary = readers.summary()
    assert summary.usage["totalTokenCount"] == 417
    assert summary.finish_reasons == ["stop"]
