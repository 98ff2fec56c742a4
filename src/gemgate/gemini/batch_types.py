"""Batch jobs, as they are on the wire: bodies to create one, its state, and the lines of its results. No I/O.

Source: https://ai.google.dev/api/batch-api, and recorded exchanges.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import orjson

from gemgate.gemini.errors import (
    Failure,
    GeminiError,
    InvalidNameError,
    TransportError,
)
from gemgate.gemini.proto_json import (
    CANCELLED,
    error_of_status,
    text,
    unix_seconds,
    whole_number,
)

Json = dict[str, Any]
Kind = Literal["generate", "embed"]

METHODS: Mapping[Kind, str] = {"generate": "batchGenerateContent", "embed": "asyncBatchEmbedContent"}

MAX_INLINE_BYTES = 20_000_000
"""The largest body with the requests in it."""

INPUT_TYPE = "application/jsonl"
"""The media type of an input file."""

_NAME = re.compile(r"batches/[A-Za-z0-9][A-Za-z0-9_-]{0,199}", re.ASCII)


class JobState(StrEnum):
    """Where a job is."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        """Whether nothing changes any more."""
        return self in _FINAL


_FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})
_STATES = {
    **{state.value: state for state in JobState},
    "QUEUED": JobState.PENDING,
    "PAUSED": JobState.RUNNING,
    "UPDATING": JobState.RUNNING,
    "PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
}


def state_named(name: str) -> JobState:
    """The state that Google calls `BATCH_STATE_…` or `JOB_STATE_…`; an unknown one counts as `PENDING`."""
    return _STATES.get(name.removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_"), JobState.PENDING)


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Requests of a job."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class JobResult:
    """What became of one request: either a response or an error.

    Attributes:
        key: That of the request; empty when Google sends none.
        response: `GenerateContentResponse`, or `EmbedContentResponse` as `{"embedding": {"values": […]}}`.
        error: Why it is missing. A line that is not to be understood has an error too.
    """

    key: str
    response: Json | None = None
    error: GeminiError | None = None


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A batch at Google.

    Attributes:
        name: `batches/…`, or that of Vertex AI: `projects/…/locations/…/batchPredictionJobs/…`.
        state: Where it is; `SUCCEEDED` may hold failed requests.
        model: `models/…`.
        display_name: As given when it was created.
        counts: Requests in each state.
        created_at: Unix seconds, as the other two.
        updated_at: Of the last change.
        ended_at: None while it runs.
        error: Why a job is not `SUCCEEDED`.
        responses_file: `files/…` with the results, or the `gs://…` below which they are; empty when they are inline or
            there are none.
        inlined: The results as they came; `inline_results` reads them.
    """

    name: str
    state: JobState
    model: str = ""
    display_name: str = ""
    counts: JobCounts = JobCounts()
    created_at: int | None = None
    updated_at: int | None = None
    ended_at: int | None = None
    error: GeminiError | None = None
    responses_file: str = ""
    inlined: list[object] = field(default_factory=list, repr=False)

    def inline_results(self) -> Iterator[JobResult]:
        """The results that came with the job, in Google's order."""
        return (_inline_result(item) for item in self.inlined)


def job_from_wire(operation: Any) -> BatchJob:
    """The job of an operation, as the create, get and list methods answer it.

    Raises:
        TransportError: the name is missing.
    """
    name = text(operation.get("name")) if isinstance(operation, dict) else ""
    if not _NAME.fullmatch(name):
        raise TransportError(Failure.INVALID_BODY, "The Gemini API's answer does not describe a batch.")
    metadata = _object(operation.get("metadata"))
    response = _object(operation.get("response"))
    # The results stand in both places, and the schema has a third.
    outputs = [_object(metadata.get("output")), response, _object(response.get("output"))]
    stats = _object(metadata.get("batchStats"))
    return BatchJob(
        name=name,
        state=_state(operation, metadata),
        model=text(metadata.get("model")),
        display_name=text(metadata.get("displayName")),
        counts=JobCounts(
            total=whole_number(stats.get("requestCount")),
            succeeded=whole_number(stats.get("successfulRequestCount")),
            failed=whole_number(stats.get("failedRequestCount")),
            pending=whole_number(stats.get("pendingRequestCount")),
        ),
        created_at=unix_seconds(metadata.get("createTime")),
        updated_at=unix_seconds(metadata.get("updateTime")),
        ended_at=unix_seconds(metadata.get("endTime")),
        error=error_of_status(operation.get("error")),
        responses_file=next(filter(None, (text(output.get("responsesFile")) for output in outputs)), ""),
        inlined=next(filter(None, map(_inlined, outputs)), []),
    )


def job_path(name: str) -> str:
    """`/v1beta/batches/x` of `batches/x`.

    Raises:
        InvalidNameError: the name is not one of a batch.
    """
    if not _NAME.fullmatch(name):
        raise InvalidNameError(f"{name[:80]!r} is not the name of a batch, such as batches/abc123")
    return f"/v1beta/{name}"


def file_body(display_name: str, file_name: str) -> Json:
    """What creates a job from an uploaded file of `input_line`s."""
    return {"batch": {"displayName": display_name, "inputConfig": {"fileName": file_name}}}


def inline_body(display_name: str, model: str, requests: Iterable[tuple[str, Mapping[str, object]]]) -> Iterator[bytes]:
    """What creates a job from the requests themselves, as pieces of JSON: one for each request, and the frame.

    Args:
        display_name: The name of the job.
        model: `models/…`, for the requests that do not name it, because it is demanded in each.
        requests: Keys, each of which comes back with its result, and native requests.

    Raises:
        TypeError: a request cannot be written as JSON.
    """
    yield b'{"batch":{"displayName":%b,"inputConfig":{"requests":{"requests":[' % orjson.dumps(display_name)
    comma = b""
    for key, request in requests:
        item = {"request": {"model": model, **request}, "metadata": {"key": key}}
        yield comma + orjson.dumps(item)
        comma = b","
    yield b"]}}}}"


def input_line(key: str, request: Mapping[str, object]) -> bytes:
    """One line of an input file.

    Raises:
        TypeError: the request cannot be written as JSON.
    """
    return orjson.dumps({"key": key, "request": request}, option=orjson.OPT_APPEND_NEWLINE)


_FIRST_KEY = re.compile(rb'\s*\{\s*"key"\s*:\s*"([\d-]{1,40})"')
_LAST_KEY = re.compile(rb',\s*"key"\s*:\s*"([\d-]{1,40})"\s*\}\s*\Z')
_LAST_BYTES = 120


def result_key(line: bytes) -> str:
    """The key of one line of a file of results; empty without one.

    A line is read for it only where the key is neither its first member nor its last: Google writes it first. What
    looks like a key before the last brace of JSON is one, because a quote within a text has a backslash.
    """
    found = _LAST_KEY.search(line[-_LAST_BYTES:]) or _FIRST_KEY.match(line)
    return found[1].decode() if found else _line_result(line).key


class ResultLines:
    """Reads the JSON lines of a file of results, cut into pieces of any size. Holds one line at a time.

    A line that is not to be understood is a result with an error: it spoils no other.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail: list[bytes] = []

    def feed(self, data: bytes) -> list[JobResult]:
        """The results that `data` completes."""
        end = data.rfind(b"\n")
        if end < 0:
            self._tail.append(data)
            return []
        block = b"".join([*self._tail, data[:end]])
        self._tail = [data[end + 1 :]]
        return _results(block)

    def finish(self) -> list[JobResult]:
        """The result in a last line without an end."""
        rest = b"".join(self._tail)
        self._tail.clear()
        return _results(rest)


def _results(block: bytes) -> list[JobResult]:
    return [_line_result(line) for line in block.split(b"\n") if line.strip()]


def _line_result(line: bytes) -> JobResult:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return JobResult("", error=_not_understood("is not JSON"))
    if not isinstance(value, dict):
        return JobResult("", error=_not_understood("is not an object"))
    return _result(text(value.get("key")), value)


def _inline_result(value: object) -> JobResult:
    item = _object(value)
    return _result(text(_object(item.get("metadata")).get("key")), item)


def _result(key: str, value: Json) -> JobResult:
    # A guide of Google's reads the error of a line from `status` (wire.md A.11).
    if (error := error_of_status(value.get("error"))) or (error := error_of_status(value.get("status"))):
        return JobResult(key, error=error)
    response = value.get("response")
    if not isinstance(response, dict):
        return JobResult(key, error=_not_understood("holds neither a response nor an error"))
    return JobResult(key, response)


def _not_understood(what: str) -> TransportError:
    return TransportError(Failure.INVALID_BODY, f"A result of the Gemini API's batch {what}.")


def _state(operation: Json, metadata: Json) -> JobState:
    """The state; the operation decides when it is done and the state says nothing, or that it is not."""
    state = state_named(text(metadata.get("state")))
    if state.is_final or operation.get("done") is not True:
        return state
    error = operation.get("error")
    if not error:
        return JobState.SUCCEEDED
    return JobState.CANCELLED if _object(error).get("code") == CANCELLED else JobState.FAILED


def _inlined(output: Json) -> list[object]:
    """Results out of an output, by either name, and whether wrapped twice or once."""
    for name in ("inlinedResponses", "inlinedEmbedContentResponses"):
        found = output.get(name)
        if isinstance(found, dict):
            found = found.get("inlinedResponses")
        if isinstance(found, list) and found:
            return found
    return []


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}
