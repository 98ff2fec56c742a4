import contextlib
import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.gemini.client.answer_size import Inflater
from gemgate.gemini.client.event_stream import Event, EventDecoder
from gemgate.gemini.errors import Failure, GeminiError, TransportError

RECORDED = Path(__file__).parents[4] / "shared" / "recorded"

MID_STREAM_ERROR = """{
  "error": {
    "code": 499,
    "message": "The operation was cancelled.",
    "status": "CANCELLED",
    "details": [
      {
        "@type": "type.googleapis.com/google.rpc.DebugInfo",
        "detail": "{ }"
      }
    ]
  }
}
"""
ONE, TWO = {"candidates": [{"content": {"parts": [{"text": "ü 🦉"}]}}]}, {"usageMetadata": {"totalTokenCount": 3}}


def framed(*events: Any, end: bytes = b"\r\n\r\n") -> bytes:
    return b"".join(b"data: " + orjson.dumps(event) + end for event in events)


def decoded(*pieces: bytes) -> tuple[list[Event], GeminiError | None]:
    """All events, and the error that ended the stream."""
    decoder = EventDecoder()
    events: list[Event] = []
    with contextlib.suppress(GeminiError):
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.finish()
    return events, decoder.error


def reasons(*pieces: bytes) -> tuple[list[Event], str | None]:
    events, error = decoded(*pieces)
    return events, error.reason if error else None


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\n", b"\r\n"])
def test_each_data_line_is_an_event_whatever_ends_it(end: bytes) -> None:
    assert decoded(framed(ONE, TWO, end=end)) == ([ONE, TWO], None)


def test_one_read_gives_all_events_it_completes() -> None:
    decoder = EventDecoder()
    assert decoder.feed(framed(ONE, TWO) + b"data: {") == [ONE, TWO]
    assert decoder.feed(b"}") == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == [{}]
    assert decoder.finish() == []


def test_the_last_line_needs_no_end() -> None:
    assert decoded(framed(ONE) + framed(TWO, end=b"")) == ([ONE, TWO], None)


def test_comments_and_other_fields_are_no_events() -> None:
    noise = b": keep-alive\r\nevent: message\r\nid: 7\r\nretry: 10\r\nid\r\ndata\r\ndata:\r\ndata: [DONE]\r\n \r\n\r\n"
    assert decoded(noise + framed(ONE) + noise) == ([ONE], None)


def test_bare_pretty_printed_json_after_good_events_is_an_error() -> None:
    events, error = decoded(framed(ONE) + b"\r\n" + MID_STREAM_ERROR.encode())
    assert events == [ONE]
    assert error is not None
    assert (error.status, error.reason, error.message) == (499, "CANCELLED", "The operation was cancelled.")


@pytest.mark.parametrize(
    "text",
    [
        MID_STREAM_ERROR,
        MID_STREAM_ERROR.rstrip(),
        MID_STREAM_ERROR.replace("\n", "\r\n"),
        f"[{MID_STREAM_ERROR}]",
        f"[{MID_STREAM_ERROR}\n]\n",
        orjson.dumps(orjson.loads(MID_STREAM_ERROR)).decode(),
        f"[{orjson.dumps(orjson.loads(MID_STREAM_ERROR)).decode()}]\n",
        f"data: {orjson.dumps(orjson.loads(MID_STREAM_ERROR)).decode()}\r\n\r\n",
        f"data: [{orjson.dumps(orjson.loads(MID_STREAM_ERROR)).decode()}]\n",
    ],
)
def test_an_error_is_known_in_each_of_its_shapes(text: str) -> None:
    assert reasons(text.encode()) == ([], "CANCELLED")
    assert reasons(text.encode() + b"\n" + framed(ONE)) == ([], "CANCELLED")
    assert reasons(framed(ONE), text.encode()) == ([ONE], "CANCELLED")


def test_a_bare_error_is_known_before_the_stream_ends() -> None:
    with pytest.raises(GeminiError, match="cancelled"):
        EventDecoder().feed(MID_STREAM_ERROR.encode())


def test_events_in_the_read_of_the_error_come_first_and_the_error_stays() -> None:
    decoder = EventDecoder()
    assert decoder.feed(framed(ONE, {"error": {"code": 503, "message": "overloaded"}}, TWO)) == [ONE]
    assert decoder.error is not None
    with pytest.raises(GeminiError, match="503 UNAVAILABLE: overloaded"):
        decoder.feed(framed(TWO))
    with pytest.raises(GeminiError, match="503 UNAVAILABLE: overloaded"):
        decoder.finish()


@pytest.mark.parametrize(
    "garbage",
    [
        b'data: {"this": [{"is": {"not": [{"a": "valid"}]}\n\n',
        b'data: {"text": "\xff\xfe"}\n\n',
        b"data: 5\n",
        b"data: null\n",
        b'data: "text"\n',
        b"data: [1]\n",
        b"<!DOCTYPE html>\n<html>\n",
        b"<html>",
        b"Internal Server Error\n",
        b"\x00\x01\n",
    ],
)
def test_garbage_after_good_events_is_a_failure(garbage: bytes) -> None:
    assert reasons(framed(ONE) + garbage) == ([ONE], Failure.INVALID_BODY)
    assert reasons(framed(ONE), garbage) == ([ONE], Failure.INVALID_BODY)


@pytest.mark.parametrize(
    "cut", [b"da", b'data: {"candidates', b'data: {"text": "\xc3', b'{\n"error": {', b"[{}", b"[{},\n{"]
)
def test_an_answer_that_stops_inside_an_event_is_cut(cut: bytes) -> None:
    events, error = decoded(framed(ONE) + cut)
    assert events == [ONE]
    assert isinstance(error, TransportError)
    assert (error.status, error.failure) == (502, Failure.ANSWER_CUT)


def test_the_list_of_a_stream_without_alt_sse_gives_its_elements() -> None:
    pretty = orjson.dumps([ONE, TWO], option=orjson.OPT_INDENT_2)
    google = b"[" + orjson.dumps(ONE, option=orjson.OPT_INDENT_2) + b"\r\n,\r\n" + orjson.dumps(TWO) + b"]\r\n"
    for body in (pretty, google, b"[%b,\r\n%b]" % (orjson.dumps(ONE), orjson.dumps(TWO)), orjson.dumps([ONE, TWO])):
        assert decoded(body) == ([ONE, TWO], None)
    failed = orjson.dumps([ONE, {"error": {"code": 429}}, TWO])
    assert reasons(failed) == ([ONE], "RESOURCE_EXHAUSTED")


def test_a_bare_object_that_is_no_error_is_an_event() -> None:
    body = orjson.dumps(ONE, option=orjson.OPT_INDENT_2) + b"\n\n"
    assert decoded(body + framed(TWO)) == ([ONE, TWO], None)


def test_a_null_error_is_no_error() -> None:
    assert decoded(framed({"error": None, **ONE})) == ([{"error": None, **ONE}], None)


def test_a_line_of_many_megabytes_is_one_event() -> None:
    image = {"candidates": [{"content": {"parts": [{"inlineData": {"data": "A" * 20_000_000}}]}}]}
    body = framed(ONE, image, TWO)
    pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]
    assert decoded(*pieces) == ([ONE, image, TWO], None)


texts = st.text(alphabet=st.sampled_from('ab\n\r"{}[]: ü🦉\u2028'), max_size=12)
good_events = st.fixed_dictionaries({"candidates": st.lists(st.fixed_dictionaries({"text": texts}), max_size=2)})
endings = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n\r\n"])
frames = st.builds(lambda event, end: framed(event, end=end), good_events, endings)
noise_lines = st.sampled_from([b": ping\n", b"event: x\r\n", b"data: [DONE]\n\n", b"\r\n", b"data:\n"])
last_words = st.sampled_from(
    [
        b"",
        MID_STREAM_ERROR.encode(),
        b"data: {broken\n",
        b'data: {"cut',
        b"<html>\n",
        b"[{}]",
        b'data: {"error":{"code":500}}',
    ]
)


@given(st.lists(frames | noise_lines, max_size=6), last_words, st.data())
def test_any_cut_gives_the_same_events_and_the_same_end(parts: list[bytes], last: bytes, data: st.DataObject) -> None:
    body = b"".join(parts) + last
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert reasons(*pieces) == reasons(body)


def test_byte_by_byte_gives_the_same_events() -> None:
    body = framed(ONE, TWO) + MID_STREAM_ERROR.encode()
    assert reasons(*(body[at : at + 1] for at in range(len(body)))) == ([ONE, TWO], "CANCELLED")


@given(st.binary(max_size=60))
def test_no_bytes_break_the_decoder(body: bytes) -> None:
    events, error = decoded(body)
    assert error is None or error.status >= 400
    assert all(isinstance(event, dict) for event in events)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded traffic is not here")
def test_every_recorded_stream_is_decoded_to_its_end() -> None:
    exchanges = (
        orjson.loads(line) for path in sorted(RECORDED.glob("*.jsonl")) for line in path.read_bytes().splitlines()
    )
    streams = [item for item in exchanges if item["response"]["sse"] and "data: " in item["response"]["sse"]]
    assert len(streams) > 100
    for item in streams:
        if "/openai/" in str(item["request"]["url"]):
            continue
        wanted = "CANCELLED" if "error-mid-stream" in item["name"] else None
        body = item["response"]["sse"].encode()
        events, reason = reasons(*(body[at : at + 1000] for at in range(0, len(body), 1000)))
        assert reason == wanted, item["name"]
        assert wanted or len(events) == len(re.findall(rb"^data: (?!\[DONE\])", body, re.MULTILINE)), item["name"]


@pytest.mark.parametrize(
    "packed", [gzip.compress(b"plain " * 50, mtime=0), zlib.compress(b"plain " * 50)], ids=["gzip", "zlib"]
)
def test_compressed_bytes_inflate_at_any_cut(packed: bytes) -> None:
    for size in (1, 7, len(packed)):
        inflater = Inflater()
        pieces = [inflater.feed(packed[at : at + size]) for at in range(0, len(packed), size)]
        assert b"".join(pieces) + inflater.finish() == b"plain " * 50


@pytest.mark.parametrize("size", [1, 1000])
def test_members_of_gzip_follow_each_other(size: int) -> None:
    packed, inflater = gzip.compress(b"one ") + gzip.compress(b"two"), Inflater()
    assert b"".join(inflater.feed(packed[at : at + size]) for at in range(0, len(packed), size)) == b"one two"
    assert inflater.finish() == b""


def test_compressed_bytes_that_stop_early_are_cut() -> None:
    inflater = Inflater()
    inflater.feed(gzip.compress(b"plain")[:-3])
    with pytest.raises(TransportError, match="stops before its end"):
        inflater.finish()


def test_bytes_that_are_not_compressed_are_an_invalid_body() -> None:
    with pytest.raises(TransportError, match="invalid_body"):
        Inflater().feed(b"plain text")


def test_an_empty_body_is_whole() -> None:
    assert Inflater().finish() == b""
