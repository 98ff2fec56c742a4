"""Vertex AI's own paths, as google-genai asks them with `vertexai=True`: which of them pass, and where to. No I/O.

A path is read as the method of the Developer API that does the same, so that keys, limits and metrics are those of any
other native call. What it names beside the model leads nowhere: a project has to be the gateway's, and a location one
that the gateway asks for this model.
"""

import re
from dataclasses import dataclass

from gemgate.api.native.methods import METHODS, Kind, MatchedMethod, Method, Unknown
from gemgate.errors import ApiError
from gemgate.gemini.resource_names import ENDPOINTS, VERTEX
from gemgate.gemini.vertex.caller_tokens import is_token_key, placed
from gemgate.gemini.vertex.lanes import Lanes
from gemgate.gemini.vertex.methods import METHODS as VERTEX_METHODS
from gemgate.settings import Settings

_MARK = re.compile(
    r"/v1(?:beta1)?/(?:projects/[^/]+/locations/[^/]+/(?:publishers/google/models|endpoints|cachedContents|batchPredictionJobs)\b"
    r"|publishers/google/models\b)"
)
"""The beginning of what Vertex AI has here, whether it is well formed or not."""

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}"
_ADDRESS = re.compile(
    r"/v1(?:beta1)?"
    r"(?:/projects/(?P<project>[A-Za-z0-9.:-]{1,120})/locations/(?P<location>[a-z0-9-]{1,40}))?"
    rf"/(?:(?P<publisher>publishers/google/)?(?P<top>models|endpoints|cachedContents|batchPredictionJobs))(?:/(?P<name>{_NAME}))?"
    r"(?::(?P<call>[A-Za-z]{1,40}))?",
    re.ASCII,
)
_OF_ENDPOINTS = ("generateContent", "streamGenerateContent", "countTokens", "computeTokens", "predict")
_TOKENS = Method("POST", "models/{name}:computeTokens")
_METHODS = {
    method.call: method
    for method in (*METHODS, _TOKENS)
    if method.top == "models" and method.verb == "POST" and method.call in VERTEX_METHODS
}
_JOB = "batchPredictionJobs"
_PLACED = {
    (method.top, method.verb, "/" in method.template, method.call): method
    for method in (
        *(method for method in METHODS if method.top == "cachedContents"),
        Method("POST", _JOB, Kind.JOB, makes=True),
        Method("GET", _JOB, lists=_JOB),
        Method("GET", f"{_JOB}/{{name}}"),
        Method("DELETE", f"{_JOB}/{{name}}"),
        Method("POST", f"{_JOB}/{{name}}:cancel"),
    )
}
"""What belongs to a project and a location, by what it is, the HTTP method, whether it has a name, and the call."""

_TOPS = frozenset({top for top, *_ in _PLACED})
_LIST = Method("GET", "models", lists="publisherModels")
_GET = Method("GET", "models/{name}")
_PUBLISHED = f"/v1beta/{VERTEX}publishers/google/models"
_PLACE = "projects/{project}/locations/{location}/"
_KNOWN = (
    f"POST /{{version}}/{_PLACE}publishers/google/models/{{model}}:{'|'.join(VERTEX_METHODS)}",
    f"POST /{{version}}/publishers/google/models/{{model}}:{'|'.join(VERTEX_METHODS)}",
    f"POST /{{version}}/{_PLACE}endpoints/{{endpoint}}:{'|'.join(_OF_ENDPOINTS)}",
    "GET /{version}/publishers/google/models",
    "GET /{version}/publishers/google/models/{model}",
    f"POST, GET /{{version}}/{_PLACE}cachedContents",
    f"GET, PATCH, DELETE /{{version}}/{_PLACE}cachedContents/{{cache}}",
    f"POST, GET /{{version}}/{_PLACE}batchPredictionJobs",
    f"GET, DELETE /{{version}}/{_PLACE}batchPredictionJobs/{{job}}",
    f"POST /{{version}}/{_PLACE}batchPredictionJobs/{{job}}:cancel",
)
_CACHED_MODEL = re.compile(
    rf"projects/[^/]{{1,120}}/locations/[^/]{{1,60}}/publishers/google/models/({_NAME})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class VertexMethod(MatchedMethod):
    """A request on a path of Vertex AI's.

    Attributes:
        project: In the path; empty in the express mode.
        location: In the path; empty in the express mode.
    """

    project: str = ""
    location: str = ""


def find_vertex(verb: str, path: str) -> VertexMethod | Unknown | None:
    """The method that a request asks for; None when the path is not one of those that Vertex AI has here.

    Args:
        verb: The HTTP method.
        path: Percent-decoded, without the query.
    """
    if _MARK.match(path) is None:
        return None
    found = _ADDRESS.fullmatch(path)
    asked = _asked(verb, found) if found is not None else None
    if found is None or asked is None:
        return Unknown(_KNOWN, is_shared=False)
    method, native, names = asked
    place = {name: found[name] or "" for name in ("project", "location")}
    return VertexMethod(method, native, names, is_shared=False, template=f"/v1beta/{method.template}", **place)


def _asked(verb: str, found: re.Match[str]) -> tuple[Method, str, tuple[str, ...]] | None:
    """The method, the path within the gateway, and the names in it; None for an unknown method."""
    top, name, call = found["top"], found["name"], found["call"]
    if top in _TOPS:
        method = _PLACED.get((top, verb, name is not None, call or ""))
        if method is None or found["publisher"] or not found["project"]:
            return None
        path = f"/v1beta/{VERTEX}{top}"
        return (method, f"{path}/{name}" + (f":{call}" if call else ""), (name,)) if name else (method, path, ())
    if top == "endpoints":
        if verb != "POST" or not name or call not in _OF_ENDPOINTS or found["publisher"] or not found["project"]:
            return None
        return _METHODS[call], f"/v1beta/{VERTEX}{ENDPOINTS}{name}:{call}", (ENDPOINTS + name,)
    if not found["publisher"]:
        return None
    if verb == "GET" and not call:
        return (_GET, f"{_PUBLISHED}/{name}", (name,)) if name else (_LIST, _PUBLISHED, ())
    if verb != "POST" or not name or call not in _METHODS:
        return None
    return _METHODS[call], f"/v1beta/{VERTEX}{name}:{call}", (name,)


def lane_for(call: VertexMethod, settings: Settings, key: str | None) -> str | None:
    """The one lane that the path asks for; None where any lane for the model will do.

    A caller's own token (`key`) goes wherever the path says, since Google decides what it is good for.

    Raises:
        ApiError: 404 where the gateway asks the Developer API alone, 403 for a project that is not the gateway's, 400
            for a location that it does not ask for this model.
    """
    if not settings.asks_vertex:
        msg = "This gateway asks the Developer API, and not Vertex AI. Its native paths begin with /v1beta/models/."
        raise ApiError(404, msg, code="unknown_method")
    if not call.project:
        return None if call.method.call or is_token_key(key) else settings.vertex_lanes.all[0].name
    if is_token_key(key):
        try:
            return placed(key, call.project, call.location)
        except ValueError as error:
            raise ApiError(400, f"The path of the request: {error}.", code="invalid_value") from None
    is_placed = call.method.top in _TOPS
    is_ours = call.project == settings.google_cloud_project or (is_placed and call.project.isdecimal())
    if settings.vertex_api_key or not is_ours:
        msg = (
            "The gateway calls Vertex AI in its own project, and this path names another one. Write the gateway's, or "
            "use the path without a project: /v1/publishers/google/models/."
        )
        raise ApiError(403, msg, param="project", code="project_not_allowed")
    return _lane_in(call, settings.vertex_lanes)


def _lane_in(call: VertexMethod, lanes: Lanes) -> str | None:
    """The lane in the location of the path: one of those for its model, and for a cache or a job any.

    Raises:
        ApiError: 400, the location is not one of theirs.
    """
    is_about_a_model = call.method.top == "models" and bool(call.method.call)
    locations = lanes.locations_of(call.names[0]) if is_about_a_model else tuple(lane.location for lane in lanes.all)
    if call.location not in locations:
        what = call.names[0] if is_about_a_model else "Vertex AI"
        msg = f"The gateway asks for {what} in {', '.join(locations)}, and not in {call.location}."
        raise ApiError(400, msg, param="location", code="location_not_served")
    if is_about_a_model and len(locations) == 1:
        return None
    return next(lane.name for lane in lanes.all if lane.location == call.location)


def as_named_elsewhere(value: object) -> object:
    """A body for a cache, with its model named as at the Developer API; anything else as it is."""
    if isinstance(value, dict) and isinstance(model := value.get("model"), str):
        found = _CACHED_MODEL.fullmatch(model)
        return {**value, "model": f"models/{found[1]}"} if found else value
    return value
