"""A Vertex AI made of a dictionary and a directory: batch jobs whose requests and results are objects in a bucket."""

from collections.abc import Callable
from pathlib import Path

import httpx
import orjson
from tests.api.batches.fake_batch_api import FakeBatchApi, Json

from gemgate.media.bucket import OperatorBucket
from gemgate.store.blobs import Blobs

_JOBS = r"/v1/(projects/my-project/locations/global/batchPredictionJobs)"


class FakeVertexBatchApi(FakeBatchApi):
    """The handler of a mock transport.

    Attributes:
        bucket: What the gateway is given as the operator's bucket.
        directory: Where its objects are.
    """

    creating = "POST .*/batchPredictionJobs$"
    polling = "GET .*/batchPredictionJobs/"
    embedder = "gemini-embedding-2"

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        self.bucket = OperatorBucket(Blobs.in_directory(directory), "gs://a-bucket/below")

    def objects(self) -> list[str]:
        """The keys of all objects, sorted."""
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())

    def run(self, name: str | None = None, state: str = "SUCCEEDED", *, maximum: int | None = None) -> None:
        """Finish jobs, as of the Developer API, and write their results into the bucket."""
        running = [job for job in self.jobs.values() if job["state"] in ("PENDING", "RUNNING")]
        super().run(name, state, maximum=maximum)
        for job in running:
            if job["results"]:
                requests = dict(job["requests"])
                place = self._path(f"{job['directory']}/predictions.jsonl")
                place.parent.mkdir(parents=True)
                lines = [_line(requests[result["key"]], result) for result in job["results"]]
                place.write_bytes(b"\n".join(lines))

    def _path(self, uri: str) -> Path:
        return self.directory / uri.removeprefix("gs://a-bucket/below/")

    def _routes(self, request: httpx.Request, body: bytes) -> list[tuple[str, Callable[..., httpx.Response]]]:
        return [
            (rf"POST {_JOBS}", lambda parent: self._created(parent, orjson.loads(body))),
            (rf"GET {_JOBS}", lambda _: self._found(request.url.params["filter"])),
            (rf"GET {_JOBS}(/\w+)", lambda parent, job: self._job(parent + job)),
            (rf"POST {_JOBS}(/\w+):cancel", lambda parent, job: self._cancel(parent + job)),
        ]

    def _created(self, parent: str, given: Json) -> httpx.Response:
        (uri,) = given["inputConfig"]["gcsSource"]["uris"]
        lines = [orjson.loads(line) for line in self._path(uri).read_bytes().splitlines()]
        name = f"{parent}/job{next(self._numbers)}"
        self.jobs[name] = {
            "name": name,
            "model": given["model"],
            "displayName": given["displayName"],
            "state": "PENDING",
            "requests": [(_key(line), line["request"]) for line in lines],
            "results": [],
            "directory": f"{given['outputConfig']['gcsDestination']['outputUriPrefix']}/prediction-model-12:30:00.5Z",
        }
        self.created.append(given)
        return httpx.Response(200, json=self._operation(name))

    def _operation(self, name: str) -> Json:
        job = self.jobs[name]
        good = sum("response" in result for result in job["results"])
        shown: Json = {key: job[key] for key in ("name", "model", "displayName")} | {
            "state": f"JOB_STATE_{job['state']}"
        }
        if job["results"]:
            shown["outputInfo"] = {"gcsOutputDirectory": job["directory"]}
            counts = {"successfulCount": str(good), "failedCount": str(len(job["results"]) - good)}
            shown["completionStats"] = counts
        if job["state"] in ("FAILED", "EXPIRED"):
            shown["error"] = job.get("error") or {"code": 13, "message": "The job did not succeed."}
        return shown

    def _found(self, wanted: str) -> httpx.Response:
        found = [name for name, job in self.jobs.items() if wanted == f'display_name="{job["displayName"]}"']
        return httpx.Response(200, json={"batchPredictionJobs": [self._operation(name) for name in found]})


def _key(line: Json) -> str:
    """What is written beside a content to embed, and among the labels of a request to generate."""
    return str(line["key"] if "content" in line["request"] else line["request"]["labels"]["gemgate-line"])


def _line(request: Json, result: Json) -> bytes:
    echoed = {"key": result["key"], "request": request} if "content" in request else {"request": request}
    if "error" not in result:
        return orjson.dumps({"status": "", "processed_time": "1", **echoed, "response": result["response"]})
    error = {"code": 400, "message": result["error"]["message"], "status": "INVALID_ARGUMENT"}
    said = f"Bad Request: {orjson.dumps({'error': error}).decode()}"
    return orjson.dumps({"status": said, **echoed, "response": {}})
