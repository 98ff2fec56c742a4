"""Speech to answer with, and what `POST /audio/speech` makes of it."""

import base64
import io
import math
import struct
from typing import Any

import av
import httpx
from tests.support.gateway import gateway_app, in_process
from tests.support.google import Answer, FakeGoogle, sse

from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.options import Options
from gemgate.translation.speech.samples import wav_head
from gemgate.translation.thought_signatures import SignatureStore

Json = dict[str, Any]

TTS = "gemini-3.8-flash-tts"
LITE = "gemini-3.8-flash-lite-tts"
OLD = "gemini-2.5-flash-preview-tts"
PCM = "audio/L16;codec=pcm;rate=24000"

NO_METADATA = (
    "Invalid JSON payload received. Unknown name \"speechMetadata\" at 'contents[0].parts[0]': Cannot find field."
)
NO_FORMAT = "Invalid JSON payload received. Unknown name \"responseFormat\" at 'generation_config': Cannot find field."
SPEECH_SENTENCES = (NO_METADATA, NO_FORMAT)
"""Refusals that teach something about models that speak."""

USAGE: Json = {
    "promptTokenCount": 8,
    "candidatesTokenCount": 50,
    "totalTokenCount": 58,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}],
    "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}],
}


def options(**changes: Any) -> Options:
    return Options(Catalog(changes.pop("facts", None)), SignatureStore(10, 10), **changes)


def tone(seconds: float, rate: int = 24_000) -> bytes:
    """Samples of 440 Hz."""
    count = round(seconds * rate)
    return struct.pack(f"<{count}h", *(round(9000 * math.sin(2764.6 * n / rate)) for n in range(count)))


def wav(samples: bytes) -> bytes:
    return wav_head(len(samples)) + samples


def spoken(*pieces: bytes, mime: str = PCM, finish: str | None = "STOP", **more: Any) -> httpx.Response:
    """A stream with an event for each piece of speech, and the end."""
    events: list[Json] = [
        {"candidates": [{"content": {"role": "model", "parts": [blob(piece, mime)]}, "index": 0}]} for piece in pieces
    ]
    ends = [{"finishReason": finish, "index": 0, **more}] if finish else []
    return sse(*events, {"candidates": ends, "usageMetadata": USAGE, "modelVersion": TTS, "responseId": "r"})


def blob(data: bytes, mime: str = PCM) -> Json:
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}}


def heard(file: bytes, kind: str | None = None) -> tuple[float, int, int]:
    """Seconds, samples a second and channels of a file that PyAV decodes; it fails for anything else."""
    with av.open(io.BytesIO(file), "r", format=kind) as opened:
        frames = list(opened.decode(audio=0))
        stream = opened.streams.audio[0]
        return sum(frame.samples for frame in frames) / stream.rate, stream.rate, len(frames[0].layout.channels)


async def speak(google: FakeGoogle | Answer, body: Json | None = None, **settings: Any) -> httpx.Response:
    """What `POST /v1/audio/speech` answers."""
    google = google if isinstance(google, FakeGoogle) else FakeGoogle(google)
    async with in_process(gateway_app(google, **settings)) as client:
        asked = {"model": TTS, "input": "Good morning.", "voice": "alloy", **(body or {})}
        return await client.post("/v1/audio/speech", json=asked)
