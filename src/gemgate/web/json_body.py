"""Reads the body of a JSON request, and refuses anything else."""

from starlette.requests import Request

from gemgate.errors import ApiError


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
