"""Answers every failure, in OpenAI's shape but on Google's own paths."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gemgate.errors import ApiError, internal_error, store_unavailable
from gemgate.gemini.errors import GeminiError, InvalidNameError
from gemgate.media.errors import MediaError
from gemgate.observability.record import current
from gemgate.redaction import redact, traceback_of
from gemgate.store import DiskFullError, QuotaExceededError, StoreError, StoreUnavailableError
from gemgate.translation.google_errors import error_from_gemini
from gemgate.translation.validation import from_details
from gemgate.web.error_shapes import error_body

_log = structlog.get_logger()

CLIENT_CLOSED_REQUEST = 499
"""Status for the log when the client has disconnected (nginx's 499)."""


def as_api_error(error: Exception) -> ApiError:
    """Any failure as an error for the caller; an unforeseen one is logged, and reported as a 500 without internals."""
    match error:
        case ApiError():
            api_error = error
        case GeminiError():
            api_error = error_from_gemini(error)
        case MediaError():
            api_error = ApiError(400, str(error), code=error.code)
        case QuotaExceededError():
            msg = f"You have stored as much as this gateway keeps for one caller: {error.most}. Delete files first."
            api_error = ApiError(403, msg, code="storage_quota_exceeded")
        case StoreUnavailableError():
            _log.error("the store failed", exception=traceback_of(error))
            api_error = store_unavailable()
        case DiskFullError():
            msg = "The gateway's disk is full: nothing can be stored until its operator makes room."
            api_error = ApiError(507, msg, type="server_error", code="insufficient_storage")
        case InvalidNameError():
            api_error = ApiError(400, str(error), code="invalid_value")
        case _:
            _log.error("internal error", exception=traceback_of(error))
            api_error = internal_error()
    current().error = api_error.code or api_error.type
    return api_error


def answer(error: Exception) -> Response:
    """The answer for `error`, which is noted for the log."""
    api_error = as_api_error(error)
    record = current()
    body = orjson.dumps(error_body(api_error, record.method, record.path))
    return Response(body, status_code=api_error.status, headers=api_error.headers, media_type="application/json")


def install(app: FastAPI) -> None:
    """Registers a handler for each kind of failure; what is left over is `TelemetryMiddleware`'s part."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def answer_to(request: Request, error: Exception) -> Response | None:
    """The answer to what an endpoint raised; None for what nobody foresaw."""
    for kind, handler in _HANDLERS.items():
        if isinstance(error, kind):
            return await handler(request, error)
    return None


async def _expected(_request: Request, error: Exception) -> Response:
    return answer(error)


async def _validation(_request: Request, error: RequestValidationError) -> Response:
    return answer(from_details(error.errors(), error.body))


async def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _http(request: Request, error: HTTPException) -> Response:
    """What Starlette itself refuses: an unknown path, a wrong method."""
    method, path = request.method, redact(request.url.path)
    match error.status_code:
        case 404:
            find = getattr(request.app.state, "meant_path", None)
            meant = find(method, path) if find is not None else None
            hint = f". Did you mean {meant}?" if meant else ""
            api_error = ApiError(404, f"Invalid URL ({method} {path}){hint}")
        case 405:
            allowed = Headers(error.headers).get("allow", "another method")
            msg = f"Not allowed to {method} on {path}. Use {allowed}."
            api_error = ApiError(405, msg, code="method_not_supported")
        case status:
            api_error = ApiError(status, str(error.detail))
    api_error.headers.update(error.headers or {})
    return answer(api_error)


_HANDLERS: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
    ApiError: _expected,
    GeminiError: _expected,
    MediaError: _expected,
    InvalidNameError: _expected,
    QuotaExceededError: _expected,
    DiskFullError: _expected,
    StoreError: _expected,
    RequestValidationError: _validation,
    HTTPException: _http,
    ClientDisconnect: _gone,
}
