from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.gemini.batch_types import JobResult, ResultLines
from gemgate.gemini.errors import Failure, TransportError

ANSWER = {"candidates": [{"content": {"parts": [{"text": "vier ✓"}]}}]}
VECTOR = {"tokenCount": "1", "embedding": {"values": [0.5, -0.25]}}
LINES = [
    {"response": ANSWER, "key": "request-2"},
    {"key": "request-1", "error": {"code": 400, "message": "bad"}},
    {"response": VECTOR, "key": "é"},
    {"key": "request-4", "status": {"code": 8, "message": "too much"}},
]
CONTENT = b"\n".join(orjson.dumps(line) for line in LINES)


def read(content: bytes, cuts: list[int]) -> list[JobResult]:
    lines = ResultLines()
    bounds = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    found = [result for at, end in pairwise(bounds) for result in lines.feed(content[at:end])]
    return found + lines.finish()


def shown(results: list[JobResult]) -> list[tuple[str, Any, Any]]:
    return [
        (result.key, result.response, result.error and (result.error.status, result.error.message))
        for result in results
    ]


EXPECTED = [
    ("request-2", ANSWER, None),
    ("request-1", None, (400, "bad")),
    ("é", VECTOR, None),
    ("request-4", None, (429, "too much")),
]


@given(st.lists(st.integers(0, len(CONTENT) + 5), max_size=30), st.sampled_from([b"", b"\n", b"\r\n\r\n  \n"]))
def test_any_cut_of_the_bytes_gives_the_same_results(cuts: list[int], end: bytes) -> None:
    assert shown(read(CONTENT + end, cuts)) == EXPECTED


def test_byte_by_byte_is_the_same_too() -> None:
    assert shown(read(CONTENT, list(range(len(CONTENT))))) == EXPECTED


def test_results_come_with_the_piece_that_completes_them() -> None:
    lines = ResultLines()
    first, rest = CONTENT.split(b"\n", 1)
    assert lines.feed(first) == []
    assert [result.key for result in lines.feed(b"\n" + rest[:5])] == ["request-2"]
    assert [result.key for result in lines.feed(rest[5:])] == ["request-1", "é"]
    assert [result.key for result in lines.finish()] == ["request-4"]
    assert lines.finish() == []


@pytest.mark.parametrize(
    ("line", "key", "what"),
    [
        (b"{", "", "is not JSON"),
        (b"\xff\xfe", "", "is not JSON"),
        (b"[1]", "", "is not an object"),
        (b'{"key":"a"}', "a", "holds neither a response nor an error"),
        (b'{"key":"a","response":[]}', "a", "holds neither a response nor an error"),
        (b'{"key":7,"response":null,"error":{}}', "", "holds neither a response nor an error"),
    ],
)
def test_a_line_that_is_not_to_be_understood_spoils_no_other(line: bytes, key: str, what: str) -> None:
    before, bad, after = read(b"\n".join([orjson.dumps(LINES[0]), line, orjson.dumps(LINES[1])]), [])
    assert [before.key, after.key] == ["request-2", "request-1"]
    assert bad.key == key
    assert isinstance(bad.error, TransportError)
    assert bad.error.failure is Failure.INVALID_BODY
    assert what in bad.error.message


def test_an_empty_file_has_no_results() -> None:
    assert read(b"", []) == []
    assert read(b"\n\n \r\n", []) == []
