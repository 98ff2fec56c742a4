"""What the soak asks, and which outcomes of each question are right: what works must work, what fails must say how.

An outcome is a word or two: the status, and the code of the error or what was wrong with the answer. Healthy requests
go to models of their own, so that no fault of another request's explains an error of theirs.
"""

import asyncio
import base64
import random
import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

KEY = "sk-soak-0123456789abcdef0123456789abcdef"
FLASH = "gemini-2.5-flash"
FLAKY = "gemini-3-flash-preview"
"""The model whose calls fail in one way or another, though not nine of ten, so that it is never left alone."""
FAILS = "gemini-2.5-flash-lite"
"""The model that fails with every key, so that it is left alone at times."""
EXHAUSTED = "gemini-2.5-pro"
"""The model whose quota is used up."""

OK = frozenset({"200"})
TEXTS = 200
"""Different texts, no more: what is kept for each is bounded."""

Ask = Callable[["Caller"], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request.

    Attributes:
        name: As the report has it.
        ask: Sends one, and gives its outcome.
        weight: How often, by the other kinds.
        right: The outcomes that are no error, or that the fault explains.
        is_fault: Whether something goes wrong in it on purpose.
    """

    name: str
    ask: Ask
    weight: int
    right: frozenset[str] = OK
    is_fault: bool = False


class Caller:
    """The clients with one `key`: one that keeps its connections, and one that opens one for each request."""

    def __init__(self, origin: str, chance: random.Random, key: str = KEY) -> None:
        self.origin = origin
        self.chance = chance
        options: dict[str, Any] = {
            "base_url": origin,
            "headers": {"authorization": f"Bearer {key}"},
            "timeout": aiohttp.ClientTimeout(total=60),
        }
        self._kept = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), **options)
        self.fresh = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True), **options)

    @property
    def session(self) -> aiohttp.ClientSession:
        """One of the two; a quarter of the requests have a connection of their own."""
        return self.fresh if self.chance.random() < 0.25 else self._kept

    def text(self) -> str:
        """What is said."""
        return f"Tell me about number {self.chance.randrange(TEXTS)}."

    async def close(self) -> None:
        """Every connection."""
        await self._kept.close()
        await self.fresh.close()


async def outcome(answer: aiohttp.ClientResponse, is_right: Callable[[Any], object] = bool) -> str:
    """Of an answer in JSON."""
    body = orjson.loads(await answer.read())
    if answer.status != 200:
        error = body["error"]
        return f"{answer.status} {error.get('code') or error.get('type') or ''}".strip()
    return "200" if is_right(body) else "200 wrong"


async def stream_outcome(answer: aiohttp.ClientResponse) -> str:
    """Of a stream of chat: `200` when it is whole, else the code of its error, or that it has neither end."""
    if answer.status != 200:
        return await outcome(answer)
    has_text = has_finished = is_done = False
    async for line in answer.content:
        if not line.startswith(b"data: "):
            continue
        data = line[6:].strip()
        if data == b"[DONE]":
            is_done = True
            continue
        event = orjson.loads(data)
        if "error" in event:
            return f"200, then {event['error']['code'] or event['error']['type']}"
        for choice in event["choices"]:
            delta = choice["delta"]
            has_text = has_text or bool(delta.get("content") or delta.get("tool_calls"))
            has_finished = has_finished or choice["finish_reason"] is not None
    if not is_done:
        return "200 without an end"
    if not has_finished:
        return "200 wrong"
    return "200" if has_text else "200 empty"


def chat(model: str = FLASH, *, stream: bool = False, scenario: str = "", **more: Any) -> Ask:
    """A request of chat; `scenario` is the emulator's."""

    async def ask(caller: Caller) -> str:
        text = caller.text() + (f" [[emulator: {scenario}]]" if scenario else "")
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}], **more}
        async with caller.session.post("/v1/chat/completions", json=body) as answer:
            if stream:
                return await stream_outcome(answer)
            return await outcome(answer, lambda body: body["choices"][0]["message"] and body["usage"])

    return ask


_WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
    "required": ["city"],
}
TOOLS = [{"type": "function", "function": {"name": f"weather_{n}", "parameters": _WEATHER}} for n in range(5)]


def _picture(side: int) -> str:
    """A PNG of noise as a `data:` URL: three bytes for each of `side` x `side` pixels."""
    noise = random.Random(side)

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + noise.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


_PICTURE = _picture(180)


async def _image(caller: Caller) -> str:
    content = [
        {"type": "text", "text": caller.text()},
        {"type": "image_url", "image_url": {"url": _PICTURE}},
    ]
    body = {"model": FLASH, "messages": [{"role": "user", "content": content}]}
    async with caller.session.post("/v1/chat/completions", json=body) as answer:
        return await outcome(answer, lambda body: body["choices"][0]["message"]["content"])


def embeddings(encoding: str, *, scenario: str = "") -> Ask:
    """Eight texts."""

    async def ask(caller: Caller) -> str:
        texts = [caller.text() + (f" [[emulator: {scenario}]]" if scenario else "") for _ in range(8)]
        body = {"model": "gemini-embedding-001", "input": texts, "encoding_format": encoding}
        async with caller.session.post("/v1/embeddings", json=body) as answer:
            return await outcome(answer, lambda body: len(body["data"]) == 8 and body["data"][7]["embedding"])

    return ask


def native(method: str, is_right: Callable[[Any], object]) -> Ask:
    """A request of Google's own, which passes through."""

    async def ask(caller: Caller) -> str:
        body = {"contents": [{"role": "user", "parts": [{"text": caller.text()}]}]}
        async with caller.session.post(f"/v1beta/models/{FLASH}:{method}", json=body) as answer:
            if "alt=sse" not in method:
                return await outcome(answer, is_right)
            return "200" if answer.status == 200 and is_right(await answer.read()) else f"{answer.status} wrong"

    return ask


async def _file(caller: Caller) -> str:
    """Uploaded, looked at, read and deleted."""
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    line["body"] = {"model": FLASH, "messages": [{"role": "user", "content": caller.text()}]}  # type: ignore[assignment]
    held = (orjson.dumps(line) + b"\n") * caller.chance.choice([1, 200])
    form = aiohttp.FormData({"purpose": caller.chance.choice(["batch", "user_data"])})
    form.add_field("file", held, filename="held.jsonl", content_type="application/jsonl")
    session = caller.session
    async with session.post("/v1/files", data=form) as answer:
        body = await answer.json()
        if answer.status != 200:
            return f"{answer.status} {body['error']['code']}"
    path = f"/v1/files/{body['id']}"
    async with session.get(path) as answer:
        if (seen := await outcome(answer, lambda body: body["bytes"] == len(held))) != "200":
            return seen
    async with session.get(f"{path}/content") as answer:
        if answer.status != 200 or await answer.read() != held:
            return f"{answer.status} not what was uploaded"
    async with session.delete(path) as answer:
        return await outcome(answer, lambda body: body["deleted"])


def get(path: str) -> Ask:
    """A page; any body will do."""

    async def ask(caller: Caller) -> str:
        async with caller.session.get(path) as answer:
            return f"{answer.status}" if await answer.read() else f"{answer.status} empty"

    return ask


def refused(path: str, body: Any, **headers: str) -> Ask:
    """A request that is the caller's mistake."""

    async def ask(caller: Caller) -> str:
        async with caller.session.post(path, json=body, headers=headers) as answer:
            return await outcome(answer)

    return ask


def leaves(scenario: str, *, stream: bool) -> Ask:
    """A caller who goes: after the first bytes of a stream, or before any of a whole answer."""

    async def ask(caller: Caller) -> str:
        text = f"{caller.text()} [[emulator: {scenario}]]"
        body = {"model": FLASH, "stream": stream, "messages": [{"role": "user", "content": text}]}
        try:
            async with asyncio.timeout(0.3 if not stream else 30):
                async with caller.fresh.post("/v1/chat/completions", json=body) as answer:
                    await answer.content.readany()
                    answer.close()
                    return f"{answer.status} left"
        except TimeoutError:
            return "left"

    return ask


def raw(data: bytes) -> Ask:
    """Bytes on a socket, which is held until the gateway has had its say."""

    async def ask(caller: Caller) -> str:
        parts = urlsplit(caller.origin)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(data)
            async with asyncio.timeout(30):
                said = await reader.read()
        except ConnectionResetError:
            return "reset"
        finally:
            writer.close()
        return said.split()[1].decode() if said else "closed"

    return ask


_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n" % KEY.encode()
_BODY = {"model": FLASH, "messages": [{"role": "user", "content": "Hi"}]}


def _faults(name: str, model: str, scenario: str, right: set[str], broken: set[str] | None = None) -> list[Kind]:
    """A scenario of the emulator's, asked for buffered (with the outcomes `right`) and streamed (`broken`)."""
    return [
        Kind(name, chat(model, scenario=scenario), 2, frozenset(right), is_fault=True),
        Kind(f"{name}, streamed", chat(model, scenario=scenario, stream=True), 2, frozenset(broken or right), True),
    ]


_LOST = {"502 connection_lost"}
_CUT = {"502 stream_truncated"}
_CUT_LATER = {"200, then stream_truncated"}
_REFUSED = frozenset({"400 invalid_request_error"})
_OVERLOADED = {"503 server_overloaded"}  # as Google says, and what is said while the model is left alone

KINDS: list[Kind] = [
    Kind("chat", chat(), 20),
    Kind("chat, streamed", chat(stream=True, stream_options={"include_usage": True}), 20),
    Kind("chat, streamed slowly", chat(stream=True, scenario="slow-stream 0.3"), 6),
    Kind("chat with tools", chat(tools=TOOLS), 6),
    Kind("chat with tools, streamed", chat(tools=TOOLS, stream=True), 6),
    Kind("chat with an image of 100 KB", _image, 2),
    Kind("embeddings, base64", embeddings("base64"), 6),
    Kind("embeddings, float", embeddings("float"), 2),
    Kind("native", native("generateContent", lambda body: body["candidates"]), 5),
    Kind("native, streamed", native("streamGenerateContent?alt=sse", lambda body: body.endswith(b"\r\n\r\n")), 5),
    Kind("native countTokens", native("countTokens", lambda body: body["totalTokens"]), 2),
    Kind("a file uploaded, read, deleted", _file, 6),
    Kind("list of models", get("/v1/models"), 2),
    Kind("metrics", get("/metrics"), 1),
    Kind("readiness", get("/readyz"), 1),
    *_faults("503 of Google's", FAILS, "503", _OVERLOADED),
    *_faults("500 of Google's", FLAKY, "500", {"500 server_error"}),
    *_faults("504 of Google's", FLAKY, "504", {"504 timeout"}),
    *_faults("a page of HTML", FLAKY, "html-502", {"502 server_error"}),
    *_faults("429 of Google's", EXHAUSTED, "429 1", {"429 rate_limit_exceeded"}),
    *_faults("reset before headers", FLAKY, "reset-before-headers", _LOST),
    *_faults("reset in mid-answer", FLAKY, "reset-mid-stream", _CUT | _LOST, _CUT_LATER),
    *_faults("error in mid-answer", FLAKY, "error-mid-stream", {"200"}, {"200, then invalid_request_error"}),
    *_faults("end without a finish reason", FLAKY, "eof", {"200"}, _CUT_LATER),
    *_faults("broken JSON", FLAKY, "garbage", {"502 invalid_body"}, {"200, then invalid_body"}),
    *_faults("blocked prompt", FLAKY, "blocked-prompt", {"200"}, {"200 empty"}),
    *_faults("empty answer", FLAKY, "empty", {"200"}, {"200 empty"}),
    *_faults("a byte at a time", FLAKY, "byte-by-byte", {"200"}),
    *_faults("slow start", FLAKY, "slow-start 0.5", {"200"}),
    Kind("400 of Google's, embeddings", embeddings("float", scenario="400"), 1, _REFUSED, True),
    Kind("client leaves a stream", leaves("slow-stream 0.3", stream=True), 5, frozenset({"200 left"}), True),
    Kind("client leaves before the answer", leaves("slow-start 2", stream=False), 5, frozenset({"left"}), True),
    Kind(
        "wrong request",
        refused("/v1/chat/completions", _BODY | {"temperature": "hot"}),
        2,
        frozenset({"400 invalid_type"}),
        True,
    ),
    Kind(
        "wrong key",
        refused("/v1/chat/completions", _BODY, authorization="Bearer wrong"),
        2,
        frozenset({"401 invalid_api_key"}),
        True,
    ),
    Kind("no such path", refused("/v1/nothing", {}), 1, frozenset({"404 invalid_request_error"}), True),
    Kind("bytes that are no HTTP", raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"), 2, frozenset({"400"}), True),
    Kind("headers without end", raw(_HEAD), 1, frozenset({"408"}), True),
    Kind("half a body", raw(_HEAD + b"content-length: 99\r\n\r\n{"), 1, frozenset({"408"}), True),
]
