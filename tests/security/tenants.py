"""Two callers who share a gateway's Gemini keys, on a real socket, before a Google that is a function.

Google takes whatever it is sent and gives everything the name that the request wants: it cannot tell callers apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
from tests.api.native.support import (
    ANSWER,
    CLIENT_KEY,
    HELD_KEY,
    OTHER_CLIENT_KEY,
    UPSTREAM,
    RunningGateway,
    running_gateway,
)
from tests.support.google import sse

ALICE = {"x-goog-api-key": CLIENT_KEY}
BOB = {"x-goog-api-key": OTHER_CLIENT_KEY}
SHARED: dict[str, Any] = {"gemini_api_key": (HELD_KEY,), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}

MODEL = "gemini-2.5-flash"
CACHE = "cachedContents/alices-cache"
FILE = "files/alices-file"
STORE = "fileSearchStores/alices-store"
JOB = "batches/alices-job"
OPERATION = "models/veo-3/operations/alices-video"
GENERATE = f"/v1beta/models/{MODEL}:generateContent"

_numbers = count()


class Google:
    """Makes what it is asked for. `keys` are those that the requests came with.

    Attributes:
        names: What the next things that are made are called, before they are just numbered.
        answer: What models say.
        events: What they say in a stream, if that is another.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.answer = ANSWER
        self.events: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, _, call = request.url.path.partition(":")
        top = path.rpartition("/")[2]
        if request.method == "GET":
            return httpx.Response(200, json={"name": path.partition("/v1beta/")[2]})
        if call in ("batchGenerateContent", "asyncBatchEmbedContent"):
            return httpx.Response(200, json={"name": self._next("batches")})
        if call == "predictLongRunning":
            return httpx.Response(200, json={"name": self._next(f"{path.removeprefix('/v1beta/')}/operations")})
        if top in ("cachedContents", "fileSearchStores") and request.method == "POST":
            return httpx.Response(200, json={"name": self._next(top)})
        if top == "files" and request.method == "POST":
            return self._upload(request)
        if call in ("embedContent", "batchEmbedContents"):
            vectors = [{"values": [1.0]}] * request.content.count(b'"content"')
            return httpx.Response(200, json={"embeddings": vectors})
        if self.events and call == "streamGenerateContent":
            return sse(*self.events)
        return httpx.Response(200, content=self.answer, headers={"content-type": "application/json"})

    def _upload(self, request: httpx.Request) -> httpx.Response:
        if "start" in request.headers.get("x-goog-upload-command", ""):
            address = f"{UPSTREAM}/upload/v1beta/files?upload_id=googles&upload_protocol=resumable"
            return httpx.Response(200, headers={"x-goog-upload-url": address, "x-goog-upload-status": "active"})
        made = {"file": {"name": self._next("files"), "state": "ACTIVE"}}
        return httpx.Response(200, json=made, headers={"x-goog-upload-status": "final"})

    def _next(self, top: str) -> str:
        return self.names.pop(0) if self.names else f"{top}/made-{next(_numbers)}"


@dataclass(frozen=True)
class Tenants:
    """A gateway, and what its callers do."""

    there: RunningGateway
    google: Google

    def make(self, name: str, headers: dict[str, str] = ALICE) -> httpx.Response:
        """Let the caller make what Google will call `name`."""
        self.google.names.append(name)
        top = name.partition("/")[0]
        if top == "files":
            return self.upload(b"content", headers)
        if top == "batches":
            return self.post(f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {"displayName": "a"}}, headers)
        if top == "models":
            return self.post(f"/v1beta/{name.partition('/operations')[0]}:predictLongRunning", {}, headers)
        return self.post(f"/v1beta/{top}", {"displayName": "a"}, headers)

    def upload(self, content: bytes, headers: dict[str, str] = ALICE, name: str | None = None) -> httpx.Response:
        """A resumable upload, as Google's libraries do it; the answer to its last command."""
        if name is not None:
            self.google.names.append(name)
        url = self.begin(len(content), headers)
        command = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
        return self.there.client.post(url, content=content, headers=command)

    def begin(self, size: int, headers: dict[str, str] = ALICE, metadata: Any = None) -> str:
        """The address of an upload that has begun."""
        answer = self.start(size, headers, metadata)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-goog-upload-url"]

    def start(self, size: int, headers: dict[str, str] = ALICE, metadata: Any = None) -> httpx.Response:
        """Begin an upload."""
        more = {
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": str(size),
            "x-goog-upload-header-content-type": "jsonl",
        }
        body = {"file": {"displayName": "in"}} if metadata is None else metadata
        return self.there.client.post("/upload/v1beta/files", json=body, headers=headers | more)

    def post(self, path: str, body: Any, headers: dict[str, str] = BOB, **more: str) -> httpx.Response:
        """A request with a body: bytes as they are, all else as JSON."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        types = {"content-type": "application/json"}
        return self.there.client.post(path, content=content, headers=types | headers | more)

    @property
    def asked(self) -> int:
        """How often Google was asked so far."""
        return len(self.there.google.requests)


@contextmanager
def tenants(tmp_path: Path, **settings: Any) -> Iterator[Tenants]:
    """A gateway where Alice has made one of each."""
    google = Google()
    with running_gateway(google, data_dir=tmp_path, **(SHARED | settings)) as there:
        pair = Tenants(there, google)
        for name in (CACHE, FILE, STORE, JOB, OPERATION):
            assert pair.make(name).status_code == 200, name
        yield pair


def openai_error(answer: httpx.Response) -> dict[str, Any]:
    """The error in OpenAI's shape."""
    error: dict[str, Any] = answer.json()["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    assert "status" not in error
    return error
