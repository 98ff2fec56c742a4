"""The routes of the emulator: a Starlette application that answers as Google's native API does."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.emulator import (
    batches,
    caches,
    clock_routes,
    decisions,
    embed,
    families,
    file_routes,
    generate,
    lifecycle,
    predict,
    uploads,
    videos,
)
from gemgate.emulator.attachments import attach
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import (
    GoogleApiError,
    bad_request,
    invalid,
    model_not_found,
    no_longer_available,
)
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.incoming import caller, paging, read
from gemgate.emulator.replies import error_reply, html_reply, json_reply
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.timing import QuotaLimits, Timing
from gemgate.emulator.validation import parse
from gemgate.emulator.vertex.identity import identity_routes
from gemgate.emulator.vertex.routes import vertex_routes

VERSIONS = frozenset({"v1", "v1beta", "v1alpha"})

Handler = Callable[[EmulatorState, Request], Awaitable[ASGIApp]]

# What follows the colon in /v1beta/models/{model}:{method}. A further method is a further line.
METHODS: dict[str, Callable[[EmulatorState, Request, ModelFamily, object], Delivery]] = {
    "generateContent": generate.generate_content,
    "streamGenerateContent": generate.stream_generate_content,
    "countTokens": generate.count_tokens,
    "embedContent": embed.embed_content,
    "batchEmbedContents": embed.batch_embed_contents,
    "predict": predict.predict,
    "predictLongRunning": videos.predict_long_running,
    "batchGenerateContent": batches.batch_generate_content,
    "asyncBatchEmbedContent": batches.async_batch_embed_content,
}

# Methods that Google does not list under their own name, neither in `supportedGenerationMethods` nor in a 404.
LISTED_AS = {"streamGenerateContent": "generateContent", "batchEmbedContents": "embedContent"}


def create_emulator(
    *,
    clock: Callable[[], float] = time.time,
    timing: Timing | None = None,
    limits: QuotaLimits | None = None,
    day: str = "",
) -> Starlette:
    """The emulator as an ASGI application.

    `app.state.emulator` is its `EmulatorState`: the requests it saw, the clients that left, the caches. `clock` gives
    seconds since 1970 and decides when caches and files expire and how far jobs are; answers do not depend on it.
    `day`, such as `2026-12-01`, decides which models are served, and as what; empty: all of them, each as itself.
    """
    state = EmulatorState(
        clock=clock, timing=timing or Timing(), limits=limits or QuotaLimits(), day=lifecycle.checked_day(day)
    )

    def route(path: str, handler: Handler, *methods: str) -> Route:
        return Route(f"/{{version}}/{path}", _Endpoint(state, handler), methods=list(methods))

    app = Starlette(
        routes=[
            *vertex_routes(state),
            *identity_routes(state),
            route("models/{rest:path}", _call_model, "POST"),
            route("models/{model}/operations", videos.list_operations, "GET"),
            route("models/{model}/operations/{name}", videos.one_operation, "GET"),
            route("models", _list_models, "GET"),
            route("models/{rest:path}", _get_model, "GET"),
            route("decisions", decisions.create_decision, "POST"),
            route("batches", batches.list_batches, "GET"),
            route("batches/{name}", batches.one_batch, "GET", "POST", "DELETE"),
            route("files", file_routes.create, "POST"),
            route("files", file_routes.list_files, "GET"),
            route("files/{name}", file_routes.one_file, "GET", "DELETE"),
            Route("/upload/{version}/files", _Endpoint(state, uploads.upload), methods=["POST", "PUT"]),
            Route("/download/{version}/files/{name}", _Endpoint(state, file_routes.download), methods=["GET"]),
            Route("/emulator/clock", _Endpoint(state, clock_routes.clock), methods=["GET", "POST"]),
            route("cachedContents", _create_cache, "POST"),
            route("cachedContents", _list_caches, "GET"),
            route("cachedContents/{name}", _one_cache, "GET", "PATCH", "DELETE"),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )
    app.state.emulator = state
    return app


class _Endpoint:
    """Runs a handler: credential first, refusals as Google's JSON."""

    def __init__(self, state: EmulatorState, handler: Handler) -> None:
        self.state = state
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        reply: ASGIApp
        try:
            if request.path_params.get("version", "v1beta") not in VERSIONS:
                reply = html_reply(self.state, 404)
            else:
                reply = await self.handler(self.state, request)
        except GoogleApiError as error:
            reply = error_reply(self.state, error, request)
        except ClientDisconnect:
            self.state.lost(request.url.path, 0)
            return
        await reply(scope, receive, send)


async def _call_model(state: EmulatorState, request: Request) -> Delivery:
    name, colon, method = request.path_params["rest"].rpartition(":")
    if not colon or method not in METHODS:
        return html_reply(state, 404)
    body = await read(state, request)
    version = request.path_params["version"]
    if not name or " " in name or "/" in name:
        raise invalid("* GenerateContentRequest.model: unexpected model name format\n")
    asked = LISTED_AS.get(method, method)
    if lifecycle.is_retired(name, state.day):
        raise no_longer_available(name)
    model = families.find(name, version, asked, state.day)
    if model is None or asked not in model.family.methods:
        raise model_not_found(name, version, asked)
    return METHODS[method](state, request, model, body)


async def _list_models(state: EmulatorState, request: Request) -> Delivery:
    await read(state, request)
    models = [model.resource() for model in families.served(request.path_params["version"], state.day)]
    return json_reply(state, caches.paged("models", models, *paging(request)))


async def _get_model(state: EmulatorState, request: Request) -> Delivery:
    await read(state, request)
    name, version = request.path_params["rest"], request.path_params["version"]
    model = families.find(name, version, day=state.day)
    if model is None:
        raise GoogleApiError(
            404,
            f"models/{name} is not found for API version {version}. "
            "Call ModelService.ListModels to see the list of available models and their supported methods.",
        )
    return json_reply(state, model.resource())


async def _cache_body(state: EmulatorState, request: Request) -> dict[str, object]:
    body, found = parse("CachedContent", await read(state, request))
    if found:
        raise bad_request(found)
    return body


async def _create_cache(state: EmulatorState, request: Request) -> Delivery:
    body = attach(state.files, caller(request).owner, await _cache_body(state, request))
    return json_reply(state, state.caches.create(body).resource())


async def _list_caches(state: EmulatorState, request: Request) -> Delivery:
    await read(state, request)
    return json_reply(state, state.caches.page(*paging(request)))


async def _one_cache(state: EmulatorState, request: Request) -> Delivery:
    name = f"cachedContents/{request.path_params['name']}"
    if request.method == "PATCH":
        return json_reply(state, state.caches.patch(name, await _cache_body(state, request)).resource())
    await read(state, request)
    if request.method == "DELETE":
        state.caches.delete(name)
        return json_reply(state, {})
    return json_reply(state, state.caches.get(name).resource())


async def _not_found(request: Request, _error: Exception) -> Any:
    return html_reply(request.app.state.emulator, 404)
