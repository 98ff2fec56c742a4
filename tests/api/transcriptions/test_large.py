"""Large audio, forms that break off, callers that go, and what a key pays."""

import math
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI
from starlette.requests import ClientDisconnect, Request
from tests.api.transcriptions.support import ASR, TEXT, ask, form, heard, turn
from tests.auth.support import bearer, settings_with, write_keys
from tests.support.gateway import gateway_app, in_process, settings_of
from tests.support.google import FakeGoogle
from tests.support.stack import KEY, Stack, stack

from gemgate.api.transcriptions.upload import received
from gemgate.api.transcriptions.wire import TranscriptionRequest
from gemgate.translation.speech.samples import wav_head

MEGABYTE = 1_000_000
LARGE = wav_head(9 * MEGABYTE) + bytes(9 * MEGABYTE)
HEAD = (
    b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with stack(retries=0) as running:
        with OpenAI(api_key=KEY, base_url=running.base(), max_retries=0) as client:
            client.files.create(
                file=("a.txt", b"a"), purpose="user_data"
            )  # from now on the key is known to be Google's
        yield running


def of_google(servers: Stack, start: int) -> list[tuple[str, str]]:
    """Method and path of each call since `start`, without the names of files."""
    calls = list(servers.seen.requests)[start:]
    return [(call.method, "/".join(call.path.split("/")[:4]).partition("?")[0]) for call in calls]


@pytest.mark.integration
@pytest.mark.parametrize("is_stream", [False, True])
def test_large_audio_goes_by_the_files_api_and_is_deleted(servers: Stack, is_stream: bool) -> None:
    start = len(servers.seen.requests)
    with OpenAI(api_key=KEY, base_url=servers.base(), max_retries=0) as client:
        answer: Any = client.audio.transcriptions.create(model=ASR, file=("a.wav", LARGE), stream=is_stream)
        text = list(answer)[-1].text if is_stream else answer.text
    assert text == "I hear an audio file (audio/wav) of 187.5 seconds."
    assert servers.seen.wait_for_requests(start + 4)
    calls = of_google(servers, start)
    assert calls[0] == ("POST", "/upload/v1beta/files")
    assert calls[-1][0] == "DELETE"
    asked = next(call for call in list(servers.seen.requests)[start:] if "enerateContent" in call.path)
    (part,) = asked.body["contents"][0]["parts"]
    assert set(part) == {"fileData"}
    name = part["fileData"]["fileUri"].rpartition("/v1beta/")[2]
    listed = httpx.get(f"{servers.emulator}/v1beta/{name}", headers={"x-goog-api-key": KEY})
    assert listed.status_code == 403


@pytest.mark.integration
def test_large_audio_that_google_refuses_is_deleted_too(servers: Stack) -> None:
    start = len(servers.seen.requests)
    url = f"{servers.base()}/audio/transcriptions"
    asked = form(LARGE, prompt="[[emulator: 400]]", model=ASR)
    answer = httpx.post(url, **asked, headers={"authorization": f"Bearer {KEY}"}, timeout=60)
    assert answer.status_code == 400
    assert servers.seen.wait_for_requests(start + 4)
    assert of_google(servers, start)[-1][0] == "DELETE"


@pytest.mark.integration
def test_a_caller_that_goes_in_mid_stream_ends_the_call_to_google(servers: Stack) -> None:
    gone = len(servers.seen.disconnects)
    url = f"{servers.base()}/audio/transcriptions"
    asked = form(model="gemini-3.8-flash", prompt="[[emulator: slow-stream 5]]", stream="true")
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.stream("POST", url, **asked, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        assert next(answer.iter_bytes()).startswith(b"data: ")
    assert servers.seen.wait_for_disconnects(gone + 1, timeout=30)


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def request(pieces: list[bytes]) -> Request:
    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    return Request({"type": "http", "headers": [(b"content-type", b"multipart/form-data; boundary=b")]}, receive)


class Pieces(list[bytes]):
    """A form whose file has `count` megabytes, made as it is read."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count
        self._has_begun = False

    def __bool__(self) -> bool:
        return True

    def pop(self, _index: Any = -1) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            return HEAD + wav_head(None)
        self._left -= 1
        if self._left >= 0:
            return bytes(MEGABYTE)
        return b"\r\n--b--\r\n" if self._left == -1 else b""


async def test_a_hundred_megabytes_are_not_held_in_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        audio = await received(request(Pieces(100)), TranscriptionRequest, settings_of(data_dir=tmp_path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert audio.bytes.size == 100 * MEGABYTE + 44
    assert audio.seconds == pytest.approx(100 * MEGABYTE / 48_000)
    assert peak < 12 * MEGABYTE
    assert left_in(tmp_path) == []
    assert sum([len(piece) async for piece in audio.bytes.pieces(MEGABYTE)]) == 99 * MEGABYTE + 44
    audio.bytes.close()


async def test_a_caller_that_goes_while_it_sends_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ClientDisconnect):
        await received(request([HEAD, bytes(2 * MEGABYTE)]), TranscriptionRequest, settings_of(data_dir=tmp_path))
    assert left_in(tmp_path) == []


async def test_a_form_that_is_cut_and_a_file_that_is_too_large_are_refused() -> None:
    google = FakeGoogle()
    headers = {"content-type": "multipart/form-data; boundary=b"}
    async with in_process(gateway_app(google, files_max_bytes=MEGABYTE)) as client:
        url = "/v1/audio/transcriptions"
        cut = await client.post(url, content=HEAD + b"RIFF", headers=headers)
        large = await client.post(url, **form(bytes(MEGABYTE + 1)))
    assert (cut.status_code, cut.json()["error"]["code"]) == (400, "invalid_form")
    assert (large.status_code, large.json()["error"]["code"]) == (413, "file_too_large")
    assert google.requests == []


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    path = write_keys(tmp_path / "keys.yaml", web={"limits": {"tokens_per_minute": 1000}})
    google = FakeGoogle(heard(turn(text=TEXT)))
    async with in_process(gateway_app(google, **{"data_dir": tmp_path, **settings_with(path)})) as client:
        client.headers.update(bearer("web"))
        yield client


async def test_seconds_of_audio_count_as_tokens_do(limited: httpx.AsyncClient) -> None:
    began = time.monotonic()
    first = await limited.post("/v1/audio/transcriptions", **form())
    assert first.json()["usage"]["total_tokens"] == 139
    second = await limited.post("/v1/audio/transcriptions", **form())
    spent = 1000 - int(second.headers["x-ratelimit-remaining-tokens"])
    refilled = math.ceil(1000 / 60 * (time.monotonic() - began))
    # Google's count of the first, and what is held back for the second.
    assert 139 + 250 - refilled <= spent <= 139 + 250
    answers = [await limited.post("/v1/audio/transcriptions", **form()) for _ in range(6)]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_transcript_has_a_price() -> None:
    app = gateway_app(FakeGoogle(heard({"text": TEXT})))
    async with in_process(app) as client:
        await client.post("/v1/audio/transcriptions", **form())
        metrics = (await client.get("/metrics")).text
    (line,) = [text for text in metrics.splitlines() if text.startswith("gemgate_cost_usd_total") and ASR in text]
    assert float(line.rpartition(" ")[2]) == pytest.approx((130 * 2 + 9 * 12) / 1e6)


async def test_files_of_google_are_not_asked_for_small_audio() -> None:
    google = FakeGoogle(heard({"text": TEXT}))
    await ask(google)
    assert len(google.requests) == 1
