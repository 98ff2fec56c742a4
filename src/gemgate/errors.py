"""Errors as callers see them.

Shape and codes: https://platform.openai.com/docs/guides/error-codes.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

INVALID_REQUEST = "invalid_request_error"
SERVER_ERROR = "server_error"


class ApiError(Exception):
    """An error in OpenAI's shape: HTTP status, message, type, param, code, and headers to answer with.

    `google` holds `status` and `details` of an error that comes from Google.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = INVALID_REQUEST,  # noqa: A002  OpenAI's name of the field
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        google: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = dict(headers or {})
        self.google = google

    def __reduce__(self) -> tuple[Callable[..., "ApiError"], tuple[int, str]]:
        """Pickled, to cross to the process that translates batches, it stays what it is."""
        fields = {name: getattr(self, name) for name in ("type", "param", "code", "headers", "google")}
        return partial(ApiError, **fields), (self.status, self.message)

    def body(self) -> dict[str, dict[str, object]]:
        """`{"error": {message, type, param, code}}`, all four always there."""
        error: dict[str, object] = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        if self.google is not None:
            error["google"] = self.google
        return {"error": error}


def internal_error() -> ApiError:
    """What a caller may know of our own bugs."""
    return ApiError(
        500,
        "The gateway failed to process this request. See its log, under the x-request-id of this answer.",
        type=SERVER_ERROR,
    )


def shutting_down() -> ApiError:
    """An answer that the gateway cannot finish because it is being stopped."""
    return ApiError(
        503,
        "The gateway is shutting down and could not finish this answer. Please retry.",
        type=SERVER_ERROR,
        code="server_shutting_down",
        headers={"retry-after": "1"},
    )


def store_unavailable() -> ApiError:
    """A request that needs the database or the bucket, of which one fails."""
    return ApiError(
        503,
        "The gateway's store of files and batches fails at the moment. Please retry.",
        type=SERVER_ERROR,
        code="store_unavailable",
        headers={"retry-after": "5"},
    )


def overloaded(maximum: int) -> ApiError:
    """A request more than the gateway takes at once."""
    return ApiError(
        503,
        f"The gateway is serving {maximum} requests, as many as it takes at once. Please retry.",
        type=SERVER_ERROR,
        code="server_overloaded",
        headers={"retry-after": "1"},
    )


def missing_field(param: str) -> ApiError:
    """The error for a parameter that must be there."""
    return ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def duration(seconds: float) -> str:
    """A time as OpenAI writes it in headers and messages, which is Go's way: `0s`, `20ms`, `1.5s`, `6m0s`, `2h0m0s`.

    Milliseconds are rounded up, and above a minute seconds are.
    """
    milliseconds = math.ceil(seconds * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
