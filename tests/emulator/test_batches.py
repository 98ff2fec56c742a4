""":batchGenerateContent, :asyncBatchEmbedContent and /v1beta/batches."""

from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator, said, text
from tests.support.clock import FakeClock

from gemgate.emulator.app import create_emulator
from gemgate.emulator.jobs import Jobs
from gemgate.emulator.timing import QuotaLimits, Timing

MODEL = "gemini-2.5-flash"
EMBEDDER = "gemini-embedding-001"
GENERATE = "batchGenerateContent"
EMBED = "asyncBatchEmbedContent"
TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main."


def inline(*requests: dict[str, Any], name: str = "job", **more: Any) -> dict[str, Any]:
    listed = [{"request": each, "metadata": {"custom_id": str(number)}} for number, each in enumerate(requests)]
    return {"batch": {"displayName": name, "inputConfig": {"requests": {"requests": listed}}, **more}}


def jsonl(*lines: Any) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


async def file_job(emulator: Emulator, data: bytes, name: str = "job", key: str = "fileName") -> dict[str, Any]:
    headers = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "application/jsonl"}
    file = (await emulator.client.post("/upload/v1beta/files", content=data, headers=headers)).json()["file"]
    return {"batch": {"displayName": name, "inputConfig": {key: file["name"]}}}


async def make(emulator: Emulator, body: Any, model: str = MODEL, method: str = GENERATE) -> dict[str, Any]:
    response = await emulator.post(model, body, method)
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


async def get(emulator: Emulator, job: dict[str, Any]) -> dict[str, Any]:
    response = await emulator.client.get(f"/v1beta/{job['name']}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def finished(
    emulator: Emulator, clock: FakeClock, body: Any, model: str = MODEL, method: str = GENERATE
) -> dict[str, Any]:
    made = await make(emulator, body, model, method)
    clock.now += 2
    return await get(emulator, made)


async def results(emulator: Emulator, job: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of a results file."""
    name = job["metadata"]["output"]["responsesFile"]
    response = await emulator.client.get(f"/download/v1beta/{name}:download?alt=media")
    assert response.status_code == 200, response.text
    return [orjson.loads(line) for line in response.content.splitlines()]


def inlined(job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job["response"]["inlinedResponses"]["inlinedResponses"]
    return found


def message(response: httpx.Response) -> str:
    found: str = response.json()["error"]["message"]
    return found


class TestInline:
    async def test_a_job_is_pending_then_running_then_done(self, emulator: Emulator, clock: FakeClock) -> None:
        made = await make(emulator, inline(said("one"), said("two")))
        name = made["name"]
        assert made == {
            "name": name,
            "metadata": {
                "@type": TYPE + "GenerateContentBatch",
                "model": f"models/{MODEL}",
                "displayName": "job",
                "createTime": "2026-09-21T14:13:20.000000000Z",
                "updateTime": "2026-09-21T14:13:20.000000000Z",
                "batchStats": {"requestCount": "2", "pendingRequestCount": "2"},
                "state": "BATCH_STATE_PENDING",
                "name": name,
            },
        }
        assert await get(emulator, made) == made
        clock.now += 0.5
        running = await get(emulator, made)
        assert running["metadata"] == made["metadata"] | {"state": "BATCH_STATE_RUNNING"}
        assert "done" not in running

        clock.now += 1.5
        done = await get(emulator, made)
        assert done["done"] is True
        assert done["response"]["@type"] == TYPE + "GenerateContentBatchOutput"
        metadata = done["metadata"]
        assert metadata["state"] == "BATCH_STATE_SUCCEEDED"
        assert metadata["endTime"] == metadata["updateTime"] == "2026-09-21T14:13:22.000000000Z"
        assert metadata["batchStats"] == {"requestCount": "2", "successfulRequestCount": "2"}
        assert metadata["output"] == {"inlinedResponses": done["response"]["inlinedResponses"]}

    async def test_lines_are_answered_as_live_requests_are(self, emulator: Emulator, clock: FakeClock) -> None:
        done = await finished(emulator, clock, inline(said("one"), said("two")))
        live = await emulator.generate(MODEL, said("two", model=f"models/{MODEL}"))
        assert inlined(done)[1] == {"response": live, "metadata": {"custom_id": "1"}}

    async def test_a_line_fails_alone(self, emulator: Emulator, clock: FakeClock) -> None:
        lines = inline(
            said("one"),
            said("[[emulator: 503]]"),
            {"contents": []},
            said("[[emulator: 429 3]]"),
            said("[[emulator: x]]"),
        )
        done = await finished(emulator, clock, lines)
        assert done["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
        assert done["metadata"]["batchStats"] == {
            "requestCount": "5",
            "successfulRequestCount": "1",
            "failedRequestCount": "4",
        }
        first, *failed = inlined(done)
        assert "response" in first
        assert [each["error"]["code"] for each in failed] == [14, 3, 8, 3]
        assert failed[0] == {
            "error": {"code": 14, "message": "The model is overloaded. Please try again later."},
            "metadata": {"custom_id": "1"},
        }

    async def test_inline_results_keep_their_order_unless_told_otherwise(
        self, emulator: Emulator, clock: FakeClock
    ) -> None:
        for mark, order in (("", ["0", "1", "2"]), (" [[emulator: batch-shuffle]]", ["2", "1", "0"])):
            body = inline(said("a"), said("b"), said(f"c{mark}"))
            found = inlined(await finished(emulator, clock, body))
            assert [each["metadata"]["custom_id"] for each in found] == order

    async def test_metadata_may_be_missing_and_priority_is_told(self, emulator: Emulator, clock: FakeClock) -> None:
        requests = {"requests": [{"request": said("one")}]}
        body = {"batch": {"display_name": "job", "input_config": {"requests": requests}, "priority": "-3"}}
        done = await finished(emulator, clock, body)
        assert inlined(done)[0].keys() == {"response"}
        assert done["metadata"]["priority"] == "-3"

    async def test_counts_grow_while_a_job_runs(self, emulator: Emulator, clock: FakeClock) -> None:
        made = await make(emulator, inline(*(said(str(n)) for n in range(10)), name="[[emulator: batch-slow 100]]"))
        clock.now += 200
        await get(emulator, made)  # all lines are worked out by now
        clock.now -= 149.5
        stats = (await get(emulator, made))["metadata"]["batchStats"]
        assert stats == {"requestCount": "10", "successfulRequestCount": "5", "pendingRequestCount": "5"}

    @pytest.mark.parametrize(
        ("model", "method", "body", "status", "text"),
        [
            (MODEL, GENERATE, {}, 400, "batch must be specified"),
            (MODEL, GENERATE, {"batch": {"inputConfig": {}}}, 400, "display_name must be specified"),
            (MODEL, GENERATE, {"batch": {"displayName": "x", "inputConfig": {}}}, 400, "one initialized field"),
            (MODEL, GENERATE, inline(), 400, "requests is not specified"),
            (MODEL, GENERATE, inline({"foo": 1}), 400, 'Unknown name "foo"'),
            (MODEL, GENERATE, inline(said("x"), model="models/gemini-2.5-pro"), 400, "for one model"),
            (MODEL, GENERATE, inline(said("x", model="models/gemini-2.5-pro")), 400, "for one model"),
            (MODEL, GENERATE, {"batch": {"displayName": "x", "inputConfig": {"fileName": "files/no"}}}, 403, "File no"),
            (MODEL, GENERATE, inline(said("x"), name="[[emulator: 429]]"), 429, "exceeded your current quota"),
            ("none", GENERATE, inline(said("x")), 404, "not supported for batchGenerateContent"),
            (EMBEDDER, GENERATE, inline(said("x")), 404, "not supported for batchGenerateContent"),
            (MODEL, EMBED, inline(said("x")), 404, "not supported for asyncBatchEmbedContent"),
        ],
    )
    async def test_jobs_that_google_would_not_take_are_refused(
        self, emulator: Emulator, model: str, method: str, body: Any, status: int, text: str
    ) -> None:
        assert text in await emulator.refused(model, body, method, status)

    async def test_both_sources_are_one_too_many(self, emulator: Emulator) -> None:
        body = inline(said("x"))
        body["batch"]["inputConfig"]["fileName"] = "files/x"
        assert "oneof field 'source' is already set" in await emulator.refused(MODEL, body, GENERATE)

    async def test_inline_requests_have_a_limit_of_their_own(self) -> None:
        transport = httpx.ASGITransport(create_emulator(limits=QuotaLimits(inline_batch=1000)))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://emulator", headers={"x-goog-api-key": "k"}
        ) as client:
            refused = await Emulator(client).refused(MODEL, inline(said("x" * 1000)), GENERATE)
            assert refused == "Request payload size exceeds the limit: 1000 bytes."


class TestFiles:
    async def test_results_come_as_a_file_in_another_order(self, emulator: Emulator, clock: FakeClock) -> None:
        lines = [{"key": f"k{number}", "request": said(f"number {number}")} for number in range(70)]
        done = await finished(emulator, clock, await file_job(emulator, jsonl(*lines)))
        name = f"files/batch-{done['name'].removeprefix('batches/')}"
        assert done["response"] == {"@type": TYPE + "GenerateContentBatchOutput", "responsesFile": name}
        assert done["metadata"]["output"] == {"responsesFile": name}
        found = await results(emulator, done)
        keys = [each["key"] for each in found]
        assert sorted(keys) == sorted(f"k{number}" for number in range(70)) != keys
        assert all(f"number {each['key'][1:]}”" in text(each["response"]) for each in found)

    @pytest.mark.parametrize("key", ["fileName", "file_name"])
    async def test_both_spellings_are_read(self, emulator: Emulator, clock: FakeClock, key: str) -> None:
        camel = {"key": "a", "request": said("x", generationConfig={"maxOutputTokens": 2})}
        snake = {"key": "b", "request": said("x", generation_config={"max_output_tokens": 2})}
        body = await file_job(emulator, jsonl(camel, snake), key=key)
        found = {each["key"]: each for each in await results(emulator, await finished(emulator, clock, body))}
        assert found["a"]["response"] == found["b"]["response"]

    async def test_a_line_fails_alone_with_an_http_status(self, emulator: Emulator, clock: FakeClock) -> None:
        lines = [
            {"key": "unknown", "request": said("x", foo=1)},
            {"key": "other", "request": said("x", model="models/gemini-2.5-pro")},
            {"key": "busy", "request": said("[[emulator: 503]]")},
            {"metadata": {"a": 1}, "request": said("x")},
        ]
        done = await finished(emulator, clock, await file_job(emulator, jsonl(*lines)))
        good, *failed = await results(emulator, done)
        assert good["metadata"] == {"a": 1}
        assert [(each["key"], each["error"]["code"]) for each in failed] == [
            ("busy", 503),
            ("other", 400),
            ("unknown", 400),
        ]
        assert 'Unknown name "foo"' in failed[2]["error"]["message"]

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (b"", "The input file has no requests."),
            (b'{"key":"a","request":{}}\n{"key"', "Line 2 of the input file is not valid JSON."),
            (
                b'{"custom_id":"a","body":{}}',
                "Line 1 of the input file has no field `request` with an object.",
            ),
            (b"[]", "Line 1 of the input file has no field `request` with an object."),
        ],
    )
    async def test_a_file_that_is_no_input_fails_as_a_whole(
        self, emulator: Emulator, clock: FakeClock, data: bytes, problem: str
    ) -> None:
        done = await finished(emulator, clock, await file_job(emulator, data))
        assert done["metadata"]["state"] == "BATCH_STATE_FAILED"
        assert (done["done"], done["error"]) == (True, {"code": 3, "message": problem})
        assert "output" not in done["metadata"]
        assert "response" not in done

    async def test_results_are_kept_48_hours(self, emulator: Emulator, clock: FakeClock) -> None:
        body = await file_job(emulator, jsonl({"key": "a", "request": said("x")}))
        done = await finished(emulator, clock, body)
        name = done["metadata"]["output"]["responsesFile"]
        clock.now += 2 * 86400 - 1
        assert (await emulator.client.get(f"/v1beta/{name}")).json()["source"] == "GENERATED"
        clock.now += 1
        assert (await emulator.client.get(f"/v1beta/{name}:download?alt=media")).status_code == 403

    async def test_results_cannot_be_deleted(self, emulator: Emulator, clock: FakeClock) -> None:
        body = await file_job(emulator, jsonl({"key": "a", "request": said("x")}))
        name = (await finished(emulator, clock, body))["metadata"]["output"]["responsesFile"]
        assert message(await emulator.client.delete(f"/v1beta/{name}")) == (
            "* DeleteFileRequest.name: File ID (name excluding 'files/') cannot be more than 40 characters.\n"
        )

    async def test_a_file_must_be_ready_and_ones_own(self, emulator: Emulator) -> None:
        body = await file_job(emulator, jsonl({"key": "a", "request": said("x")}))
        assert (await emulator.post(MODEL, body, GENERATE, **{"x-goog-api-key": "another"})).status_code == 403
        headers = {"X-Goog-Upload-Protocol": "raw", "x-emulator-scenario": "slow-file"}
        file = (await emulator.client.post("/upload/v1beta/files", content=b"x", headers=headers)).json()["file"]
        body["batch"]["inputConfig"]["fileName"] = file["name"]
        assert "ACTIVE" in await emulator.refused(MODEL, body, GENERATE)


class TestEmbeddings:
    async def test_inline_embeddings_are_a_batch(self, emulator: Emulator, clock: FakeClock) -> None:
        each = {"content": {"parts": [{"text": "Hello, world!"}]}, "outputDimensionality": 128}
        done = await finished(emulator, clock, inline(each, {"content": {}}), EMBEDDER, EMBED)
        live = (await emulator.post(EMBEDDER, each, "embedContent")).json()
        assert done["metadata"]["@type"] == TYPE + "EmbedContentBatch"
        assert done["response"]["@type"] == TYPE + "EmbedContentBatchOutput"
        good, bad = inlined(done)
        assert good == {"response": {"tokenCount": "4", **live}, "metadata": {"custom_id": "0"}}
        assert bad["error"]["code"] == 3
        output = done["metadata"]["output"]["inlinedEmbedContentResponses"]
        assert output == done["response"]["inlinedResponses"]

    async def test_embeddings_of_a_file_are_a_batch_too(self, emulator: Emulator, clock: FakeClock) -> None:
        line = {"key": "e", "request": {"content": {"parts": [{"text": "Hi"}]}, "output_dimensionality": 768}}
        wrong = {"key": "w", "request": {"content": {"parts": [{"text": "Hi"}]}, "nonsense": 1}}
        body = await file_job(emulator, jsonl(line, wrong))
        bad, good = await results(emulator, await finished(emulator, clock, body, EMBEDDER, EMBED))
        assert (good["key"], good["response"]["tokenCount"]) == ("e", "1")
        assert len(good["response"]["embedding"]["values"]) == 768
        assert bad["error"]["code"] == 400

    async def test_a_scenario_may_stand_in_the_name_of_the_model(self, emulator: Emulator, clock: FakeClock) -> None:
        each = {"content": {"parts": [{"text": "Hi"}]}}
        done = await finished(emulator, clock, inline(each), "emulator-503", EMBED)
        assert inlined(done)[0]["error"]["code"] == 14


class TestManagement:
    async def test_jobs_are_listed_without_their_inline_results(self, emulator: Emulator, clock: FakeClock) -> None:
        made = [await make(emulator, inline(said(str(n)), name=f"job {n}")) for n in range(2)]
        body = await file_job(emulator, jsonl({"key": "a", "request": said("x")}))
        made.append(await make(emulator, body))
        clock.now += 2
        for job in made:
            await get(emulator, job)
        first = (await emulator.client.get("/v1beta/batches?pageSize=2")).json()
        second = (await emulator.client.get(f"/v1beta/batches?pageToken={first['nextPageToken']}")).json()
        found = [*first["operations"], *second["operations"]]
        assert [each["name"] for each in found] == [each["name"] for each in reversed(made)]
        assert "responsesFile" in found[0]["metadata"]["output"]
        assert "output" not in found[1]["metadata"]
        assert found[1]["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
        assert (await emulator.client.get("/v1beta/batches?pageToken=x")).status_code == 400

    async def test_another_key_sees_no_jobs(self, emulator: Emulator) -> None:
        made = await make(emulator, inline(said("x")))
        other = {"x-goog-api-key": "another"}
        assert (await emulator.client.get("/v1beta/batches", headers=other)).json() == {}
        refused = await emulator.client.get(f"/v1beta/{made['name']}", headers=other)
        assert (refused.status_code, message(refused)) == (404, "Requested entity was not found.")

    async def test_a_deleted_job_is_forgotten(self, emulator: Emulator) -> None:
        made = await make(emulator, inline(said("x")))
        assert (await emulator.client.delete(f"/v1beta/{made['name']}")).json() == {}
        assert (await emulator.client.get(f"/v1beta/{made['name']}")).status_code == 404

    async def test_only_cancel_is_posted(self, emulator: Emulator) -> None:
        made = await make(emulator, inline(said("x")))
        assert (await emulator.client.post(f"/v1beta/{made['name']}")).status_code == 404
        assert (await emulator.client.get(f"/v1beta/{made['name']}:cancel")).status_code == 404

    @pytest.mark.parametrize("is_file", [False, True])
    async def test_a_cancelled_job_keeps_what_is_done(
        self, emulator: Emulator, clock: FakeClock, is_file: bool
    ) -> None:
        requests = [said(str(number)) for number in range(4)]
        body = inline(*requests)
        if is_file:
            body = await file_job(
                emulator, jsonl(*({"key": str(n), "request": each} for n, each in enumerate(requests)))
            )
        made = await make(emulator, body)
        clock.now += 0.5 + 0.75
        assert (await emulator.client.post(f"/v1beta/{made['name']}:cancel")).json() == {}
        done = await get(emulator, made)
        assert done["metadata"]["state"] == "BATCH_STATE_CANCELLED"
        assert (done["done"], done["error"]["code"]) == (True, 1)
        assert "response" not in done
        assert done["metadata"]["batchStats"] == {
            "requestCount": "4",
            "successfulRequestCount": "2",
            "pendingRequestCount": "2",
        }
        if is_file:
            assert [each["key"] for each in await results(emulator, done)] == ["3", "2"]
        else:
            found = done["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
            assert [each["metadata"]["custom_id"] for each in found] == ["0", "1"]
        await emulator.client.post(f"/v1beta/{made['name']}:cancel")
        assert await get(emulator, made) == done

    async def test_a_pending_job_is_cancelled_without_results(self, emulator: Emulator) -> None:
        made = await make(emulator, inline(said("x")))
        await emulator.client.post(f"/v1beta/{made['name']}:cancel")
        done = await get(emulator, made)
        assert done["metadata"]["state"] == "BATCH_STATE_CANCELLED"
        assert "output" not in done["metadata"]

    async def test_cancelling_what_is_done_changes_nothing(self, emulator: Emulator, clock: FakeClock) -> None:
        done = await finished(emulator, clock, inline(said("x")))
        await emulator.client.post(f"/v1beta/{done['name']}:cancel")
        assert await get(emulator, done) == done


class TestScenarios:
    @pytest.mark.parametrize("place", ["header", "model", "display name", "line", "line of a file"])
    async def test_a_scenario_for_the_job_is_asked_for_in_five_ways(
        self, emulator: Emulator, clock: FakeClock, place: str
    ) -> None:
        mark = "[[emulator: batch-fail]]"
        body = inline(said("a"), said(mark if place == "line" else "b"), name=mark if place == "display name" else "j")
        if place == "line of a file":
            body = await file_job(
                emulator, jsonl({"key": "a", "request": said("a")}, {"key": "b", "request": said(mark)})
            )
        model = "emulator-batch-fail" if place == "model" else MODEL
        headers = {"x-emulator-scenario": "batch-fail"} if place == "header" else {}
        made = (await emulator.post(model, body, GENERATE, **headers)).json()
        clock.now += 2
        done = await get(emulator, made)
        assert done["metadata"]["state"] == "BATCH_STATE_FAILED"
        assert (done["done"], done["error"]) == (True, {"code": 13, "message": "The batch job failed."})

    async def test_a_slow_job_and_one_that_expires(self, emulator: Emulator, clock: FakeClock) -> None:
        slow = await make(emulator, inline(said("[[emulator: batch-slow 600]]")))
        expiring = await make(emulator, inline(said("[[emulator: batch-expire]]")))
        clock.now += 599
        assert (await get(emulator, slow))["metadata"]["state"] == "BATCH_STATE_RUNNING"
        clock.now += 2
        assert (await get(emulator, slow))["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
        assert (await get(emulator, expiring))["metadata"]["state"] == "BATCH_STATE_RUNNING"
        clock.now += 2 * 86400
        done = await get(emulator, expiring)
        assert done["metadata"]["state"] == "BATCH_STATE_EXPIRED"
        assert done["metadata"]["endTime"] == "2026-09-23T14:13:20.000000000Z"
        assert (done["done"], done["error"]["code"]) == (True, 4)
        assert "output" not in done["metadata"]

    async def test_a_job_that_takes_longer_than_48_hours_expires(self, emulator: Emulator, clock: FakeClock) -> None:
        made = await make(emulator, inline(said("[[emulator: batch-slow 999999]]")))
        clock.now += 2 * 86400
        assert (await get(emulator, made))["metadata"]["state"] == "BATCH_STATE_EXPIRED"

    async def test_a_job_is_cancelled_by_someone_else(self, emulator: Emulator, clock: FakeClock) -> None:
        mark = "[[emulator: batch-cancel 2]]"
        done = await finished(emulator, clock, inline(*(said(f"{n} {mark}") for n in range(3))))
        assert done["metadata"]["state"] == "BATCH_STATE_CANCELLED"
        assert len(done["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]) == 2

    async def test_making_a_job_is_refused_a_few_times(self, emulator: Emulator) -> None:
        body = inline(said("[[emulator: batch-refused 2]]"))
        statuses = [(await emulator.post(MODEL, body, GENERATE)).status_code for _ in range(3)]
        assert statuses == [503, 503, 200]
        assert len((await emulator.client.get("/v1beta/batches")).json()["operations"]) == 1

    async def test_asking_for_a_job_is_refused_a_few_times(self, emulator: Emulator) -> None:
        made = await make(emulator, inline(said("[[emulator: batch-flaky 2]]")))
        statuses = [(await emulator.client.get(f"/v1beta/{made['name']}")).status_code for _ in range(3)]
        assert statuses == [503, 503, 200]

    def test_the_answer_about_a_new_job_is_lost(self, served: httpx.Client) -> None:
        url = f"/v1beta/models/{MODEL}:{GENERATE}"
        body = inline(said("[[emulator: batch-lost]]"), name="mine")
        with pytest.raises(httpx.HTTPError):
            served.post(url, json=body)
        (job,) = served.get("/v1beta/batches").json()["operations"]
        assert job["metadata"]["displayName"] == "mine"
        assert served.post(url, json=body).status_code == 200

    def test_a_model_that_breaks_connections_breaks_that_of_the_job(self, served: httpx.Client) -> None:
        with pytest.raises(httpx.HTTPError):
            served.post(f"/v1beta/models/emulator-reset-before-headers:{GENERATE}", json=inline(said("x")))

    async def test_live_requests_do_not_mind_scenarios_of_jobs(self, emulator: Emulator) -> None:
        assert "hi" in text(await emulator.generate(MODEL, said("hi [[emulator: batch-fail]]")))

    async def test_an_unknown_scenario_is_refused(self, emulator: Emulator) -> None:
        refused = await emulator.refused(MODEL, inline(said("[[emulator: batch-nonsense]]")), GENERATE)
        assert "no scenario 'batch-nonsense'" in refused


class TestPhases:
    async def test_each_question_takes_a_job_one_phase_on(self, clock: FakeClock) -> None:
        app = create_emulator(clock=clock, timing=Timing(pending=100, running=100, step_on_poll=True))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://emulator", headers={"x-goog-api-key": "k"}
        ) as client:
            emulator = Emulator(client)
            made = await make(emulator, await file_job(emulator, jsonl({"key": "a", "request": said("x")})))
            states = [(await get(emulator, made))["metadata"]["state"] for _ in range(3)]
            assert states == ["BATCH_STATE_RUNNING", "BATCH_STATE_SUCCEEDED", "BATCH_STATE_SUCCEEDED"]
            assert len(await results(emulator, await get(emulator, made))) == 1

    async def test_a_job_runs_until_its_lines_are_answered(
        self, emulator: Emulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever the clock says: the emulator needs its own time for many lines."""
        monkeypatch.setattr("gemgate.emulator.jobs.EmulatedJob.work", lambda _: None)
        monkeypatch.setattr("gemgate.emulator.jobs.WAIT_SECONDS", 0)
        monkeypatch.setattr(Jobs.settle, "__defaults__", (0,))
        done = await finished(emulator, clock, inline(said("x")))
        assert done["metadata"]["state"] == "BATCH_STATE_RUNNING"

    async def test_a_cancelled_job_works_no_further(self, app: Starlette, emulator: Emulator, clock: FakeClock) -> None:
        made = await make(emulator, inline(said("x")))
        job = app.state.emulator.jobs.find(*owned(app, made))
        job.results.finished.wait(5)
        job.cancel(clock.now)
        job.results.failed.clear()
        job.work()
        assert job.results.failed == []


def owned(app: Starlette, made: dict[str, Any]) -> tuple[str, str]:
    """The owner of the only job, and its name."""
    short = made["name"].removeprefix("batches/")
    return app.state.emulator.jobs._jobs[short].order.owner, short
