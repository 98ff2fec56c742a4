"""The native input of a batch at the Developer API: inline, or as a file that is found again and deleted at the end."""

import pytest
from tests.api.batches.support import Batches, chat

from gemgate.api.batches import google_input

pytestmark = pytest.mark.slow


async def test_a_large_input_goes_through_a_file_that_is_deleted_afterwards(batches: Batches) -> None:
    batch = await batches.create([chat(f"r{number}", "z" * 3000) for number in range(101)])
    row = await batches.finish(batch)
    output, _ = await batches.results(row)
    assert len(output) == 101
    (created,) = batches.google.created
    name = created["inputConfig"]["fileName"]
    assert len(name.removeprefix("files/")) == 40
    assert f"DELETE /v1beta/{name}" in batches.google.calls
    assert created["displayName"] == f"gemgate-{batch.id}"


async def test_many_small_requests_go_through_a_file_that_is_deleted_afterwards(batches: Batches) -> None:
    batch = await batches.create([chat(str(number)) for number in range(101)])
    row = await batches.finish(batch)
    (created,) = batches.google.created
    assert row.completed == 101
    assert f"DELETE /v1beta/{created['inputConfig']['fileName']}" in batches.google.calls


async def test_a_file_that_cannot_be_deleted_at_google_is_no_failure(batches: Batches) -> None:
    batch = await batches.create([chat(f"r{number}", "z" * 3000) for number in range(101)])
    batches.google.refusals.append(("DELETE", 500, {"message": "no"}))
    assert (await batches.finish(batch)).status == "completed"


async def test_results_that_google_has_deleted_fail_the_batch_and_each_line(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_input, "MAX_INLINE_BYTES", 0)
    batch = await batches.create([chat("a"), chat("b", stream=True)])
    await batches.work()
    batches.google.run()
    batches.google.refusals.append((":download", 403, {"message": "You do not have permission to access the File x."}))
    await batches.work(60)
    row = await batches.row(batch.id)
    _, errors = await batches.results(row)
    assert row.status == "failed"
    assert row.errors is not None
    assert row.errors[0]["code"] == "results_unavailable"
    assert errors["a"]["error"]["code"] == "batch_failed"
    assert errors["b"]["response"]["status_code"] == 400


async def test_an_upload_that_is_there_already_is_used(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google_input, "MAX_INLINE_BYTES", 0)
    batches.google.refusals.append(("batchGenerateContent", 503, {"message": "Later.", "status": "UNAVAILABLE"}))
    batch = await batches.create([chat("a")])
    await batches.work()
    await batches.work(60)
    batches.google.run()
    await batches.work(60)
    row = await batches.row(batch.id)
    assert row.status == "completed"
    assert sum(call == "POST /upload/v1beta/files" for call in batches.google.calls) == 2
