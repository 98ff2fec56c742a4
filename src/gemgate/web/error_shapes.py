"""In whose shape an error is written: Google's on Google's own paths, OpenAI's on all others. No I/O."""

import re

from gemgate.errors import ApiError
from gemgate.gemini.errors import reason_of

DOMAIN = "gemgate"
"""The `domain` of the detail that says which of the gateway's errors it is: Google's own have another."""

_GOOGLE = re.compile(
    r"/(?:(?:upload|download)/v1(?:beta|alpha)?(?:/.*)?"
    r"|v1(?:beta1)?/(?:projects|publishers)/.*"
    r"|v1(?:beta|alpha)(?:/(?!(?:openai|chat|embeddings|images)(?:/|\Z)).*)?)",
    re.DOTALL,
)
_CALL = re.compile(r"/v1/(?:models|tunedModels|dynamic)/(?:[^/:]*+:)++\w+", re.DOTALL)
"""Google's if it is posted to; else the name of a model of OpenAI's, such as `ft:gpt-4o:acme`."""


def is_google_path(method: str, path: str) -> bool:
    """Whether a request can be nobody's but Google's: not of its compatible endpoint, and not one of both APIs."""
    return _GOOGLE.fullmatch(path) is not None or (method == "POST" and _CALL.fullmatch(path) is not None)


def error_body(error: ApiError, method: str, path: str) -> dict[str, dict[str, object]]:
    """The body for `error`, in the shape that `path` has."""
    return google_body(error) if is_google_path(method, path) else error.body()


def google_body(error: ApiError) -> dict[str, dict[str, object]]:
    """`{"error": {code, message, status, details}}`; `details` name the gateway's code and when to try again.

    Shape: https://cloud.google.com/apis/design/errors.
    """
    details: list[dict[str, object]] = []
    if error.code:
        details.append(
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code.upper(), "domain": DOMAIN}
        )
    if (seconds := error.headers.get("retry-after")) is not None and seconds.isdecimal():
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"})
    body: dict[str, object] = {"code": error.status, "message": error.message, "status": _status(error.status)}
    return {"error": body | ({"details": details} if details else {})}


def _status(status: int) -> str:
    reason = "UNAVAILABLE" if status == 502 else reason_of(status)
    return "INVALID_ARGUMENT" if reason == "UNKNOWN" and status < 500 else reason
