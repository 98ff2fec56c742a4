"""The routes of the emulator: a Starlette application that answers as Google's native API does."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.emulator import auth, caches, embed, families, generate, predict
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import ApiError, bad_request, invalid, model_not_found
from gemgate.emulator.families import Model
from gemgate.emulator.replies import error_reply, html_reply, json_reply
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.validation import parse

MAX_BODY = 100 * 1024 * 1024
VERSIONS = frozenset({"v1", "v1beta", "v1alpha"})

Handler = Callable[[EmulatorState, Request], Awaitable[Delivery]]

# What follows the colon in /v1beta/models/{model}:{method}. A further method is a further line.
METHODS: dict[str, Callable[[EmulatorState, Request, Model, Any], Delivery]] = {
    "generateContent": generate.generate_content,
    "streamGenerateContent": generate.stream_generate_content,
    "countTokens": generate.count_tokens,
    "embedContent": embed.embed_content,
    "batchEmbedContents": embed.batch_embed_contents,
    "predict": predict.predict,
}

# Methods that Google does not list under their own name, neither in `supportedGenerationMethods` nor in a 404.
LISTED_AS = {"streamGenerateContent": "generateContent", "batchEmbedContents": "embedContent"}


def create_emulator(*, clock: Callable[[], float] = time.time) -> Starlette:
    """The emulator as an ASGI application.

    `app.state.emulator` is its `EmulatorState`: the requests it saw, the clients that left, the caches. `clock` gives
    seconds since 1970 and decides when caches expire; answers do not depend on it.
    """
    state = EmulatorState(clock=clock)

    def route(path: str, handler: Handler, *methods: str) -> Route:
        return Route(f"/{{version}}/{path}", _Endpoint(state, handler), methods=list(methods))

    app = Starlette(
        routes=[
            route("models/{rest:path}", _call_model, "POST"),
            route("models", _list_models, "GET"),
            route("models/{rest:path}", _get_model, "GET"),
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
            if request.path_params["version"] not in VERSIONS:
                reply = html_reply(self.state, 404)
            else:
                reply = await self.handler(self.state, request)
        except ApiError as error:
            reply = error_reply(self.state, error, request)
        await reply(scope, receive, send)


async def _read(state: EmulatorState, request: Request) -> Any:
    """The JSON body, remembered; the credential is checked after that, so that tests see refused requests too.

    Raises:
        ApiError: 400 for what is too large or no JSON, and whatever `auth.check` finds.
    """
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY:
            raise invalid(f"Request payload size exceeds the limit: {MAX_BODY} bytes.")
    body, broken = None, False
    try:
        body = orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        broken = True
    state.saw(request.method, request.url.path, request.query_params, request.headers, body, len(raw))
    auth.check(request.headers, request.query_params)
    if broken:
        start = raw[:50].decode(errors="replace")
        raise invalid(f"Invalid JSON payload received. Unexpected token.\n{start}\n^")
    return body


async def _call_model(state: EmulatorState, request: Request) -> Delivery:
    name, colon, method = request.path_params["rest"].rpartition(":")
    if not colon or method not in METHODS:
        return html_reply(state, 404)
    body = await _read(state, request)
    version = request.path_params["version"]
    if not name or " " in name or "/" in name:
        raise invalid("* GenerateContentRequest.model: unexpected model name format\n")
    asked = LISTED_AS.get(method, method)
    model = families.find(name, version, asked)
    if model is None or asked not in model.family.methods:
        raise model_not_found(name, version, asked)
    return METHODS[method](state, request, model, body)


async def _list_models(state: EmulatorState, request: Request) -> Delivery:
    await _read(state, request)
    models = [model.resource() for model in families.served(request.path_params["version"])]
    return json_reply(state, caches.paged("models", models, *_paging(request)))


async def _get_model(state: EmulatorState, request: Request) -> Delivery:
    await _read(state, request)
    name, version = request.path_params["rest"], request.path_params["version"]
    model = families.find(name, version)
    if model is None:
        raise ApiError(
            404,
            f"models/{name} is not found for API version {version}. "
            "Call ModelService.ListModels to see the list of available models and their supported methods.",
        )
    return json_reply(state, model.resource())


def _paging(request: Request) -> tuple[int, str]:
    size = request.query_params.get("pageSize", "0")
    if not size.isascii() or not size.isdigit():
        raise invalid(f"Invalid value at 'page_size' (TYPE_INT32), \"{size}\"")
    return int(size), request.query_params.get("pageToken", "")


async def _cache_body(state: EmulatorState, request: Request) -> dict[str, Any]:
    body, found = parse("CachedContent", await _read(state, request))
    if found:
        raise bad_request(found)
    return body


async def _create_cache(state: EmulatorState, request: Request) -> Delivery:
    return json_reply(state, state.caches.create(await _cache_body(state, request)).resource())


async def _list_caches(state: EmulatorState, request: Request) -> Delivery:
    await _read(state, request)
    return json_reply(state, state.caches.page(*_paging(request)))


async def _one_cache(state: EmulatorState, request: Request) -> Delivery:
    name = f"cachedContents/{request.path_params['name']}"
    if request.method == "PATCH":
        return json_reply(state, state.caches.patch(name, await _cache_body(state, request)).resource())
    await _read(state, request)
    if request.method == "DELETE":
        state.caches.delete(name)
        return json_reply(state, {})
    return json_reply(state, state.caches.get(name).resource())


async def _not_found(request: Request, _error: Exception) -> Any:
    return html_reply(request.app.state.emulator, 404)
