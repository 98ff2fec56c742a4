"""Recorded files and batches, read by the Files API and the batch methods of the client, and sent again by them."""

import functools
import hashlib
import re
from typing import Any

import httpx
import orjson
import pytest
from tests.recorded.traffic import FOLDER, skip_when_absent
from tests.support.files import KEY, files_over, mocked

from gemgate.gemini.batch_types import (
    JobCounts,
    JobState,
    ResultLines,
    inline_body,
    job_from_wire,
)
from gemgate.gemini.batches import GeminiJobs
from gemgate.gemini.file_types import FileState, GeminiFile, file_from_wire

skip_when_absent()

HOST = "https://generativelanguage.googleapis.com"
_OURS = re.compile(
    rf"{re.escape(HOST)}/(?:upload/v1beta/files|(?:download/)?v1beta/files/?|v1beta/batches"
    r"|v1beta/models/[^:]*:(?:batchGenerateContent|asyncBatchEmbedContent))"
)

Record = dict[str, Any]


@functools.cache
def records() -> list[Record]:
    """Every recorded exchange with the Files API and the batch methods."""
    lines = [line for path in sorted(FOLDER.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    found = [orjson.loads(line) for line in lines if b"/files" in line or b"atch" in line]
    return [record for record in found if _OURS.match(record["request"]["url"] or "")]


def of(path: str, *, status: int = 200) -> list[Record]:
    """Those whose URL holds `path`."""
    return [r for r in records() if path in r["request"]["url"] and r["response"]["status"] == status]


def named(found: list[Record]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", found, ids=[record["name"] for record in found])


UPLOADED = of("upload_id=")
STARTED = [record for record in of("/upload/v1beta/files") if "upload_id=" not in record["request"]["url"]]
LISTED = [record for record in of("/v1beta/files?") if record["request"]["method"] == "GET"]
CREATED = of(":batchGenerateContent")
POLLED = of("/v1beta/batches/")
REDIRECTED = of(":download", status=302)
DOWNLOADED = [record for record in of("/download/v1beta/files/") if record["response"]["body"] is None]
OPENAI_LINES = [record for record in of("/download/v1beta/files/") if record["response"]["body"] is not None]


def test_each_recorded_exchange_is_proved_by_a_test_below() -> None:
    proved = [UPLOADED, STARTED, LISTED, CREATED, POLLED, REDIRECTED, DOWNLOADED, OPENAI_LINES]
    names = [record["name"] for group in proved for record in group]
    assert sorted(names) == sorted(record["name"] for record in records())
    assert all(proved)


def _prove_file(file: GeminiFile, native: Record) -> None:
    assert file.name == native["name"]
    assert file.uri == f"{HOST}/v1beta/{file.name}"
    assert str(file.size) == native["sizeBytes"]
    assert (file.mime_type, file.display_name) == (native["mimeType"], native["displayName"])
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert file.state is FileState.ACTIVE
    assert not file.is_generated
    assert file.created_at is not None
    assert file.expires_at is not None
    assert abs(file.expires_at - file.created_at - 48 * 3600) <= 1


@named(UPLOADED)
def test_an_uploaded_file_is_read(record: Record) -> None:
    native = record["response"]["body"]
    _prove_file(file_from_wire(native), native["file"])


@named(LISTED)
def test_listed_files_are_read(record: Record) -> None:
    for native in record["response"]["body"]["files"]:
        _prove_file(file_from_wire(native), native)


@named(UPLOADED)
async def test_an_upload_speaks_to_the_recorded_answers(record: Record) -> None:
    native = record["response"]["body"]["file"]
    content = bytes(int(native["sizeBytes"]))
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if "upload_id" not in request.url.params:
            assert not STARTED[0]["response"]["body"]
            return httpx.Response(200, headers={"x-goog-upload-url": record["request"]["url"]})
        return httpx.Response(200, json=record["response"]["body"])

    async def source(offset: int) -> Any:
        yield content[offset:]

    async with mocked(handler) as client:
        file = await files_over(client).upload(
            source,
            size=len(content),
            mime_type=native["mimeType"],
            display_name=native["displayName"],
            key=KEY,
            name=native["name"],
        )
    _prove_file(file, native)
    start, end = seen
    assert end.url == record["request"]["url"]
    assert end.method == record["request"]["method"] == "POST"
    assert hashlib.sha256(end.content).digest() == hashlib.sha256(content).digest()
    assert orjson.loads(start.content)["file"]["displayName"] == native["displayName"]


@named(STARTED)
async def test_an_upload_starts_as_recorded(record: Record) -> None:
    wanted = record["request"]["body"]["file"]["display_name"]

    def handler(request: httpx.Request) -> httpx.Response:
        assert (str(request.url), request.method) == (record["request"]["url"], record["request"]["method"])
        assert orjson.loads(request.content)["file"]["displayName"] == wanted
        raise httpx.ConnectError("enough")

    async def nothing(offset: int) -> Any:
        yield b""

    async with mocked(handler) as client:
        with pytest.raises(Exception, match="Could not connect"):
            await files_over(client, attempts=1).upload(
                nothing, size=1, mime_type="application/pdf", display_name=wanted, key=KEY
            )


@named(REDIRECTED)
async def test_a_download_goes_the_recorded_way(record: Record) -> None:
    (end,) = [r for r in DOWNLOADED if r["name"].rpartition(".")[0] == record["name"].rpartition(".")[0]]
    content = b"\x00\x00\x00\x18ftypmp42"
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        assert request.headers["x-goog-api-key"] == KEY
        if len(seen) == 1:
            return httpx.Response(302, headers={"location": end["request"]["url"]}, json=record["response"]["body"])
        return httpx.Response(200, headers=end["response"]["headers"], content=content)

    name = re.search(r"files/[a-z0-9]+", record["request"]["url"])
    assert name is not None
    async with mocked(handler) as client, files_over(client).download(name[0], key=KEY) as pieces:
        assert b"".join([piece async for piece in pieces]) == content
    assert seen == [record["request"]["url"], end["request"]["url"]]


@named(CREATED)
async def test_a_job_is_created_as_recorded(record: Record) -> None:
    batch = record["request"]["body"]["batch"]
    items = batch["inputConfig"]["requests"]["requests"]
    model = record["response"]["body"]["metadata"]["model"]
    requests = [(item["metadata"]["custom_id"], item["request"]) for item in items]

    def handler(request: httpx.Request) -> httpx.Response:
        assert (str(request.url), request.method) == (record["request"]["url"], "POST")
        sent = orjson.loads(request.content)
        assert sent == orjson.loads(b"".join(inline_body(batch["displayName"], model, requests)))
        renamed = [{**item, "metadata": {"key": item["metadata"]["custom_id"]}} for item in items]
        assert sent["batch"] == {**batch, "inputConfig": {"requests": {"requests": renamed}}}
        return httpx.Response(200, json=record["response"]["body"])

    async with mocked(handler) as client:
        job = await GeminiJobs(client).create(model, display_name=batch["displayName"], requests=requests, key=KEY)
    assert job.state is JobState.PENDING
    assert job.counts == JobCounts(total=len(items), pending=len(items))
    assert (job.model, job.display_name) == (model, batch["displayName"])


@named(POLLED)
async def test_a_job_is_polled_as_recorded(record: Record) -> None:
    native = record["response"]["body"]
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json=native)

    async with mocked(handler) as client:
        job = await GeminiJobs(client).get(native["name"], key=KEY)
    assert seen == [record["request"]["url"]]
    assert job == job_from_wire(native)
    assert f"BATCH_STATE_{job.state}" == native["metadata"]["state"]
    assert job.state.is_final is native.get("done", False)
    assert job.counts.total == 2
    assert job.error is None
    assert (job.ended_at is not None) is job.state.is_final
    output = native["metadata"].get("output")
    recorded = output["inlinedResponses"]["inlinedResponses"] if output else []
    assert job.inlined == recorded
    assert [result.response for result in job.inline_results()] == [item["response"] for item in recorded]
    assert all(result.error is None for result in job.inline_results())
    if output:
        assert native["response"]["inlinedResponses"] == output["inlinedResponses"]


@named(OPENAI_LINES)
def test_lines_that_are_in_another_format_are_read_without_a_key(record: Record) -> None:
    body = record["response"]["body"]
    (result,) = ResultLines().feed(orjson.dumps(body) + b"\n")
    assert (result.key, result.response, result.error) == ("", body["response"], None)
