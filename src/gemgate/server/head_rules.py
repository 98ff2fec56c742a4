"""What the head of a request must say, and the answers to one that does not. No I/O.

Source: https://www.rfc-editor.org/rfc/rfc9112.
"""

import re
from functools import lru_cache

from gemgate.errors import SERVER_ERROR, ApiError

_VERSIONS = frozenset({"1.0", "1.1"})
_LONGEST_HOST = 300  # a name has 253 characters at most
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


def host_error(version: str, host: bytes | None) -> ApiError | None:
    """What is wrong with the version of HTTP and the only `Host` of a request; HTTP/1.0 needs none (section 3.2)."""
    if version not in _VERSIONS:
        return not_http("This gateway speaks HTTP/1.1.")
    if host is None:
        return None if version == "1.0" else not_http("There is no Host header, which HTTP/1.1 asks for.")
    if len(host) > _LONGEST_HOST or not _is_host(host):
        return not_http("The Host header names no host, such as 'gateway.example.com:8080'.")
    return None


@lru_cache(maxsize=256)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None


def coding_error(transfer_encoding: bytes) -> ApiError | None:
    """What is wrong with a `Transfer-Encoding`: all but `chunked` are unknown here, which is a 501 (section 6.1)."""
    if (value := transfer_encoding.strip().lower()) == b"chunked":
        return None
    if {coding.strip() for coding in value.split(b",")} <= {b"chunked", b""}:
        return not_http("The transfer coding 'chunked' is named once.")
    msg = "The gateway reads no transfer coding but 'chunked'. Send the body as it is."
    return ApiError(501, msg, code="unsupported_transfer_encoding")


def not_http(problem: str) -> ApiError:
    """The answer to bytes that are no valid request."""
    return ApiError(400, problem, code="invalid_http")


def head_too_large(limit: int) -> ApiError:
    """The answer to more than `limit` bytes of request line and headers."""
    return ApiError(
        431,
        f"The request's line and headers are larger than {limit} bytes, the most that this gateway reads.",
        code="headers_too_large",
    )


def trailers_too_large(limit: int) -> ApiError:
    """The answer to more than `limit` bytes of trailers, or of what is between two pieces of a body."""
    return ApiError(
        431,
        f"The trailers of the body, or what frames its chunks, are larger than {limit} bytes, the most that this "
        "gateway reads.",
        code="headers_too_large",
    )


def too_many_connections() -> ApiError:
    """The answer to a connection too many, and to the body that came in for longest when one was too many."""
    return ApiError(
        503,
        "The gateway has as many connections as it takes at once. Please retry.",
        type=SERVER_ERROR,
        code="server_overloaded",
    )
