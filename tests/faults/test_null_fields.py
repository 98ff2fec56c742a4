"""A field of Google's answer that is null is one that is not there, on every endpoint."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle

from gemgate.gemini.client.event_stream import check_events, check_response
from gemgate.gemini.errors import TransportError

SPEECH = "gemini-2.5-flash-preview-tts"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NULLS: dict[str, Any] = {"text": None, "thought": None, "functionCall": None, "inlineData": None}
EMPTY = {"inlineData": {"mimeType": None, "data": None}}


def answer(*parts: dict[str, Any]) -> dict[str, Any]:
    """An answer of Google's with these parts, and with null wherever something may be left out."""
    grounding = {
        "groundingChunks": [{"web": None}],
        "groundingSupports": [{"segment": {"startIndex": None, "text": None}, "groundingChunkIndices": None}],
        "webSearchQueries": None,
    }
    candidate = {
        "index": None,
        "content": {"role": None, "parts": [NULLS, EMPTY, *parts]},
        "finishReason": "STOP",
        "finishMessage": None,
        "groundingMetadata": grounding,
        "logprobsResult": {"chosenCandidates": [{"token": None, "logProbability": None}], "topCandidates": None},
        "safetyRatings": None,
    }
    details = [{"modality": None, "tokenCount": None}]
    usage = {"promptTokenCount": None, "candidatesTokenCount": 3, "promptTokensDetails": details}
    return {"candidates": [candidate], "promptFeedback": None, "usageMetadata": usage, "modelVersion": None}


SOUND = {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": base64.b64encode(b"\0\1" * 100).decode()}}
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("path", "body", "part", "shown"),
    [
        ("chat/completions", CHAT, {"text": "Hello"}, "Hello"),
        ("chat/completions", {**CHAT, "stream": True}, {"text": "Hello"}, "Hello"),
        ("responses", {"input": "Hi", "store": False}, {"text": "Hello"}, "Hello"),
        ("responses", {"input": "Hi", "store": False, "stream": True}, {"text": "Hello"}, "Hello"),
        (
            "audio/speech",
            {"model": SPEECH, "input": "Hi", "voice": "Kore", "response_format": "pcm", "stream_format": "sse"},
            SOUND,
            "speech.audio.done",
        ),
        (
            "images/generations",
            {"model": "gemini-2.5-flash-image", "prompt": "a cat"},
            {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
            "b64_json",
        ),
    ],
)
async def test_nulls_in_an_answer_are_as_if_they_were_not_there(
    tmp_path: Path, path: str, body: Mapping[str, Any], part: dict[str, Any], shown: str
) -> None:
    google = FakeGoogle(answer(part))
    app = gateway_app(google, gemini_api_key="k" * 20, retries=0, data_dir=tmp_path)
    async with in_process(app, {}, "http://127.0.0.1") as client:
        found = await client.post(f"/v1/{path}", json={"model": "gemini-2.5-flash", **body})
    assert found.status_code == 200, found.text
    assert shown in found.text
    assert '"error":{' not in found.text


def test_nulls_are_taken_out_where_they_mean_nothing_and_stay_in_arguments() -> None:
    given = answer({"functionCall": {"name": "f", "args": {"a": None, "b": [None]}, "id": None}})
    check_response(given)
    ((*_, call),) = [each["content"]["parts"] for each in given["candidates"]]
    assert call == {"functionCall": {"name": "f", "args": {"a": None, "b": [None]}}}
    assert given["candidates"][0].keys() & {"index", "finishMessage", "safetyRatings"} == set()


def test_a_null_in_a_list_is_refused() -> None:
    assert check_events([{"candidates": [{"index": None}]}, {"candidates": []}]) == (2, None)
    with pytest.raises(TransportError, match=r"candidates\[0\]"):
        check_response({"candidates": [None]})
