"""Every recorded stream: through the framing, as chunks, folded as clients do, and equal to the same answer in one."""

import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from openai.types.chat import ChatCompletionChunk
from tests.recorded.proof import expected_error, prove_completion, prove_stream_rules
from tests.recorded.traffic import Exchange, Json, check, chosen, each, read, skip_when_absent
from tests.support.answers import comparable, fold, merged, sdk_fold, streamed, whole

from gemgate.errors import ApiError
from gemgate.gemini.client.event_stream import EventDecoder
from gemgate.gemini.errors import GeminiError
from gemgate.translation.google_errors import error_from_gemini

skip_when_absent()

DIALECTS = ("openai", "google")

# Streams that do not end well: the status and the code of what callers get after what had arrived.
BROKEN = {
    "TestPluginCallbackIntegration_agent_tool_default_schema.01": (502, "upstream_unexpected_tool_call"),
    "TestPluginCallbackIntegration_agent_tool_default_schema.03": (502, "upstream_unexpected_tool_call"),
    "TestPluginCallbackIntegration_agent_tool_default_schema.05": (502, "upstream_unexpected_tool_call"),
    # Edited by hand: a bare error object after good events.
    "vertexai-streaming-failure-error-mid-stream_txt": (499, None),
    # Edited by hand: the text ends in the middle of an event.
    "vertexai-streaming-failure-invalid-json_txt": (502, "stream_truncated"),
    # Cut by hand before the event with the finish reason.
    "vertexai-streaming-failure-empty-content_txt": (502, "stream_truncated"),
    "vertexai-streaming-failure-malformed-content_txt": (502, "stream_truncated"),
    "vertexai-streaming-success-quotes-escaped_txt": (502, "stream_truncated"),
}


def is_stream(exchange: Exchange) -> bool:
    return exchange.is_stream and exchange.status == 200 and not isinstance(exchange.body, dict)


def ends_well(exchange: Exchange) -> bool:
    return is_stream(exchange) and exchange.name not in BROKEN


def decode(pieces: Iterable[bytes]) -> list[Json]:
    decoder = EventDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.finish()
    if decoder.error is not None:
        raise decoder.error
    return events


def cut(raw: bytes, places: Iterable[int]) -> list[bytes]:
    ends = [0, *sorted(places), len(raw)]
    return [raw[start:end] for start, end in pairwise(ends)]


def prove_stream(exchange: Exchange, dialect: str) -> None:
    events = decode([exchange.raw])
    assert events == exchange.events
    assert expected_error(events, is_stream=True) is None
    chunks = streamed(*events, dialect=dialect)
    prove_stream_rules(chunks)
    prove_completion(fold(chunks), events, dialect)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)


@pytest.mark.parametrize("dialect", DIALECTS)
@each(ends_well)
def test_a_recorded_stream_keeps_all_it_says_and_the_rules_of_streams(batch: list[Exchange], dialect: str) -> None:
    check(batch, lambda exchange: prove_stream(exchange, dialect))


def prove_equal_to_whole(exchange: Exchange, dialect: str) -> None:
    folded = fold(streamed(*exchange.events, dialect=dialect))
    assert comparable(folded) == comparable(whole(merged(exchange.events), dialect=dialect))


@pytest.mark.parametrize("dialect", DIALECTS)
@each(ends_well)
def test_a_stream_folds_to_what_the_whole_answer_would_be(batch: list[Exchange], dialect: str) -> None:
    check(batch, lambda exchange: prove_equal_to_whole(exchange, dialect))


def prove_equal_to_sdk(exchange: Exchange, dialect: str) -> None:
    chunks = streamed(*exchange.events, dialect=dialect)
    expected = comparable(fold(chunks))
    for choice in expected["choices"]:
        # The accumulator keeps what OpenAI defines of a choice; what is not in a message gets lost.
        del choice["native_finish_reason"]
    assert comparable(sdk_fold(chunks)) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
@each(ends_well)
def test_the_sdk_accumulates_what_we_mean(batch: list[Exchange], dialect: str) -> None:
    check(batch, lambda exchange: prove_equal_to_sdk(exchange, dialect))


@each(ends_well)
def test_no_usage_is_streamed_unless_it_was_asked_for(batch: list[Exchange]) -> None:
    def prove(exchange: Exchange) -> None:
        for chunk in streamed(*exchange.events, include_usage=False):
            assert "usage" not in chunk
            assert len(chunk["choices"]) == 1

    check(batch, prove)


def prove_random_cuts(exchange: Exchange) -> None:
    raw, chance = exchange.raw, random.Random(exchange.name)
    for count in (1, 7, 60):
        places = sorted(chance.randrange(len(raw) + 1) for _ in range(count))
        assert decode(cut(raw, places)) == exchange.events


@each(ends_well)
def test_a_stream_cut_anywhere_is_the_same(batch: list[Exchange]) -> None:
    check(batch, prove_random_cuts)


def short_ones() -> list[Exchange]:
    """The shortest stream of each source and shape, a dozen in all."""
    found: dict[tuple[str, ...], Exchange] = {}
    for exchange in sorted(chosen(ends_well), key=lambda exchange: len(exchange.raw)):
        shape = {name for event in exchange.events for name in shape_of(event)}
        found.setdefault((str(exchange.sse is None), *sorted(shape)), exchange)
    return sorted(found.values(), key=lambda exchange: len(exchange.raw))[:12]


def shape_of(event: Json) -> set[str]:
    parts = [
        part for candidate in event.get("candidates", []) for part in candidate.get("content", {}).get("parts", [])
    ]
    return {name for part in parts for name in part} | (event.keys() & {"promptFeedback"})


@pytest.mark.parametrize("exchange", short_ones(), ids=lambda exchange: exchange.name)
def test_a_stream_cut_at_every_byte_is_the_same(exchange: Exchange) -> None:
    raw = exchange.raw
    expected = streamed(*exchange.events)
    assert streamed(*decode(raw[at : at + 1] for at in range(len(raw)))) == expected
    for at in range(len(raw)):
        assert decode([raw[:at], raw[at:]]) == exchange.events


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_off_is_an_error(name: str) -> None:
    (exchange,) = chosen(lambda exchange: exchange.name == name)
    with pytest.raises((ApiError, GeminiError)) as failure:
        streamed(*decode([exchange.raw]))
    error = error_from_gemini(failure.value) if isinstance(failure.value, GeminiError) else failure.value
    assert isinstance(error, ApiError)
    assert (error.status, error.code) == BROKEN[name]


def test_what_came_before_an_error_is_given() -> None:
    (exchange,) = chosen(lambda exchange: exchange.name == "vertexai-streaming-failure-error-mid-stream_txt")
    decoder = EventDecoder()
    events = decoder.feed(exchange.raw)
    assert events == exchange.events
    assert read(events)[0].text
    assert decoder.error is not None
    assert decoder.error.reason == "CANCELLED"
