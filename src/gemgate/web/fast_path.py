"""The hot paths, answered without FastAPI's router: it costs more than the translation (docs/performance.md)."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.web.error_handlers import answer_to

Endpoint = Callable[[Request], Awaitable[Response]]


class FastPath:
    """`POST` on one of `endpoints` is answered by its endpoint at once; everything else goes on to the application.

    An endpoint takes the request alone, and is a route of the application as well: for the OpenAPI document, and for
    the methods that it does not take. What it raises is answered as the application's exception handlers would, and so
    is what its response raises, which is nothing once it has begun.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint]) -> None:
        self._app = app
        self._routes = {path: (endpoint, Route(path, endpoint)) for path, endpoint in endpoints.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        found = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        endpoint, scope["route"] = found
        request = _Request(scope, receive)
        try:
            response = await endpoint(request)
            await response(scope, receive, send)
        except Exception as error:
            known = await answer_to(request, error)
            if known is None:
                raise
            await known(scope, receive, send)


class _Request(Request):
    """Starlette's, which looks through all headers for each that is asked for."""

    @cached_property
    def headers(self) -> Headers:
        """The headers: kept with the instance, so that each of ten looks costs no call."""
        return _Headers(scope=self.scope)


class _Headers(Headers):
    """The first value of each name at hand."""

    def __init__(self, *, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._first = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(self.raw)}

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._first

    def get(self, key: str, default: Any = None) -> Any:
        """The first value, or `default`."""
        return self._first.get(key.lower(), default)
