"""What of a request goes on to Google: headers and parameters of the query that are known to be harmless.

Where the gateway must know what a body names, a body that its headers say is packed, or no JSON, is refused here.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import httpx
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Scope

from gemgate.errors import ApiError
from gemgate.redaction import redact

_PASSED = frozenset(
    {
        "content-encoding",
        "content-type",
        "x-goog-api-client",
        "x-server-timeout",
    }
)
"""To every method. What names a project, a user, another method or a selection of fields is not among them."""

OF_DOWNLOADS = frozenset({"if-range", "range"})
OF_UPLOADS = frozenset(
    {
        "content-range",
        "x-goog-upload-command",
        "x-goog-upload-file-name",
        "x-goog-upload-header-content-length",
        "x-goog-upload-header-content-type",
        "x-goog-upload-offset",
        "x-goog-upload-protocol",
    }
)
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
_ACCEPTED = frozenset({"*/*", "application/*", "application/json", "text/*", "text/event-stream"})
"""What may be asked for: an answer in another format, such as protobuf, could not be read here."""

_TOKENS = frozenset({"access_token", "oauth_token", "bearer_token"})
_KEY = "x-goog-api-key"
_SHOWN = 80

WHY_READ = "Callers share the Gemini keys of this gateway, so that it must be able to read what a body names."
"""What a refusal of something unreadable says."""

GOOGLE_CLIENT = "x-goog-api-client"
"""The header that all of Google's client libraries send, and no other."""


def take_query(scope: Scope, allowed: Mapping[str, frozenset[str] | None] | None) -> httpx.QueryParams:
    """The query without `key`, which becomes a header: nothing that comes after can log it.

    Args:
        scope: Of the request; it loses the key.
        allowed: The parameters that the method takes, and the values of each; None where no method was found.

    Raises:
        ApiError: 400 for a token of OAuth, for a key that differs from the one in the header, and for what is not
            allowed.
    """
    if not scope["query_string"]:
        return httpx.QueryParams()
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    keys = {value for name, value in pairs if name == "key"}
    rest = [(name, value) for name, value in pairs if name != "key" and name not in _TOKENS]
    scope["query_string"] = urlencode(rest).encode()
    if len(rest) + sum(name == "key" for name, _ in pairs) < len(pairs):
        msg = (
            "The gateway takes no OAuth token in the query. Send an API key in the header x-goog-api-key; before "
            "Vertex AI, an access token in the header Authorization."
        )
        raise ApiError(400, msg, code="unsupported_credential")
    if keys:
        headers = MutableHeaders(scope=scope)
        if len(keys | set(headers.getlist(_KEY))) > 1:
            msg = "Several different API keys were provided. Send one, in the header x-goog-api-key."
            raise ApiError(400, msg, code="multiple_api_keys")
        headers[_KEY] = keys.pop()
    query = httpx.QueryParams(rest)
    if allowed is not None:
        _check(query, allowed)
    return query


def has_key_in_query(scope: Scope) -> bool:
    """Whether the query names a key: only Google's API is asked so."""
    query: bytes = scope["query_string"]
    return query.startswith(b"key=") or b"&key=" in query


def _check(query: httpx.QueryParams, allowed: Mapping[str, frozenset[str] | None]) -> None:
    """Refuse a parameter that the method does not have, or that is there twice, or whose value is not one of its own.

    Raises:
        ApiError: 400 that names it; its value is not repeated.
    """
    names = [name for name, _ in query.multi_items()]
    for name, value in query.multi_items():
        if name not in allowed:
            shown = redact(name)[:_SHOWN]
            msg = f"The query has the parameter '{shown}', and this method takes {', '.join(sorted(allowed))}."
            raise ApiError(400, msg, param=shown, code="unknown_query_parameter")
        if names.count(name) > 1:
            raise ApiError(400, f"The query has '{name}' more than once.", param=name, code="invalid_value")
        values = allowed[name]
        if values is not None and value not in values:
            msg = f"The parameter '{name}' of the query is one of {', '.join(sorted(values))} here."
            raise ApiError(400, msg, param=name, code="invalid_value")


def forwarded_request_headers(
    headers: Headers, *, packed: bool = True, more: frozenset[str] = frozenset()
) -> dict[str, str]:
    """The headers for Google, those of `more` among them.

    With `packed` the answer may be compressed, if the caller can read that. A value of anything but printable ASCII
    stays behind: no header of Google's needs one.
    """
    found = {name: value for name, value in headers.items() if _is_passed(name, value, more)}
    if (accept := headers.get("accept")) is not None and _is_acceptable(accept):
        found["accept"] = accept
    if packed and _takes_gzip(headers):
        found["accept-encoding"] = "gzip"
    return found


def _is_passed(name: str, value: str, more: frozenset[str]) -> bool:
    return (name in _PASSED or name in more) and value.isascii() and value.isprintable()


def _is_acceptable(accept: str) -> bool:
    return all(offer.partition(";")[0].strip().lower() in _ACCEPTED for offer in accept.split(","))


def _takes_gzip(headers: Mapping[str, str]) -> bool:
    offers = (offer.replace(" ", "").lower() for offer in headers.get("accept-encoding", "").split(","))
    return any(offer == "gzip" or (offer.startswith("gzip;q=") and offer.strip("gzip;q=.0")) for offer in offers)


def refuse_packed(headers: Headers) -> None:
    """Refuse a body that is compressed.

    Raises:
        ApiError: 415.
    """
    for encoding in headers.getlist("content-encoding"):
        if encoding.strip().lower() not in ("", "identity"):
            msg = f"The content encoding '{encoding[:80]}' is not taken. {WHY_READ} Send the body as it is."
            raise ApiError(415, msg, code="unsupported_content_encoding")


def refuse_unreadable(headers: Headers) -> None:
    """Refuse a body that is not JSON in UTF-8, by what its headers say.

    Raises:
        ApiError: 415.
    """
    refuse_packed(headers)
    for content_type in headers.getlist("content-type"):
        kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
        if kind not in ("", "application/json"):
            msg = f"The content type '{kind[:80]}' is not taken. {WHY_READ} Send JSON, as 'application/json'."
            raise ApiError(415, msg, code="unsupported_content_type")
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "charset" and value.strip().strip("\"'") not in _CHARSETS:
                raise ApiError(415, f"The body is not in UTF-8. {WHY_READ}", code="unsupported_content_type")
