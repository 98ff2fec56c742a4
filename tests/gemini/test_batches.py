from typing import Any

import httpx
import orjson
import pytest
from tests.support.files import KEY, mocked
from tests.support.google import FakeGoogle

from gemgate.gemini.batch_types import (
    BatchJob,
    JobCounts,
    JobState,
    inline_body,
    input_line,
    job_from_wire,
    job_path,
)
from gemgate.gemini.batches import PAGE_SIZE, GeminiJobs
from gemgate.gemini.errors import GeminiError, InvalidNameError, TransportError

NAME = "batches/31u18uq6dr4ods3957z38i1mbfa581k01xcq"
REQUEST = {"contents": [{"parts": [{"text": "Hi"}]}]}
ANSWER = {"candidates": [{"content": {"parts": [{"text": "4"}]}}]}


def operation(state: str = "BATCH_STATE_PENDING", *, name: str = NAME, **metadata: Any) -> dict[str, Any]:
    return {"name": name, "metadata": {"displayName": "job-1", "state": state, **metadata}}


# What stands on the wire


def test_a_job_is_read_from_an_operation() -> None:
    native = operation(
        "BATCH_STATE_RUNNING",
        model="models/gemini-2.5-flash",
        createTime="2026-08-19T14:34:12.267870162Z",
        updateTime="2026-08-19T14:34:13Z",
        endTime="2026-08-19T14:40:30.652367187Z",
        batchStats={
            "requestCount": "9",
            "pendingRequestCount": "4",
            "successfulRequestCount": "3",
            "failedRequestCount": "2",
        },
    )
    assert job_from_wire(native) == BatchJob(
        name=NAME,
        state=JobState.RUNNING,
        model="models/gemini-2.5-flash",
        display_name="job-1",
        counts=JobCounts(total=9, succeeded=3, failed=2, pending=4),
        created_at=1787150052,
        updated_at=1787150053,
        ended_at=1787150430,
    )


def test_absent_counts_are_none() -> None:
    assert job_from_wire(operation(batchStats={"requestCount": "2"})).counts == JobCounts(total=2)
    assert job_from_wire(operation()).counts == JobCounts()


@pytest.mark.parametrize("prefix", ["BATCH_STATE_", "JOB_STATE_", ""])
@pytest.mark.parametrize(
    ("state", "expected", "is_final"),
    [
        ("PENDING", JobState.PENDING, False),
        ("QUEUED", JobState.PENDING, False),
        ("UNSPECIFIED", JobState.PENDING, False),
        ("NEWER", JobState.PENDING, False),
        ("RUNNING", JobState.RUNNING, False),
        ("UPDATING", JobState.RUNNING, False),
        ("PAUSED", JobState.RUNNING, False),
        ("CANCELLING", JobState.CANCELLING, False),
        ("SUCCEEDED", JobState.SUCCEEDED, True),
        ("PARTIALLY_SUCCEEDED", JobState.SUCCEEDED, True),
        ("FAILED", JobState.FAILED, True),
        ("CANCELLED", JobState.CANCELLED, True),
        ("EXPIRED", JobState.EXPIRED, True),
    ],
)
def test_a_state_has_one_meaning_with_either_prefix(
    prefix: str, state: str, expected: JobState, is_final: bool
) -> None:
    job = job_from_wire(operation(prefix + state))
    assert job.state is expected
    assert job.state.is_final is is_final


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ({"done": False}, JobState.RUNNING),
        ({"done": True}, JobState.SUCCEEDED),
        ({"done": True, "error": {"code": 1, "message": "cancelled"}}, JobState.CANCELLED),
        ({"done": True, "error": {"code": 13, "message": "broken"}}, JobState.FAILED),
        ({"done": True, "error": "broken"}, JobState.FAILED),
    ],
)
def test_an_operation_that_is_done_has_ended_whatever_its_state_says(end: Any, expected: JobState) -> None:
    assert job_from_wire({**operation("BATCH_STATE_RUNNING"), **end}).state is expected


def test_a_state_that_is_final_is_believed() -> None:
    native = {**operation("BATCH_STATE_EXPIRED"), "done": True, "error": {"code": 4, "message": "too late"}}
    job = job_from_wire(native)
    assert job.state is JobState.EXPIRED
    assert job.error is not None
    assert (job.error.status, job.error.message) == (504, "too late")


@pytest.mark.parametrize("value", [None, [], {}, {"name": 3}, {"name": "files/x"}, {"name": "batches/a/b"}])
def test_an_answer_without_a_name_is_no_job(value: Any) -> None:
    with pytest.raises(TransportError, match="does not describe a batch"):
        job_from_wire(value)


INLINED = [
    {"response": ANSWER, "metadata": {"key": "b"}},
    {"error": {"code": 3, "message": "bad"}, "metadata": {"key": "a"}},
    {"response": ANSWER},
    {"metadata": {"key": "c"}},
    "nothing",
]


@pytest.mark.parametrize("wrapped", [{"inlinedResponses": INLINED}, INLINED])
@pytest.mark.parametrize("name", ["inlinedResponses", "inlinedEmbedContentResponses"])
@pytest.mark.parametrize("place", ["metadata", "response", "both", "response.output"])
def test_inline_results_are_found_in_each_place(place: str, name: str, wrapped: Any) -> None:
    output = {name: wrapped}
    native = operation("BATCH_STATE_SUCCEEDED")
    if place in ("metadata", "both"):
        native["metadata"]["output"] = output
    if place in ("response", "both"):
        native["response"] = {"@type": "…GenerateContentBatchOutput", **output}
    if place == "response.output":
        native["response"] = {"output": output}
    job = job_from_wire(native)
    found = list(job.inline_results())
    assert [result.key for result in found] == ["b", "a", "", "c", ""]
    assert [result.response for result in found] == [ANSWER, None, ANSWER, None, None]
    messages = [result.error and result.error.message for result in found]
    neither = "A result of the Gemini API's batch holds neither a response nor an error."
    assert messages == [None, "bad", None, neither, neither]
    assert job.responses_file == ""


@pytest.mark.parametrize("place", ["metadata", "response"])
def test_a_file_of_results_is_found_in_both_places(place: str) -> None:
    output = {"responsesFile": "files/batch-31u18"}
    native = operation("BATCH_STATE_SUCCEEDED")
    native.update({"response": output} if place == "response" else {"metadata": {"output": output}})
    job = job_from_wire(native)
    assert job.responses_file == "files/batch-31u18"
    assert list(job.inline_results()) == []


def test_a_job_without_results_has_none() -> None:
    job = job_from_wire({**operation(), "response": {"inlinedResponses": {}}, "done": True})
    assert (job.responses_file, list(job.inline_results())) == ("", [])


@pytest.mark.parametrize(
    "name", ["", "x", "batches/", "batches/../files/x", "batches/a:cancel", "files/a", "batches/é"]
)
def test_a_name_that_could_change_the_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match="is not the name of a batch"):
        job_path(name)


def test_an_inline_body_is_the_recorded_one() -> None:
    body = orjson.loads(b"".join(inline_body('job "1"', "models/x", [("a", REQUEST), ("b", {"model": "models/y"})])))
    assert body == {
        "batch": {
            "displayName": 'job "1"',
            "inputConfig": {
                "requests": {
                    "requests": [
                        {"request": {"model": "models/x", **REQUEST}, "metadata": {"key": "a"}},
                        {"request": {"model": "models/y"}, "metadata": {"key": "b"}},
                    ]
                }
            },
        }
    }


def test_an_input_line_is_one_line() -> None:
    line = input_line("a\nb", REQUEST)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert orjson.loads(line) == {"key": "a\nb", "request": REQUEST}


# I/O


def answering(value: Any, status: int = 200) -> FakeGoogle:
    return FakeGoogle(httpx.Response(status, json=value))


def asked(google: FakeGoogle) -> list[tuple[str, str, Any]]:
    """The method, the path and the JSON of each call; all come with the key."""
    assert set(google.keys) <= {KEY}
    methods = [request.method for request in google.requests]
    return list(zip(methods, google.paths, google.bodies, strict=True))


@pytest.mark.parametrize(
    ("kind", "method"), [("generate", "batchGenerateContent"), ("embed", "asyncBatchEmbedContent")]
)
async def test_a_job_is_created_of_requests(kind: Any, method: str) -> None:
    google = answering(operation())
    async with mocked(google) as client:
        job = await GeminiJobs(client).create(
            "gemini-2.5-flash", display_name="job-1", requests=[("a", REQUEST)], kind=kind, key=KEY
        )
    assert (job.name, job.state) == (NAME, JobState.PENDING)
    item = {"request": {"model": "models/gemini-2.5-flash", **REQUEST}, "metadata": {"key": "a"}}
    body = {"batch": {"displayName": "job-1", "inputConfig": {"requests": {"requests": [item]}}}}
    assert asked(google) == [("POST", f"/v1beta/models/gemini-2.5-flash:{method}", body)]


async def test_a_job_is_created_of_a_file() -> None:
    google = answering(operation())
    async with mocked(google) as client:
        await GeminiJobs(client).create("models/x", display_name="job-1", file_name="files/abc", key=KEY)
    body = {"batch": {"displayName": "job-1", "inputConfig": {"fileName": "files/abc"}}}
    assert asked(google) == [("POST", "/v1beta/models/x:batchGenerateContent", body)]


async def test_many_requests_make_one_body() -> None:
    google = answering(operation())
    requests = [(f"k{at}", {"contents": [{"parts": [{"text": "x" * 5000}]}]}) for at in range(60)]
    async with mocked(google) as client:
        await GeminiJobs(client).create("x", display_name="job-1", requests=iter(requests), key=KEY)
    items = asked(google)[0][2]["batch"]["inputConfig"]["requests"]["requests"]
    assert [item["metadata"]["key"] for item in items] == [key for key, _ in requests]


@pytest.mark.parametrize("source", [{}, {"requests": [("a", REQUEST)], "file_name": "files/a"}])
async def test_a_job_takes_one_source(source: dict[str, Any]) -> None:
    async with mocked(answering({})) as client:
        with pytest.raises(ValueError, match="either requests or the name of a file"):
            await GeminiJobs(client).create("x", display_name="j", key=KEY, **source)


async def test_names_are_checked_before_anything_is_sent() -> None:
    google = answering({})
    async with mocked(google) as client:
        jobs = GeminiJobs(client)
        for call in (
            jobs.create("../x", display_name="j", file_name="files/a", key=KEY),
            jobs.create("x", display_name="j", file_name="a", key=KEY),
            jobs.get("batches/../x", key=KEY),
            jobs.cancel("x", key=KEY),
            jobs.delete("x", key=KEY),
        ):
            with pytest.raises(InvalidNameError):
                await call
    assert asked(google) == []


async def test_a_request_that_is_no_json_is_the_callers_error() -> None:
    async with mocked(answering({})) as client:
        with pytest.raises(GeminiError, match="cannot be written as JSON") as failed:
            await GeminiJobs(client).create("x", display_name="j", requests=[("a", {"n": object()})], key=KEY)
    assert failed.value.status == 400


async def test_a_creation_is_sent_once_whatever_happens() -> None:
    google = answering({"error": {"code": 503, "message": "overloaded"}}, 503)
    async with mocked(google) as client:
        with pytest.raises(GeminiError, match="overloaded"):
            await GeminiJobs(client).create("x", display_name="j", file_name="files/a", key=KEY)
    assert len(asked(google)) == 1


async def test_a_job_is_asked_for_cancelled_and_deleted_by_its_name() -> None:
    google = FakeGoogle(lambda request: httpx.Response(200, json=operation() if request.method == "GET" else {}))
    async with mocked(google) as client:
        jobs = GeminiJobs(client)
        assert (await jobs.get(NAME, key=KEY)).display_name == "job-1"
        await jobs.cancel(NAME, key=KEY)
        await jobs.delete(NAME, key=KEY)
    assert asked(google) == [
        ("GET", f"/v1beta/{NAME}", None),
        ("POST", f"/v1beta/{NAME}:cancel", {}),
        ("DELETE", f"/v1beta/{NAME}", None),
    ]


async def test_a_job_that_failed_is_a_job_and_no_error() -> None:
    failed = {**operation("BATCH_STATE_FAILED"), "done": True, "error": {"code": 3, "message": "bad input"}}
    async with mocked(answering(failed)) as client:
        job = await GeminiJobs(client).get(NAME, key=KEY)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error.status, job.error.message) == (400, "bad input")


async def test_a_job_that_is_not_there_is_a_404() -> None:
    async with mocked(answering({"error": {"code": 404, "message": "no batch"}}, 404)) as client:
        with pytest.raises(GeminiError) as failed:
            await GeminiJobs(client).get(NAME, key=KEY)
    assert failed.value.status == 404


def pages(*listed: dict[str, Any]) -> FakeGoogle:
    """Pages of a list, the first of which has no token."""

    return FakeGoogle(lambda request: listed[int(request.url.params.get("pageToken", "0"))])


async def found_in(google: FakeGoogle) -> BatchJob | None:
    async with mocked(google) as client:
        return await GeminiJobs(client).find_by_display_name("job-2", key=KEY)


def listed(name: str, display_name: str, created: int = 1) -> dict[str, Any]:
    return operation(name=f"batches/{name}", displayName=display_name, createTime=f"2026-01-0{created}T00:00:00Z")


async def test_a_job_is_found_on_a_later_page_and_the_search_ends_there() -> None:
    google = pages(
        {"operations": [listed("a", "job-1"), {"name": "batches/odd"}, "odd"], "nextPageToken": "1"},
        {"operations": [listed("b", "job-2", 1), listed("c", "job-2", 2)], "nextPageToken": "2"},
    )
    job = await found_in(google)
    assert job is not None
    assert job.name == "batches/c"
    assert [path for _, path, _ in asked(google)] == [
        f"/v1beta/batches?pageSize={PAGE_SIZE}",
        f"/v1beta/batches?pageSize={PAGE_SIZE}&pageToken=1",
    ]


@pytest.mark.parametrize(
    "listing",
    [
        [{}],
        [{"operations": [], "nextPageToken": "1"}, {"operations": [listed("a", "job-1")]}],
        [{"nextPageToken": "1"}, {"nextPageToken": "1"}],
    ],
)
async def test_a_job_that_is_on_no_page_is_not_found(listing: list[dict[str, Any]]) -> None:
    google = pages(*listing)
    assert await found_in(google) is None
    assert len(asked(google)) == len(listing)
