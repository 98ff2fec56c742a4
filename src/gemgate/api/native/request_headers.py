"""What of a request goes on to Google: no credential, no header that means this hop, no query that names a key."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import httpx
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Scope

from gemgate.errors import ApiError

_PASSED = frozenset(
    {
        "accept",
        "content-encoding",
        "content-range",
        "content-type",
        "if-range",
        "range",
        "x-goog-api-client",
        "x-goog-fieldmask",
        "x-server-timeout",
    }
)
_PASSED_PREFIX = "x-goog-upload-"
_TOKENS = frozenset({"access_token", "oauth_token", "bearer_token"})
_KEY = "x-goog-api-key"

GOOGLE_CLIENT = "x-goog-api-client"
"""The header that all of Google's client libraries send, and no other."""


def take_key(scope: Scope) -> httpx.QueryParams:
    """The query without `key`, which becomes a header: nothing that comes after can log it.

    Raises:
        ApiError: 400 for a token of OAuth, and for a key that differs from the one in the header.
    """
    if not scope["query_string"]:
        return httpx.QueryParams()
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    keys = {value for name, value in pairs if name == "key"}
    rest = [(name, value) for name, value in pairs if name != "key" and name not in _TOKENS]
    scope["query_string"] = urlencode(rest).encode()
    if len(rest) + sum(name == "key" for name, _ in pairs) < len(pairs):
        msg = "The gateway takes no OAuth token. Send an API key in the header x-goog-api-key."
        raise ApiError(400, msg, code="unsupported_credential")
    if keys:
        headers = MutableHeaders(scope=scope)
        if len(keys | set(headers.getlist(_KEY))) > 1:
            msg = "Several different API keys were provided. Send one, in the header x-goog-api-key."
            raise ApiError(400, msg, code="multiple_api_keys")
        headers[_KEY] = keys.pop()
    return httpx.QueryParams(rest)


def has_key_in_query(scope: Scope) -> bool:
    """Whether the query names a key: only Google's API is asked so."""
    query: bytes = scope["query_string"]
    return query.startswith(b"key=") or b"&key=" in query


def forwarded_request_headers(headers: Headers, *, packed: bool = True) -> dict[str, str]:
    """The headers for Google. With `packed` the answer may be compressed, if the caller can read that.

    A value of anything but printable ASCII stays behind: no header of Google's needs one.
    """
    found = {name: value for name, value in headers.items() if _is_passed(name, value)}
    if packed and _takes_gzip(headers):
        found["accept-encoding"] = "gzip"
    return found


def _is_passed(name: str, value: str) -> bool:
    return (name in _PASSED or name.startswith(_PASSED_PREFIX)) and value.isascii() and value.isprintable()


def _takes_gzip(headers: Mapping[str, str]) -> bool:
    offers = (offer.replace(" ", "").lower() for offer in headers.get("accept-encoding", "").split(","))
    return any(offer == "gzip" or (offer.startswith("gzip;q=") and offer.strip("gzip;q=.0")) for offer in offers)
