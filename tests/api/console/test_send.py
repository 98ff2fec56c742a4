"""The inspector's requests, through the whole gateway: what is shown of each, and to which limits it is held."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from tests.support.stack import Stack, stack

GEMINI_KEY = "AIzaSyGatewaysOwnGeminiKey0123456789abc"
CLIENT_KEY = "sk-client-key-0123456789abcdef"
SPEECH = b64decode(
    "UklGRoQAAABXQVZFZm10IBAAAAABAAEAEAAAACAAAAACABAAZGF0YWAAAAAAAAoEBwjpC6IPJhNpFmAZARxDHh4gjCGJIhAjICO5ItwhjSDPHqgc"
    "IBpAFxAUnRDxDBkJIwUbAQ/9Dfkj9V3xyu106mfnruRR4lngzd6x3Qnd2Nwf3dzdDN+t4LjiJuU="
)
PICTURE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAwAAAAICAIAAABChommAAAAFElEQVR4nGNkaGhgIASYCKoY9ooAL/cBEDR+AwkAAAAASUVORK5CYII="
)
FORMS: dict[str, tuple[dict[str, str], tuple[str, str, bytes, str]]] = {
    "audio/transcriptions": ({"model": "whisper-1"}, ("file", "speech.wav", SPEECH, "audio/wav")),
    "audio/translations": ({"model": "whisper-1"}, ("file", "speech.wav", SPEECH, "audio/wav")),
    "images/edits": ({"model": "gemini-3.1-flash-image", "prompt": "Bluer"}, ("image", "a.png", PICTURE, "image/png")),
    "images/variations": ({"model": "dall-e-2"}, ("image[]", "a.png", PICTURE, "image/png")),
}
"""By the endpoint: the fields of a form, and its file."""

CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}], "user": "someone"}
ENDPOINTS: dict[str, dict[str, Any]] = {
    "chat/completions": CHAT,
    "responses": {"model": "gemini-2.5-flash", "input": "Hello"},
    "completions": {"model": "gemini-2.5-flash", "prompt": "Hello"},
    "embeddings": {"model": "gemini-embedding-001", "input": "Hello"},
    "moderations": {"input": "Hello"},
}


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with stack(gemini_api_key=GEMINI_KEY, client_keys=CLIENT_KEY) as servers:
        yield servers


@pytest.fixture(scope="module")
def page(running: Stack) -> Iterator[httpx.Client]:
    """The inspector's page."""
    with httpx.Client(base_url=running.gateway) as client:
        client.headers["x-csrf-token"] = client.get("/console/api/session").json()["csrf"]
        yield client


def sent(page: httpx.Client, path: str, body: dict[str, Any], key: str = CLIENT_KEY) -> list[dict[str, Any]]:
    """What is shown of a request."""
    return events_in(page.post("/console/api/send", json={"path": path, "key": key, "body": body}))


def events_in(answer: httpx.Response) -> list[dict[str, Any]]:
    """What is shown; neither key is in it."""
    assert answer.status_code == 200, answer.text
    assert GEMINI_KEY not in answer.text
    assert CLIENT_KEY not in answer.text
    return [
        orjson.loads(part.removeprefix("data: ")) for part in answer.text.split("\n\n") if part.startswith("data: ")
    ]


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The kinds of events, those in a row once."""
    found = [event["type"] for event in events]
    return [kind for index, kind in enumerate(found) if not index or found[index - 1] != kind]


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["data"] for event in events if event["type"] == "openai")


def test_a_whole_answer_is_shown_from_the_native_request_to_the_end(page: httpx.Client) -> None:
    events = sent(page, "/v1/chat/completions", CHAT)
    assert kinds(events) == ["accepted", "native_request", "native_head", "native", "head", "openai", "end"]
    times = [event["ms"] for event in events]
    assert times == sorted(times)
    _, asked, native_head, native, head, *_ = events
    assert (asked["method"], asked["path"]) == ("POST", "/v1beta/models/gemini-2.5-flash:generateContent")
    assert asked["body"]["contents"] == [{"role": "user", "parts": [{"text": "Hello"}]}]
    assert (native_head["status"], head["status"]) == (200, 200)
    (part,) = native["data"]["candidates"][0]["content"]["parts"]
    assert head["headers"]["x-gemgate-dropped-params"] == "user"
    assert orjson.loads(text_of(events))["choices"][0]["message"]["content"] == part["text"]


def test_a_stream_shows_events_of_both_sides_as_they_come(page: httpx.Client) -> None:
    events = sent(page, "/v1/chat/completions", CHAT | {"stream": True})
    native = [event["data"] for event in events if event["type"] == "native"]
    assert len(native) > 1
    assert all("candidates" in event for event in native)
    chunks = [part for part in text_of(events).split("\n\n") if part]
    assert chunks[-1] == "data: [DONE]"
    spoken = "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks[:-1]
        for choice in orjson.loads(chunk.removeprefix("data: "))["choices"]
    )
    parts = [part for event in native for part in event["candidates"][0]["content"].get("parts", [])]
    assert spoken == "".join(part["text"] for part in parts if not part.get("thought"))
    assert kinds(events)[0] == "accepted"
    assert kinds(events)[-1] == "end"


@pytest.mark.parametrize("path", ENDPOINTS)
def test_each_endpoint_shows_its_calls_to_google(page: httpx.Client, path: str) -> None:
    events = sent(page, f"/v1/{path}", ENDPOINTS[path])
    assert {"native_request", "native_head", "native", "openai", "end"} <= set(kinds(events))
    assert next(event["status"] for event in events if event["type"] == "head") == 200


@pytest.mark.parametrize("path", FORMS)
def test_a_form_with_a_file_is_sent_as_it_is(page: httpx.Client, path: str) -> None:
    fields, (name, filename, content, kind) = FORMS[path]
    headers = {"x-inspected-path": f"/v1/{path}", "x-inspected-key": CLIENT_KEY}
    given = {name: (filename, content, kind)}
    events = events_in(page.post("/console/api/send", data=fields, files=given, headers=headers))
    assert next(event["status"] for event in events if event["type"] == "head") == 200, text_of(events)
    native = next(event["body"] for event in events if event["type"] == "native_request")
    parts = [part for turn in native["contents"] for part in turn["parts"]]
    assert b64encode(content).decode() in [part["inlineData"]["data"] for part in parts if "inlineData" in part]
    answer = orjson.loads(text_of(events))
    assert answer["data"][0]["b64_json"] if "images" in path else "text" in answer


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-inspected-path": "/console/api/send"},
        {"x-inspected-path": "https://evil.example/v1/files"},
        {"x-inspected-path": "/v1/audio/transcriptions", "x-inspected-key": "a b"},
    ],
    ids=str,
)
def test_a_form_goes_to_an_endpoint_or_nowhere(page: httpx.Client, headers: dict[str, str]) -> None:
    given = {"file": ("speech.wav", SPEECH, "audio/wav")}
    assert page.post("/console/api/send", files=given, headers=headers).status_code == 400
    answer = page.post("/console/api/send", files=given, headers=headers | {"x-csrf-token": "wrong"})
    assert answer.status_code == 403


def test_sound_is_shown_by_its_size(page: httpx.Client) -> None:
    asked = {"model": "gemini-2.5-flash-preview-tts", "input": "Hello", "voice": "alloy", "response_format": "wav"}
    events = sent(page, "/v1/audio/speech", asked)
    assert [event["size"] for event in events if event["type"] == "bytes"][-1] > 1000
    assert "openai" not in kinds(events)


@pytest.mark.parametrize("key", ["", "sk-of-nobody-0123456789"])
def test_the_key_that_was_typed_decides(running: Stack, page: httpx.Client, key: str) -> None:
    before = len(running.seen.requests)
    events = sent(page, "/v1/chat/completions", CHAT, key)
    assert kinds(events) == ["accepted", "head", "openai", "end"]
    assert events[1]["status"] == 401
    assert len(running.seen.requests) == before


def test_a_refusal_shows_what_was_refused(page: httpx.Client) -> None:
    events = sent(page, "/v1/chat/completions", CHAT | {"temperature": 9})
    assert kinds(events) == ["accepted", "head", "openai", "end"]
    assert orjson.loads(text_of(events))["error"]["param"] == "temperature"


@pytest.mark.parametrize(
    "asked",
    [
        {"path": "/console/api/send", "body": {}},
        {"path": "/metrics", "body": {}},
        {"path": "/v1/x?key=1", "body": {}},
        {"path": "https://evil.example/v1/chat/completions", "body": {}},
        {"path": "/v1/chat/completions", "body": []},
        {"path": "/v1/chat/completions", "key": "a\r\nb: c", "body": {}},
        {"path": "/v1/chat/completions", "headers": {}, "body": {}},
    ],
    ids=str,
)
def test_nothing_but_a_request_to_an_endpoint_is_sent(page: httpx.Client, asked: dict[str, Any]) -> None:
    answer = page.post("/console/api/send", json=asked)
    assert answer.status_code == 400


def test_other_requests_are_not_shown(page: httpx.Client) -> None:
    """The tap is on the way of the console's own requests alone: the gateway's services stay as they are."""
    sent(page, "/v1/chat/completions", CHAT)
    answer = page.post("/v1/chat/completions", json=CHAT, headers={"authorization": f"Bearer {CLIENT_KEY}"})
    assert answer.status_code == 200
    assert answer.json()["object"] == "chat.completion"
