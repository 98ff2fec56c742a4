"""The gateway's own failures on Google's paths, in Google's shape. No I/O.

Shape: https://cloud.google.com/apis/design/errors. What Google itself refuses is handed on as it came.
"""

from typing import Any

import orjson

from gemgate.errors import ApiError
from gemgate.gemini.errors import reason_of

DOMAIN = "gemgate"
"""The `domain` of the detail that says which of the gateway's errors it is: Google's own have another."""

_UNAVAILABLE = (502, 503)


def google_body(error: ApiError) -> dict[str, Any]:
    """`{"error": {code, message, status, details}}`; `details` name the gateway's code and when to try again."""
    status = "UNAVAILABLE" if error.status in _UNAVAILABLE else _status(error.status)
    details: list[dict[str, Any]] = []
    if error.code:
        details.append(
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code.upper(), "domain": DOMAIN}
        )
    if (seconds := error.headers.get("retry-after")) is not None and seconds.isdecimal():
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"})
    told: dict[str, Any] = {"code": error.status, "message": error.message, "status": status}
    return {"error": told | ({"details": details} if details else {})}


def error_event(error: ApiError) -> bytes:
    """The last event of a stream that failed on its way."""
    return b"data: " + orjson.dumps(google_body(error)) + b"\r\n\r\n"


def _status(status: int) -> str:
    reason = reason_of(status)
    return "INVALID_ARGUMENT" if reason == "UNKNOWN" and status < 500 else reason
