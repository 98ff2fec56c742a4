"""A text with room for thoughts is cut at the same place, whole or streamed, however its stream is cut into events."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.chat import FLASH_37, chat_options

from gemgate.api.completions.answer import text_completion
from gemgate.api.completions.limit import kept_length
from gemgate.api.completions.request import to_gemini
from gemgate.api.completions.stream import TextStream
from gemgate.api.completions.wire import TextCompletionRequest

Json = dict[str, Any]
TEXTS = st.text(st.sampled_from("ab7 é漢😀\n"), max_size=40)


def answered(text: str, tokens: int, *, is_end: bool) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    usage = {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": tokens}} if tokens else {}
    return {"candidates": [candidate | ({"finishReason": "STOP"} if is_end else {})], **usage}


def folded(stream: TextStream, events: list[tuple[int, Any]]) -> dict[int, tuple[str, str]]:
    texts: dict[int, str] = {}
    reasons: dict[int, str] = {}
    chunks = []
    for number, event in events:
        chunks += stream.feed(event, number)
        if stream.is_full:
            break
    for chunk in [*chunks, *stream.finish()]:
        for choice in chunk["choices"]:
            assert choice["index"] not in reasons
            texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
            if choice["finish_reason"]:
                reasons[choice["index"]] = choice["finish_reason"]
    return {index: (texts[index], reasons[index]) for index in texts}


@given(
    texts=st.tuples(TEXTS, TEXTS),
    tokens=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    limit=st.integers(1, 20),
    echo=st.booleans(),
    data=st.data(),
)
def test_a_folded_stream_is_the_whole_answer_wherever_it_is_cut(
    texts: tuple[str, str], tokens: tuple[int, int], limit: int, echo: bool, data: st.DataObject
) -> None:
    asked: Json = {"model": FLASH_37, "prompt": ["A", "B"], "max_tokens": limit, "echo": echo}
    translation = to_gemini(TextCompletionRequest.model_validate(asked), chat_options())
    assert translation.limit == limit
    answers: Any = [answered(text, count, is_end=True) for text, count in zip(texts, tokens, strict=True)]
    whole = text_completion(answers, translation, fallback_id="x", created=1)["choices"]
    events = []
    for number, (text, count) in enumerate(zip(texts, tokens, strict=True)):
        cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=4))
        pieces = [text[start:end] for start, end in pairwise([0, *sorted(cuts), len(text)])]
        known = sorted(data.draw(st.lists(st.integers(0, count), min_size=len(cuts), max_size=len(cuts))))
        events += [
            (number, answered(piece, so_far, is_end=at == len(cuts)))
            for at, (piece, so_far) in enumerate(zip(pieces, [*known, count], strict=True))
        ]
    streamed = folded(TextStream(translation, fallback_id="x", created=1), events)
    assert streamed == {choice["index"]: (choice["text"], choice["finish_reason"]) for choice in whole}


@pytest.mark.parametrize(
    ("text", "tokens", "kept"),
    [
        ("abcd" * 9, 0, 8),
        ("abcd" * 9, 2, 36),
        ("abcd" * 9, 3, 8),
        ("é" * 9, 3, 4),
        ("aé漢漢", 3, 3),
        ("😀" * 3, 3, 2),
        ("\ud800" * 4, 3, 2),
        ("2026", 3, 2),
        ("", 3, 0),
    ],
)
def test_a_cut_is_after_four_bytes_a_token_and_between_characters(text: str, tokens: int, kept: int) -> None:
    assert kept_length(text, 2, tokens) == kept
