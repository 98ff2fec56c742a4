"""Batches in Vertex AI on a real store and a bucket that is a directory: what each state does, and kills in between."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from tests.api.batches.fake_vertex_api import FakeVertexBatchApi
from tests.api.batches.support import LEASE, Batches, chat, vertex_batches_in
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
