from typing import Any

import orjson
import pytest

from gemgate.gemini.batch_types import ResultLines, result_key
from gemgate.gemini.vertex.batch_lines import developer_result_line, vertex_embedding_line, vertex_input_line

KEY = "12-3-0-1"


def read(**line: Any) -> Any:
    """The result in a line of Vertex AI's."""
    (result,) = ResultLines().feed(developer_result_line(orjson.dumps(line)) + b"\n")
    return result


def echoed(**labels: str) -> dict[str, Any]:
    return {"contents": [], "labels": {"gemgate-line": KEY, **labels}}


def test_a_line_is_fitted_to_vertex_ai_and_has_its_key_as_a_label_beside_the_callers() -> None:
    written = vertex_input_line(KEY, {"contents": [], "store": True, "labels": {"team": "x"}})
    assert orjson.loads(written) == {"request": {"contents": [], "labels": {"team": "x", "gemgate-line": KEY}}}
    assert written.endswith(b"}\n")


def test_a_content_to_embed_has_its_key_beside_it_and_its_settings_in_an_object_of_their_own() -> None:
    content = {"parts": [{"text": "x"}]}
    settings = {"taskType": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 768}
    named = {"task_type": "RETRIEVAL_DOCUMENT", "title": "T", "output_dimensionality": 768}
    written = vertex_embedding_line(KEY, {"content": content, **settings})
    assert orjson.loads(written) == {"key": KEY, "request": {"content": content, "embed_content_config": named}}
    assert orjson.loads(vertex_embedding_line(KEY, {"content": content}))["request"] == {"content": content}
    assert written.endswith(b"}\n")


@pytest.mark.parametrize("more", [{}, {"request": {"content": {}}}])
def test_a_vector_is_found_by_the_key_whether_the_request_comes_back_or_not(more: dict[str, Any]) -> None:
    found = read(key=KEY, status="", response={"embedding": {"values": [1.0]}}, **more)
    assert (found.key, found.response, found.error) == (KEY, {"embedding": {"values": [1.0]}}, None)


def test_an_answer_is_found_by_the_label_of_its_request() -> None:
    line = orjson.dumps({"status": "", "request": echoed(team="x"), "response": {"candidates": []}})
    assert result_key(developer_result_line(line)) == KEY
    found = read(status="", request=echoed(), response={"candidates": []}, processed_time="2026-11-30T12:00:00Z")
    assert (found.key, found.response, found.error) == (KEY, {"candidates": []}, None)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ('Bad Request: {"error": {"code": 400, "message": "No role.", "status": "INVALID_ARGUMENT"}}', 400, "No role."),
        ("Too Many Requests: the pool is busy", 429, "Too Many Requests: the pool is busy"),
        ("Something is wrong", 500, "Something is wrong"),
        ({"code": 3, "message": "No."}, 400, "No."),
        ('{"code": 7, "message": "Not you."}', 403, "Not you."),
        ("{broken", 500, "{broken"),
    ],
)
def test_the_status_of_a_line_is_its_error(status: object, code: int, message: str) -> None:
    found = read(status=status, request=echoed(), response={})
    assert found.error is not None
    assert (found.key, found.error.status, found.error.message) == (KEY, code, message)


def test_a_line_with_neither_an_answer_nor_an_error_is_one_that_is_not_understood() -> None:
    found = read(status="", request=echoed(), response={})
    assert found.error is not None
    assert (found.key, found.response) == (KEY, None)


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"request":{}}', b'{"request":{"labels":{"gemgate-line":5}}}', b"null"]
)
def test_what_belongs_to_no_line_of_ours_is_left_out(line: bytes) -> None:
    assert developer_result_line(line) == b""
