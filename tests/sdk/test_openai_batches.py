"""Batches of a thousand lines through OpenAI's client for Python, over sockets, as `make demo` serves them."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import openai
import orjson
import pytest
from openai.types import Batch, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from tests.support.stack import KEY, stack

LINES = 1000
MAX_SECONDS = 120.0
CHAT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
EMBEDDINGS: Literal["/v1/embeddings"] = "/v1/embeddings"
TOOL = {"type": "function", "function": {"name": "look up!", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[openai.OpenAI]:
    with stack(data_dir=tmp_path) as running, openai.OpenAI(base_url=running.base(), api_key=KEY) as client:
        yield client


def begun(client: openai.OpenAI, endpoint: Any, bodies: list[dict[str, Any]]) -> Batch:
    lines = (
        {"custom_id": f"request-{number}", "method": "POST", "url": endpoint, "body": body}
        for number, body in enumerate(bodies)
    )
    raw = b"\n".join(map(orjson.dumps, lines))
    file = client.files.create(file=("in.jsonl", io.BytesIO(raw)), purpose="batch")
    assert file.status == "processed"
    return client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"endpoint": endpoint}
    )


def completed(client: openai.OpenAI, batch: Batch) -> dict[str, dict[str, Any]]:
    """The bodies of the output by their `custom_id`, once the batch has ended."""
    end = time.monotonic() + MAX_SECONDS
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < end, batch
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.error_file_id, batch.errors) == ("completed", None, None)
    assert batch.request_counts is not None
    assert batch.request_counts.to_dict() == {"total": LINES, "completed": LINES, "failed": 0}
    assert batch.metadata == {"endpoint": batch.endpoint}
    assert batch.output_file_id is not None
    lines = [orjson.loads(line) for line in client.files.content(batch.output_file_id).iter_lines()]
    assert [line["custom_id"] for line in lines] == [f"request-{number}" for number in range(LINES)]
    assert {line["response"]["status_code"] for line in lines} == {200}
    assert len({line["id"] for line in lines}) == LINES
    return {line["custom_id"]: line["response"]["body"] for line in lines}


def test_a_chat_batch_and_an_embeddings_batch_of_a_thousand_lines_run_end_to_end(client: openai.OpenAI) -> None:
    model = {"model": "gemini-2.5-flash"}
    chats: list[dict[str, Any]] = [
        {**model, "messages": [{"role": "user", "content": f"Hello {number}"}]} for number in range(LINES)
    ]
    chats[7] |= {"n": 2}
    chats[8] |= {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look up!"}}}
    texts = [
        {"model": "gemini-embedding-001", "input": f"text {number}", "dimensions": 128, "encoding_format": "float"}
        for number in range(LINES)
    ]
    texts[7] |= {"input": ["one", "two", "three"]}
    chat, embeddings = begun(client, CHAT, chats), begun(client, EMBEDDINGS, texts)
    answers = completed(client, chat)
    for body in answers.values():
        completion = ChatCompletion.model_validate(body, strict=True)
        assert (completion.object, completion.model) == ("chat.completion", "gemini-2.5-flash")
        assert completion.usage is not None
        assert completion.usage.total_tokens > 0
    assert len(answers["request-7"]["choices"]) == 2
    assert answers["request-8"]["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "look up!"
    assert "Hello 999" in answers["request-999"]["choices"][0]["message"]["content"]
    vectors = completed(client, embeddings)
    for body in vectors.values():
        listed = CreateEmbeddingResponse.model_validate(body, strict=True)
        assert {len(one.embedding) for one in listed.data} == {128}
        assert listed.usage.total_tokens > 0
    assert [one["index"] for one in vectors["request-7"]["data"]] == [0, 1, 2]


def test_a_bad_input_says_what_is_wrong_when_it_is_uploaded_and_again_when_its_batch_fails(
    client: openai.OpenAI,
) -> None:
    good = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {"model": "gemini-2.5-flash", "messages": []}}
    raw = b"\n".join(
        (
            orjson.dumps(good),
            b"{",
            orjson.dumps(good),
            orjson.dumps({**good, "custom_id": "b", "url": "/v1/completions"}),
        )
    )
    file = client.files.create(file=("in.jsonl", raw), purpose="batch")
    assert file.status == "error"
    assert file.status_details is not None
    assert "Line 2: " in file.status_details
    batch = client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    end = time.monotonic() + MAX_SECONDS
    while batch.status != "failed":
        assert time.monotonic() < end, batch
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    assert batch.errors is not None
    told = [(error.line, error.code) for error in batch.errors.data or []]
    assert told == [(2, "invalid_json_line"), (3, "duplicate_custom_id"), (4, "invalid_url")]
    assert (file.model_extra or {})["errors"]["data"] == [error.to_dict() for error in batch.errors.data or []]
