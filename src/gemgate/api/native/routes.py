"""Takes the requests that are Google's: two routes, one before OpenAI's API and one after it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx
from fastapi import FastAPI
from starlette.datastructures import Headers, URLPath
from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.api.native import gateway_files as stored
from gemgate.api.native import uploads, vertex_jobs
from gemgate.api.native.exchange import Exchange
from gemgate.api.native.methods import (
    Kind,
    MatchedMethod,
    Unknown,
    collections,
    find,
)
from gemgate.api.native.passthrough import plain
from gemgate.api.native.request_headers import GOOGLE_CLIENT, has_key_in_query, take_query
from gemgate.api.native.responses import reply_error, reply_refusal
from gemgate.api.native.vertex_paths import VertexMethod, find_vertex, lane_for
from gemgate.api.services import caller_of, services_of
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.observability.record import current
from gemgate.web.error_handlers import as_api_error
from gemgate.web.error_shapes import is_google_path

ASKED = "gemgate.native"
"""The key of what a request asks for, in its scope."""

_HEADS = ("/v1", "/upload/", "/download/")

KINDS: Mapping[Kind, Callable[[Exchange], Awaitable[None]]] = {
    Kind.PLAIN: plain,
    Kind.UPLOAD: uploads.start,
    Kind.DOWNLOAD: stored.fetch,
    Kind.FILE: stored.get,
    Kind.FILE_LIST: stored.listed,
    Kind.FILE_DELETE: stored.delete,
    Kind.JOB: vertex_jobs.create,
}


def install(app: FastAPI) -> None:
    """Add Google's paths to an application that has all its other routes; `NativePaths` must be around it."""
    app.router.routes.insert(0, NativeRoute())
    app.router.routes.append(UnknownRoute())


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request on Google's paths asks for, or why it is refused; `path` is for metrics."""

    call: MatchedMethod | Unknown
    query: httpx.QueryParams
    refusal: ApiError | None
    path: str


class NativePaths:
    """Finds out whether a request is Google's, and takes the key out of its query before anything else can see it.

    Below `/v1` models, files and batches are OpenAI's too: there a request is Google's if it comes from one of Google's
    libraries, or names its key in the query.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request; no coroutine of its own, because it does nothing afterwards."""
        if scope["type"] == "http" and (path := _path(scope)).startswith(_HEADS):
            found = find(_verb(scope), path) or find_vertex(_verb(scope), path)
            if found is not None and not (found.is_shared and not _is_from_google_client(scope)):
                scope[ASKED] = _asked(found, scope)
        return self._app(scope, receive, send)


def _asked(call: MatchedMethod | Unknown, scope: Scope) -> _Asked:
    query, refusal = httpx.QueryParams(), None
    try:
        query = take_query(scope, call.method.parameters if isinstance(call, MatchedMethod) else None)
    except ApiError as error:
        refusal = error
    return _Asked(call, query, refusal, call.template if isinstance(call, MatchedMethod) else "")


class _Route(BaseRoute):
    def url_path_for(self, name: str, /, **_params: object) -> URLPath:
        """Nothing links here."""
        raise NoMatchFound(name, {})


class NativeRoute(_Route):
    """The methods of the table."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is one of Google's methods, or was meant to be."""
        asked: _Asked | None = scope.get(ASKED)
        if asked is None:
            return Match.NONE, {}
        return Match.FULL, ({"route": asked} if asked.path else {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await serve(scope, receive, send)


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """One request that `NativePaths` has marked."""
    asked: _Asked = scope[ASKED]
    if asked.path:
        scope["route"] = asked
    try:
        await _serve(asked, Request(scope, receive), send)
    except ClientDisconnect:
        return
    except Exception as error:
        if current().has_begun:
            raise
        await _refuse(send, error)


class UnknownRoute(_Route):
    """What is below Google's versions and in nobody's table."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A partial match, so that a wrong verb on a path of OpenAI's is reported as that."""
        is_google = scope["type"] == "http" and is_google_path(scope["method"], _path(scope))
        return (Match.PARTIAL if is_google else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Say what there is."""
        await reply_error(send, _unknown(scope, "The gateway passes on what is below", collections()))


async def _serve(asked: _Asked, request: Request, send: Send) -> None:
    call, query, services = asked.call, asked.query, services_of(request)
    if asked.refusal is not None:
        raise asked.refusal
    if isinstance(call, Unknown):
        raise _unknown(request.scope, "Known methods here are", call.known)
    if call.method.kind is Kind.UPLOAD and "upload_id" in query:
        await uploads.go_on(request, send, services)
        return
    caller = caller_of(request)
    lane = lane_for(call, services.settings, caller.key) if isinstance(call, VertexMethod) else None
    url = services.gemini.url(call.path, query)
    await KINDS[call.method.kind](Exchange(request, send, call, query, caller, services, url, lane))


async def _refuse(send: Send, error: Exception) -> None:
    api_error = as_api_error(error)
    if isinstance(error, GeminiError) and error.refusal is not None:
        await reply_refusal(send, error.refusal)
    else:
        await reply_error(send, api_error)


def _unknown(scope: Scope, what: str, known: list[str] | tuple[str, ...]) -> ApiError:
    msg = f"{scope['method']} {_path(scope)[:200]!r} is not a method of the Gemini API. {what}: {', '.join(known)}."
    meant = scope["app"].state.meant_path(_verb(scope), _path(scope))
    return ApiError(404, f"{msg} Did you mean {meant}?" if meant else msg, code="unknown_method")


def _verb(scope: Scope) -> str:
    """The HTTP method whose answer is asked for."""
    method: str = scope["method"]
    return "GET" if method == "HEAD" else method


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _is_from_google_client(scope: Scope) -> bool:
    return GOOGLE_CLIENT in Headers(scope=scope) or has_key_in_query(scope)
