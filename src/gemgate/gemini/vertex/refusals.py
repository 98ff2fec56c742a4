"""Refusals of Vertex AI in words that help, and those of the gateway where Vertex AI has no counterpart."""

from typing import NoReturn

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.resource_names import COLLECTION
from gemgate.gemini.vertex.lanes import Lane

_WEB_PAGE = "with a web page instead of JSON"

_FILES = (
    "Vertex AI has no Files API: send media inline, or as a gs:// or https URL. With GEMGATE_VERTEX_BUCKET, requests "
    "may name what was uploaded to /v1/files."
)
_INSTEAD = {
    "files": _FILES,
    "generatedFiles": _FILES,
    "batches": "Vertex AI has batches by a bucket alone: with GEMGATE_VERTEX_BUCKET, /v1/batches are there. Else send "
    "the requests one by one, or use the Developer API.",
    "batchPredictionJobs": "The express mode of Vertex AI has no batches: they need a project.",
    "cachedContents": "Vertex AI has caches below a project and a location: use its own paths for them.",
    "decisions": "Vertex AI has no Decisions API: use a model of the Developer API.",
    "fileSearchStores": "Vertex AI has no File Search: use a model of the Developer API.",
    "tunedModels": "Vertex AI has no tunedModels: a tuned model there is endpoints/ID.",
    "interactions": "Vertex AI has no Interactions API for this: use a model of the Developer API.",
}
_BATCHES = frozenset({"batchGenerateContent", "asyncBatchEmbedContent"})


def not_there(path: str) -> GeminiError:
    """The refusal for a call that Vertex AI has no counterpart of; `path` is that of the Developer API."""
    _, _, method = path.rpartition(":")
    found = COLLECTION.match(path)
    collection = "batches" if method in _BATCHES else found[1] if found else ""
    text = _INSTEAD.get(collection, f"Vertex AI has nothing that answers {path[:80]}: use the Developer API.")
    if collection == "decisions":
        return GeminiError(404, text, "NOT_FOUND")  # as from an account without it: who asks may ask another way
    return GeminiError(400, text, "FAILED_PRECONDITION")


def raise_explained(error: GeminiError, lane: Lane) -> NoReturn:
    """Raise `error` without the name of the operator's project; one that a wrong host gives as what it is.

    Raises:
        GeminiError: always.
    """
    if error.status == 404 and _WEB_PAGE in error.message:
        message = (
            f"Vertex AI answered 404 {_WEB_PAGE}: the location of this model, or GEMGATE_VERTEX_ENDPOINT, is wrong."
        )
        raise GeminiError(502, message, "UNAVAILABLE", refusal=error.refusal) from error
    if lane.project:
        error.hide(f"projects/{lane.project}")
    raise error
