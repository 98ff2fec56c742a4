"""A Google made of a dictionary: the Files API and batch jobs, as far as the gateway uses them."""

import itertools
import re
from collections.abc import Callable
from typing import Any

import httpx
import orjson

Json = dict[str, Any]
Answer = Callable[[str, Json], Json]


def echo(key: str, request: Json) -> Json:
    """Says again what was said last; a text with `fail` fails, and one with `forget` is forgotten."""
    if "content" in request:
        text = request["content"]["parts"][0]["text"]
        return {"response": {"tokenCount": "3", "embedding": {"values": [float(len(text)), 0.0]}}}
    text = request["contents"][-1]["parts"][0]["text"]
    if "forget" in text:
        return {}
    if "fail" in text:
        return {"error": {"code": 3, "message": "The prompt is not good."}}
    candidates = [
        {"content": {"role": "model", "parts": [{"text": f"echo: {text}"}]}, "finishReason": "STOP", "index": 0}
    ]
    usage = {"promptTokenCount": 2, "candidatesTokenCount": 3, "totalTokenCount": 5}
    return {
        "response": {
            "candidates": candidates,
            "usageMetadata": usage,
            "modelVersion": "v1",
            "responseId": f"r-{key}",
        }
    }


class FakeBatchApi:
    """The handler of a mock transport.

    Attributes:
        files: Bytes by name.
        jobs: Jobs by name.
        created: The display names that jobs were created with, in order.
        refusals: Answers to the next calls whose path matches: pattern, status, error.
        hook: Called with `before` or `after` and the method and path of each call.
        answer: Makes the result of one request.
        keys: The keys of all calls.
        creating: A pattern of the call that creates a job.
        polling: A pattern of the call that asks for one.
        embedder: A model that jobs embed with.
    """

    creating = "POST .*:(batchGenerateContent|asyncBatchEmbedContent)$"
    polling = "GET /v1beta/batches/"
    embedder = "gemini-embedding-001"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, Json] = {}
        self.created: list[Json] = []
        self.refusals: list[tuple[str, int, Json]] = []
        self.hook: Callable[[str, str], None] = lambda _when, _what: None
        self.answer: Answer = echo
        self.keys: set[str] = set()
        self.calls: list[str] = []
        self._uploads: dict[str, tuple[str, bytes]] = {}
        self._numbers = itertools.count(1)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        what = f"{request.method} {request.url.path}"
        body = await request.aread()
        self.calls.append(what)
        self.keys.add(request.headers.get("x-goog-api-key", ""))
        self.hook("before", what)
        answer = self._refusal(what) or self._serve(request, what, body)
        self.hook("after", what)
        return answer

    def run(self, name: str | None = None, state: str = "SUCCEEDED", *, maximum: int | None = None) -> None:
        """Finish jobs: the one called `name`, or all; with `most`, only so many requests are answered."""
        for job in [self.jobs[name]] if name else self.jobs.values():
            if job["state"] not in ("PENDING", "RUNNING"):
                continue
            results = [{"key": key, **self.answer(key, request)} for key, request in job["requests"]]
            results = [result for result in reversed(results[:maximum]) if len(result) > 1]
            job |= {"state": state, "results": results}

    def _refusal(self, what: str) -> httpx.Response | None:
        for refusal in self.refusals:
            pattern, status, error = refusal
            if re.search(pattern, what):
                self.refusals.remove(refusal)
                return httpx.Response(status, json={"error": {"code": status, **error}})
        return None

    def _serve(self, request: httpx.Request, what: str, body: bytes) -> httpx.Response:
        for pattern, serve in self._routes(request, body):
            if found := re.fullmatch(pattern, what):
                return serve(*found.groups())
        raise AssertionError(what)

    def _routes(self, request: httpx.Request, body: bytes) -> list[tuple[str, Callable[..., httpx.Response]]]:
        return [
            (r"POST /upload/v1beta/files", lambda: self._upload(request, body)),
            (r"POST /v1beta/(models/[^:]+):(batchGenerateContent|asyncBatchEmbedContent)", self._create(body)),
            (r"GET /v1beta/batches", self._list),
            (r"GET /v1beta/(batches/\w+)", self._job),
            (r"POST /v1beta/(batches/\w+):cancel", self._cancel),
            (r"GET /v1beta/(files/[\w-]+):download", self._download),
            (r"GET /v1beta/(files/[\w-]+)", self._file),
            (r"DELETE /v1beta/(files/[\w-]+)", self._delete),
        ]

    def _upload(self, request: httpx.Request, body: bytes) -> httpx.Response:
        command = request.headers["x-goog-upload-command"]
        if command == "start":
            upload = str(next(self._numbers))
            self._uploads[upload] = (orjson.loads(body)["file"]["name"], b"")
            url = f"{request.url.copy_with(query=None)}?upload_id={upload}"
            return httpx.Response(200, headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"})
        upload = request.url.params["upload_id"]
        name, held = self._uploads[upload]
        self._uploads[upload] = (name, held + body)
        if "finalize" not in command:
            return httpx.Response(200, headers={"x-goog-upload-status": "active"})
        self.files[name] = held + body
        shown = {"file": self._shown(name)}
        return httpx.Response(200, json=shown, headers={"x-goog-upload-status": "final"})

    def _shown(self, name: str) -> Json:
        return {"name": name, "uri": f"https://g/{name}", "state": "ACTIVE", "sizeBytes": str(len(self.files[name]))}

    def _create(self, body: bytes) -> Callable[[str, str], httpx.Response]:
        def create(model: str, _method: str) -> httpx.Response:
            batch = orjson.loads(body)["batch"]
            config = batch["inputConfig"]
            if "fileName" in config:
                lines = [orjson.loads(line) for line in self.files[config["fileName"]].splitlines()]
                requests = [(line["key"], line["request"]) for line in lines]
            else:
                inline = config["requests"]["requests"]
                requests = [(item["metadata"]["key"], item["request"]) for item in inline]
            name = f"batches/job{next(self._numbers)}"
            self.jobs[name] = {
                "name": name,
                "model": model,
                "displayName": batch["displayName"],
                "state": "PENDING",
                "requests": requests,
                "in_file": "fileName" in config,
                "results": [],
            }
            self.created.append(batch)
            return httpx.Response(200, json=self._operation(name))

        return create

    def _operation(self, name: str) -> Json:
        job = self.jobs[name]
        good = sum("response" in result for result in job["results"])
        stats = {"requestCount": len(job["requests"]), "successfulRequestCount": good}
        stats["failedRequestCount"] = len(job["results"]) - good
        metadata: Json = {
            "model": job["model"],
            "displayName": job["displayName"],
            "state": f"BATCH_STATE_{job['state']}",
            "batchStats": {name: str(number) for name, number in stats.items() if number},
        }
        operation: Json = {"name": name, "metadata": metadata}
        if job["state"] in ("PENDING", "RUNNING", "CANCELLING"):
            return operation
        operation["done"] = True
        if job["state"] != "SUCCEEDED":
            operation["error"] = job.get("error") or {"code": 1, "message": "The job did not succeed."}
        if job["results"] and job["in_file"]:
            file = f"files/batch-{name.removeprefix('batches/')}"
            self.files.setdefault(file, b"".join(orjson.dumps(result) + b"\n" for result in job["results"]))
            operation["response"] = {"responsesFile": file}
        elif job["results"]:
            inline = [
                {"metadata": {"key": result["key"]}, **{n: v for n, v in result.items() if n != "key"}}
                for result in job["results"]
            ]
            metadata["output"] = {"inlinedResponses": {"inlinedResponses": inline}}
            operation["response"] = metadata["output"]
        return operation

    def _job(self, name: str) -> httpx.Response:
        if name not in self.jobs:
            return _missing("Batch does not exist.")
        return httpx.Response(200, json=self._operation(name))

    def _list(self) -> httpx.Response:
        return httpx.Response(200, json={"operations": [self._operation(name) for name in self.jobs]})

    def _cancel(self, name: str) -> httpx.Response:
        self.jobs[name]["state"] = "CANCELLED"
        return httpx.Response(200, json={})

    def _download(self, name: str) -> httpx.Response:
        if name not in self.files:
            return _missing("File not found.")
        return httpx.Response(200, content=self.files[name])

    def _file(self, name: str) -> httpx.Response:
        if name not in self.files:
            return _missing("File not found.")
        return httpx.Response(200, json=self._shown(name))

    def _delete(self, name: str) -> httpx.Response:
        if self.files.pop(name, None) is None:
            return _missing("File not found.")
        return httpx.Response(200, json={})


def _missing(message: str) -> httpx.Response:
    return httpx.Response(404, json={"error": {"code": 404, "message": message, "status": "NOT_FOUND"}})
