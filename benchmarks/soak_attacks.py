"""What the hostile tenant of the soak sends: each attack once succeeded against a gateway, or is a neighbour of one.

An attack has no right outcome: what it comes to is counted, and what counts is what the other tenant sees.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from benchmarks.soak_google import FAILURES
from tests.security.bodies import ROWS

MODEL = "gemini-2.5-flash"
LARGEST = 1_000_000
"""Bytes of a body: larger ones are the same for longer."""


@dataclass
class Attacker:
    """The hostile tenant: its key and its connections."""

    origin: str
    key: str
    chance: random.Random

    def __post_init__(self) -> None:
        self.session = aiohttp.ClientSession(
            self.origin,
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            headers={"authorization": f"Bearer {self.key}"},
            timeout=aiohttp.ClientTimeout(total=60),
        )

    async def post(self, path: str, body: bytes | dict[str, Any], **headers: str) -> str:
        """The status of the answer."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"content-type": "application/json"} | headers
        async with self.session.post(path, data=content, headers=headers) as answer:
            await answer.read()
            return str(answer.status)

    async def raw(self, data: bytes, seconds: float = 5.0) -> str:
        """Bytes on a socket, and how the first line of the answer begins within so many seconds."""
        parts = urlsplit(self.origin)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            with suppress(TimeoutError, ConnectionError):
                writer.write(data)
                async with asyncio.timeout(seconds):
                    return (await reader.readline())[9:12].decode("latin-1") or "closed"
        finally:
            writer.close()
        return "held"

    def head(self, path: str, *lines: str) -> bytes:
        """A request line and headers."""
        fields = (f"POST {path} HTTP/1.1", "host: x", f"authorization: Bearer {self.key}", *lines)
        return "\r\n".join((*fields, "", "")).encode()


Attack = Callable[[Attacker], Awaitable[str]]
CHAT = "/v1/chat/completions"
GENERATE = f"/v1beta/models/{MODEL}:generateContent"


def says(text: Any, **more: Any) -> dict[str, Any]:
    """A chat request."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def bodies() -> dict[str, Attack]:
    """Requests that are dear to read or to translate."""
    found: dict[str, Attack] = {}
    for name, make in ROWS.items():
        made = make()
        body = made if isinstance(made, bytes) else orjson.dumps(made)
        if len(body) <= LARGEST:
            found[name] = lambda attacker, body=body: attacker.post(CHAT, body)  # type: ignore[misc]
    deep = b'{"model":"%s","messages":%s}' % (MODEL.encode(), b"[" * 90_000 + b"]" * 90_000)
    found["a body of brackets"] = lambda attacker: attacker.post(CHAT, deep)
    return found


def failure(word: str, *, stream: bool) -> Attack:
    """A request that Google fails on, as its caller has it."""
    return lambda attacker: attacker.post(CHAT, says(word, stream=stream))


async def _strangers_files(attacker: Attacker) -> str:
    parts = [
        {"fileData": {"fileUri": name}}
        for name in ("files/abc", "https://generativelanguage.googleapis.com/v1beta/files/b")
    ]
    return await attacker.post(
        GENERATE, {"contents": [{"role": "user", "parts": parts}], "cachedContent": "cachedContents/a"}
    )


async def _look_ups(attacker: Attacker) -> str:
    number = attacker.chance.randrange(1 << 30)
    images = [{"type": "image_url", "image_url": {"url": f"http://a{number}-{n}.invalid/a.png"}} for n in range(8)]
    return await attacker.post(CHAT, says(images))


async def _thirty_at_once(attacker: Attacker) -> str:
    async with asyncio.TaskGroup() as group:
        for _ in range(30):
            group.create_task(attacker.post(CHAT, says("x", max_tokens=60_000)))
    return "sent"


async def _silent(attacker: Attacker) -> str:
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(attacker.raw(b"", 2.0))
    return "held"


async def _half_an_upload(attacker: Attacker) -> str:
    head = attacker.head(
        "/upload/v1beta/files?uploadType=media", "content-length: 50000000", "content-type: text/plain"
    )
    return await attacker.raw(head + b"x" * 400_000, 2.0)


async def _slow_body(attacker: Attacker) -> str:
    return await attacker.raw(attacker.head(CHAT, "content-length: 900000") + b'{"model":', 3.0)


async def _trailers(attacker: Attacker) -> str:
    body = orjson.dumps(says("x"))
    chunks = b"%x\r\n%b\r\n0\r\n" % (len(body), body) + b"".join(b"x-%d: y\r\n" % n for n in range(2_000))
    return await attacker.raw(attacker.head(CHAT, "transfer-encoding: chunked") + chunks)


async def _upgrades(attacker: Attacker) -> str:
    one = attacker.head("/healthz", "upgrade: h2c", "connection: upgrade", "content-length: 0")
    return await attacker.raw(one * 60)


ATTACKS: dict[str, Attack] = {
    **bodies(),
    **{word.decode(): failure(word.decode(), stream=False) for word in FAILURES},
    **{f"{word.decode()}, streamed": failure(word.decode(), stream=True) for word in FAILURES},
    "a wrong key": lambda attacker: attacker.post(CHAT, says("x"), authorization="Bearer sk-wrong-0123456789"),
    "another method in the query": lambda attacker: attacker.post(f"{GENERATE}?$httpMethod=DELETE", {"contents": []}),
    "the other's files": _strangers_files,
    "names that nobody has": _look_ups,
    "thirty at once": _thirty_at_once,
    "silent connections": _silent,
    "half an upload": _half_an_upload,
    "a slow body": _slow_body,
    "trailers": _trailers,
    "offers to upgrade": _upgrades,
}
