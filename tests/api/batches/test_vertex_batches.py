"""Batches before the emulator as Vertex AI: jobs on objects in a bucket, from the upload to the output file."""

import time
from collections.abc import Iterator
from typing import Any

import openai
import orjson
import pytest
from tests.api.batches.support import CHAT, Json, chat, embedding
from tests.api.files.test_in_requests import PNG
from tests.support.stack import Stack
from tests.support.vertex_stack import PROJECT, vertex_stack

from gemgate.emulator.timing import Timing

pytestmark = pytest.mark.integration

BUCKET = "gs://a-bucket/gemgate"
SECONDS = 300.0


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with vertex_stack(vertex_bucket=BUCKET, timing=Timing(step_on_poll=True)) as running:
        yield running


@pytest.fixture(scope="module")
def client(servers: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=servers.base(), max_retries=0) as made:
        yield made


def ended(client: openai.OpenAI, lines: list[Json], endpoint: Any = CHAT) -> Any:
    """The batch of these lines at its end."""
    raw = b"\n".join(map(orjson.dumps, lines))
    file = client.files.create(file=("in.jsonl", raw), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")
    until = time.monotonic() + SECONDS
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < until, batch
        batch = client.batches.retrieve(batch.id)
    return batch


def results(client: openai.OpenAI, file_id: str | None) -> dict[str, Json]:
    assert file_id is not None
    lines = [orjson.loads(line) for line in client.files.content(file_id).content.splitlines()]
    return {line["custom_id"]: line for line in lines}


def test_a_batch_goes_by_the_bucket_and_comes_back_in_openais_form(servers: Stack, client: openai.OpenAI) -> None:
    image = client.files.create(file=("a.png", PNG), purpose="user_data")
    looking = [{"role": "user", "content": [{"type": "image_url", "image_url": {"file_id": image.id}}]}]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    batch = ended(
        client,
        [
            chat("a", "one", store=True),
            chat("b", "[[emulator: 400]]"),
            chat("c", stream=True),
            chat("d", "call it", tools=tools, tool_choice="required"),
            chat("e", "three", n=3),
            chat("f", messages=looking),
        ],
    )
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 4, 2), batch
    output, errors = results(client, batch.output_file_id), results(client, batch.error_file_id)
    assert (set(output), set(errors)) == ({"a", "d", "e", "f"}, {"b", "c"})
    assert output["a"]["response"]["body"]["choices"][0]["message"]["content"]
    assert output["d"]["response"]["body"]["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "f"
    assert [choice["index"] for choice in output["e"]["response"]["body"]["choices"]] == [0, 1, 2]
    assert "1x1" in output["f"]["response"]["body"]["choices"][0]["message"]["content"]
    assert errors["b"]["response"]["status_code"] == 400
    assert batch.usage.total_tokens > 0
    (made,) = [
        seen for seen in servers.seen.requests if seen.method == "POST" and seen.path.endswith("/batchPredictionJobs")
    ]
    assert made.path == f"/v1/projects/{PROJECT}/locations/global/batchPredictionJobs"
    assert made.body == {
        "displayName": f"gemgate-{batch.id}",
        "model": "publishers/google/models/gemini-2.5-flash",
        "inputConfig": {
            "instancesFormat": "jsonl",
            "gcsSource": {"uris": [f"{BUCKET}/batches/{batch.id}/input.jsonl"]},
        },
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"{BUCKET}/batches/{batch.id}/output"},
        },
    }
    (media,) = servers.seen.objects
    assert media.startswith("a-bucket/gemgate/media/")


def test_a_batch_of_embeddings_is_refused_before_anything_is_written(servers: Stack, client: openai.OpenAI) -> None:
    before = len(servers.seen.requests)
    file = client.files.create(file=("in.jsonl", orjson.dumps(embedding("a"))), purpose="batch")
    with pytest.raises(openai.BadRequestError) as refused:
        client.batches.create(input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h")
    assert (refused.value.param, refused.value.code) == ("endpoint", "unsupported_endpoint")
    assert len(servers.seen.requests) == before
