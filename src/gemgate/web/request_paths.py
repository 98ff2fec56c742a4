"""Paths as people and proxies write them, the fast way of the hot ones, and HEAD wherever GET is answered."""

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemgate.web.error_handlers import answer_to
from gemgate.web.json_request import HotRequest

Endpoint = Callable[[Request], Awaitable[Response]]

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


class FastPath:
    """`POST` on one of `endpoints` is answered by its endpoint at once; everything else goes on to the application.

    FastAPI's router costs more than the translation (docs/performance.md).

    An endpoint takes the request alone, and is a route of the application as well: for the OpenAPI document, and for
    the methods that it does not take. What it raises is answered as the application's exception handlers would, and so
    is what its response raises, which is nothing once it has begun.
    """

    def __init__(
        self, app: ASGIApp, endpoints: Mapping[str, Endpoint], marked: tuple[str, ASGIApp] | None = None
    ) -> None:
        """`marked` serves a request whose scope holds its key, but for HEAD, which the application answers as GET."""
        self._app = app
        self._mark, self._marked = marked or ("", app)
        self._routes = {path: (endpoint, Route(path, endpoint)) for path, endpoint in endpoints.items()}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request; no coroutine of its own for any but a hot one."""
        found = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            app = self._marked if self._mark in scope and scope["method"] != "HEAD" else self._app
            return app(scope, receive, send)
        endpoint, scope["route"] = found
        return self._answer(endpoint, scope, receive, send)

    async def _answer(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        request = HotRequest(scope, receive)
        try:
            response = await endpoint(request)
            await response(scope, receive, send)
        except Exception as error:
            known = await answer_to(request, error)
            if known is None:
                raise
            await known(scope, receive, send)


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
