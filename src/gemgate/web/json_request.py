"""A request with a JSON body as endpoints read it: its headers, its body, and whether Google is asked at all."""

from functools import cached_property
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from gemgate.errors import ApiError


class HotRequest(Request):
    """Starlette's, which looks through all headers for each that is asked for."""

    @cached_property
    def headers(self) -> Headers:
        """The headers: kept with the instance, so that each of ten looks costs no call."""
        return _Headers(scope=self.scope)


class _Headers(Headers):
    """The first value of each name at hand."""

    def __init__(self, *, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._first = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(self.raw)}

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._first

    def get(self, key: str, default: Any = None) -> Any:
        """The first value, or `default`."""
        return self._first.get(key.lower(), default)


async def read_json_body(request: Request, limit: int) -> bytes:
    """The raw bytes of a JSON body of at most `limit` bytes; validating them is the route's part.

    Raises:
        ApiError: 415 for another content type or an encoding, 413 when it is too large, 400 when it is empty.
        ClientDisconnect: the client went while it was sending.
    """
    _check_type(request)
    body = (await read_body(request, limit)).removeprefix(b"\xef\xbb\xbf")
    if not body.strip():
        raise ApiError(400, "The body is empty; a JSON object was expected.", code="invalid_json")
    return body


async def read_body(request: Request, limit: int) -> bytes:
    """The raw bytes of any body of at most `limit` bytes.

    Raises:
        ApiError: 413 when it is too large.
        ClientDisconnect: the client went while it was sending.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def is_dry_run(request: Request) -> bool:
    """Whether the caller wants to see the native request only."""
    return request.headers.get("x-gemgate-dry-run", "").lower() in {"true", "1"}


def _check_type(request: Request) -> None:
    """JSON, or nothing said: a program that names no type means JSON."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type and content_type != "application/json" and not content_type.endswith("+json"):
        hint = " (curl -d sends this type by default)" if content_type == _CURL else ""
        msg = (
            f"The content type is '{content_type[:80]}'{hint}, but this endpoint reads JSON. "
            "Send the header 'Content-Type: application/json'."
        )
        raise ApiError(415, msg, code="unsupported_content_type")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        msg = f"The content encoding '{encoding[:80]}' is not supported. Send the body as it is."
        raise ApiError(415, msg, code="unsupported_content_encoding")


_CURL = "application/x-www-form-urlencoded"


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413, f"The body is larger than {limit} bytes, the most that this gateway reads.", code="request_too_large"
    )
