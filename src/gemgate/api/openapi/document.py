"""The OpenAPI document: the application's routes, with what `operations` says of each."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from gemgate.api.openapi.common import ErrorBody
from gemgate.api.openapi.operations import (
    FORM,
    JSON,
    OPERATIONS,
    Body,
    Operation,
)

Schemas = Mapping[object, dict[str, object]]
"""The schema of each type."""

HEADERS = {
    "accept-ranges": "`bytes`: a `range` can be asked for.",
    "content-disposition": "The file's name.",
    "content-range": "The range of bytes, and the size of the file.",
    "etag": "The SHA-256 of the whole file.",
    "retry-after": "Seconds until another attempt makes sense.",
    "retry-after-ms": "The same in milliseconds.",
    "www-authenticate": "`Bearer`.",
    "x-gemgate-adjusted": "Parameters changed so that Gemini accepts them, such as `reasoning_effort=none->low`.",
    "x-gemgate-dropped-params": "Parameters that Gemini has no counterpart for.",
    "x-gemgate-model": "The model that answered.",
    "x-gemgate-model-status": "What Google has said of the model's end: stage, day, successor.",
    "x-gemgate-stale": "`true`: Google could not be reached, and the list is the last known one.",
    "x-google-status": "Google's own status, such as `RESOURCE_EXHAUSTED`.",
    "x-ratelimit-limit-requests": "Requests a minute that the key may make.",
    "x-ratelimit-limit-tokens": "Tokens a minute that the key may use.",
    "x-ratelimit-remaining-requests": "How many of these requests are left.",
    "x-ratelimit-remaining-tokens": "How many of these tokens are left.",
    "x-ratelimit-reset-requests": "When the full limit of requests is available again, such as `6m0s`.",
    "x-ratelimit-reset-tokens": "When the full limit of tokens is available again.",
    "x-request-id": "The name of this request in the gateway's log: the caller's own, or a new one.",
    "x-should-retry": "`false`: another attempt would not help.",
}
"""Of answers."""

_ASKED = {
    "if-range": ("The etag that the `range` is of; the whole comes if the file has another.", {"type": "string"}),
    "range": ("A range of bytes, such as `bytes=0-1023`.", {"type": "string"}),
    "x-gemgate-dry-run": (
        "`true`: return the native request, and call nobody.",
        {"type": "string", "enum": ["true", "1"]},
    ),
    "x-request-id": ("A name of the caller's for this request.", {"type": "string"}),
}

_FAILURES = {
    400: "The request is wrong; `param` says where.",
    401: "The key is missing, or neither the gateway nor Google knows it.",
    403: "The key may not do this, or Google does not serve this place.",
    404: "It does not exist for this caller.",
    408: "The body arrived too slowly.",
    413: "The body is too large.",
    415: "The body is of a type or an encoding that this endpoint does not read.",
    416: "The range lies outside the file.",
    429: "A limit is reached: one of the key's, or Google's.",
    500: "An internal error of the gateway.",
    502: "Google sent no valid answer.",
    503: "The gateway or the model is overloaded, or the gateway is being stopped.",
    504: "Google did not answer in time.",
}
_OTHER = "Any other failure: a status of Google's is passed on."

_OF_ALL = {"key": (400, 401, 429, 500, 503), "metrics": (401,), None: ()}
_FAILURE_HEADERS = {
    401: ("www-authenticate",),
    429: tuple(name for name in HEADERS if name.startswith(("retry-after", "x-ratelimit"))),
    503: ("retry-after", "retry-after-ms"),
}
_ACCESS: dict[str | None, list[dict[str, list[str]]]] = {
    "key": [{"bearer": []}, {"x-goog-api-key": []}, {"api-key": []}],
    "metrics": [{}, {"metrics": []}],
    None: [],
}
_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A client key of the gateway, or the caller's own Gemini key if the gateway has no key.",
    },
    "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key", "description": "The same."},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key", "description": "The same."},
    "metrics": {"type": "http", "scheme": "bearer", "description": "GEMGATE_METRICS_TOKEN, if it is set."},
}


def document(app: FastAPI) -> dict[str, object]:
    """The document of `app`, in OpenAPI 3.1.

    Raises:
        KeyError: a route that is to be shown is not in `OPERATIONS`.
    """
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas, definitions = _schemas()
    for path, methods in found["paths"].items():
        for method, shown in methods.items():
            _complete(shown, OPERATIONS[method, path], schemas)
    found["components"] = {
        "schemas": definitions,
        "responses": {_failure_name(status): _failure(status, schemas) for status in (*_FAILURES, None)},
        "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()},
        "parameters": {
            name: {"name": name, "in": "header", "description": text, "schema": schema}
            for name, (text, schema) in _ASKED.items()
        },
        "securitySchemes": _SCHEMES,
    }
    return found


def _complete(shown: dict[str, Any], operation: Operation, schemas: Schemas) -> None:
    """Puts into FastAPI's `shown`, which knows only the path and the query, what `operation` says."""
    shown["description"] = shown["description"].partition("\n\nRaises:")[0]
    if operation.takes:
        shown["requestBody"] = {"content": _content(operation.takes, schemas), "required": True}
    for name in (*operation.asks, "x-request-id"):
        shown.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{name}"})
    responses: dict[str, object] = {
        str(status): {
            "description": answer.means,
            "headers": _headers((*answer.headers, "x-request-id")),
            "content": _content(answer.body, schemas),
        }
        for status, answer in operation.answers.items()
    }
    failures = {*_OF_ALL[operation.access], *operation.failures}
    for status in sorted(failures):
        responses[str(status)] = {"$ref": f"#/components/responses/{_failure_name(status)}"}
    responses["default"] = {"$ref": f"#/components/responses/{_failure_name(None)}"}
    shown["responses"] = responses
    shown["security"] = _ACCESS[operation.access]


def _content(body: Body, schemas: Schemas) -> dict[str, dict[str, object]]:
    content: dict[str, dict[str, object]] = {media: {"schema": schemas[kind]} for media, kind in body.items()}
    nested = [name for name in _NESTED if FORM in body and name in body[FORM].model_fields]
    if nested:
        content[FORM]["encoding"] = {name: {"style": "deepObject", "explode": True} for name in nested}
    return content


_NESTED = ("expires_after", "extra_body", "google")
"""Fields of forms whose own fields OpenAI's clients write as `expires_after[seconds]=3600`."""


def _headers(names: Iterable[str]) -> dict[str, object]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _failure_name(status: int | None) -> str:
    return "Failure" if status is None else f"Failure{status}"


def _failure(status: int | None, schemas: Schemas) -> dict[str, object]:
    headers = ("x-request-id", "x-google-status", "x-should-retry", *_FAILURE_HEADERS.get(status or 0, ()))
    return {
        "description": _OTHER if status is None else _FAILURES[status],
        "headers": _headers(headers),
        "content": {JSON: {"schema": schemas[ErrorBody]}},
    }


def _schemas() -> tuple[Schemas, dict[str, Any]]:
    """The schema of each body of `OPERATIONS`, and what these refer to."""
    bodies = [body for operation in OPERATIONS.values() for body in (operation.takes, *_bodies(operation))]
    kinds = {kind: TypeAdapter(kind) for body in bodies for kind in body.values()}
    kinds[ErrorBody] = TypeAdapter(ErrorBody)
    kinds.pop(bytes)
    found, rest = TypeAdapter.json_schemas(
        [(kind, "validation", adapter) for kind, adapter in kinds.items()],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[object, dict[str, object]] = {kind: dict(schema) for (kind, _), schema in found.items()}
    schemas[bytes] = {"type": "string", "format": "binary"}
    return schemas, rest["$defs"]


def _bodies(operation: Operation) -> list[Body]:
    return [answer.body for answer in operation.answers.values()]
