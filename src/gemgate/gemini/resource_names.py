"""Names of resources, which callers choose and which are in paths."""

import re

from gemgate.gemini.errors import InvalidNameError

_MODEL = re.compile(
    r"(?:(?P<kind>models|tunedModels|dynamic|endpoints|vertex(?:/endpoints)?)/)?(?P<id>[A-Za-z0-9][A-Za-z0-9._-]{0,199})",
    re.ASCII,
)
COLLECTION = re.compile(
    r"/(?:upload/|download/)?v1(?:beta|alpha)?/(?:vertex/(?=cachedContents|publishers|batchPredictionJobs))?(\w+)"
)
"""The beginning of a path of the API; its group is what the path is about, such as `files`."""

VERTEX = "vertex/"
"""What stands before the name of a model that Vertex AI is asked for, where the Developer API is asked for others."""

ENDPOINTS = "endpoints/"
"""What stands before the id of a tuned model, or of another one that is deployed in Vertex AI."""


FILES_URL = "https://generativelanguage.googleapis.com/v1beta/"
"""What stands before `files/x` in the `fileUri` of a part, whatever host the gateway calls."""

_PLACE = re.compile(r"projects/[^/\s]{1,120}/locations/[^/\s]{1,60}/(?=(?:cachedContents|batchPredictionJobs)/)")


def without_place(text: str) -> str:
    """`text` without the project and the location that Vertex AI writes before the name of a cache or of a job."""
    return _PLACE.sub("", text)


_PREFIXES = ("vertex_ai/", "gemini/", "google/", "publishers/google/")


def without_prefixes(model: str) -> str:
    """`model` without what clients of other gateways and of Vertex write before it, such as `gemini/`."""
    if "/" not in model:
        return model
    while (rest := _without_prefix(model)) != model:
        model = rest
    return model


def _without_prefix(model: str) -> str:
    found = next((prefix for prefix in _PREFIXES if model.startswith(prefix)), "")
    return model[len(found) :]


def model_path(model: str) -> str:
    """`models/x` of `x` or `models/x`; `tunedModels/x`, `dynamic/x`, `vertex/x` and `endpoints/x` stay.

    Raises:
        InvalidNameError: the name holds anything but letters, digits, `.`, `_` and `-`. Nothing is quoted: no model of
            Google's needs it, and what one server quotes the next may unquote.
    """
    found = _MODEL.fullmatch(model)
    if found is None:
        raise InvalidNameError(f"{model[:80]!r} is not the name of a model, such as gemini-2.5-flash")
    return f"{found['kind'] or 'models'}/{found['id']}"
