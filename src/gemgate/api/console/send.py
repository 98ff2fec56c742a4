"""Sends a request of the inspector through the whole gateway, and streams what happens on the way.

It is a request as any caller's: it has the key that was typed into the page, passes limits and budgets, and is logged.
What differs is that its calls to Google are shown.
"""

import asyncio
import codecs
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import Message, Scope

from gemgate.api.console.native_tap import MAX_SHOWN, TappedTransport
from gemgate.api.services import Services
from gemgate.translation.validation import parse
from gemgate.web.json_request import read_body, read_json_body
from gemgate.web.multipart import is_form
from gemgate.web.sse import frames

PATH_HEADER = "x-inspected-path"
KEY_HEADER = "x-inspected-key"

_SHOWN = re.compile(r"x-(?:gemgate|ratelimit|request-id|google-status|should-retry).*|content-type|retry-after(?:-ms)?")
_TEXTS = ("json", "text/", "event-stream")
_MANY = 2048


class InspectedTarget(BaseModel):
    """Where the inspector sends a request.

    Attributes:
        path: Of the endpoint, below `/v1` or `/v1beta`.
        key: What the caller presents; empty for nothing.
    """

    model_config = ConfigDict(extra="forbid")

    path: str = Field(pattern=r"^/v1(?:beta)?/[A-Za-z0-9_./:-]{1,200}$")
    key: str = Field(default="", max_length=4096, pattern=r"^[!-~]*$")


class InspectedRequest(InspectedTarget):
    """A request of JSON, with its `body`."""

    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class InspectedContent:
    """What the inspector sends: the bytes, their type, and where to."""

    target: InspectedTarget
    content: bytes
    content_type: str


async def inspected(request: Request, limit: int) -> InspectedContent:
    """What a page wants to be sent: JSON within JSON; or a form as it is, beside two headers that say where to.

    Args:
        request: The page's.
        limit: The bytes of a body at most.

    Raises:
        ApiError: 400, 413 or 415, it is something else.
    """
    if not is_form(request.headers):
        asked = parse(InspectedRequest, await read_json_body(request, limit))
        return InspectedContent(asked, orjson.dumps(asked.body), "application/json")
    names = {"path": request.headers.get(PATH_HEADER, ""), "key": request.headers.get(KEY_HEADER, "")}
    target = parse(InspectedTarget, orjson.dumps(names))
    return InspectedContent(target, await read_body(request, limit), request.headers["content-type"])


class _TappedApp:
    """The application, to the routes of one request: with services whose calls to Google are shown."""

    def __init__(self, app: Starlette, services: Services) -> None:
        self._app = app
        self.state = _State(app.state, services)

    def __getattr__(self, name: str) -> object:
        return getattr(self._app, name)


@dataclass(frozen=True, slots=True)
class _State:
    whole: object
    services: Services

    def __getattr__(self, name: str) -> object:
        return getattr(self.whole, name)


class Sending:
    """One request on its way; `events` streams what happens to it.

    Args:
        request: The request of the console's page.
        services: Those of the application.
        asked: What is sent.
    """

    def __init__(self, request: Request, services: Services, asked: InspectedContent) -> None:
        app: Starlette = request.app
        gemini = services.gemini.through(self._tapped)
        tapped = replace(services, gemini=gemini, decisions=services.decisions.through(gemini))
        self._stack = app.middleware_stack
        self._began = time.perf_counter()
        self._happened: list[dict[str, object]] = []
        self._news = asyncio.Event()
        self._body: bytes | None = asked.content
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_text = True
        self._size = 0
        self._scope = _scope_of(request.scope, asked) | {"app": _TappedApp(app, tapped)}

    async def events(self) -> AsyncGenerator[bytes]:
        """Ready server-sent events, each a JSON object with its `type` and the milliseconds since the start, `ms`."""
        self._report({"type": "accepted"})
        task = asyncio.create_task(self._run())
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                happened, self._happened = self._happened, []
                for start in range(0, len(happened), _MANY):
                    yield frames(happened[start : start + _MANY])
                if happened and happened[-1]["type"] == "end":
                    return
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        try:
            if self._stack is not None:
                await self._stack(self._scope, self._receive, self._send)
        finally:
            self._report({"type": "end"})

    def _tapped(self, transport: httpx.AsyncBaseTransport) -> TappedTransport:
        return TappedTransport(transport, self._report)

    def _report(self, event: dict[str, object]) -> None:
        event["ms"] = round((time.perf_counter() - self._began) * 1000, 1)
        self._happened.append(event)
        self._news.set()

    async def _receive(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            await asyncio.Event().wait()  # a page that goes cancels the task
        return {"type": "http.request", "body": body, "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            content_type = headers.get("content-type", "")
            self._is_text = any(kind in content_type for kind in _TEXTS)
            shown = {name: value for name, value in headers.items() if _SHOWN.fullmatch(name)}
            self._report({"type": "head", "status": message["status"], "headers": shown})
            return
        body: bytes = message.get("body", b"")
        self._size += len(body)
        if not body or self._size > MAX_SHOWN:
            return
        if self._is_text:
            self._report({"type": "openai", "data": self._text.decode(body)})
        else:
            self._report({"type": "bytes", "size": self._size})


def _scope_of(outer: Scope, asked: InspectedContent) -> dict[str, object]:
    """The scope of the request that is sent; it comes from where the page's own came from."""
    target = asked.target
    headers = [(name, value) for name, value in outer["headers"] if name in (b"host", b"x-forwarded-proto")]
    headers += [
        (b"content-type", asked.content_type.encode("latin-1")),
        (b"content-length", b"%d" % len(asked.content)),
    ]
    if target.key:
        headers.append((b"authorization", f"Bearer {target.key}".encode()))
    kept: Mapping[str, object] = {
        name: outer[name]
        for name in ("type", "asgi", "http_version", "scheme", "client", "server", "state")
        if name in outer
    }
    path = {"path": target.path, "raw_path": target.path.encode(), "root_path": "", "query_string": b""}
    return {**kept, **path, "method": "POST", "headers": headers}
