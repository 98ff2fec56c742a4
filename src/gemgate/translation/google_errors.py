"""The one table from Google's errors to those that callers see. No I/O: `error_handlers` answers with them."""

import math
import re
from collections.abc import Mapping

from gemgate.errors import INVALID_REQUEST, SERVER_ERROR, ApiError, duration
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.redaction import redact, redact_value
from gemgate.upstream.errors import NoUsableKeyError


def error_from_gemini(error: GeminiError) -> ApiError:
    """The error a caller gets for one of Google's, or for a failure on the way to Google."""
    status = error.status
    if isinstance(error, TransportError):
        return _on_the_way(error)
    if isinstance(error, NoUsableKeyError):
        headers = {"x-should-retry": "false"}
        return ApiError(status, redact(error.message), type=SERVER_ERROR, code="upstream_key_rejected", headers=headers)
    if error.is_invalid_key:
        return _make(error, 401, code="invalid_api_key", prefix="Google refused the Gemini API key: ")
    if status == 400:
        return _bad_request(error)
    if status in (401, 403):
        return _not_allowed(error)
    if status == 404:
        return _make(error, 404, code="model_not_found" if error.is_missing_model else None)
    if status == 429:
        return _rate_limited(error)
    if 400 <= status < 500:
        return _make(error, status, code=_CLIENT_CODES.get(status))
    return _make(error, status, type_=SERVER_ERROR, code=_SERVER_CODES.get(status))


def error_in_words(error: GeminiError, params: Mapping[str, str]) -> ApiError:
    """As `error_from_gemini`, with the endpoint's own names for chat's parameters, such as `{"messages": "input"}`."""
    failure = error_from_gemini(error)
    if failure.param is not None:
        failure.param = params.get(failure.param, failure.param)
    return failure


def _on_the_way(error: TransportError) -> ApiError:
    code = "timeout" if error.status == 504 else _FAILURE_CODES.get(error.failure, error.failure.value)
    headers = {"x-should-retry": "false"} if error.is_final else {}
    return ApiError(error.status, error.message, type=SERVER_ERROR, code=code, headers=headers)


_FAILURE_CODES = {Failure.ANSWER_CUT: "stream_truncated"}
_CLIENT_CODES = {413: "request_too_large"}
_SERVER_CODES = {503: "server_overloaded", 504: "timeout"}

_TOO_LONG = re.compile(
    r"input token count.{0,40} exceeds|exceeds the maximum number of (input )?tokens|(context|prompt) is too long",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"location is not supported|not available in your (country|region)", re.IGNORECASE)
_UNKNOWN_NAME = re.compile(r'Unknown name \\?"([^"\\]+)')
_NO_CREDENTIALS = re.compile(r"unregistered callers|missing .{0,30}(api key|credential)", re.IGNORECASE)
_INDEX = re.compile(r"\[[^\[\]]*+\]")
_MAX_FIELD = 200
_PATH_IN_TEXT = re.compile(r"GenerateContentRequest\.([\w.\[\]]+)|Invalid value at '([\w.\[\]]+)'")


def _bad_request(error: GeminiError) -> ApiError:
    if _TOO_LONG.search(error.message):
        return _make(error, 400, code="context_length_exceeded")
    if _LOCATION.search(error.message):
        return _make(error, 403, code="unsupported_country_region_territory")
    if unknown := _UNKNOWN_NAME.search(error.message):
        return _make(error, 400, code="unknown_parameter", param=_openai_name(unknown[1]))
    return _make(error, 400, param=_param(error))


def _not_allowed(error: GeminiError) -> ApiError:
    if _LOCATION.search(error.message):
        return _make(error, 403, code="unsupported_country_region_territory")
    if _NO_CREDENTIALS.search(error.message):
        return _make(error, 401)
    if error.status == 401:
        return _make(error, 401, code="invalid_api_key", prefix="Google refused the credential: ")
    return _make(error, 403, type_="permission_error")


def _rate_limited(error: GeminiError) -> ApiError:
    wait = error.retry_delay if error.available_in is None else error.available_in
    if error.is_daily_quota or error.lacks_quota:
        quota = "insufficient_quota"
        headers = {**_retry_after(error.available_in), "x-should-retry": "false"}
        return _make(error, 429, type_=quota, code=quota, headers=headers)
    quotas = " ".join(error.quota_ids)
    kind = "tokens" if "Token" in quotas else "requests" if "Request" in quotas else "rate_limit_error"
    headers = _retry_after(wait)
    if wait is not None and kind != "rate_limit_error":
        headers |= _rate_limit(kind, error.quota_limit, wait)
    return _make(error, 429, type_=kind, code="rate_limit_exceeded", headers=headers)


def _rate_limit(kind: str, limit: str, wait: float) -> dict[str, str]:
    """OpenAI's headers about a limit that is used up; `reset` as OpenAI writes it, such as `6m0s`."""
    headers = {f"x-ratelimit-remaining-{kind}": "0", f"x-ratelimit-reset-{kind}": duration(wait)}
    return headers | ({f"x-ratelimit-limit-{kind}": limit} if limit.isascii() and limit.isdigit() else {})


def _retry_after(seconds: float | None) -> dict[str, str]:
    """Whole seconds for everybody, milliseconds for OpenAI's clients."""
    if seconds is None:
        return {}
    return {"retry-after": str(math.ceil(seconds)), "retry-after-ms": str(math.ceil(seconds * 1000))}


def _make(
    error: GeminiError,
    status: int,
    *,
    type_: str = INVALID_REQUEST,
    code: str | None = None,
    param: str | None = None,
    prefix: str = "",
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    headers = dict(headers or {})
    if status >= 500:
        headers |= _retry_after(error.retry_delay if error.available_in is None else error.available_in)
        if error.is_final:
            headers["x-should-retry"] = "false"
    if re.fullmatch(r"\w{1,64}", error.reason, re.ASCII):
        headers["x-google-status"] = error.reason
    return ApiError(
        status,
        prefix + redact(error.message),
        type=type_,
        code=code,
        param=param,
        headers=headers,
        google={"status": error.reason, "details": redact_value(error.details)},
    )


# A native field (camelCase, without indexes) and the parameter of OpenAI's that it was made from.
_OPENAI_NAMES = {
    "contents": "messages",
    "systemInstruction": "messages",
    "tools": "tools",
    "toolConfig": "tool_choice",
    "cachedContent": "extra_body.google.cached_content",
    "safetySettings": "extra_body.google.safety_settings",
    "serviceTier": "service_tier",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_completion_tokens",
    "stopSequences": "stop",
    "candidateCount": "n",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
    "responseMimeType": "response_format",
    "responseSchema": "response_format",
    "responseJsonSchema": "response_format",
    "responseModalities": "modalities",
    "speechConfig": "audio",
    "thinkingConfig": "reasoning_effort",
}


_WRAPPERS = frozenset({"GenerateContentRequest", "generateContentRequest", "generationConfig"})


def _param(error: GeminiError) -> str | None:
    """The parameter at fault, in OpenAI's words where it has one; else the native field; else nothing."""
    fields = [str(violation["field"]) for violation in error.field_violations if violation.get("field")]
    if not fields and (found := _PATH_IN_TEXT.search(error.message)):
        fields = [found[1] or found[2]]
    return _openai_name(fields[0]) if fields else None


def _openai_name(field: str) -> str:
    field = field[:_MAX_FIELD]
    steps = [_camel(_INDEX.sub("", step)) for step in field.split(".")]
    steps = [step for step in steps if step not in _WRAPPERS]
    return _OPENAI_NAMES.get(steps[0], field) if steps else field


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in tail)
