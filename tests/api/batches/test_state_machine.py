"""What each state of a batch does, with jobs at the Developer API and in Vertex AI."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.api.batches.fake_vertex_api import FakeVertexBatchApi
from tests.api.batches.support import CALLER, EMBEDDINGS, Batches, Json, batches_in, chat, embedding, vertex_batches_in
from tests.support.clock import START

from gemgate.api.batches.key_vault import KeyVault
from gemgate.media.inline import Inline

pytestmark = pytest.mark.slow


@pytest.fixture(params=[batches_in, vertex_batches_in], ids=["gemini", "vertex"])
async def batches(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Batches]:
    """An empty store, an empty Google."""
    async with request.param(tmp_path) as made:
        yield made


async def test_a_chat_batch_ends_with_each_custom_id_in_one_of_two_files(batches: Batches) -> None:
    batch = await batches.create(
        [chat("a", "one"), chat("b", "please fail"), chat("c", stream=True), chat("d", "four")]
    )
    row = await batches.finish(batch)
    output, errors = await batches.results(row)
    assert row.status == "completed"
    assert (set(output), set(errors)) == ({"a", "d"}, {"b", "c"})
    body = output["a"]["response"]["body"]
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == "echo: one"
    assert body["model"] == "gemini-2.5-flash"
    assert errors["b"]["response"]["status_code"] == 400
    assert errors["b"]["response"]["body"]["error"]["message"] == "The prompt is not good."
    assert errors["c"]["response"]["body"]["error"]["param"] == "stream"
    assert (row.total, row.completed, row.failed) == (4, 2, 2)
    assert row.usage == {
        "input_tokens": 4,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 10,
    }


async def test_an_embeddings_batch_joins_the_inputs_of_a_line(batches: Batches) -> None:
    model = batches.google.embedder
    lines = [embedding("a", ["x", "yy", "zzz"], model=model), embedding("b", "w", model=model)]
    batch = await batches.create(lines, EMBEDDINGS)
    row = await batches.finish(batch)
    output, _ = await batches.results(row)
    body = output["a"]["response"]["body"]
    assert [item["index"] for item in body["data"]] == [0, 1, 2]
    assert body["data"][2]["embedding"] == [1.0, 0.0]
    assert body["usage"] == {"prompt_tokens": 9, "total_tokens": 9}
    assert row.usage is not None
    assert row.usage["input_tokens"] == 12


async def test_each_stage_has_its_timestamp_and_nothing_is_left_behind(batches: Batches) -> None:
    batch = await batches.create(
        [chat("a")], metadata={"team": "x"}, output_expires_after={"anchor": "created_at", "seconds": 3600}
    )
    batches.clock.now += 10
    row = await batches.finish(batch)
    assert row.created_at == int(START)
    assert row.expires_at == int(START) + 86_400
    assert row.in_progress_at == int(START) + 10
    assert row.finalizing_at == row.completed_at == int(START) + 70
    assert row.meta == {"team": "x"}
    assert row.model == "gemini-2.5-flash"
    output = await batches.store.files.get(CALLER.id, row.output_file_id or "")
    assert output is not None
    assert (output.purpose, output.filename) == ("batch_output", f"{row.id}_output.jsonl")
    assert output.expires_at == output.created_at + 3600
    assert row.error_file_id is None
    assert row.next_poll_at is None
    assert [page async for page in batches.store.blobs.listing("batches")] == []


async def test_an_invalid_input_fails_the_batch_with_every_error(batches: Batches) -> None:
    batch = await batches.create([chat("a"), b"{", chat("a")])
    await batches.work()
    row = await batches.row(batch.id)
    assert (row.status, row.total, row.failed_at) == ("failed", 3, int(START))
    assert [(error["line"], error["code"]) for error in row.errors or []] == [
        (2, "invalid_json_line"),
        (3, "duplicate_custom_id"),
    ]
    assert batches.google.calls == []


async def test_an_input_that_is_deleted_before_it_was_read_fails_the_batch(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    await batches.store.files.delete(CALLER.id, batch.input_file_id)
    await batches.work()
    row = await batches.row(batch.id)
    assert row.errors is not None
    assert row.errors[0]["code"] == "invalid_input_file"


async def test_an_input_may_be_deleted_once_the_batch_is_in_progress(batches: Batches) -> None:
    batch = await batches.create([chat("a"), chat("b", "fail")])
    await batches.work()
    await batches.store.files.delete(CALLER.id, batch.input_file_id)
    row = await batches.finish(batch)
    assert row.status == "completed"
    assert (row.completed, row.failed) == (1, 1)


async def test_a_batch_of_refused_lines_completes_without_a_job(batches: Batches) -> None:
    batch = await batches.create([chat("a", stream=True), chat("b", messages=[])])
    await batches.work()
    row = await batches.row(batch.id)
    _, errors = await batches.results(row)
    assert (row.status, row.total, row.failed, set(errors)) == ("completed", 2, 2, {"a", "b"})
    assert batches.google.created == []


async def test_choices_beyond_one_are_joined_where_the_model_has_no_candidate_count(batches: Batches) -> None:
    batches.google.answer = _seed
    line = chat("a", model="gemini-3-flash-preview", n=3, seed=5)
    row = await batches.finish(await batches.create([line]))
    output, _ = await batches.results(row)
    choices = output["a"]["response"]["body"]["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert [choice["message"]["content"] for choice in choices] == ["5", "6", "7"]
    assert row.total == 1


def _seed(_key: str, request: Json) -> Json:
    text = str(request["generationConfig"]["seed"])
    return {"response": {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]}}


async def test_remote_media_is_fetched_when_the_batch_is_created(batches: Batches) -> None:
    batches.web.pages["https://pictures/cat.png"] = Inline("image/png", "AAAA")
    row = await batches.create(
        [_picture("good", "https://pictures/cat.png"), _picture("bad", "https://pictures/dog.png")]
    )
    await batches.work()
    ((_, request),) = next(iter(batches.google.jobs.values()))["requests"]
    assert request["contents"][0]["parts"][0] == {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    batches.google.answer = lambda _key, _request: {
        "response": {"candidates": [{"content": {"parts": [{"text": "a cat"}]}, "finishReason": "STOP"}]}
    }
    output, errors = await batches.results(await batches.finish(row))
    assert output["good"]["response"]["body"]["choices"][0]["message"]["content"] == "a cat"
    assert errors["bad"]["response"]["body"]["error"]["code"] == "media_unreachable"


def _picture(custom_id: str, url: str) -> Json:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    return chat(custom_id, messages=[{"role": "user", "content": content}])


async def test_a_batch_of_googles_endpoint_renders_thoughts_as_that_endpoint_does(batches: Batches) -> None:
    batches.google.answer = lambda _key, _request: {
        "response": {
            "candidates": [
                {"content": {"parts": [{"text": "hm", "thought": True}, {"text": "yes"}]}, "finishReason": "STOP"}
            ]
        }
    }
    batch = await batches.create([chat("a")], dialect="google")
    output, _ = await batches.results(await batches.finish(batch))
    assert output["a"]["response"]["body"]["choices"][0]["message"]["content"] == "<thought>hm</thought>yes"


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ("EXPIRED", "expired", "batch_expired"),
        ("FAILED", "failed", "batch_failed"),
        ("CANCELLED", "cancelled", "batch_cancelled"),
    ],
)
async def test_a_job_that_ends_badly_keeps_what_was_done(batches: Batches, state: str, status: str, code: str) -> None:
    batch = await batches.create([chat("a"), chat("b"), chat("c", stream=True)])
    await batches.work()
    batches.google.run(state=state, maximum=1)
    await batches.work(10)
    row = await batches.row(batch.id)
    output, errors = await batches.results(row)
    assert row.status == status
    assert getattr(row, f"{status}_at") == int(START) + 10
    assert set(output) == {"a"}
    assert errors["b"]["error"]["code"] == code
    assert errors["b"]["response"] is None
    assert errors["c"]["response"]["status_code"] == 400
    assert (row.errors is not None) == (status == "failed")


async def test_a_line_that_google_forgot_is_an_error(batches: Batches) -> None:
    row = await batches.finish(await batches.create([chat("a", "forget me"), chat("b")]))
    _, errors = await batches.results(row)
    assert errors["a"]["response"]["status_code"] == 502
    assert errors["a"]["response"]["body"]["error"]["code"] == "upstream_no_answer"


async def test_cancelled_before_it_was_validated_a_batch_just_ends(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    cancelling = await batches.service.cancel(CALLER, batch.id)
    assert (cancelling.status, cancelling.cancelling_at) == ("cancelling", int(START))
    await batches.work()
    row = await batches.row(batch.id)
    assert (row.status, row.cancelled_at, row.total) == ("cancelled", int(START), 0)
    assert batches.google.calls == []


async def test_cancelled_during_the_run_a_batch_keeps_what_was_done(batches: Batches) -> None:
    batch = await batches.create([chat("a"), chat("b")])
    await batches.work()
    await batches.service.cancel(CALLER, batch.id)
    await batches.work()
    batches.google.run()
    await batches.work(2)
    row = await batches.row(batch.id)
    _, errors = await batches.results(row)
    assert row.status == "cancelled"
    assert {line["error"]["code"] for line in errors.values()} == {"batch_cancelled"}
    assert row.finalizing_at is None


async def test_a_job_that_ends_while_it_is_cancelled_gives_its_results(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    await batches.work()
    await batches.service.cancel(CALLER, batch.id)
    batches.google.run()
    await batches.work(2)
    row = await batches.row(batch.id)
    output, _ = await batches.results(row)
    assert (row.status, set(output)) == ("cancelled", {"a"})


async def test_a_job_that_cannot_be_cancelled_any_more_is_no_failure(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    await batches.work()
    batches.google.refusals.append((":cancel", 400, {"message": "It has ended.", "status": "FAILED_PRECONDITION"}))
    await batches.service.cancel(CALLER, batch.id)
    await batches.work()
    assert (await batches.finish(batch)).status == "cancelled"


async def test_a_batch_is_cancelled_between_validation_and_creation(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    batches.google.refusals.append(
        (batches.google.creating, 429, {"message": "Too many.", "status": "RESOURCE_EXHAUSTED"})
    )
    await batches.work()
    await batches.service.cancel(CALLER, batch.id)
    await batches.work(60)
    row = await batches.row(batch.id)
    _, errors = await batches.results(row)
    assert (row.status, errors["a"]["error"]["code"]) == ("cancelled", "batch_cancelled")
    assert batches.google.created == []


async def test_google_may_take_an_hour_to_cancel_and_no_longer(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches.google, "_cancel", lambda _name: httpx.Response(200, json={}))
    batch = await batches.create([chat("a")])
    await batches.work()
    await batches.service.cancel(CALLER, batch.id)
    await batches.work()
    await batches.work(1800)
    assert (await batches.row(batch.id)).status == "cancelling"
    await batches.work(3600)
    assert (await batches.row(batch.id)).status == "cancelled"


async def test_the_window_is_honoured(batches: Batches) -> None:
    batch = await batches.create([chat("a"), chat("b")])
    await batches.work()
    await batches.work(86_400)
    row = await batches.row(batch.id)
    assert row.status == "in_progress"
    await batches.work(2)
    row = await batches.row(batch.id)
    _, errors = await batches.results(row)
    assert row.status == "expired"
    assert {line["error"]["code"] for line in errors.values()} == {"batch_expired"}


async def test_a_batch_whose_window_has_closed_is_not_sent_any_more(batches: Batches) -> None:
    batches.google.refusals.append(
        (batches.google.creating, 429, {"message": "Later.", "status": "RESOURCE_EXHAUSTED"})
    )
    batch = await batches.create([chat("a"), chat("b", stream=True)])
    await batches.work()
    await batches.work(86_400)
    row = await batches.row(batch.id)
    _, errors = await batches.results(row)
    assert (row.status, batches.google.created) == ("expired", [])
    assert errors["a"]["error"]["code"] == "batch_expired"
    assert errors["b"]["response"]["status_code"] == 400


async def test_a_job_that_was_asked_for_is_not_asked_for_again_before_it_can_be_seen(batches: Batches) -> None:
    """As when a gateway is told to stop while Google creates the job: the next one is there at once."""
    batch = await batches.create([chat("a")])
    found = batches.google.jobs

    def hide(when: str, what: str) -> None:
        if when == "after" and re.search(batches.google.creating, what):
            batches.google.jobs = {}
            raise httpx.ReadError("gone")

    batches.google.hook = hide
    await batches.work()
    batches.google.hook = lambda _when, _what: None
    row = await batches.row(batch.id)
    await batches.store.batches.update(row.id, row.version, next_poll_at=batches.clock.now)
    await batches.work(10)
    assert len(batches.google.created) == 1
    batches.google.jobs = found
    await batches.work(5)
    assert (await batches.finish(batch)).status == "completed"
    assert len(batches.google.created) == 1


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_job_that_google_refuses_fails_the_batch_in_googles_words(batches: Batches, status: int) -> None:
    batches.google.refusals.append((batches.google.creating, status, {"message": "Not with me.", "status": "X"}))
    batch = await batches.create([chat("a")])
    await batches.work()
    row = await batches.row(batch.id)
    _, errors = await batches.results(row)
    assert row.status == "failed"
    assert row.errors is not None
    assert row.errors[0]["message"] == "Not with me."
    assert errors["a"]["error"]["code"] == "batch_failed"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_refusal_that_passes_is_waited_out_and_the_job_looked_for(batches: Batches, status: int) -> None:
    batches.google.refusals.append((batches.google.creating, status, {"message": "Later.", "status": "X"}))
    batch = await batches.create([chat("a")])
    await batches.work()
    await batches.work(14)
    assert batches.google.created == []
    await batches.work(2)
    assert len(batches.google.created) == 1
    assert (await batches.finish(batch)).status == "completed"


async def test_a_poll_that_fails_is_tried_again_more_and_more_slowly(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    await batches.work()
    for failures in range(4):
        batches.google.refusals.append((batches.google.polling, 503, {"message": "no", "status": "UNAVAILABLE"}))
        await batches.work(100)
        row = await batches.row(batch.id)
        assert row.attempt == failures + 1
        assert row.next_poll_at == batches.clock.now + 2 * 2**failures
    row = await batches.finish(batch)
    assert (row.status, row.attempt) == ("completed", 0)


async def test_a_job_that_vanished_fails_the_batch(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    await batches.work()
    batches.google.jobs.clear()
    await batches.work(60)
    row = await batches.row(batch.id)
    assert row.status == "failed"
    assert row.errors is not None


async def test_counts_follow_the_job(batches: Batches) -> None:
    batch = await batches.create([chat("a"), chat("b", "fail"), chat("c"), chat("d", stream=True)])
    await batches.work()
    batches.google.run(state="RUNNING", maximum=2)
    await batches.work(60)
    row = await batches.row(batch.id)
    assert (row.status, row.total, row.completed, row.failed) == ("in_progress", 4, 1, 2)


async def test_google_is_asked_less_often_the_longer_a_job_takes(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    await batches.work()
    pauses = []
    for seconds in (2, 98, 900):
        await batches.work(seconds)
        pauses.append(((await batches.row(batch.id)).next_poll_at or 0) - batches.clock.now)
    assert pauses == [2, 10, 60]


async def test_a_worker_without_the_key_waits_for_the_caller(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    stranger = KeyVault((), ("another secret",))
    await batches.work(worker=batches.worker(stranger))
    assert batches.google.calls == []
    batches.vault = stranger
    await batches.service.get(CALLER, batch.id)
    await batches.work(worker=batches.worker(stranger))
    assert len(batches.google.created) == 1
    assert batches.google.keys == {"" if isinstance(batches.google, FakeVertexBatchApi) else "caller-key"}


async def test_a_batch_that_cannot_be_worked_at_is_given_up_two_days_after_its_window(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    stranger = batches.worker(KeyVault((), ("another secret",)))
    await batches.work(worker=stranger)
    await batches.work(86_400 + 172_801, worker=stranger)
    row = await batches.store.batches.get(CALLER.id, batch.id)
    assert row is not None
    assert (row.status, row.key_ciphertext) == ("failed", None)


async def test_the_key_is_encrypted_at_rest_and_gone_at_the_end(batches: Batches) -> None:
    batch = await batches.create([chat("a")])
    assert b"caller-key" not in (batch.key_ciphertext or b"")
    row = await batches.finish(batch)
    assert row.key_ciphertext is None
