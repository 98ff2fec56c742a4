"""The hot paths, answered without FastAPI's router: it costs more than the translation (docs/performance.md)."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.web.error_handlers import answer_to
from gemgate.web.json_request import HotRequest

Endpoint = Callable[[Request], Awaitable[Response]]


class FastPath:
    """`POST` on one of `endpoints` is answered by its endpoint at once; everything else goes on to the application.

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        found = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            app = self._marked if self._mark in scope and scope["method"] != "HEAD" else self._app
            await app(scope, receive, send)
            return
        endpoint, scope["route"] = found
        request = HotRequest(scope, receive)
        try:
            response = await endpoint(request)
            await response(scope, receive, send)
        except Exception as error:
            known = await answer_to(request, error)
            if known is None:
                raise
            await known(scope, receive, send)
