"""Small pieces of work, to be timed or counted: one event of a stream, one translation, whole requests in process.

`floor` is the measure: plain Python of the same kind, which no change to gemgate touches.
"""

import asyncio
import contextlib
import io
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import orjson
from benchmarks.exchanges import BUFFERED, CHAT, EVENTS, STREAM, chat_request
from benchmarks.served import served
from fastapi import FastAPI

from gemgate.api.chat.request import to_gemini
from gemgate.api.chat.stream import ChatStream
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.app import create_app
from gemgate.gemini.client.event_stream import EventDecoder
from gemgate.observability.logs import configure_logging
from gemgate.settings import Settings
from gemgate.startup.options import chat_options
from gemgate.translation.validation import parse
from gemgate.web.disconnect import DISCONNECT, Disconnect
from gemgate.web.limits_middleware import WHOLE_BODY
from gemgate.web.sse import frame

Work = Callable[[], Awaitable[object]]
"""One unit of work; it waits for nothing that takes time."""


class InstantGoogle(httpx.AsyncBaseTransport):
    """Answers at once, without a network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The same answer to every call, whole or as a stream."""
        is_stream = b"streamGenerateContent" in request.url.raw_path
        kind, body = ("text/event-stream", STREAM) if is_stream else ("application/json", BUFFERED)
        return httpx.Response(200, headers={"content-type": kind}, stream=httpx.ByteStream(body))


def _settings(directory: Path, **more: Any) -> Settings:
    return Settings(_env_file=None, data_dir=directory, log_format="json", **more)


@asynccontextmanager
async def quiet_application(**more: Any) -> AsyncIterator[tuple[FastAPI, Path]]:
    """An application that does nothing beside its requests, and a directory; they are there until the block ends.

    `more` are fields of its settings.
    """
    with tempfile.TemporaryDirectory() as directory, Path(os.devnull).open("w") as nowhere:  # noqa: ASYNC230  once
        settings = _settings(Path(directory), **more)
        with contextlib.redirect_stderr(nowhere):
            configure_logging(settings)
        app = create_app(settings, transport=InstantGoogle())
        async with app.router.lifespan_context(app):
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()  # what an application does in the background is not what is measured
            yield app, Path(directory)


@asynccontextmanager
async def works() -> AsyncIterator[dict[str, Work]]:
    """The pieces of work, by name; what is behind those of an application or a gateway is up until the block ends."""
    async with quiet_application() as (app, directory), served(directory / "served") as real:
        settings = _settings(directory)
        yield {
            "floor": _floor,
            "feed": _feed(settings),
            "translate": _translate(settings),
            "request": whole_request(app, chat_request()),
            "stream": whole_request(app, chat_request(stream=True)),
            **real,
        }


def _feed(settings: Settings) -> Work:
    """100 events: out of the bytes, through the decoder, into bytes."""
    context = to_gemini(parse(ChatCompletionRequest, orjson.dumps(CHAT)), chat_options(settings)).context

    async def feed() -> bytes:
        stream = ChatStream(context, fallback_id="benchmark", created=1)
        events = cast("list[Any]", EventDecoder().feed(STREAM))
        return b"".join([frame(chunk) for event in events for chunk in stream.feed(event)])

    return feed


def _translate(settings: Settings) -> Work:
    """One request: validated, translated, written as JSON."""
    options, raw = chat_options(settings), chat_request()

    async def translate() -> bytes:
        return orjson.dumps(to_gemini(parse(ChatCompletionRequest, raw), options).body)

    return translate


def whole_request(app: Any, raw: bytes, path: str = "/v1/chat/completions") -> Work:
    """One request through the whole application."""
    headers = [
        (b"host", b"gateway"),
        (b"content-type", b"application/json"),
        (b"authorization", b"Bearer benchmark"),
        (b"content-length", str(len(raw)).encode()),
        (b"user-agent", b"benchmark"),
        (b"accept", b"*/*"),
    ]

    async def request() -> int:
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": list(headers),
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8080),
        }
        scope[DISCONNECT] = Disconnect()
        scope[WHOLE_BODY] = True  # as the gateway's own server says of a small one
        given, answered, sent = [raw], asyncio.Event(), io.BytesIO()

        async def receive() -> dict[str, Any]:
            if given:
                return {"type": "http.request", "body": given.pop(), "more_body": False}
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                raise RuntimeError(message)
            sent.write(message.get("body", b""))

        await app(scope, receive, send)
        answered.set()
        return sent.tell()

    return request


class _Node:
    """A small object, as translators make them."""

    def __init__(self, name: str, parts: list[dict[str, Any]]) -> None:
        self.name = name
        self.parts = parts
        self.texts: list[str] = []

    def feed(self, part: dict[str, Any]) -> dict[str, Any]:
        text = part.get("text")
        if text is not None:
            self.texts.append(text)
        return {**part, "index": len(self.texts), "name": self.name}


async def _floor() -> bytes:
    """Plain Python: JSON read and written, dicts, small objects, attributes, calls, coroutines."""

    async def step(node: _Node, part: dict[str, Any]) -> dict[str, Any]:
        return node.feed(part)

    pieces = []
    for number in range(40):
        value = orjson.loads(BUFFERED)
        node = _Node(f"node-{number}", value["candidates"][0]["content"]["parts"])
        for _ in range(6):
            usage = value["usageMetadata"]
            pieces += [orjson.dumps({"choices": [await step(node, part)], "usage": usage}) for part in node.parts]
    return b"".join(pieces)


async def timed(rounds: int = 40) -> str:
    """A table of the least CPU time of each piece of work."""
    least: dict[str, float] = {}
    async with works() as found:
        for _ in range(rounds):
            for name, work in found.items():
                begun = time.process_time_ns()
                for _ in range(4):
                    await work()
                least[name] = min(least.get(name, 1e12), (time.process_time_ns() - begun) / 4000)
    titles = {
        "feed": (f"`feed`, one event of {EVENTS}: decoded, translated, written", least["feed"] / EVENTS),
        "translate": ("one request: validated, translated, written", least["translate"]),
        "request": ("a buffered request through the application, without sockets", least["request"]),
        "stream": (f"a stream of {EVENTS} events through the application, without sockets", least["stream"]),
    }
    lines = [f"| {title} | {value:,.1f} µs |" for title, value in titles.values()]
    return "\n| in process | CPU |\n|---|---:|\n" + "\n".join(lines)
