"""Batches before the emulator as Vertex AI: jobs on objects in a bucket, from the upload to the output file."""

import time
from collections.abc import Iterator
from typing import Any

import openai
import orjson
import pytest
from tests.api.batches.support import CHAT, EMBEDDINGS, Json, chat, embedding
from tests.api.files.test_in_requests import PNG
from tests.support.stack import Stack
from tests.support.vertex_stack import PROJECT, vertex_stack

from gemgate.emulator.timing import Timing

pytestmark = pytest.mark.integration

BUCKET = "gs://a-bucket/gemgate"
SECONDS = 300.0


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    locations = {"gemini-embedding-001": ("asia-east1", "europe-west4")}
    with vertex_stack(vertex_bucket=BUCKET, vertex_locations=locations, timing=Timing(step_on_poll=True)) as running:
        yield running


@pytest.fixture(scope="module")
def client(servers: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=servers.base(), max_retries=0) as made:
        yield made


def created(client: openai.OpenAI, lines: list[Json], endpoint: Any = CHAT) -> Any:
    """A new batch of these lines."""
    raw = b"\n".join(map(orjson.dumps, lines))
    file = client.files.create(file=("in.jsonl", raw), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")


def until_end(client: openai.OpenAI, batch: Any) -> Any:
    """The batch at its end."""
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
    lines = [
        chat("a", "one", store=True),
        chat("b", "[[emulator: 400]]"),
        chat("c", stream=True),
        chat("d", "call it", tools=tools, tool_choice="required"),
        chat("e", "three", n=3),
        chat("f", messages=looking),
    ]
    batch = until_end(client, created(client, lines))
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
    (media,) = [place for place in servers.seen.objects if batch.id in place or "/media/" in place]
    assert media.startswith("a-bucket/gemgate/media/")


def test_batches_of_embeddings_run_where_vertex_ai_has_jobs_of_their_models(
    servers: Stack, client: openai.OpenAI
) -> None:
    texts: dict[str, list[str]] = {"a": ["one"], "b": ["two", "three", "two"], "c": ["[[emulator: 400]]"]}
    begun = []
    for model, size in (("gemini-embedding-001", 768), ("gemini-embedding-2", 256)):
        lines = [embedding(name, found, model=model, dimensions=size) for name, found in texts.items()]
        begun.append((model, size, created(client, lines, EMBEDDINGS)))
    for model, size, asked in begun:
        batch = until_end(client, asked)
        assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 2, 1), batch
        output, errors = results(client, batch.output_file_id), results(client, batch.error_file_id)
        for name in ("a", "b"):
            live = client.embeddings.create(model=model, input=texts[name], dimensions=size, encoding_format="float")
            found = output[name]["response"]["body"]["data"]
            assert [one["index"] for one in found] == list(range(len(live.data)))
            for one, same in zip(found, live.data, strict=True):
                assert one["embedding"] == pytest.approx(same.embedding)
        assert errors["c"]["response"]["status_code"] == 400
        assert batch.usage.input_tokens > 0
    paths = {seen.path for seen in servers.seen.requests if seen.method == "POST"}
    places = ("europe-west4", "global")
    assert {f"/v1/projects/{PROJECT}/locations/{place}/batchPredictionJobs" for place in places} <= paths


def test_jobs_that_end_badly_give_what_they_have_answered_and_a_line_for_each_of_the_others(
    client: openai.OpenAI,
) -> None:
    ends = {
        "batch-fail": ("failed", "batch_failed", 0),
        "batch-expire 1": ("expired", "batch_expired", 0),
        "batch-cancel 1": ("cancelled", "batch_cancelled", 1),
    }
    begun = {
        scenario: created(client, [chat("a", f"[[emulator: {scenario}]]"), chat("b"), chat("c")]) for scenario in ends
    }
    for scenario, (status, code, done) in ends.items():
        batch = until_end(client, begun[scenario])
        assert batch.status == status
        output = results(client, batch.output_file_id) if done else {}
        errors = results(client, batch.error_file_id)
        assert (len(output), set(output) | set(errors)) == (done, {"a", "b", "c"})
        assert {line["error"]["code"] for line in errors.values()} == {code}
        assert (batch.request_counts.completed, batch.request_counts.failed) == (done, 3 - done)


def test_a_batch_is_cancelled_and_its_folder_goes(servers: Stack, client: openai.OpenAI) -> None:
    batch = created(client, [chat("a", "[[emulator: batch-slow 600]]")])
    while client.batches.retrieve(batch.id).status == "validating":
        pass
    assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    batch = until_end(client, batch)
    assert (batch.status, batch.request_counts.total) == ("cancelled", 1)
    folder = f"{BUCKET.removeprefix('gs://')}/batches/{batch.id}/"
    until = time.monotonic() + SECONDS
    while any(place.startswith(folder) for place in servers.seen.objects):
        assert time.monotonic() < until
        client.batches.retrieve(batch.id)
