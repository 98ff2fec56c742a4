"""Vertex AI's paths: a project's and a location's models and endpoints, and those of express mode without either."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import ASGIApp

from gemgate.emulator import caches, embed, families, generate, lifecycle, predict
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import GoogleApiError, invalid
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.incoming import paging, read
from gemgate.emulator.replies import error_reply, html_reply, json_reply
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.vertex import words
from gemgate.emulator.vertex.access import check_either, check_key, check_token
from gemgate.emulator.vertex.batch_jobs import create_job, list_jobs, one_job
from gemgate.emulator.vertex.body import as_developer, with_objects
from gemgate.emulator.vertex.caches import create_cache, list_caches, one_cache
from gemgate.emulator.vertex.compute import compute_tokens
from gemgate.emulator.vertex.dress import dressed, traffic_type
from gemgate.emulator.vertex.embeddings import predict_embeddings
from gemgate.emulator.vertex.storage import storage_routes

VERSIONS = frozenset({"v1", "v1beta1"})
MULTI_REGIONS = frozenset({"global", "us", "eu"})
REGIONS = MULTI_REGIONS | frozenset(
    f"{area}{number}"
    for area, numbers in {
        "us-central": "1",
        "us-east": "145",
        "us-south": "1",
        "us-west": "1234",
        "northamerica-northeast": "12",
        "southamerica-east": "1",
        "europe-west": "123489",
        "europe-central": "2",
        "europe-north": "1",
        "europe-southwest": "1",
        "asia-east": "12",
        "asia-northeast": "123",
        "asia-south": "1",
        "asia-southeast": "12",
        "australia-southeast": "12",
        "me-central": "12",
        "me-west": "1",
    }.items()
    for number in numbers
)
GLOBAL_FIRST = 3.0
"""Models of this generation and later are at the global endpoint and in the multi-regions only."""

TUNED = "gemini-2.5-flash"
"""The model that answers at an endpoint of the project's own."""

_AS = {
    "streamGenerateContent": "generateContent",
    "batchEmbedContents": "embedContent",
    "computeTokens": "countTokens",
}
"""Methods that a model has wherever it has another one."""

_PROJECT = re.compile(r"[a-z][a-z0-9.:-]{3,62}[a-z0-9]|\d{1,20}")
_METHODS = frozenset(
    {
        "generateContent",
        "streamGenerateContent",
        "countTokens",
        "computeTokens",
        "predict",
        "embedContent",
        "batchEmbedContents",
    }
)


def vertex_routes(state: EmulatorState) -> list[Route]:
    """The routes of Vertex AI."""

    def route(path: str, handler: Callable[[EmulatorState, Request], Awaitable[ASGIApp]], *methods: str) -> Route:
        async def endpoint(request: Request) -> ASGIApp:
            try:
                if request.path_params["version"] not in VERSIONS:
                    return html_reply(state, 404)
                return _bare(await handler(state, request))
            except GoogleApiError as error:
                return _bare(error_reply(state, error, request))
            except ClientDisconnect:
                state.lost(request.url.path, 0)
                return html_reply(state, 502)

        return Route(f"/{{version}}/{path}", endpoint, methods=list(methods))

    place = "projects/{project}/locations/{location}"
    return [
        route(f"{place}/publishers/google/models/{{name}}:{{method}}", _call_publisher_model, "POST"),
        route(f"{place}/endpoints/{{endpoint}}:{{method}}", _call_endpoint, "POST"),
        route(f"{place}/publishers/google/models/{{name}}", _get_model, "GET"),
        route(f"{place}/cachedContents", create_cache, "POST"),
        route(f"{place}/cachedContents", list_caches, "GET"),
        route(f"{place}/cachedContents/{{name}}", one_cache, "GET", "PATCH", "DELETE"),
        route(f"{place}/batchPredictionJobs", create_job, "POST"),
        route(f"{place}/batchPredictionJobs", list_jobs, "GET"),
        route(f"{place}/batchPredictionJobs/{{number}}", one_job, "GET", "POST", "DELETE"),
        route("publishers/google/models/{name}:{method}", _call_express, "POST"),
        route("publishers/google/models", _list_models, "GET"),
        route("publishers/google/models/{name}", _get_model, "GET"),
        *storage_routes(state),
    ]


def _bare(reply: ASGIApp) -> ASGIApp:
    """The answer without the headers that only the Developer API sends."""
    if isinstance(reply, Delivery):
        reply.headers.pop("x-gemini-service-tier", None)
    return reply


async def _call_publisher_model(state: EmulatorState, request: Request) -> Delivery:
    params = request.path_params
    if params["location"] not in REGIONS or params["method"] not in _METHODS:
        return html_reply(state, 404)
    name = params["name"]
    resource = f"projects/{params['project']}/locations/{params['location']}/publishers/google/models/{name}"
    body = await read(state, request, partial(check_token, state, request))
    if not _PROJECT.fullmatch(params["project"]):
        raise invalid(f"Invalid resource field value in the request: {params['project']}.")
    return _answer(state, request, name, resource, body)


async def _call_endpoint(state: EmulatorState, request: Request) -> Delivery:
    params = request.path_params
    if params["location"] not in REGIONS or params["method"] not in _METHODS:
        return html_reply(state, 404)
    body = await read(state, request, partial(check_token, state, request))
    if params["location"] in MULTI_REGIONS or not params["endpoint"].isdecimal():
        raise GoogleApiError(
            404,
            f"Endpoint `projects/{params['project']}/locations/{params['location']}/endpoints/"
            f"{params['endpoint']}` not found.",
        )
    resource = f"projects/{params['project']}/locations/{params['location']}/endpoints/{params['endpoint']}"
    return _answer(state, request, TUNED, resource, body)


async def _call_express(state: EmulatorState, request: Request) -> Delivery:
    if request.path_params["method"] not in _METHODS:
        return html_reply(state, 404)
    body = await read(state, request, partial(check_key, request))
    name = request.path_params["name"]
    return _answer(state, request, name, f"publishers/google/models/{name}", body)


def _answer(state: EmulatorState, request: Request, name: str, resource: str, body: object) -> Delivery:
    """The answer of a model, in Vertex AI's form and words.

    Raises:
        GoogleApiError: What Vertex AI would refuse, and what the scenario refuses.
    """
    method, project = request.path_params["method"], request.path_params.get("project", "express")
    location = request.path_params.get("location", "global")
    asked = _AS.get(method, method)
    try:
        model = families.find(name, method=asked, day=state.day)
        if model is None or lifecycle.is_retired(name, state.day) or not _is_served(model, asked, location):
            raise words.model_not_found(resource)
        native = as_developer(method, model.name, with_objects(body, state.objects) if state.objects else body)
        return _called(state, request, model, native, location)
    except GoogleApiError as error:
        if error.message == "The caller does not have permission":
            raise words.permission_denied(resource) from None
        raise words.in_vertex_words(error, resource, project) from None


def _is_served(model: ModelFamily, method: str, location: str) -> bool:
    family = model.family
    if family.generation >= GLOBAL_FIRST and location not in MULTI_REGIONS:
        return False
    if family.vector is not None:
        # google-genai 3.6.1 asks for each of Gemini's by embedContent; older ones, and others, ask 001 by predict.
        return method in ({"embedContent"} if family.vector.rich else {"embedContent", "predict"})
    return method in family.methods


def _called(state: EmulatorState, request: Request, model: ModelFamily, body: Any, location: str) -> Delivery:
    method = request.path_params["method"]
    if method in {"generateContent", "streamGenerateContent"}:
        dress = partial(dressed, traffic=traffic_type(request.headers, location), now=state.now())
        if method == "generateContent":
            return generate.generate_content(state, request, model, body, dress)
        return generate.stream_generate_content(state, request, model, body, dress)
    if method == "countTokens":
        return generate.count_tokens(state, request, model, body)
    if method == "computeTokens":
        return compute_tokens(state, body)
    if method == "predict":
        if model.family.vector is not None:
            return predict_embeddings(state, request, model, body)
        return predict.predict(state, request, model, body)
    if method == "embedContent":
        return embed.embed_content(state, request, model, body)
    return embed.batch_embed_contents(state, request, model, body)


def _resource(model: ModelFamily) -> dict[str, object]:
    """A `PublisherModel`; it has no token limits."""
    return {
        "name": f"publishers/google/models/{model.name}",
        "versionId": "default",
        "openSourceCategory": "PROPRIETARY",
        "launchStage": "PUBLIC_PREVIEW" if "preview" in model.name else "GA",
        "versionState": "VERSION_STATE_STABLE",
    }


async def _list_models(state: EmulatorState, request: Request) -> Delivery:
    await read(state, request, partial(check_either, state, request))
    models = [_resource(model) for model in families.served(day=state.day) if not model.latest]
    return json_reply(state, caches.paged("publisherModels", models, *paging(request)))


async def _get_model(state: EmulatorState, request: Request) -> Delivery:
    await read(state, request, partial(check_either, state, request))
    model = families.find(request.path_params["name"], day=state.day)
    if model is None:
        raise words.model_not_found(f"publishers/google/models/{request.path_params['name']}")
    return json_reply(state, _resource(model))
