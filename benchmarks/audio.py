"""What sound costs: encoding a minute, the wait for the first bytes, and the memory of many large uploads at once.

    python -m benchmarks.audio                 all
    python -m benchmarks.audio encoding        the table of formats alone
    python -m benchmarks.audio first [100]     so many requests for speech, over sockets: the time to the first byte
    python -m benchmarks.audio uploads [20 [100]]   so many uploads of so many MB alone

What goes over sockets goes through a gateway of its own process to a Google that costs little.
"""

import asyncio
import base64
import math
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn
from benchmarks.processes import GATEWAY_CORE, Process, free_port
from benchmarks.websockets import wait_until_ready
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.translation.speech.encoders import SpeechFormat, encoder_for
from gemgate.translation.speech.samples import RATE, wav_head

_MEGABYTE = 1_000_000
_SECOND = RATE * 2
_PIECE = 19_200  # 0.4 seconds, as Gemini's streams have them
_FORMATS: tuple[SpeechFormat, ...] = ("mp3", "opus", "aac", "flac", "wav")
_SPEAKER = "gemini-3.8-flash-lite-tts"
_PAUSE = 0.05
"""Seconds between two pieces of Google's."""
_ANSWER = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}


def tone(seconds: int) -> bytes:
    """Samples that are no silence: two tones, one of them changing."""
    count = seconds * RATE
    return b"".join(
        round(6000 * math.sin(n / 11) + 4000 * math.sin(n * n / 9e6)).to_bytes(2, "little", signed=True)
        for n in range(count)
    )


def encoding() -> None:
    """Print what each format costs; the least of three runs."""
    minute = tone(60)
    print("| format | CPU for a minute of speech | audio before the first bytes | CPU until then |")
    print("|---|---:|---:|---:|")
    for wanted in _FORMATS:
        whole = min(_whole(wanted, minute) for _ in range(3))
        pieces, first = min((_first(wanted, minute) for _ in range(3)), key=lambda found: found[1])
        print(f"| `{wanted}` | {whole * 1000:,.0f} ms | {pieces * 0.4:.1f} s | {first * 1000:.1f} ms |", flush=True)


def _whole(wanted: SpeechFormat, samples: bytes) -> float:
    begun = time.process_time()
    encoder = encoder_for(wanted, RATE, 1)
    for start in range(0, len(samples), _SECOND):
        encoder.feed(samples[start : start + _SECOND])
    encoder.finish()
    return time.process_time() - begun


def _first(wanted: SpeechFormat, samples: bytes) -> tuple[int, float]:
    """Pieces of Gemini's that are needed for the first bytes, and the CPU time of encoding them."""
    begun = time.process_time()
    encoder = encoder_for(wanted, RATE, 1)
    for number, start in enumerate(range(0, len(samples), _PIECE), 1):
        if encoder.feed(samples[start : start + _PIECE]):
            return number, time.process_time() - begun
    raise RuntimeError(f"{wanted} gave nothing in a minute")


class ForgetfulGoogle:
    """Takes files and forgets them, and answers each request for a transcript."""

    def __init__(self, port: int) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self.bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application."""
        request = Request(scope, receive)
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        self.bytes += size
        await self._answer(request, size)(scope, receive, send)

    def _answer(self, request: Request, size: int) -> Response:
        command = request.headers.get("x-goog-upload-command", "")
        if command == "start":
            url = f"{self._origin}/upload/v1beta/files?upload_id=1"
            return Response(headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"})
        if "upload" in command:
            if "finalize" not in command:
                return Response(headers={"x-goog-upload-status": "active"})
            stored = int(request.headers.get("x-goog-upload-offset", "0")) + size
            file = {"name": "files/a", "uri": f"{self._origin}/v1beta/files/a", "state": "ACTIVE"}
            file["sizeBytes"] = str(stored)
            return JSONResponse({"file": file}, headers={"x-goog-upload-status": "final"})
        if request.url.path.endswith("/models"):
            return JSONResponse({"models": [{"name": "models/gemini-3.5-transcribe"}]})
        return JSONResponse({} if request.method == "DELETE" else _ANSWER)


async def _form(size: int) -> AsyncIterator[bytes]:
    """A form with `size` bytes of audio, made as it is sent."""
    yield (
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n'
        + wav_head(size)
    )
    for _ in range(size // _MEGABYTE):
        yield bytes(_MEGABYTE)
    yield b"\r\n--b--\r\n"


async def uploads(gateway: Process, origin: str, google: ForgetfulGoogle, number: int, megabytes: int) -> None:
    """Print the memory of so many uploads at once, after one of one megabyte."""
    headers = {"authorization": "Bearer any-key-will-do", "content-type": "multipart/form-data; boundary=b"}

    async with httpx.AsyncClient(base_url=origin, timeout=600, headers=headers, trust_env=False) as client:

        async def one(size: int) -> Any:
            answer = await client.post("/v1/audio/transcriptions", content=_form(size * _MEGABYTE))
            if answer.status_code != 200:
                raise RuntimeError(answer.text[:500])
            return orjson.loads(answer.content)

        await client.get("/v1/models")
        await one(1)
        before, taken = gateway.memory(), google.bytes
        gateway.forget_peak()
        begun = time.monotonic()
        await asyncio.gather(*(one(megabytes) for _ in range(number)))
        seconds, peak = time.monotonic() - begun, gateway.peak()
        print(
            f"{number} uploads of {megabytes} MB at once: {peak - before:.0f} MiB more at the peak ({peak:.0f} MiB in "
            f"all), {(google.bytes - taken) / _MEGABYTE:,.0f} MB to Google, {seconds:.0f} s"
        )


@asynccontextmanager
async def gateway_before(google: ASGIApp, upstream: int) -> AsyncIterator[tuple[Process, str]]:
    """A gateway's process and its origin, before a Google that listens at the port `upstream`."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(google, port=upstream, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "GEMGATE_PORT": str(port), "GEMGATE_DATA_DIR": folder, "GEMGATE_UPSTREAM": f"http://127.0.0.1:{upstream}",
            "GEMGATE_LARGE_MEDIA": "upload", "GEMGATE_STORAGE_BYTES_PER_CALLER": str(100_000 * _MEGABYTE),
            "GEMGATE_LOG_LEVEL": "error", "GEMINI_API_KEY": "", "GEMGATE_PRICES": "off",
        }  # fmt: skip
        command = [str(Path(sys.executable).with_name("gemgate")), "serve"]
        gateway = Process(command, Path(folder) / "log", {GATEWAY_CORE}, settings)
        try:
            await asyncio.to_thread(wait_until_ready, gateway, port)
            yield gateway, f"http://127.0.0.1:{port}"
        finally:
            gateway.stop()
            server.should_exit = True
            await serving


async def uploads_through_a_gateway(number: int, megabytes: int) -> None:
    """Measure the uploads."""
    upstream = free_port()
    google = ForgetfulGoogle(upstream)
    async with gateway_before(google, upstream) as (gateway, origin):
        await uploads(gateway, origin, google, number, megabytes)


async def speaking_google(scope: Scope, receive: Receive, send: Send) -> None:
    """A Google that answers each request with two pieces of speech, the second of them later."""
    request = Request(scope, receive)
    await request.body()

    async def events() -> AsyncIterator[bytes]:
        for last in (False, True):
            yield _spoken(last=last)
            await asyncio.sleep(0 if last else _PAUSE)

    is_stream = request.url.path.endswith(":streamGenerateContent")
    answer = StreamingResponse(events(), media_type="text/event-stream") if is_stream else JSONResponse({"models": []})
    await answer(scope, receive, send)


@cache
def _spoken(*, last: bool) -> bytes:
    """An event with a piece of speech."""
    sound = {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": base64.b64encode(tone(1)[:_PIECE]).decode()}
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"inlineData": sound}]}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    return b"data: " + orjson.dumps({"candidates": [candidate], "modelVersion": _SPEAKER}) + b"\r\n\r\n"


async def first_bytes(number: int) -> None:
    """Print the time from a request to the first byte of sound: of Google's own stream, and what the gateway adds."""
    upstream = free_port()
    native = f"http://127.0.0.1:{upstream}/v1beta/models/{_SPEAKER}:streamGenerateContent?alt=sse"
    async with (
        gateway_before(speaking_google, upstream) as (_, origin),
        httpx.AsyncClient(timeout=60, headers={"authorization": "Bearer any-key"}, trust_env=False) as client,
    ):
        asked: dict[str, tuple[str, dict[str, Any]]] = {"Google's own": (native, {"contents": []})}
        for wanted in (*_FORMATS, "pcm"):
            body = {"model": _SPEAKER, "voice": "coral", "input": "Good morning.", "response_format": wanted}
            asked[f"`{wanted}`"] = (f"{origin}/v1/audio/speech", body)
        asked["events of `mp3`"] = (f"{origin}/v1/audio/speech", asked["`mp3`"][1] | {"stream_format": "sse"})
        times: dict[str, list[float]] = {name: [] for name in asked}
        for turn in range(number + 1):
            for name, (url, body) in asked.items():
                seconds = await _first_byte(client, url, body)
                times[name] += [seconds] if turn else []  # the first turn loads encoders and opens connections
    floor, *others = times.items()
    own, own_least = statistics.median(floor[1]), min(floor[1])
    print(
        f"| first byte of sound | median, after Google's {own * 1e3:.1f} ms | least, after {own_least * 1e3:.1f} ms |"
    )
    print("|---|---:|---:|")
    for name, found in others:
        added, least = statistics.median(found) - own, min(found) - own_least
        print(f"| {name} | {added * 1e3:.1f} ms more | {least * 1e3:.1f} ms more |")


async def _first_byte(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> float:
    """Seconds until the first bytes of an answer's body; the answer is read to its end after that."""
    begun = time.perf_counter()
    async with client.stream("POST", url, json=body) as answer:
        pieces = answer.aiter_raw()
        await anext(pieces)
        seconds = time.perf_counter() - begun
        rest = [piece async for piece in pieces]
    if answer.status_code != 200 or not rest:
        raise RuntimeError(f"{url} answered {answer.status_code}, and {len(rest)} pieces after the first")
    return seconds


def main() -> None:
    """Print what was asked for."""
    wanted, *numbers = sys.argv[1:] or ["all"]
    if wanted in ("all", "encoding"):
        encoding()
    if wanted in ("all", "first"):
        asyncio.run(first_bytes(*map(int, numbers[:1] or ["100"])))
    if wanted in ("all", "uploads"):
        number, megabytes, *_ = [*map(int, numbers), *(20, 100)[len(numbers) :]]
        asyncio.run(uploads_through_a_gateway(number, megabytes))


if __name__ == "__main__":
    main()
