"""Tokens and model in bytes that pass, however they are cut."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.api.native.usage_watch import UsageTail

USAGE = {"promptTokenCount": 3, "totalTokenCount": 9, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}]}
EVENTS = b"".join(
    b"data: "
    + orjson.dumps({"candidates": [], "usageMetadata": {**USAGE, "totalTokenCount": total}, "modelVersion": "m-1"})
    + b"\r\n\r\n"
    for total in (4, 9)
)


def told(*pieces: bytes) -> object:
    watch = UsageTail()
    for piece in pieces:
        watch.feed(piece)
    return tuple(watch.summary()[:2])


@given(st.lists(st.integers(0, len(EVENTS)), max_size=8))
def test_the_last_counts_are_found_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(EVENTS)]
    assert told(*(EVENTS[start:end] for start, end in itertools.pairwise(places))) == ("m-1", USAGE)


def test_megabytes_before_do_not_matter() -> None:
    whole = orjson.dumps({"candidates": ["A" * 3_000_000], "usageMetadata": USAGE, "modelVersion": "models/x:1"})
    assert told(whole) == ("models/x:1", USAGE)
    assert told(*(whole[start : start + 1000] for start in range(0, len(whole), 1000))) == ("models/x:1", USAGE)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"usageMetadata": {"promptTokenCount"', b'{"usageMetadata": {x}}', b'{"embedding": {"values": []}}'],
)
def test_nothing_is_told_where_google_tells_nothing(body: bytes) -> None:
    assert told(body) == (None, {})


def test_what_a_model_says_about_usage_is_not_believed() -> None:
    text = '{"usageMetadata": {"promptTokenCount": 1000000}, "modelVersion": "x"}'
    assert told(orjson.dumps({"candidates": [{"text": text}]})) == (None, {})
