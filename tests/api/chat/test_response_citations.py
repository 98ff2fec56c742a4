"""Grounding: bytes in parts at Google, characters of the content at OpenAI."""

from typing import Any

import pytest
from tests.support.answers import Json, fold, native, streamed, whole

WEB = {"web": {"uri": "https://example.com/a", "title": "A"}}


def grounding(*supports: Json, chunks: Any = (WEB,)) -> Json:
    return {"groundingChunks": list(chunks), "groundingSupports": list(supports)}


def support(start: int | None, end: int, text: str | None = None, part: int | None = None, indexes: Any = (0,)) -> Json:
    segment = {"startIndex": start, "endIndex": end, "text": text, "partIndex": part}
    given = {name: value for name, value in segment.items() if value is not None}
    return {"segment": given, "groundingChunkIndices": list(indexes)}


def cited(*parts: Json, metadata: Json, **changes: Any) -> list[Json]:
    message = whole(native(*parts, finishReason="STOP", groundingMetadata=metadata), **changes)["choices"][0]["message"]
    assert message["extra_content"]["google"]["grounding_metadata"] == metadata
    return [annotation["url_citation"] for annotation in message.get("annotations", [])]


def test_byte_offsets_become_character_offsets() -> None:
    text = "Größe: 日本 ist groß."
    start = len("Größe: ".encode())
    (citation,) = cited({"text": text}, metadata=grounding(support(start, start + 6, "日本")))
    assert citation == {"start_index": 7, "end_index": 9, "title": "A", "url": "https://example.com/a"}
    assert text[7:9] == "日本"


def test_a_missing_start_is_the_beginning() -> None:
    (citation,) = cited({"text": "Paris."}, metadata=grounding(support(None, 5)))
    assert (citation["start_index"], citation["end_index"]) == (0, 5)


def test_offsets_in_a_part_are_moved_into_the_joined_content() -> None:
    parts: list[Json] = [{"text": "Hm.", "thought": True}, {"text": "Öl. "}, {"text": "Gas."}]
    (citation,) = cited(*parts, metadata=grounding(support(0, 3, "Gas", part=2)))
    assert (citation["start_index"], citation["end_index"]) == (4, 7)


def test_the_quoted_text_decides_where_the_offsets_are_wrong() -> None:
    (citation,) = cited({"text": "One. Two."}, metadata=grounding(support(50, 54, "Two.", part=9)))
    assert (citation["start_index"], citation["end_index"]) == (5, 9)


def test_offsets_are_moved_behind_the_thoughts_that_google_shows() -> None:
    parts: list[Json] = [
        {"text": "Hm.", "thought": True},
        {"text": "Öl. "},
        {"text": "So.", "thought": True},
        {"text": "Gas."},
    ]
    metadata = grounding(support(None, 3, "Öl"), support(5, 8, "Gas"))
    answer = native(*parts, finishReason="STOP", groundingMetadata=metadata)
    for completion in (whole(answer, dialect="google"), fold(streamed(answer, dialect="google"))):
        message = completion["choices"][0]["message"]
        spans = [annotation["url_citation"] for annotation in message["annotations"]]
        assert [message["content"][span["start_index"] : span["end_index"]] for span in spans] == ["Öl", "Gas"]


@pytest.mark.parametrize(
    "odd",
    [
        support(0, 3, "elsewhere"),
        support(0, 0),
        support(90, 99),
        {"groundingChunkIndices": [0]},
        support(0, 3, indexes=[7, -1]),
        {"segment": {"endIndex": 3}},
    ],
)
def test_what_cannot_be_placed_gives_no_annotation(odd: Json) -> None:
    assert cited({"text": "Oil."}, metadata=grounding(odd)) == []


@pytest.mark.parametrize(
    ("chunk", "url", "title"),
    [
        ({"web": {"uri": "u"}}, "u", "u"),
        ({"retrievedContext": {"uri": "u", "title": "T"}}, "u", "T"),
        ({"retrievedContext": {"fileSearchStore": "stores/1", "title": "T"}}, "stores/1", "T"),
        ({"maps": {"uri": "u", "title": "Café"}}, "u", "Café"),
        ({"image": {"sourceUri": "u", "imageUri": "i", "title": "T"}}, "u", "T"),
    ],
)
def test_every_kind_of_source_is_cited(chunk: Json, url: str, title: str) -> None:
    (citation,) = cited({"text": "Oil."}, metadata=grounding(support(0, 3), chunks=[chunk]))
    assert (citation["url"], citation["title"]) == (url, title)


def test_each_source_of_a_segment_is_cited_and_new_kinds_are_left_out() -> None:
    chunks = [WEB, {"tomorrow": {"uri": "x"}}, {"web": {"uri": "https://example.com/b", "title": "B"}}]
    citations = cited({"text": "Oil."}, metadata=grounding(support(0, 3, indexes=[0, 1, 2]), chunks=chunks))
    assert [citation["title"] for citation in citations] == ["A", "B"]


def test_a_stream_cites_once_at_its_end() -> None:
    metadata = grounding(support(4, 8, "Gas."))
    events = [
        native({"text": "Oil "}, groundingMetadata={}),
        native({"text": "Gas."}, groundingMetadata=grounding()),
        native({"text": ""}, groundingMetadata=metadata, finishReason="STOP"),
    ]
    deltas = [choice["delta"] for chunk in streamed(*events) for choice in chunk["choices"]]
    (said,) = [delta["annotations"] for delta in deltas if "annotations" in delta]
    assert said[0]["index"] == 0
    assert said[0]["type"] == "url_citation"
    assert (said[0]["url_citation"]["start_index"], said[0]["url_citation"]["end_index"]) == (4, 8)


def test_offsets_of_a_stream_may_count_within_its_last_part() -> None:
    events = [
        native({"text": "Oil "}),
        native({"text": "Gas."}, groundingMetadata=grounding(support(0, 3, "Gas")), finishReason="STOP"),
    ]
    (annotation,) = fold(streamed(*events))["choices"][0]["message"]["annotations"]
    assert annotation["url_citation"]["start_index"] == 4
