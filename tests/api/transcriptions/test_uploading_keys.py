"""Audio that goes to Google as a file: with which key, with which after it, and whether it may."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.api.transcriptions.support import AUDIO, TEXT, form, heard, turn
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, bad_key, daily, json_for, overloaded, quota, sse

from gemgate.api.transcriptions.request import to_gemini

pytestmark = pytest.mark.slow

UPSTREAM = "https://generativelanguage.googleapis.com"
PATH = "/v1/audio/transcriptions"
ANSWER = heard(turn(text=TEXT))
ANSWERS = pytest.mark.parametrize("is_stream", [False, True])


@dataclass
class KeyedGoogle:
    """Shows a file to a request with the key that it was uploaded with, and to no other.

    Attributes:
        refuses: What it answers requests for transcripts with these keys.
        refuses_uploads: What it answers uploads with these keys.
        breaks_off: Whether a stream ends with a 429 after its first event.
        uploads: The key of each upload that was taken.
        asked: The key of each request for a transcript.
        deleted: The key of each file that was deleted.
    """

    refuses: dict[str, httpx.Response] = field(default_factory=dict)
    refuses_uploads: dict[str, httpx.Response] = field(default_factory=dict)
    breaks_off: bool = False
    uploads: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["x-goog-api-key"]
        if request.method == "DELETE":
            self.deleted.append(key)
            return httpx.Response(200, json={})
        if request.url.path == "/v1beta/models":
            return httpx.Response(200, json={"models": []})
        if request.headers.get("x-goog-upload-command") == "start":
            if key in self.refuses_uploads:
                return self.refuses_uploads[key]
            return httpx.Response(200, headers={"x-goog-upload-url": f"{UPSTREAM}/upload/v1beta/files?upload_id=1"})
        if request.url.path.startswith("/upload"):
            self.uploads.append(key)
            file = {"name": f"files/{key}", "uri": f"{UPSTREAM}/v1beta/files/{key}", "sizeBytes": str(len(AUDIO))}
            return httpx.Response(200, json={"file": file})
        (part,) = orjson.loads(request.content)["contents"][0]["parts"]
        assert part["fileData"]["fileUri"] == f"{UPSTREAM}/v1beta/files/{key}"
        self.asked.append(key)
        if key in self.refuses:
            return self.refuses[key]
        if self.breaks_off:
            return sse({**ANSWER, "candidates": [{**ANSWER["candidates"][0], "finishReason": None}]}, daily().json())
        return json_for(request, ANSWER)


def sent(is_stream: bool, file: bytes = AUDIO) -> dict[str, Any]:
    return form(file, stream="true") if is_stream else form(file)


async def ask(google: KeyedGoogle, *keys: str, is_stream: bool, **settings: Any) -> httpx.Response:
    chosen: dict[str, Any] = {"inline_max_bytes": 2000, "retries": 0} | settings
    async with in_process(gateway_app(google, gemini_api_key=keys, **chosen)) as client:
        return await client.post(PATH, **sent(is_stream))


@ANSWERS
@pytest.mark.parametrize(
    "refusal", [quota("30s"), daily(), bad_key()], ids=["quota of a minute", "quota of a day", "bad key"]
)
async def test_when_its_key_is_used_up_the_audio_is_uploaded_with_the_next(
    tmp_path: Path, refusal: httpx.Response, is_stream: bool
) -> None:
    google = KeyedGoogle({"one": refusal, "two": refusal})
    answer = await ask(google, "one", "two", "three", is_stream=is_stream, data_dir=tmp_path)
    assert (answer.status_code, TEXT in answer.text) == (200, True)
    assert google.uploads == google.asked
    assert sorted(google.uploads) == ["one", "three", "two"]
    assert google.uploads[-1] == "three"
    assert sorted(google.deleted) == sorted(google.uploads)
    assert "file=uploaded again" in answer.headers["x-gemgate-adjusted"].split("; ")


@ANSWERS
async def test_when_no_upload_is_taken_with_its_key_the_next_one_uploads(tmp_path: Path, is_stream: bool) -> None:
    google = KeyedGoogle(refuses_uploads={"one": quota("30s"), "two": bad_key()})
    answer = await ask(google, "one", "two", "three", is_stream=is_stream, data_dir=tmp_path)
    assert (answer.status_code, TEXT in answer.text) == (200, True)
    assert google.uploads == google.asked == ["three"]
    assert "uploaded again" not in answer.headers.get("x-gemgate-adjusted", "")


@ANSWERS
async def test_when_all_keys_are_used_up_that_is_the_answer(tmp_path: Path, is_stream: bool) -> None:
    google = KeyedGoogle({"one": quota("30s"), "two": quota("20s")})
    answer = await ask(google, "one", "two", is_stream=is_stream, data_dir=tmp_path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert sorted(google.uploads) == ["one", "two"]


@ANSWERS
async def test_a_callers_own_key_has_no_other(tmp_path: Path, is_stream: bool) -> None:
    google = KeyedGoogle({"caller-key": quota("30s")})
    answer = await ask(google, is_stream=is_stream, data_dir=tmp_path)
    assert answer.status_code == 429
    assert google.uploads == ["caller-key"]


async def test_a_failure_of_the_model_uploads_nothing_again(tmp_path: Path) -> None:
    google = KeyedGoogle(dict.fromkeys(("one", "two"), overloaded()))
    answer = await ask(google, "one", "two", is_stream=False, data_dir=tmp_path)
    assert answer.status_code == 503
    assert len(google.uploads) == 1


async def test_a_stream_that_has_begun_is_not_begun_again(tmp_path: Path) -> None:
    google = KeyedGoogle(breaks_off=True)
    answer = await ask(google, "one", "two", is_stream=True, data_dir=tmp_path)
    assert '"error"' in answer.text
    assert len(google.uploads) == 1


@ANSWERS
async def test_where_nothing_may_be_uploaded_audio_goes_within_the_request_or_is_refused(is_stream: bool) -> None:
    google = FakeGoogle(sse(ANSWER) if is_stream else ANSWER)
    app = gateway_app(google, inline_max_bytes=len(AUDIO) * 4 // 3, large_media="refuse")
    async with in_process(app) as client:
        answer = await client.post(PATH, **sent(is_stream))
        assert (answer.status_code, TEXT in answer.text) == (200, True)
        assert "inlineData" in google.bodies[0]["contents"][0]["parts"][0]
        refused = await client.post(PATH, **sent(is_stream, AUDIO + bytes(6)))
    error = refused.json()["error"]
    assert (refused.status_code, error["param"], error["code"]) == (413, "file", "media_too_large")
    assert "GEMGATE_LARGE_MEDIA=refuse" in error["message"]
    assert len(google.requests) == 1


@ANSWERS
@pytest.mark.parametrize("is_large", [False, True])
async def test_a_request_is_translated_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_stream: bool, is_large: bool
) -> None:
    translated: list[Any] = []

    def counted(*given: Any, **named: Any) -> Any:
        translated.append(named)
        return to_gemini(*given, **named)

    monkeypatch.setattr("gemgate.api.transcriptions.pieces.to_gemini", counted)
    google = KeyedGoogle() if is_large else FakeGoogle(sse(ANSWER) if is_stream else ANSWER)
    size = 2000 if is_large else 10_000_000
    settings: dict[str, Any] = {"inline_max_bytes": size, "data_dir": tmp_path}
    async with in_process(gateway_app(google, **settings)) as client:
        answer = await client.post(PATH, **sent(is_stream))
    assert answer.status_code == 200
    assert len(translated) == 1
