"""Audio to transcribe, and answers as each kind of model gives them."""

from typing import Any

import httpx
from tests.api.speech.support import tone, wav
from tests.support.gateway import gateway_app, in_process
from tests.support.google import Answer, FakeGoogle

Json = dict[str, Any]

ASR = "gemini-3.5-transcribe"
GENERAL = "gemini-3.8-flash"
SECONDS = 4.0
AUDIO = wav(tone(SECONDS))

USAGE: Json = {
    "promptTokenCount": 130,
    "candidatesTokenCount": 9,
    "totalTokenCount": 139,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 128}, {"modality": "TEXT", "tokenCount": 2}],
}
WORDS = [
    {"word": "Good", "startOffset": "0s", "endOffset": "0.400s"},
    {"word": "morning.", "startOffset": "0.4s", "endOffset": "1.1s"},
    {"word": "Welcome", "startOffset": "1.250s", "endOffset": "1.8s"},
    {"word": "aboard.", "startOffset": "1.8s", "endOffset": "2.5s"},
]
TEXT = "Good morning. Welcome aboard."


def heard(*parts: Json, finish: str | None = "STOP", **more: Any) -> Json:
    """A whole answer of these parts."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, **({"finishReason": finish} if finish else {})}
    return {"candidates": [candidate | more], "usageMetadata": USAGE, "modelVersion": ASR, "responseId": "r"}


def turn(words: list[Json] | None = None, **fields: Any) -> Json:
    """A part as the schema has it for transcripts."""
    return {"audioTranscription": {**({"words": words} if words is not None else {}), **fields}}


def form(file: bytes = AUDIO, name: str = "speech.wav", kind: str = "audio/wav", **fields: Any) -> Json:
    """The arguments of a request: lists are sent as `name[]`."""
    data = {(f"{key}[]" if isinstance(value, list) else key): value for key, value in fields.items()}
    return {"files": {"file": (name, file, kind)}, "data": data}


async def ask(
    google: FakeGoogle | Answer,
    path: str = "/v1/audio/transcriptions",
    *,
    settings: Json | None = None,
    headers: Json | None = None,
    **fields: Any,
) -> httpx.Response:
    """What a form with these fields is answered."""
    google = google if isinstance(google, FakeGoogle) else FakeGoogle(google)
    async with in_process(gateway_app(google, **(settings or {}))) as client:
        return await client.post(path, **form(**fields), headers=headers)
