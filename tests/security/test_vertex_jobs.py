"""Batch jobs in Vertex AI of callers who share the gateway's credentials: what one of them must not reach by a job."""

import gzip
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from tests.api.batches.support import chat
from tests.auth.support import bearer, write_keys
from tests.support.stack import Stack
from tests.support.vertex import vertex_gateway
from tests.support.vertex_stack import PROJECT, vertex_stack

from gemgate.api.native import vertex_jobs
from gemgate.auth.client_keys import owner_of_name
from gemgate.emulator.content import RequestContent
from gemgate.emulator.timing import Timing
from gemgate.media.bucket import OperatorBucket

pytestmark = pytest.mark.integration

BUCKET = "gs://a-bucket/gemgate"
JOBS = f"/v1/projects/{PROJECT}/locations/global/batchPredictionJobs"
MODEL = "publishers/google/models/gemini-2.5-flash"
ALICE, BOB, LIMITED = "alice", "bob", "limited"
HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    path = tmp_path_factory.mktemp("keys") / "keys.yaml"
    write_keys(path, alice={}, bob={}, limited={"models": ["gemini-2.5-flash"]})
    with vertex_stack(client_keys_file=path, vertex_bucket=BUCKET, timing=Timing(step_on_poll=True)) as running:
        yield running


def folder(name: str) -> str:
    return f"{BUCKET}/callers/{owner_of_name(name)}"


def put(servers: Stack, uri: str, *lines: Any) -> str:
    """An object of lines, as its owner writes it past the gateway."""
    raw = b"\n".join(line if isinstance(line, bytes) else orjson.dumps({"request": line}) for line in lines)
    servers.seen.objects[uri.removeprefix("gs://")] = RequestContent(raw), servers.seen.now()
    return uri


def order(source: str, name: str = ALICE, model: str = MODEL, **more: Any) -> dict[str, Any]:
    return {
        "displayName": "a job",
        "model": model,
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [source]}},
        "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": f"{folder(name)}/out"}},
        **more,
    }


def ask(servers: Stack, asked: Any, name: str = ALICE, **headers: str) -> httpx.Response:
    content = asked if isinstance(asked, bytes) else orjson.dumps(asked)
    sent = {"content-type": "application/json", **bearer(name), **headers}
    return httpx.post(servers.gateway + JOBS, content=content, headers=sent, timeout=60)


def created(servers: Stack) -> int:
    """How many jobs Google was asked for."""
    return sum(seen.method == "POST" and seen.path == JOBS for seen in servers.seen.requests)


def copies(servers: Stack) -> set[str]:
    return {place for place in servers.seen.objects if "/native/" in place}


def media(uri: str) -> dict[str, Any]:
    part = {"fileData": {"fileUri": uri, "mimeType": "image/png"}}
    return {"contents": [{"role": "user", "parts": [part]}]}


@pytest.mark.parametrize(
    "line",
    [
        media("gs://another-bucket/secret.png"),
        media(f"{BUCKET}/media/0123456789abcdef"),
        media(f"{BUCKET}/batches/batch_1/input.jsonl"),
        media(f"{folder(BOB)}/secret.png"),
        media(f"{folder(ALICE)}/../{owner_of_name(BOB)}/secret.png"),
        media(f"{folder(ALICE)}/%2e%2e/{owner_of_name(BOB)}/secret.png"),
        media(f"gs:/{folder(BOB).removeprefix('gs://')}/secret.png"),
        {"contents": [{"parts": [{"file_data": {"file_uri": f"{folder(BOB)}/x", "mime_type": "a/b"}}]}]},
        {**HELLO, "cachedContent": f"projects/{PROJECT}/locations/global/cachedContents/1"},
        {**HELLO, "cached_content": "cachedContents/1"},
        b'{"request": {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs:\\/\\/b\\/o"}}]}]}}',
        b'{"request": {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/o"}}]}]',
        b'{"request": {"contents": [{"parts": [{"fileData": {"fileUri": "gs://b/o", "fileUri": "https://a.com/o"}}]}]}}',
        b'{"request": {"cachedContent": "cachedContents/1"}, "request": {"contents": []}}',
        orjson.dumps({"request": media("gs://b/o")}).decode().encode("utf-16"),
        gzip.compress(orjson.dumps({"request": media("gs://b/o")})),
        b'"gs"',
    ],
)
def test_a_line_names_nothing_of_others_and_no_copy_of_it_is_left(servers: Stack, line: Any) -> None:
    source = put(servers, f"{folder(ALICE)}/in.jsonl", HELLO, line, HELLO)
    jobs, before = created(servers), copies(servers)
    answer = ask(servers, order(source))
    assert answer.status_code in (400, 404), answer.text
    assert (created(servers), copies(servers)) == (jobs, before)


def test_a_line_may_name_what_is_in_its_callers_folder(servers: Stack) -> None:
    source = put(servers, f"{folder(ALICE)}/in.jsonl", media(f"{folder(ALICE)}/mine.png"), HELLO)
    assert ask(servers, order(source)).status_code == 200


def test_a_job_reads_what_was_checked_whatever_is_written_there_later(servers: Stack) -> None:
    source = put(servers, f"{folder(ALICE)}/in.jsonl", HELLO)
    assert ask(servers, order(source)).status_code == 200
    (copy,) = servers.seen.requests[-1].body["inputConfig"]["gcsSource"]["uris"]
    put(servers, source, media(f"{folder(BOB)}/secret.png"))
    assert copy.startswith(f"{BUCKET}/native/")
    kept, _ = servers.seen.objects[copy.removeprefix("gs://")]
    assert orjson.loads(kept.read()) == {"request": HELLO}


@pytest.mark.parametrize(
    ("model", "line", "status"),
    [
        ("publishers/google/models/gemini-2.5-pro", HELLO, 403),
        ("gemini-2.5-pro", HELLO, 403),
        (MODEL, {**HELLO, "model": "publishers/google/models/gemini-2.5-pro"}, 403),
        (MODEL, HELLO, 200),
    ],
)
def test_a_limited_key_runs_jobs_of_its_models_alone(servers: Stack, model: str, line: Any, status: int) -> None:
    source, jobs = put(servers, f"{folder(LIMITED)}/in.jsonl", line), created(servers)
    answer = ask(servers, order(source, LIMITED, model), LIMITED)
    assert answer.status_code == status, answer.text
    assert created(servers) == jobs + (status == 200)


@pytest.mark.parametrize(
    ("spoil", "headers", "status"),
    [
        (gzip.compress, {"content-encoding": "gzip"}, 415),
        (lambda body: body, {"content-type": "application/x-protobuf"}, 415),
        (lambda body: body[:-1] + b',"displayName":"gemgate-batch_1"}', {}, 400),
        (lambda body: body[:-1] + b',"serviceAccount":"admin@x"}', {}, 400),
        (lambda body: body[:-1], {}, 400),
    ],
    ids=["packed", "another format", "a name twice", "another account", "cut"],
)
def test_a_body_is_read_in_one_way_only(servers: Stack, spoil: Any, headers: dict[str, str], status: int) -> None:
    source, jobs = put(servers, f"{folder(ALICE)}/in.jsonl", HELLO), created(servers)
    assert ask(servers, spoil(orjson.dumps(order(source))), **headers).status_code == status
    assert created(servers) == jobs


def test_an_object_that_is_missing_or_too_large_is_reported(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ask(servers, order(f"{folder(ALICE)}/no.jsonl"))
    assert (missing.status_code, "There is no object" in missing.text) == (400, True)
    source = put(servers, f"{folder(ALICE)}/in.jsonl", HELLO)
    asked = order(source)
    asked["inputConfig"]["gcsSource"]["uris"] *= 2
    size = len(servers.seen.objects[source.removeprefix("gs://")][0].read())
    monkeypatch.setattr(vertex_jobs, "MAX_BATCH_BYTES", 2 * size - 1)
    assert ask(servers, asked).status_code == 413
    assert ask(servers, order(source)).status_code == 200


def test_an_object_that_grows_after_it_was_looked_at_is_not_copied(
    servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def size(_bucket: OperatorBucket, _key: str) -> int:
        return 1

    source, before = put(servers, f"{folder(ALICE)}/in.jsonl", HELLO), copies(servers)
    monkeypatch.setattr(vertex_jobs, "MAX_BATCH_BYTES", 10)
    monkeypatch.setattr(OperatorBucket, "size", size)
    assert ask(servers, order(source)).status_code == 413
    assert copies(servers) == before


def test_a_refusal_of_googles_is_passed_on_and_leaves_no_copy(servers: Stack) -> None:
    source, before = put(servers, f"{folder(ALICE)}/in.jsonl", HELLO), copies(servers)
    answer = ask(servers, order(source, model="publishers/google/models/gemini-9-nonsense"))
    assert (answer.status_code, "Publisher Model" in answer.text) == (404, True)
    assert copies(servers) == before


def test_jobs_of_the_gateways_own_batches_are_nobodys_here(servers: Stack) -> None:
    line = chat("a", "[[emulator: batch-slow]] Hello")
    files = {"file": ("in.jsonl", orjson.dumps(line))}
    with httpx.Client(base_url=servers.gateway, headers=bearer(ALICE), timeout=60) as client:
        file = client.post("/v1/files", files=files, data={"purpose": "batch"}).json()["id"]
        asked = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = client.post("/v1/batches", json=asked).json()["id"]
        while client.get(f"/v1/batches/{batch}").json()["status"] == "validating" or not _of_the_gateway(servers):
            pass
        number = _of_the_gateway(servers)[-1].rpartition("/")[2]
        for verb, path in (("GET", number), ("POST", f"{number}:cancel"), ("DELETE", number)):
            assert client.request(verb, f"{JOBS}/{path}").status_code == 404
        listed = client.get(JOBS, params={"filter": f'display_name="gemgate-{batch}"'}).json()
        assert listed.get("batchPredictionJobs", []) == []


def _of_the_gateway(servers: Stack) -> list[str]:
    made = servers.seen.predictions.items()
    return [name for name, job in made if str(job.body["displayName"]).startswith("gemgate-batch_")]


async def test_without_a_bucket_there_are_no_jobs_for_callers_who_share_credentials() -> None:
    jobs = JOBS.replace(PROJECT, "my-project")
    async with vertex_gateway(pytest.fail, client_keys="gk-a-client-key-of-a-caller") as client:
        headers = {"authorization": "Bearer gk-a-client-key-of-a-caller"}
        answer = await client.post(jobs, json=order("gs://any/in.jsonl"), headers=headers)
    assert (answer.status_code, "GEMGATE_VERTEX_BUCKET" in answer.text) == (400, True)
