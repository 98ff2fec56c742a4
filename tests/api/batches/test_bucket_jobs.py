"""Batches in Vertex AI on a real store and a bucket that is a directory: what each state does, and kills in between."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import orjson
import pytest
from tests.api.batches.fake_vertex_api import FakeVertexBatchApi
from tests.api.batches.support import EMBEDDINGS, LEASE, Batches, Json, chat, embedding, vertex_batches_in
from tests.api.batches.test_crashes import LINES, KilledError, killed_at_each

from gemgate.store.errors import StoreUnavailableError

pytestmark = pytest.mark.integration


@pytest.fixture
async def batches(tmp_path: Path) -> AsyncIterator[Batches]:
    async with vertex_batches_in(tmp_path) as made:
        yield made


def vertex(batches: Batches) -> FakeVertexBatchApi:
    return cast("FakeVertexBatchApi", batches.google)


async def test_lines_go_to_the_bucket_and_results_out_of_it_are_put_into_their_places(batches: Batches) -> None:
    lines = [chat("a", "one", store=True), chat("b", "please fail"), chat("c", "forget it"), chat("d", "four")]
    batch = await batches.create(lines)
    await batches.work()
    assert vertex(batches).objects() == [f"batches/{batch.id}/input.jsonl"]
    row = await batches.finish(batch)
    output, errors = await batches.results(row)
    assert (row.status, row.total, row.completed, row.failed) == ("completed", 4, 2, 2)
    assert output["a"]["response"]["body"]["choices"][0]["message"]["content"] == "echo: one"
    assert errors["b"]["response"]["status_code"] == 400
    assert errors["b"]["response"]["body"]["error"]["message"] == "The prompt is not good."
    assert set(errors) == {"b", "c"}
    assert row.usage is not None
    assert row.usage["total_tokens"] == 10
    assert vertex(batches).objects() == []


async def test_contents_to_embed_have_their_keys_beside_them_and_vectors_the_size_that_was_asked_for(
    batches: Batches,
) -> None:
    def three(_key: str, request: Json) -> Json:
        text = request["content"]["parts"][0]["text"]
        if text == "fail":
            return {"error": {"code": 3, "message": "The text is not good."}}
        return {"response": {"embedding": {"values": [3.0, 4.0, float(len(text))]}, "tokenCount": "3"}}

    model = batches.google.embedder
    lines = [embedding("a", ["x", "yy"], model=model, dimensions=2), embedding("b", "fail", model=model)]
    batch = await batches.create([*lines, embedding("c", "z", model=model)], EMBEDDINGS)
    await batches.work()
    written = (vertex(batches).directory / f"batches/{batch.id}/input.jsonl").read_bytes()
    assert [orjson.loads(line) for line in written.splitlines()] == [
        {
            "key": "0-0-0-2",
            "request": {"content": {"parts": [{"text": "x"}]}, "embed_content_config": {"output_dimensionality": 2}},
        },
        {
            "key": "1-0-1-2",
            "request": {"content": {"parts": [{"text": "yy"}]}, "embed_content_config": {"output_dimensionality": 2}},
        },
        {"key": "2-1-0-1", "request": {"content": {"parts": [{"text": "fail"}]}}},
        {"key": "3-2-0-1", "request": {"content": {"parts": [{"text": "z"}]}}},
    ]
    batches.google.answer = three
    row = await batches.finish(batch)
    output, errors = await batches.results(row)
    vectors = [item["embedding"] for item in output["a"]["response"]["body"]["data"]]
    assert vectors == [[pytest.approx(0.6), pytest.approx(0.8)]] * 2
    assert len(output["c"]["response"]["body"]["data"][0]["embedding"]) == 3
    assert output["a"]["response"]["body"]["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    assert errors["b"]["response"]["body"]["error"]["message"] == "The text is not good."


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("gemini-embedding-001", "this gateway asks for it in global. Ask the operator for GEMGATE_VERTEX_LOCATIONS="),
        ("text-embedding-005", "for gemini-embedding-001 and gemini-embedding-2, and not for text-embedding-005"),
        ("gemini-2.5-flash", "and not for gemini-2.5-flash. Use one of these, or send the requests to /v1/embeddings"),
    ],
)
async def test_a_model_that_embeds_nothing_in_jobs_here_fails_the_batch_before_anything_is_written(
    batches: Batches, model: str, said: str
) -> None:
    batch = await batches.create([embedding("a", model=model)], EMBEDDINGS)
    await batches.work()
    row = await batches.row(batch.id)
    assert row.status == "failed"
    assert said in str((row.errors or [])[0]["message"])
    assert (vertex(batches).objects(), batches.google.calls) == ([], [])


@pytest.mark.parametrize("cancels", [False, True])
async def test_killed_anywhere_a_batch_loses_nothing_and_is_submitted_once(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, cancels: bool
) -> None:
    killed = await killed_at_each(batches, monkeypatch, 9 if cancels else 4, cancels=cancels)
    assert len(killed) >= 5


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_around_the_creation_a_job_is_looked_for_by_its_name_before_it_is_made_again(
    batches: Batches, when: str
) -> None:
    batch = await batches.create(LINES)

    def kill(moment: str, what: str) -> None:
        if moment == when and what.startswith("POST") and what.endswith("/batchPredictionJobs"):
            batches.google.hook = lambda _when, _what: None
            raise KilledError

    batches.google.hook = kill
    with pytest.raises(KilledError):
        await batches.work()
    await batches.work(LEASE + 1)
    row = await batches.finish(batch)
    assert row.status == "completed"
    assert len(batches.google.created) == 1
    assert "GET /v1/projects/my-project/locations/global/batchPredictionJobs" in batches.google.calls


async def test_a_job_that_fails_gives_what_it_has_answered_and_why_it_failed(batches: Batches) -> None:
    batch = await batches.create([chat("a"), chat("b")])
    await batches.work()
    batches.google.run(state="FAILED", maximum=1)
    await batches.work(60)
    row = await batches.row(batch.id)
    output, errors = await batches.results(row)
    assert (row.status, len(output), len(errors)) == ("failed", 1, 1)
    assert str((row.errors or [])[0]["message"]).startswith("The job did not succeed.")


async def test_results_that_were_deleted_out_of_the_bucket_are_reported(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    await batches.work()
    batches.google.run()
    await vertex(batches).bucket.delete_below(f"batches/{batch.id}")
    await batches.work(60)
    row = await batches.row(batch.id)
    assert row.status == "failed"
    assert "GEMGATE_VERTEX_BUCKET" in str((row.errors or [])[0]["message"])


async def test_a_bucket_that_may_not_be_used_fails_the_batch_and_one_that_is_away_does_not(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    from obstore.exceptions import PermissionDeniedError

    cause: Exception = TimeoutError()

    async def put(_key: str, _chunks: AsyncIterator[bytes]) -> tuple[int, str]:
        raise StoreUnavailableError("no") from cause

    batch = await batches.create([chat("a")])
    monkeypatch.setattr(vertex(batches).bucket.blobs, "put", put)
    await batches.work()
    assert (await batches.row(batch.id)).status == "in_progress"
    cause = PermissionDeniedError("403")
    await batches.work(LEASE + 60)
    row = await batches.row(batch.id)
    assert row.status == "failed"
    assert "roles/storage.objectUser" in str((row.errors or [])[0]["message"])


async def test_a_batch_of_the_developer_api_ends_as_failed_where_vertex_ai_is_asked_now(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    await batches.work()
    row = await batches.row(batch.id)
    await batches.store.batches.update(row.id, row.version, google_name="batches/of-before")
    await batches.work(60)
    assert (await batches.row(batch.id)).status == "failed"
