"""Whatever Gemini answers: nothing crashes, streams equal whole answers, and OpenAI's models take it."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.support.answers import comparable, fold, merged, native, sdk_fold, streamed, streamed_calls, whole
from tests.support.natives import ANSWER, PART, SIGNATURE, TEXT, Json, pieces, streams

from gemgate.errors import ApiError
from gemgate.gemini.client.event_stream import EventDecoder
from gemgate.gemini.errors import GeminiError
from gemgate.translation.response_format import HiddenFunction

moderate = settings(max_examples=120)

DIALECT = {"dialect": st.sampled_from(["openai", "google"])}
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "hidden": st.sampled_from([HiddenFunction("final_answer"), HiddenFunction("final_answer", "value")]),
    "first_call_only": st.booleans(),
    "legacy_functions": st.booleans(),
    "holds_calls": st.booleans(),
    "is_json": st.booleans(),
    "audio_format": st.sampled_from(["wav", "pcm16"]),
}
CUSTOM = st.just(frozenset({"weather"}))
CONTEXTS = st.fixed_dictionaries(DIALECT, optional={**OPTIONS, "custom": CUSTOM})
# openai-python's type of a chunk knows no custom calls, though OpenAI streams them.
SDK_CONTEXTS = st.fixed_dictionaries(DIALECT, optional=OPTIONS)


UNTAGGED = TEXT.filter(lambda text: "thought>" not in text)


def outcome(answer: Any) -> Any:
    """What a translation gives, or the code of its error."""
    try:
        return answer()
    except ApiError as error:
        return error.status, error.code, error.message


def assert_valid_chunks(chunks: list[Json]) -> None:
    for chunk in chunks:
        ChatCompletionChunk.model_validate(orjson.loads(orjson.dumps(chunk)))
    indexes = {choice["index"] for chunk in chunks for choice in chunk["choices"]}
    assert indexes == set(range(len(indexes)))
    ends = [choice["index"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert sorted(ends) == sorted(indexes)


@moderate
@given(streams(), CONTEXTS)
def test_a_folded_stream_is_the_whole_answer(events: list[Json], context: Json) -> None:
    folded = outcome(lambda: comparable(fold(streamed(*events, **context))))
    assert folded == outcome(lambda: comparable(whole(merged(events), **context)))


@moderate
@given(streams(), SDK_CONTEXTS)
def test_the_sdk_accumulates_what_we_mean(events: list[Json], context: Json) -> None:
    try:
        chunks = streamed(*events, **context)
    except ApiError:
        return
    assert_valid_chunks(chunks)
    expected = comparable(fold(chunks))
    for choice in expected["choices"]:
        choice.pop("native_finish_reason", None)
    assert comparable(sdk_fold(chunks)) == expected


@moderate
@given(streams(), st.data())
def test_any_cut_of_the_bytes_gives_the_same_events(events: list[Json], data: st.DataObject) -> None:
    decoder = EventDecoder()
    cut = data.draw(pieces([orjson.dumps(event) for event in events]))
    assert [event for piece in cut for event in decoder.feed(piece)] + decoder.finish() == events


@moderate
@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"data: {}", b"\n", b"[", b"{", b"}", b": ", b'"error"'])))
def test_bytes_that_are_no_stream_are_an_error_of_the_upstream(garbage: list[bytes]) -> None:
    decoder = EventDecoder()
    try:
        events = [event for piece in garbage for event in decoder.feed(piece)] + decoder.finish()
    except GeminiError:
        return
    assert all(isinstance(event, dict) for event in events)


@moderate
@given(ANSWER, CONTEXTS)
def test_no_answer_crashes_the_translator(answer: Json, context: Json) -> None:
    try:
        completion = whole(answer, **context)
    except ApiError:
        return
    ChatCompletion.model_validate(orjson.loads(orjson.dumps(completion)))


@moderate
@given(st.lists(st.tuples(st.integers(0, 1), ANSWER), max_size=4), SDK_CONTEXTS)
def test_no_stream_crashes_the_translator(events: list[tuple[int, Json]], context: Json) -> None:
    try:
        chunks = streamed_calls(events, calls=2, **context)
    except ApiError:
        return
    assert_valid_chunks(chunks)


@moderate
@given(st.lists(PART, max_size=6))
def test_nothing_of_an_answer_is_lost(parts: list[Json]) -> None:
    message = whole(native({"text": "x"}, *parts, finishReason="STOP"))["choices"][0]["message"]
    said = "".join(part["text"] for part in parts if "text" in part and not part.get("thought"))
    thought = "".join(part["text"] for part in parts if part.get("thought") and "text" in part)
    assert message["content"] == "x" + said
    assert message.get("reasoning_content", "") == thought
    kept = orjson.dumps(message).decode()
    for part in parts:
        if part.keys() - {"text", "thought", "thoughtSignature"}:
            assert part.get("thoughtSignature", "") in kept
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    assert [call["function"]["name"] for call in message.get("tool_calls", [])] == [call["name"] for call in calls]
    shown = [orjson.loads(call["function"]["arguments"]) for call in message.get("tool_calls", [])]
    assert shown == [call.get("args", {}) for call in calls]


@moderate
@given(st.lists(st.tuples(st.booleans(), UNTAGGED), min_size=1, max_size=5), st.data())
def test_an_annotation_points_at_what_was_quoted(texts: list[tuple[bool, str]], data: st.DataObject) -> None:
    parts = [{"text": text, **({"thought": True} if is_thought else {})} for is_thought, text in texts]
    said = "".join(text for is_thought, text in texts if not is_thought)
    start = data.draw(st.integers(0, len(said)))
    quoted = said[start : data.draw(st.integers(start, len(said)))]
    segment: Json = {"text": quoted, "endIndex": len((said[:start] + quoted).encode())}
    if start:
        segment["startIndex"] = len(said[:start].encode())
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://example.com", "title": "Example"}}],
        "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
    }
    last = native(finishReason="STOP", groundingMetadata=grounding)
    events = [native(part) for part in parts] + [last]
    for dialect in ("openai", "google"):
        for completion in (whole(merged(events), dialect=dialect), fold(streamed(*events, dialect=dialect))):
            message = completion["choices"][0]["message"]
            found = [annotation["url_citation"] for annotation in message.get("annotations", [])]
            assert len(found) == bool(quoted)
            for citation in found:
                cited = message["content"][citation["start_index"] : citation["end_index"]]
                assert tags_removed(cited) == quoted


def tags_removed(cited: str) -> str:
    """What is cited may go over a thought, which stands between the answer's words."""
    while "<thought>" in cited:
        head, _, rest = cited.partition("<thought>")
        cited = head + rest.partition("</thought>")[2]
    return cited


@moderate
@given(SIGNATURE, st.integers(1, 3))
def test_ids_are_the_same_in_every_process_and_differ_from_each_other(signature: str, count: int) -> None:
    calls = [{"functionCall": {"name": "same"}, "thoughtSignature": signature}] * count
    once, again = (whole(native(*calls, finishReason="STOP")) for _ in range(2))
    ids = [call["id"] for call in once["choices"][0]["message"]["tool_calls"]]
    assert once == again
    assert len(set(ids)) == count
