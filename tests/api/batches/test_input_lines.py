from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.api.batches import input_lines as module
from gemgate.api.batches.input_lines import (
    InputReader,
    Line,
    LineSplitter,
    read_line,
)

CHAT = "/v1/chat/completions"


def entry(custom_id: Any = "a", **changes: Any) -> dict[str, Any]:
    full = {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": {"model": "gemini-2.5-flash"}}
    return {name: value for name, value in {**full, **changes}.items() if value is not ...}


def read(*lines: Any, endpoint: str | None = None, max_line: int = 1000) -> tuple[InputReader, list[Line]]:
    reader = InputReader(endpoint, max_line=max_line)
    raw = b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines)
    good = reader.feed(raw)
    return reader, good + reader.finish()


def only_error(*lines: Any, **options: Any) -> dict[str, Any]:
    reader, _ = read(*lines, **options)
    (error,) = reader.wire_errors()
    return error


def test_good_lines_have_their_number_their_place_and_their_body() -> None:
    reader, good = read(entry("a"), b"", b"  \r", entry("b", body={"model": "models/gemini-2.5-flash", "n": 2}))
    assert [(line.index, line.number, line.custom_id) for line in good] == [(0, 1, "a"), (1, 4, "b")]
    assert good[1].body["n"] == 2
    assert (reader.total, reader.model, reader.url, reader.is_good) == (2, "models/gemini-2.5-flash", CHAT, True)


def test_a_byte_order_mark_and_windows_line_ends_are_no_error() -> None:
    reader, good = read(b"\xef\xbb\xbf" + orjson.dumps(entry("a")) + b"\r", entry("b"))
    assert reader.is_good
    assert len(good) == 2


@pytest.mark.parametrize(
    ("line", "code", "param"),
    [
        (b"{", "invalid_json_line", None),
        (b"[1]", "invalid_json_line", None),
        (b'{"a": NaN}', "invalid_json_line", None),
        (entry(...), "missing_required_parameter", "custom_id"),
        (entry(""), "missing_required_parameter", "custom_id"),
        (entry(7), "invalid_type", "custom_id"),
        (entry(method=...), "missing_required_parameter", "method"),
        (entry(method="GET"), "invalid_method", "method"),
        (entry(url=...), "missing_required_parameter", "url"),
        (entry(url="/v1/responses"), "invalid_url", "url"),
        (entry(url="x" * 200), "invalid_url", "url"),
        (entry(body=...), "missing_required_parameter", "body"),
        (entry(body=[]), "invalid_type", "body"),
        (entry(body={}), "missing_required_parameter", "body.model"),
        (entry(body={"model": 5}), "invalid_type", "body.model"),
        (entry(body={"model": "a/b/c"}), "invalid_value", "body.model"),
    ],
)
def test_a_bad_line_is_told_by_number_code_and_field(line: Any, code: str, param: str | None) -> None:
    error = only_error(entry("first"), line)
    assert (error["code"], error["line"], error["param"]) == (code, 2, param)
    assert len(error["message"]) < 250


def test_every_bad_line_is_told() -> None:
    reader, good = read(b"x", entry("a"), b"y", entry("a"))
    assert [(error.line, error.code) for error in reader.errors] == [
        (1, "invalid_json_line"),
        (3, "invalid_json_line"),
        (4, "duplicate_custom_id"),
    ]
    assert len(good) == 1


def test_lines_of_two_models_are_mismatched() -> None:
    error = only_error(entry("a"), entry("b", body={"model": "gemini-2.5-pro"}))
    assert (error["code"], error["line"]) == ("mismatched_model", 2)


def test_the_endpoint_of_the_batch_decides_about_urls_and_else_the_first_line() -> None:
    assert only_error(entry("a"), endpoint="/v1/embeddings")["code"] == "invalid_url"
    assert only_error(entry("a"), entry("b", url="/v1/embeddings"))["line"] == 2


@pytest.mark.parametrize("raw", [b"", b"\n\n", b" \r\n"])
def test_an_empty_file_is_one_error_about_the_file(raw: bytes) -> None:
    reader = InputReader()
    reader.feed(raw)
    reader.finish()
    (error,) = reader.wire_errors()
    assert (error["code"], error["line"]) == ("empty_file", None)


def test_too_many_lines_are_one_error_that_names_both_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINES", 3)
    error = only_error(*[entry(str(number)) for number in range(6)])
    assert error["code"] == "max_requests_exceeded"
    assert "OpenAI" in str(error["message"])
    assert "2 GB" in str(error["message"])


def test_too_many_bytes_are_one_error_that_names_both_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BATCH_BYTES", 150)
    reader = InputReader()
    line = orjson.dumps(entry()) + b"\n"
    assert len(reader.feed(line)) == 1
    assert reader.feed(line) == reader.feed(line) == reader.finish() == []
    (error,) = reader.wire_errors()
    assert error["code"] == "max_file_size_exceeded"
    assert "Google allows 2 GB" in str(error["message"])


def test_a_line_that_is_too_long_is_not_held() -> None:
    reader = InputReader(max_line=100)
    for _ in range(1000):
        assert reader.feed(b"x" * 1000) == []
    assert sum(map(len, reader._splitter._held)) <= 100
    reader.feed(b"\n" + orjson.dumps(entry()))
    assert [(error.line, error.code) for error in reader.errors] == [(1, "line_too_long")]
    assert [line.number for line in reader.finish()] == [2]


def test_errors_beyond_a_thousand_are_counted() -> None:
    reader, _ = read(*[b"x"] * 1005)
    assert len(reader.wire_errors()) == 1001
    assert reader.wire_errors()[-1]["message"] == "5 more errors are not listed."


def test_a_line_is_read_again_as_it_was() -> None:
    assert read_line(b"\xef\xbb\xbf" + orjson.dumps(entry("a"))) == ("a", {"model": "gemini-2.5-flash"})


@given(st.lists(st.sampled_from([b"a", b"\n", b"bc", b"\r\n", b""]), max_size=30), st.data())
def test_any_cut_gives_the_same_lines(parts: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    splitter = LineSplitter(3)
    found = [line for piece in pieces for line in splitter.feed(piece)] + list(splitter.finish())
    expected, offset = [], 0
    for text in raw.split(b"\n"):
        expected.append((offset, text if len(text) <= 3 else None))
        offset += len(text) + 1
    if raw.endswith(b"\n") or not raw:
        expected.pop()
    assert found == expected


@given(st.data())
def test_any_cut_of_an_input_gives_the_same_verdict(data: st.DataObject) -> None:
    raw = b"\n".join([orjson.dumps(entry("a")), b"x", orjson.dumps(entry("ä")), orjson.dumps(entry("a")), b"{}"])
    whole, good = InputReader(), []
    good += whole.feed(raw) + whole.finish()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    reader, found = InputReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += reader.feed(raw[start:end])
    found += reader.finish()
    assert (found, reader.wire_errors()) == (good, whole.wire_errors())
