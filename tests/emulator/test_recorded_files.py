"""The emulator agrees with Google on every recorded exchange about files and batch jobs that kept its request."""

from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from tests.emulator.support import RECORDED, Emulator, needs_recordings
from tests.support.clock import FakeClock

from gemgate.emulator import auth
from gemgate.emulator.content import RequestContent

# What the emulator does not serve.
EXCEPTIONS = {
    "/v1beta/fileSearchStores": "stores of file search",
    "/upload/v1beta/fileSearchStores": "stores of file search",
    "/v1beta/openai/": "Google's own OpenAI endpoint, which the gateway is there to replace",
}
# Bytes were not kept: these stand for them.
DATA = b"0123456789"


@dataclass
class Recorded:
    name: str
    method: str
    url: httpx.URL
    body: Any
    status: int
    answer: Any


def exchanges() -> list[Recorded]:
    found = []
    for path in sorted(RECORDED.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            row = orjson.loads(line)
            url = httpx.URL(row["request"].get("url") or "")
            wanted = any(word in url.path for word in ("/files", "/batches", ":batchGenerate", ":asyncBatch"))
            if "generativelanguage" in url.host and wanted and not any(map(url.path.startswith, EXCEPTIONS)):
                request, response = row["request"], row["response"]
                found.append(
                    Recorded(
                        f"{path.stem}/{row['name']}",
                        request["method"],
                        url,
                        request.get("body"),
                        response["status"],
                        response.get("body"),
                    )
                )
    return found


def shape(value: Any) -> Any:
    """Keys and kinds of values; of lists the first entry."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


async def replay(emulator: Emulator, app: Starlette, clock: FakeClock, exchange: Recorded) -> httpx.Response:
    """Send a recorded request, after making what it is about."""
    state, path = app.state.emulator, exchange.url.path
    if exchange.url.params.get("upload_id"):
        return await finish_upload(emulator, exchange)
    if path == "/upload/v1beta/files":
        return await start_upload(emulator, exchange.body, 10)
    if "/batches/" in path:
        return await ask_for_job(emulator, clock, exchange)
    if path == "/v1beta/files":
        await finish_upload(emulator, exchange)
    if ":download" in path:
        owner = auth.owner({"x-goog-api-key": "k"}, {})
        state.files.add_generated(
            owner, "files/" + path.split("/files/")[1].split(":")[0], RequestContent(DATA), clock.now
        )
    params = {key: value for key, value in exchange.url.params.items() if key != "key"}
    return await emulator.client.request(exchange.method, path, params=params, json=exchange.body)


async def start_upload(emulator: Emulator, body: Any, length: int) -> httpx.Response:
    headers = {
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": str(length),
        "X-Goog-Upload-Header-Content-Type": "application/pdf",
    }
    return await emulator.client.post("/upload/v1beta/files", json=body, headers=headers)


async def finish_upload(emulator: Emulator, exchange: Recorded) -> httpx.Response:
    file = exchange.answer.get("file") or exchange.answer["files"][0]
    started = await start_upload(emulator, {"file": {"display_name": file["displayName"]}}, len(DATA))
    headers = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    return await emulator.client.post(started.headers["x-goog-upload-url"], content=DATA, headers=headers)


async def ask_for_job(emulator: Emulator, clock: FakeClock, exchange: Recorded) -> httpx.Response:
    creation = next(each for each in exchanges() if each.url.path.endswith(":batchGenerateContent"))
    made = (await emulator.client.post(creation.url.path, json=creation.body)).json()
    clock.now += 1 if exchange.answer["metadata"]["state"] == "BATCH_STATE_RUNNING" else 2
    return await emulator.client.get(f"/v1beta/{made['name']}")


@needs_recordings
@pytest.mark.parametrize("exchange", exchanges(), ids=lambda each: each.name)
async def test_recorded_exchanges_have_the_same_status_and_shape(
    emulator: Emulator, app: Starlette, clock: FakeClock, exchange: Recorded
) -> None:
    response = await replay(emulator, app, clock, exchange)
    assert response.status_code == exchange.status
    if exchange.answer is None:
        return
    if "/download/" in exchange.url.path:
        assert response.content == DATA
        return
    ours, theirs = response.json(), exchange.answer
    if "error" in theirs:
        assert ours == theirs
        return
    assert shape(ours) == shape(theirs)
    if "metadata" in theirs:
        assert list(ours["metadata"]) == list(theirs["metadata"])
        assert ours["metadata"]["state"] == theirs["metadata"]["state"]
        assert ours["metadata"]["@type"] == theirs["metadata"]["@type"]


@needs_recordings
def test_all_of_them_are_there() -> None:
    assert len(exchanges()) > 12
