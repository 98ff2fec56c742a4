"""Paths as people and proxies write them, and HEAD wherever GET is answered."""

import re
from collections.abc import Awaitable
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SLASHES = re.compile("/{2,}")


class RequestPaths:
    """Takes the prefix off a path, merges doubled slashes, and drops one at the end (pure ASGI, before all else).

    Args:
        app: What is served below the prefix, and without it: some proxies remove it themselves.
        prefix: Such as `/gemini`; empty for none.
    """

    def __init__(self, app: ASGIApp, prefix: str = "") -> None:
        self._app = app
        self._prefix = prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request; no coroutine of its own, because it does nothing afterwards."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if "//" in path or (path[-1:] == "/" and len(path) > 1):
                path = _SLASHES.sub("/", path)
                path = path.rstrip("/") or "/"
            if self._prefix and (path == self._prefix or path.startswith(f"{self._prefix}/")):
                path = path[len(self._prefix) :] or "/"
            if path != scope["path"]:
                scope["path"], scope["raw_path"] = path, quote(path, safe="/:@!$&'()*+,;=~").encode()
        return self._app(scope, receive, send)


class _AnsweredError(Exception):
    """The head of an answer is sent, and nobody wants its body."""


class HeadRequests:
    """Answers HEAD as GET is answered, without the body (pure ASGI, within what counts and logs the request)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request; no coroutine of its own for any but HEAD."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return self._app(scope, receive, send)
        return self._answer_head(scope, receive, send)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                return
            await send({"type": "http.response.body", "body": b""})
            if message.get("more_body", False):
                raise _AnsweredError

        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive, send_head)
        except _AnsweredError:
            pass
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]
