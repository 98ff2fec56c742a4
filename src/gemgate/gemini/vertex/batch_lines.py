"""Lines of Vertex AI's batch jobs, in the bucket, from and to those of the Developer API. Pure.

Of a request to generate, Vertex AI gives no key of ours back: it writes the request again beside its answer. So the key
of a line is a label of the request, as Google's users do it (LiteLLM, `batches/`). A content to embed has a key beside
it, which comes back, and its settings in an object of their own.

Source: docs.cloud.google.com/gemini-enterprise-agent-platform/models/embeddings/batch-prediction-genai-embeddings; the
answers are as of llumiverse PR 647.
"""

from collections.abc import Mapping
from http import HTTPStatus

import orjson

from gemgate.gemini.proto_json import text
from gemgate.gemini.vertex.differences import fitted

MAX_INPUT = 1_000_000_000
"""The most bytes that the input of a job has in Cloud Storage.

Source of both: docs.cloud.google.com/gemini-enterprise-agent-platform/models/capabilities/batch-inference.
"""

MAX_REQUESTS = 200_000
"""The most requests of a job; of contents to embed there may be a million."""

LABEL = "gemgate-line"
"""The label of a request that holds the key of its line: digits and dashes, which a label may be of."""

_EMBEDDING_SETTINGS = {
    "taskType": "task_type",
    "title": "title",
    "outputDimensionality": "output_dimensionality",
}
_MAX_MESSAGE = 2000
_STATUS_BY_PHRASE = {status.phrase.lower(): status.value for status in HTTPStatus}


def vertex_input_line(key: str, request: Mapping[str, object]) -> bytes:
    """One line of an input file in a bucket.

    Raises:
        TypeError: the request cannot be written as JSON.
    """
    body = fitted(request).body
    given = body.get("labels")
    labels = {**(given if isinstance(given, Mapping) else {}), LABEL: key}
    return orjson.dumps({"request": {**body, "labels": labels}}, option=orjson.OPT_APPEND_NEWLINE)


def vertex_embedding_line(key: str, request: Mapping[str, object]) -> bytes:
    """One line of an input file in a bucket, with a content to embed.

    Raises:
        TypeError: the request cannot be written as JSON.
    """
    settings = {snake: request[name] for name, snake in _EMBEDDING_SETTINGS.items() if name in request}
    body = {"content": request.get("content"), **({"embed_content_config": settings} if settings else {})}
    return orjson.dumps({"key": key, "request": body}, option=orjson.OPT_APPEND_NEWLINE)


def developer_result_line(line: bytes) -> bytes:
    """A line of results as the Developer API writes it; empty where it belongs to no line of ours.

    A line with neither an answer nor an error remains one.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return b""
    key = _key_of(value) if isinstance(value, dict) else None
    if not isinstance(key, str):
        return b""
    result: dict[str, object] = {"key": key}
    if error := _error_of(value.get("status")):
        result["error"] = error
    elif isinstance(response := value.get("response"), dict) and response:
        result["response"] = response
    return orjson.dumps(result)


def _key_of(value: Mapping[str, object]) -> object:
    """What is in the place of a line's key: beside the request, or among its labels."""
    request = value.get("request")
    labels = request.get("labels") if isinstance(request, dict) else None
    return labels.get(LABEL) if isinstance(labels, dict) else value.get("key")


def _error_of(status: object) -> dict[str, object] | None:
    """The error in `status`; None where the request was answered.

    It is empty then; otherwise the phrase of an HTTP status, and behind a colon the JSON that a live call would get; or
    a `google.rpc.Status`, as an object or as its JSON.
    """
    said = text(status).strip()
    if said.startswith("{"):
        try:
            status = orjson.loads(said)
        except orjson.JSONDecodeError:
            status = None
    if isinstance(status, dict):
        return status if status.get("code") else None
    if not said:
        return None
    phrase, _, answer = said.partition(":")
    code = _STATUS_BY_PHRASE.get(phrase.strip().lower(), 500)
    try:
        inner = orjson.loads(answer)
    except orjson.JSONDecodeError:
        inner = None
    error = inner.get("error") if isinstance(inner, dict) else None
    if isinstance(error, dict) and error.get("message"):
        return {"code": code, **error}
    return {"code": code, "message": said[:_MAX_MESSAGE]}
