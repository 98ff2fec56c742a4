"""A request whose file is with a key that cannot be used now: its file is uploaded with another one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.api.files.support import form
from tests.support.slices import client_of

from gemgate.app import create_app
from gemgate.settings import Settings

UPSTREAM = "https://generativelanguage.googleapis.com"
QUOTA = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
USED_UP = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": QUOTA}]}],
    }
}
EVENT = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "index": 0}]}
ANSWER = {"candidates": [{**EVENT["candidates"][0], "finishReason": "STOP"}]}


@dataclass
class Google:
    """Files by key; `used_up` keys get a 429, and streams that `break_off` do so after their first event."""

    used_up: set[str] = field(default_factory=set)
    breaks_off: bool = False
    uploads: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["x-goog-api-key"]
        if request.headers.get("x-goog-upload-command") == "start":
            return httpx.Response(200, headers={"x-goog-upload-url": f"{UPSTREAM}/upload/v1beta/files?upload_id=1"})
        if request.url.path.startswith("/upload"):
            self.uploads.append(key)
            file = {"name": f"files/{key}", "uri": f"{UPSTREAM}/v1beta/files/{key}", "sizeBytes": "5"}
            return httpx.Response(200, json={"file": file})
        (part,) = orjson.loads(request.content)["contents"][0]["parts"]
        assert part["fileData"]["fileUri"].endswith(key)
        if key in self.used_up:
            return httpx.Response(429, json=USED_UP)
        if "stream" not in request.url.path:
            return httpx.Response(200, json=ANSWER)
        events = (EVENT, USED_UP) if self.breaks_off else (ANSWER,)
        stream = b"".join(b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in events)
        return httpx.Response(200, content=stream, headers={"content-type": "text/event-stream"})


@asynccontextmanager
async def gateway(google: Google, directory: Path, *keys: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(_env_file=None, gemini_api_key=keys, client_keys=(), data_dir=directory, retries=0)
    async with client_of(create_app(settings, transport=httpx.MockTransport(google))) as client:
        yield client


async def ask(client: httpx.AsyncClient, *, stream: bool = False) -> httpx.Response:
    uploaded = await client.post("/v1/files", **form(("purpose", "user_data"), ("file", b"words", "a.txt")))
    content: list[Any] = [{"type": "file", "file": {"file_id": uploaded.json()["id"]}}]
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": content}], "stream": stream}
    return await client.post("/v1/chat/completions", json=body)


@pytest.mark.parametrize("stream", [False, True])
async def test_when_the_key_of_a_file_is_used_up_the_file_is_uploaded_with_another(
    tmp_path: Path, stream: bool
) -> None:
    google = Google()
    async with gateway(google, tmp_path, "one", "two") as client:
        assert (await ask(client, stream=stream)).status_code == 200
        google.used_up = set(google.uploads)
        answer = await ask(client, stream=stream)
        assert (answer.status_code, "Hi" in answer.text) == (200, True)
        assert sorted(google.uploads) == ["one", "two"]


@pytest.mark.parametrize("stream", [False, True])
async def test_when_all_keys_are_used_up_that_is_the_answer(tmp_path: Path, stream: bool) -> None:
    google = Google({"one", "two"})
    async with gateway(google, tmp_path, "one", "two") as client:
        assert (await ask(client, stream=stream)).status_code == 429
        assert sorted(google.uploads) == ["one", "two"]


@pytest.mark.parametrize("keys", [(), ("one",)])
async def test_without_another_key_nothing_is_uploaded_again(tmp_path: Path, keys: tuple[str, ...]) -> None:
    google = Google({"one", "caller-key"})
    async with gateway(google, tmp_path, *keys) as client:
        assert (await ask(client)).status_code == 429
        assert len(google.uploads) == 1


async def test_a_stream_that_has_begun_is_not_begun_again(tmp_path: Path) -> None:
    google = Google(breaks_off=True)
    async with gateway(google, tmp_path, "one", "two") as client:
        answer = await ask(client, stream=True)
    assert answer.text.count('"content":"Hi"') == 1
    assert '"error"' in answer.text
    assert len(google.uploads) == 1
