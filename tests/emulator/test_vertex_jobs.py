"""Batch jobs of the emulator as Vertex AI: where they run, what their lines are, and what is refused."""

from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from tests.emulator.support import said
from tests.support.clock import FakeClock

from gemgate.emulator.content import RequestContent

Json = dict[str, Any]
FLASH = "gemini-2.5-flash"


def put(app: Starlette, name: str, *lines: Json) -> str:
    content = RequestContent(b"\n".join(map(orjson.dumps, lines)))
    app.state.emulator.objects[f"a-bucket/{name}"] = content, 0.0
    return f"gs://a-bucket/{name}"


def jobs(location: str) -> str:
    return f"/v1/projects/a-project/locations/{location}/batchPredictionJobs"


def order(model: str, *uris: str, **more: Any) -> Json:
    return {
        "displayName": "a job",
        "model": f"publishers/google/models/{model}",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": list(uris)}},
        "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "gs://a-bucket/out"}},
        **more,
    }


async def results(app: Starlette, vertex: httpx.AsyncClient, clock: FakeClock, made: httpx.Response) -> list[Json]:
    """The lines that a job has written, once it has ended."""
    assert made.status_code == 200, made.text
    clock.now += 60
    job = (await vertex.get(f"/v1/{made.json()['name']}")).json()
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    place = f"{job['outputInfo']['gcsOutputDirectory']}/predictions.jsonl".removeprefix("gs://")
    return [orjson.loads(line) for line in app.state.emulator.objects[place][0].lines()]


async def test_contents_are_embedded_under_their_keys_with_settings_in_an_object_of_their_own(
    app: Starlette, vertex: httpx.AsyncClient, clock: FakeClock
) -> None:
    content = {"parts": [{"text": "one"}]}
    source = put(
        app,
        "in.jsonl",
        {"key": "a", "request": {"content": content, "embed_content_config": {"output_dimensionality": 256}}},
        {"key": "b", "request": {"content": content, "embedContentConfig": {"taskType": "CLUSTERING"}}},
        {"key": "c", "request": {"content": content, "outputDimensionality": 256}},
        {"request": {"contents": [content]}},
    )
    made = await vertex.post(jobs("us-central1"), json=order("gemini-embedding-001", source))
    found = {line.get("key"): line for line in await results(app, vertex, clock, made)}
    sizes = {key: len(found[key]["response"]["embedding"]["values"]) for key in "ab"}
    assert (sizes, int(found["a"]["response"]["tokenCount"]) > 0) == ({"a": 256, "b": 3072}, True)
    for key, name in (("c", "outputDimensionality"), (None, "contents")):
        status = orjson.loads(found[key]["status"])
        assert (status["code"], f'Unknown name "{name}"' in status["message"]) == (3, True)
    live = f"{jobs('us-central1').replace('batchPredictionJobs', 'publishers/google/models')}/gemini-embedding-001"
    asked = {"content": content, "outputDimensionality": 256}
    answer = await vertex.post(f"{live}:embedContent", json=asked)
    assert answer.json()["embedding"] == found["a"]["response"]["embedding"]


@pytest.mark.parametrize(
    ("model", "location", "said_of_it"),
    [
        ("gemini-embedding-001", "global", "not supported in location global"),
        ("gemini-embedding-001", "asia-east1", "not supported in location asia-east1"),
        ("gemini-embedding-2", "us-central1", "not supported in location us-central1"),
        ("text-embedding-004", "us-central1", "Do not support publisher model text-embedding-004"),
    ],
)
async def test_a_model_that_has_no_jobs_there_is_refused(
    app: Starlette, vertex: httpx.AsyncClient, model: str, location: str, said_of_it: str
) -> None:
    source = put(app, "in.jsonl", {"key": "a", "request": {"content": {"parts": [{"text": "one"}]}}})
    refused = await vertex.post(jobs(location), json=order(model, source))
    assert (refused.status_code, said_of_it in refused.text) == (400, True)
    assert app.state.emulator.predictions == {}


async def test_a_job_reads_all_of_its_objects_and_is_found_by_the_number_of_its_project(
    app: Starlette, vertex: httpx.AsyncClient, clock: FakeClock
) -> None:
    sources = [put(app, f"{name}.jsonl", {"request": said(name)}) for name in ("one", "two")]
    made = await vertex.post(jobs("global"), json=order(FLASH, *sources))
    written = await results(app, vertex, clock, made)
    assert {line["request"]["contents"][0]["parts"][0]["text"] for line in written} == {"one", "two"}
    name, project = made.json()["name"], made.json()["name"].split("/")[1]
    assert project.isdecimal()
    by_id = await vertex.get(f"/v1/{name.replace(project, 'a-project')}")
    assert by_id.json()["name"] == name
    for elsewhere in (name.replace("/global/", "/us/"), name.replace(project, "another-project")):
        assert (await vertex.get(f"/v1/{elsewhere}")).status_code == 404
    assert [job["name"] for job in (await vertex.get(jobs("global"))).json()["batchPredictionJobs"]] == [name]
    missing = await vertex.post(jobs("global"), json=order(FLASH, sources[0], "gs://a-bucket/no.jsonl"))
    assert (missing.status_code, "gs://a-bucket/no.jsonl does not exist" in missing.text) == (400, True)
