"""Lines of a batch that are requests of the Responses API: out to Google and back."""

from typing import Any

import orjson
import pytest
from openai.types.responses import Response
from tests.support.answers import native
from tests.support.chat import chat_options

from gemgate.api.batches.line_translation import LineJob, ResultWriter, Translators, prepare
from gemgate.errors import ApiError
from gemgate.gemini.batch_types import JobResult
from gemgate.translation.options import EmbeddingOptions

JOB = LineJob("batch_1", "/v1/responses", 1_700_000_000)
BODY: dict[str, Any] = {"model": "gemini-2.5-flash", "input": "Hi", "instructions": "Be kind", "service_tier": "flex"}
ANSWER = native({"text": "Hello"}, finishReason="STOP") | {
    "usageMetadata": {
        "promptTokenCount": 5,
        "cachedContentTokenCount": 1,
        "candidatesTokenCount": 2,
        "thoughtsTokenCount": 3,
        "totalTokenCount": 10,
    }
}


@pytest.fixture
def translators() -> Translators:
    options = chat_options()
    return Translators(options, EmbeddingOptions(options.catalog))


def test_a_line_becomes_a_native_request(translators: Translators) -> None:
    (request,) = prepare(BODY, JOB, translators).to_gemini({})
    assert request == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be kind"}]},
        "store": False,
    }


def test_its_result_becomes_a_response_and_is_counted(translators: Translators) -> None:
    writer = ResultWriter(JOB, translators)
    is_good, line = writer.line("a", BODY, [JobResult("a", response=ANSWER)])
    assert is_good
    response = orjson.loads(line)["response"]
    assert response["status_code"] == 200
    Response.model_validate(response["body"])
    assert response["body"]["output"][0]["content"][0]["text"] == "Hello"
    assert response["body"]["created_at"] == response["body"]["completed_at"] == JOB.created
    assert writer.usage.wire() == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 10,
    }


def test_the_same_result_gives_the_same_bytes(translators: Translators) -> None:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    body = {**BODY, "tools": [{"type": "function", "name": "f"}], "model": "gemini-3-flash-preview"}
    result = [JobResult("a", response=native(call, finishReason="STOP"))]
    one, other = (ResultWriter(JOB, translators).line("a", body, result) for _ in range(2))
    assert one == other
    (item,) = orjson.loads(one[1])["response"]["body"]["output"]
    assert item["type"] == "function_call"


def test_a_line_is_one_request_and_compacts_nothing(translators: Translators) -> None:
    body = {**BODY, "context_management": [{"type": "compaction", "compact_threshold": 1}]}
    _, line = ResultWriter(JOB, translators).line("a", body, [JobResult("a", response=ANSWER)])
    answer = orjson.loads(line)["response"]
    assert [item["type"] for item in answer["body"]["output"]] == ["message"]
    assert "context_management" in line.decode()


def test_a_result_that_broke_off_is_an_error_of_its_line(translators: Translators) -> None:
    is_good, line = ResultWriter(JOB, translators).line(
        "a", BODY, [JobResult("a", response=native(finishReason="OTHER"))]
    )
    assert not is_good
    assert orjson.loads(line)["response"]["status_code"] == 502


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"stream": True}, "stream"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"input": [{"role": "boss"}]}, "input[0].role"),
    ],
)
def test_a_line_that_cannot_be_followed_is_refused_by_name(translators: Translators, more: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        prepare({**BODY, **more}, JOB, translators).to_gemini({})
    assert caught.value.param == param
