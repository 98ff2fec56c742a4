"""Lines of a batch that are requests for moderation: a general model judges."""

from contextlib import closing
from typing import Any

import orjson
import pytest
from openai.types import ModerationCreateResponse
from tests.support.answers import native
from tests.support.chat import chat_options

from gemgate.api.batches.input_lines import InputReader
from gemgate.api.batches.input_sessions import TranslateSession
from gemgate.api.batches.line_translation import LineJob, ResultWriter, Translators, prepare
from gemgate.api.moderations.categories import CATEGORIES
from gemgate.gemini.batch_types import JobResult
from gemgate.model_routing.aliases import ModelAliases
from gemgate.translation.options import EmbeddingOptions, ModerationOptions

JOB = LineJob("batch_1", "/v1/moderations", 1_700_000_000)
GENERAL = "gemini-3.5-flash-lite"


@pytest.fixture
def translators() -> Translators:
    options = chat_options()
    return Translators(options, EmbeddingOptions(options.catalog), moderation=ModerationOptions(0.7, GENERAL))


def test_each_text_of_a_line_is_a_prompt_and_has_a_result(translators: Translators) -> None:
    body = {"input": ["a", "b"]}
    requests: Any = prepare(body, JOB, translators).to_gemini({})
    assert [request["contents"][0]["parts"] for request in requests] == [[{"text": "a"}], [{"text": "b"}]]
    scores = [{each.id: score for each in CATEGORIES} for score in (0.6, 0.8)]
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 4, "totalTokenCount": 9}
    answers = [
        native({"text": orjson.dumps(each).decode()}, finishReason="STOP") | {"usageMetadata": usage} for each in scores
    ]
    writer = ResultWriter(JOB, translators)
    is_good, line = writer.line("a", body, [JobResult("a", response=answer) for answer in answers])
    response = orjson.loads(line)["response"]
    assert is_good, response
    ModerationCreateResponse.model_validate(response["body"])
    assert [result["flagged"] for result in response["body"]["results"]] == [False, True]
    assert response["headers"]["x-gemgate-adjusted"] == "moderation=prompted"
    assert writer.usage.wire()["total_tokens"] == 18


@pytest.mark.parametrize(
    ("body", "models", "expected"),
    [
        ({}, "", GENERAL),
        ({"model": "omni-moderation-latest"}, "", GENERAL),
        ({"model": "gemini-3.6-flash"}, "", "gemini-3.6-flash"),
        ({}, "omni-moderation-latest=gemini-3.6-flash", "gemini-3.6-flash"),
    ],
)
def test_the_model_of_a_batch_is_the_one_that_judges(body: Any, models: str, expected: str) -> None:
    lists = dict(entry.split("=") for entry in models.split(";") if entry)
    aliases = ModelAliases({name: (model,) for name, model in lists.items()})
    reader = InputReader(JOB.url, aliases=aliases, general_judge=GENERAL)
    line = {"custom_id": "a", "method": "POST", "url": JOB.url, "body": {"input": "x", **body}}
    assert len(reader.feed(orjson.dumps(line) + b"\n")) == 1
    assert reader.model == f"models/{expected}"


def test_a_line_without_a_model_may_name_a_file(translators: Translators) -> None:
    url = "https://generativelanguage.googleapis.com/v1beta/files/mine"
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    line = {"custom_id": "a", "method": "POST", "url": JOB.url, "body": {"input": parts}}
    session = TranslateSession(JOB, translators, google_host="generativelanguage.googleapis.com")
    with closing(session):
        (waiting,) = session.feed(orjson.dumps(line) + b"\n").waiting
        assert waiting.names == {"files/mine"}
        native = orjson.loads(session.resolve(waiting.index, {}))
    assert native["request"]["contents"][0]["parts"] == [{"fileData": {"fileUri": url}}]
