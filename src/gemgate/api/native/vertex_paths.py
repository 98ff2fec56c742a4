"""Vertex AI's own paths, as google-genai asks them with `vertexai=True`: which of them pass, and where to. No I/O.

A path is read as the method of the Developer API that does the same, so that keys, limits and metrics are those of any
other native call. What it names beside the model leads nowhere: a project has to be the gateway's, and a location one
that the gateway asks for this model.
"""

import re
from dataclasses import dataclass

from gemgate.api.native.methods import METHODS, MatchedMethod, Unknown
from gemgate.errors import ApiError
from gemgate.gemini.resource_names import VERTEX
from gemgate.gemini.vertex.caller_tokens import is_token_key, placed
from gemgate.gemini.vertex.lanes import Lanes
from gemgate.gemini.vertex.methods import METHODS as VERTEX_METHODS
from gemgate.settings import Settings

_MARK = "/publishers/google/models/"
_ADDRESS = re.compile(
    r"/v1(?:beta1)?"
    r"(?:/projects/(?P<project>[A-Za-z0-9.:-]{1,120})/locations/(?P<location>[a-z0-9-]{1,40}))?"
    r"/publishers/google/models/(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]{0,199}):(?P<call>[A-Za-z]{1,40})",
    re.ASCII,
)
_METHODS = {
    method.call: method
    for method in METHODS
    if method.top == "models" and method.verb == "POST" and method.call in VERTEX_METHODS
}


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
    """The method that a request asks for; None when the path is not below the models of Vertex AI.

    Args:
        verb: The HTTP method.
        path: Percent-decoded, without the query.
    """
    if _MARK not in path:
        return None
    found = _ADDRESS.fullmatch(path)
    if found is None or verb != "POST" or found["call"] not in _METHODS:
        place = "projects/{project}/locations/{location}"
        known = (f"POST /{{version}}/{start}publishers/google/models/{{model}}:" for start in (f"{place}/", ""))
        return Unknown(tuple(text + "|".join(VERTEX_METHODS) for text in known), is_shared=False)
    name, call = found["name"], found["call"]
    return VertexMethod(
        _METHODS[call],
        f"/v1beta/{VERTEX}{name}:{call}",
        (name,),
        is_shared=False,
        project=found["project"] or "",
        location=found["location"] or "",
    )


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
        return None
    if is_token_key(key):
        try:
            return placed(key, call.project, call.location)
        except ValueError as error:
            raise ApiError(400, f"The path of the request: {error}.", code="invalid_value") from None
    if settings.vertex_api_key or call.project != settings.google_cloud_project:
        msg = (
            "The gateway calls Vertex AI in its own project, and this path names another one. Write the gateway's, or "
            "use the path without a project: /v1/publishers/google/models/."
        )
        raise ApiError(403, msg, param="project", code="project_not_allowed")
    lanes = Lanes(call.project, settings.google_cloud_location, settings.vertex_locations)
    locations = lanes.locations_of(call.names[0])
    if call.location not in locations:
        msg = f"The gateway asks for {call.names[0]} in {', '.join(locations)}, and not in {call.location}."
        raise ApiError(400, msg, param="location", code="location_not_served")
    return next(lane.name for lane in lanes.all if lane.location == call.location) if len(locations) > 1 else None


def refuse_caches(value: object) -> None:
    """Refuse a cache in a body: the gateway makes none in Vertex AI, so that it cannot be this caller's.

    Raises:
        ApiError: 404.
    """
    if isinstance(value, dict) and (value.get("cachedContent") or value.get("cached_content")):
        msg = "The cache was not found: this gateway makes no caches in Vertex AI."
        raise ApiError(404, msg, param="cachedContent", code="not_found")
