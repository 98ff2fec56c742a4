"""Lines of a batch that are requests of the legacy completions API: out to Google and back."""

from typing import Any

import orjson
import pytest
from openai.types import Completion
from tests.support.answers import native
from tests.support.chat import chat_options

from gemgate.api.batches.line_translation import LineJob, ResultWriter, Translators, prepare
from gemgate.errors import ApiError
from gemgate.gemini.batch_types import JobResult
from gemgate.translation.options import EmbeddingOptions

JOB = LineJob("batch_1", "/v1/completions", 1_700_000_000)
BODY: dict[str, Any] = {"model": "gemini-3.6-flash", "prompt": ["A", "B"], "max_tokens": 2}


@pytest.fixture
def translators() -> Translators:
    options = chat_options()
    return Translators(options, EmbeddingOptions(options.catalog))


def test_each_prompt_of_a_line_is_a_native_request(translators: Translators) -> None:
    requests: Any = prepare(BODY, JOB, translators).to_gemini({})
    assert [request["contents"][0]["parts"] for request in requests] == [[{"text": "A"}], [{"text": "B"}]]


def test_the_results_become_one_completion_and_are_counted(translators: Translators) -> None:
    writer = ResultWriter(JOB, translators)
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 4, "totalTokenCount": 9}
    answers = [
        native({"text": text}, finishReason="STOP") | {"usageMetadata": usage} for text in ("aaaabbbbcccc", "cccc")
    ]
    is_good, line = writer.line("a", BODY, [JobResult("a", response=answer) for answer in answers])
    assert is_good
    response = orjson.loads(line)["response"]
    completion = Completion.model_validate(response["body"])
    assert [choice.text for choice in completion.choices] == ["aaaabbbb", "cccc"]
    assert completion.created == JOB.created
    assert writer.usage.wire()["total_tokens"] == 18


def test_a_line_that_streams_is_refused(translators: Translators) -> None:
    with pytest.raises(ApiError) as caught:
        prepare({**BODY, "stream": True}, JOB, translators)
    assert caught.value.param == "stream"
