"""The whole gateway before an upstream that does what a test tells it to, and a count of what either leaves behind."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.support.gateway import gateway_app, settings_of
from tests.support.raw_upstream import STREAM_HEAD, BackgroundUpstream, answer, once
from tests.support.server import serve

PATIENCE = 30.0
SHORT = 0.5
_OPEN = Path("/proc/self/fd")
KEY = "AIza-any-key-will-do"
PATH = "/v1/chat/completions"

EVENT = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}, "index": 0}],
    "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1},
    "responseId": "r",
}
LAST_EVENT = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "lo"}]}, "finishReason": "STOP", "index": 0},
    ],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
    "responseId": "r",
}
WHOLE = {**LAST_EVENT, "candidates": [{**LAST_EVENT["candidates"][0], "content": {"parts": [{"text": "Hello"}]}}]}  # type: ignore[index]
# Each request is a connection, and a script.
HEALTHY = once(answer(200, WHOLE, {"connection": "close"}))
HEAD = STREAM_HEAD.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"


@dataclass
class Watched:
    """An application, and the loop that it runs in."""

    app: ASGIApp
    loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.loop = asyncio.get_running_loop()
        await self.app(scope, receive, send)

    def tasks(self) -> int:
        """How many tasks run in it."""
        assert self.loop is not None
        return len(asyncio.all_tasks(self.loop))


@dataclass
class Faults:
    """A gateway before an upstream that fails as it is told to, both running.

    Attributes:
        origin: The gateway's.
        upstream: What it talks to.
        app: The gateway as an application.
    """

    origin: str
    upstream: BackgroundUpstream
    app: Watched
    client: httpx.Client = field(repr=False)

    def ask(self, *, stream: bool, **more: Any) -> httpx.Response:
        """One chat request."""
        body = {"model": "gemini-2.5-flash", "stream": stream, "messages": [{"role": "user", "content": "Hi"}], **more}
        return self.client.post(PATH, json=body)

    def works(self) -> None:
        """A request is answered, with an upstream that does what it should."""
        self.upstream.script = HEALTHY
        answered = self.ask(stream=False)
        assert answered.status_code == 200, answered.text
        assert answered.json()["choices"][0]["message"]["content"] == "Hello"


def _descriptors() -> Counter[str]:
    """What is open, by kind.

    But the files of the store: connections to its database are opened when several are needed at once, and kept.
    """
    kinds: Counter[str] = Counter()
    for descriptor in _OPEN.iterdir() if _OPEN.is_dir() else ():
        with suppress(OSError):  # that of this listing, and whatever another thread has just closed
            what = str(descriptor.readlink())
            if not Path(what).suffix.startswith(".sqlite"):
                kinds[what.partition(":")[0]] += 1
    return kinds


def wait_until(reached: Callable[[], bool], what: str) -> None:
    """Polls, because what is awaited happens in another thread or in the kernel."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


@contextmanager
def nothing_left_behind(running: Faults) -> Iterator[None]:
    """After the block the gateway serves, and holds no more tasks, descriptors and connections than before."""
    running.works()
    running.ask(stream=True)  # the first stream of a process starts a task that watches for the server's end
    tasks, descriptors, connections = running.app.tasks(), _descriptors(), running.upstream.open_connections()
    yield
    running.works()
    wait_until(lambda: running.app.tasks() <= tasks, "a task is left")
    wait_until(lambda: running.upstream.open_connections() <= connections, "a connection to the upstream is left")
    wait_until(lambda: not (_descriptors() - descriptors), f"a descriptor is left, beyond {descriptors}")


@contextmanager
def faults(**settings: Any) -> Iterator[Faults]:
    """A gateway with short patience before a hostile upstream."""
    with BackgroundUpstream(HEALTHY) as upstream:
        chosen: dict[str, Any] = {
            "upstream": upstream.url,
            "connect_timeout": PATIENCE,
            "first_byte_timeout": 4 * SHORT,
            "event_timeout": SHORT,
            "request_timeout": 5 * SHORT,
            "retries": 0,
            "breaker_failures": 0,
        }
        made = chosen | settings
        app = Watched(gateway_app(**made))
        with (
            serve(app, settings_of(**made)) as origin,
            httpx.Client(base_url=origin, headers={"authorization": f"Bearer {KEY}"}, timeout=PATIENCE) as client,
        ):
            yield Faults(origin, upstream, app, client)


@dataclass(frozen=True)
class Outcome:
    """What a caller saw: the HTTP status, the code of the error, the text before it, and whether `[DONE]` came."""

    status: int
    code: str | None
    text: str
    done: bool


def outcome(answered: httpx.Response, *, stream: bool) -> Outcome:
    """Reads an answer of either kind; its shape must be OpenAI's."""
    assert answered.headers["x-request-id"]
    if answered.status_code != 200:
        return Outcome(answered.status_code, _code(answered.json()), "", done=False)
    if not stream:
        return Outcome(200, None, answered.json()["choices"][0]["message"]["content"], done=True)
    assert answered.headers["content-type"].startswith("text/event-stream")
    text, code = "", None
    *events, last = [piece for piece in answered.text.split("\n\n") if piece and not piece.startswith(":")]
    for event in (*events, last):
        assert event.startswith("data: "), event
        assert code is None, "something came after the error"
        if event == "data: [DONE]":
            continue
        data = orjson.loads(event.removeprefix("data: "))
        if "error" in data:
            code = _code(data)
        elif data["choices"]:
            text += data["choices"][0]["delta"].get("content") or ""
    return Outcome(200, code, text, done=last == "data: [DONE]")


def _code(body: Any) -> str | None:
    error = body["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    assert error["message"]
    assert KEY not in str(body)
    code: str | None = error["code"]
    return code
