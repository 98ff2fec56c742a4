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
from tests.support.gateway import gateway_app, in_process
from tests.support.google import daily, json_for, sse, streams

pytestmark = pytest.mark.slow

UPSTREAM = "https://generativelanguage.googleapis.com"
USED_UP = daily().json()
EVENT = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "index": 0}]}
ANSWER = {"candidates": [{**EVENT["candidates"][0], "finishReason": "STOP"}]}


@dataclass
class KeyedFiles:
    """Files that only the key they were uploaded with may use.

    Attributes:
        used_up: The keys that get a 429.
        breaks_off: Whether streams get it after their first event.
        uploads: The key of each upload.
    """

    used_up: set[str] = field(default_factory=set)
    breaks_off: bool = False
    uploads: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["x-goog-api-key"]
        if request.headers.get("x-goog-upload-command") == "start":
            return httpx.Response(200, headers={"x-goog-upload-url": f"{UPSTREAM}/upload/v1beta/files?upload_id=1"})
        if request.url.path == "/v1beta/models":
            return httpx.Response(200, json={"models": []})
        if request.url.path.startswith("/upload"):
            self.uploads.append(key)
            file = {"name": f"files/{key}", "uri": f"{UPSTREAM}/v1beta/files/{key}", "sizeBytes": "5"}
            return httpx.Response(200, json={"file": file})
        (part,) = orjson.loads(request.content)["contents"][0]["parts"]
        assert part["fileData"]["fileUri"].endswith(key)
        if key in self.used_up:
            return daily()
        return sse(EVENT, USED_UP) if streams(request) and self.breaks_off else json_for(request, ANSWER)


@asynccontextmanager
async def gateway(google: KeyedFiles, directory: Path, *keys: str) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(gateway_app(google, gemini_api_key=keys, data_dir=directory, retries=0)) as client:
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
    google = KeyedFiles()
    async with gateway(google, tmp_path, "one", "two") as client:
        assert (await ask(client, stream=stream)).status_code == 200
        google.used_up = set(google.uploads)
        answer = await ask(client, stream=stream)
        assert (answer.status_code, "Hi" in answer.text) == (200, True)
        assert sorted(google.uploads) == ["one", "two"]


@pytest.mark.parametrize("stream", [False, True])
async def test_when_all_keys_are_used_up_that_is_the_answer(tmp_path: Path, stream: bool) -> None:
    google = KeyedFiles({"one", "two"})
    async with gateway(google, tmp_path, "one", "two") as client:
        assert (await ask(client, stream=stream)).status_code == 429
        assert sorted(google.uploads) == ["one", "two"]


@pytest.mark.parametrize("keys", [(), ("one",)])
async def test_without_another_key_nothing_is_uploaded_again(tmp_path: Path, keys: tuple[str, ...]) -> None:
    google = KeyedFiles({"one", "caller-key"})
    async with gateway(google, tmp_path, *keys) as client:
        assert (await ask(client)).status_code == 429
        assert len(google.uploads) == 1


async def test_a_stream_that_has_begun_is_not_begun_again(tmp_path: Path) -> None:
    google = KeyedFiles(breaks_off=True)
    async with gateway(google, tmp_path, "one", "two") as client:
        answer = await ask(client, stream=True)
    assert answer.text.count('"content":"Hi"') == 1
    assert '"error"' in answer.text
    assert len(google.uploads) == 1
