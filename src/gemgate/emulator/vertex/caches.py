"""`cachedContents` below a project and a location: the emulator's caches under Vertex AI's names.

A cache is kept as `cachedContents/NUMBER.LOCATION.ID`, so that another project or location does not have it. Projects
are numbers in answers, whatever a request calls them. Source: google-genai 3.6.1, `caches.py`; the numbers are a guess.
"""

import re
import zlib
from collections.abc import Mapping
from functools import partial

from starlette.requests import Request

from gemgate.emulator import caches
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import GoogleApiError, bad_request, invalid
from gemgate.emulator.incoming import paging, read
from gemgate.emulator.replies import json_reply
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.validation import Json, parse
from gemgate.emulator.vertex.access import check_token

_MODEL = re.compile(r"projects/[^/]+/locations/([^/]+)/publishers/google/models/([\w.-]+)", re.ASCII)
_NAME = re.compile(r"projects/([^/]+)/locations/([^/]+)/cachedContents/(\d+)", re.ASCII)


def number_of(project: str) -> str:
    """The number of a project that is given by its id or by its number."""
    return project if project.isdecimal() else f"{zlib.crc32(project.encode()):012d}"


def kept_name(name: object) -> str:
    """Under which name a cache is kept that a request calls `name`.

    Raises:
        GoogleApiError: 400, it is not a whole name.
    """
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise invalid(f"Invalid resource name: {name!s:.80}. Expected projects/*/locations/*/cachedContents/*.")
    return f"cachedContents/{number_of(found[1])}.{found[2]}.{found[3]}"


def with_kept_cache(body: Json) -> Json:
    """A request with its cache under the name by which it is kept."""
    named = [name for name in ("cachedContent", "cached_content") if body.get(name)]
    return {**body, **{name: kept_name(body[name]) for name in named}}


async def create_cache(state: EmulatorState, request: Request) -> Delivery:
    """POST /{version}/projects/{project}/locations/{location}/cachedContents.

    Raises:
        GoogleApiError: 400 for a model that is not in this place, or what the Developer API refuses too.
    """
    body = await _body(state, request)
    found = _MODEL.fullmatch(str(body.get("model", "")))
    if found is None or found[1] != request.path_params["location"]:
        raise invalid(f"Invalid model name: {body.get('model', '')!s:.120}.")
    body["model"] = f"models/{found[2]}"
    return json_reply(state, _resource(request, state.caches.create(body, place=_place(request))))


async def list_caches(state: EmulatorState, request: Request) -> Delivery:
    """GET of the same path."""
    await _read(state, request)
    found = [_resource(request, cache) for cache in state.caches.alive(f"cachedContents/{_place(request)}")]
    return json_reply(state, caches.paged("cachedContents", found, *paging(request)))


async def one_cache(state: EmulatorState, request: Request) -> Delivery:
    """GET, PATCH and DELETE of one cache.

    Raises:
        GoogleApiError: 404, it is not there.
    """
    name = f"cachedContents/{_place(request)}{request.path_params['name']}"
    body = await (_body if request.method == "PATCH" else _read)(state, request)
    try:
        if request.method == "DELETE":
            state.caches.delete(name)
            return json_reply(state, {})
        cache = state.caches.patch(name, body) if request.method == "PATCH" and body else state.caches.get(name)
    except GoogleApiError as error:
        if error.status != 403:
            raise
        raise GoogleApiError(404, f"Not found: cached content metadata for {request.path_params['name']}.") from None
    return json_reply(state, _resource(request, cache))


def _place(request: Request) -> str:
    """What the id of a cache in the place of a request begins with."""
    return f"{number_of(request.path_params['project'])}.{request.path_params['location']}."


def _resource(request: Request, cache: caches.Cache) -> Json:
    params = request.path_params
    where = f"projects/{number_of(params['project'])}/locations/{params['location']}"
    return {
        **cache.resource(),
        "name": f"{where}/cachedContents/{cache.name.rpartition('.')[2]}",
        "model": f"{where}/publishers/google/{cache.body['model']}",
    }


async def _read(state: EmulatorState, request: Request) -> Json:
    body = await read(state, request, partial(check_token, state, request))
    return dict(body) if isinstance(body, Mapping) else {}


async def _body(state: EmulatorState, request: Request) -> Json:
    body, found = parse("CachedContent", await _read(state, request))
    if found:
        raise bad_request(found)
    return body
