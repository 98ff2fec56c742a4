"""What Google, or the way to Google, says when something fails.

GeminiError            any failed call
└── TransportError     Google gave no answer that can be read: `failure` says what happened
InvalidNameError       a name that may not be put into a path; nothing was sent
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import unescape
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from gemgate.gemini.fixed_sentences import (
    is_reason_of_key,
    is_reason_of_method,
    says_foreign,
    says_invalid_key,
    says_location,
    says_no_quota,
    says_refused_key,
    says_refused_method,
)
from gemgate.redaction import HIDDEN

Json = dict[str, object]


@dataclass(slots=True)
class Refusal:
    """An answer that is an error, as it came: the HTTP status, the headers (names in lower case) and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Meaning(NamedTuple):
    """What Google's own words and codes say, whatever a caller's words in them say.

    Attributes:
        is_invalid_key: Google does not know the key, which it says with a 400.
        is_refused_key: Google lets this key, or its project, do nothing.
        is_refused_method: Google does not let this key use this method; it may have others.
        is_foreign: What is named belongs to another project, or does not exist.
        is_location: Google does not serve the place that the request comes from.
        lacks_quota: A quota of 0, or no credit, or no billing.
        is_daily_quota: A quota of a whole day is used up.
        reason: `ErrorInfo.reason`, else empty.
    """

    is_invalid_key: bool
    is_refused_key: bool
    is_refused_method: bool
    is_foreign: bool
    is_location: bool
    lacks_quota: bool
    is_daily_quota: bool
    reason: str


@dataclass(slots=True, eq=False)
class GeminiError(Exception):
    """A failed call.

    Attributes:
        status: The HTTP status, 400 to 599.
        message: One short text, without the key.
        reason: The `google.rpc.Code` such as `INVALID_ARGUMENT`; of a `TransportError`, the `Failure`.
        details: Google's `google.rpc` detail objects, each with an `@type`.
            Shapes: https://cloud.google.com/apis/design/errors#error_details
        refusal: What Google answered, without the key; None when it gave no such answer.
        available_in: Seconds after which the same call may go well, where more is known than Google's `retry_delay`.
        is_final: Whether the call was tried again until that made no sense any more.
    """

    status: int
    message: str
    reason: str = ""
    details: Sequence[Mapping[str, Any]] = field(default_factory=list)
    refusal: Refusal | None = None
    available_in: float | None = None
    is_final: bool = False
    _judged: Meaning | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"

    @property
    def retry_delay(self) -> float | None:
        """Seconds to wait, from `RetryInfo` or else from `Please retry in 48.9s.`; None when Google names no time."""
        for info in self._of_type("RetryInfo"):
            if (seconds := _seconds(str(info.get("retryDelay", "")))) is not None:
                return seconds
        found = _RETRY_TEXT.search(self.message)
        return _seconds(found[1]) if found else None

    @property
    def quota_ids(self) -> tuple[str, ...]:
        """The quotas that are used up, such as `GenerateRequestsPerDayPerProjectPerModel-FreeTier`."""
        return tuple(quota for item in self._violations() if isinstance(quota := item.get("quotaId"), str))

    @property
    def is_daily_quota(self) -> bool:
        """Whether a quota of a whole day is used up; `retry_delay` means nothing then (FACTS section 5)."""
        return self.meaning.is_daily_quota

    @property
    def lacks_quota(self) -> bool:
        """Whether waiting does not help: a quota of 0, or no credit, or no billing."""
        return self.meaning.lacks_quota

    @property
    def quota_limit(self) -> str:
        """The size of the first quota that is used up, such as `1000000`; else empty."""
        limits = (item.get("quotaValue") for item in self._violations())
        return next((limit for limit in limits if isinstance(limit, str)), "")

    @property
    def is_missing_model(self) -> bool:
        """Whether the model does not exist, or does not have this method."""
        return self.status == 404 and _NO_MODEL.search(self.message) is not None

    @property
    def is_invalid_key(self) -> bool:
        """Whether Google does not know the key, which it says with a 400."""
        return self.meaning.is_invalid_key

    @property
    def meaning(self) -> Meaning:
        """What it says, judged before any key was hidden in it: a key may be a word of Google's sentence."""
        return self._judged or self._judge()

    @property
    def field_violations(self) -> list[Json]:
        """`[{"field": "contents[0].parts", "description": "…"}]` of a bad request; either key may be absent."""
        return [item for bad in self._of_type("BadRequest") for item in _objects(bad.get("fieldViolations"))]

    @property
    def error_info_reason(self) -> str:
        """`ErrorInfo.reason`, such as `API_KEY_INVALID` or `SERVICE_DISABLED`; else empty."""
        return self.meaning.reason

    def hide(self, secret: str) -> None:
        """Take `secret` out of everything that is reported: Google names the key in some of its errors.

        A placeholder for a key may be a word of Google's, which stays: one of fewer than 8 characters is never taken
        out, and one of fewer than 16 only as a whole word.
        """
        self._judged = self.meaning
        pattern = _pattern_of(secret)
        if pattern is None:
            return
        self.message = pattern.sub(HIDDEN, self.message)
        self.reason = pattern.sub(HIDDEN, self.reason)
        self.details = _without(self.details, pattern)
        if self.refusal is not None:
            text = self.refusal.body.decode("utf-8", "surrogateescape")
            self.refusal.body = pattern.sub(HIDDEN, text).encode("utf-8", "surrogateescape")
            self.refusal.headers = _without(dict(self.refusal.headers), pattern)

    def _judge(self) -> Meaning:
        reasons = (info.get("reason") for info in self._of_type("ErrorInfo"))
        reason = next((reason for reason in reasons if isinstance(reason, str)), "")
        text, status = self.message, self.status
        is_invalid = reason in ("API_KEY_INVALID", "API_KEY_EXPIRED") or says_invalid_key(text)
        is_method = status in (401, 403) and (is_reason_of_method(reason) or says_refused_method(text))
        return Meaning(
            is_invalid_key=is_invalid,
            is_refused_key=is_invalid or (not is_method and (is_reason_of_key(reason) or says_refused_key(text))),
            is_refused_method=is_method and not is_invalid,
            is_foreign=status in (403, 404) and says_foreign(text),
            is_location=says_location(text),
            lacks_quota=status == 429 and says_no_quota(text),
            is_daily_quota=any("PerDay" in quota for quota in self.quota_ids),
            reason=reason,
        )

    def _violations(self) -> Iterator[Json]:
        return (item for failure in self._of_type("QuotaFailure") for item in _objects(failure.get("violations")))

    def _of_type(self, name: str) -> Iterator[Mapping[str, Any]]:
        return (detail for detail in self.details if str(detail.get("@type", "")).endswith(f"google.rpc.{name}"))


class Failure(StrEnum):
    """Every way in which an answer can fail to arrive; the `reason` of a `TransportError`."""

    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    EVENT_TIMEOUT = "event_timeout"
    REQUEST_TIMEOUT = "request_timeout"
    CONNECTION_LOST = "connection_lost"
    ANSWER_CUT = "answer_cut"
    INVALID_BODY = "invalid_body"
    TOO_LARGE = "answer_too_large"
    REDIRECT = "redirect"


_FAILURES: dict[Failure, tuple[int, str]] = {
    Failure.CONNECT_FAILED: (502, "Could not connect to the Gemini API."),
    Failure.TLS_FAILED: (502, "The TLS handshake with the Gemini API failed."),
    Failure.CONNECT_TIMEOUT: (504, "Connecting to the Gemini API took too long."),
    Failure.FIRST_BYTE_TIMEOUT: (504, "The Gemini API did not begin to answer in time."),
    Failure.EVENT_TIMEOUT: (504, "The Gemini API stopped in the middle of its answer."),
    Failure.REQUEST_TIMEOUT: (504, "The call to the Gemini API took too long."),
    Failure.CONNECTION_LOST: (502, "The connection to the Gemini API was lost before it answered."),
    Failure.ANSWER_CUT: (502, "The connection to the Gemini API was lost in the middle of its answer."),
    Failure.INVALID_BODY: (502, "The Gemini API sent something that is not an answer."),
    Failure.TOO_LARGE: (502, "The Gemini API's answer is larger than the gateway takes (GEMGATE_MAX_ANSWER_BYTES)."),
    Failure.REDIRECT: (502, "The Gemini API answered with a redirect, which is not followed."),
}


class TransportError(GeminiError):
    """Google gave no answer that can be read. `status` is 502 or 504, `reason` the `Failure`."""

    def __init__(self, failure: Failure, message: str = "") -> None:
        status, text = _FAILURES[failure]
        super().__init__(status, message or text, failure.value)
        self.failure = failure


class InvalidNameError(ValueError):
    """A model or another resource whose name is not one, so that it may not be put into a path."""


def decode_error(status: int, body: bytes, content_type: str = "") -> GeminiError:
    """The error in an answer that is not a good one; never fails, whatever the body is.

    Args:
        status: The HTTP status. 200 with an error object takes the object's code; 3xx becomes a 502.
        body: An error object, a list of one, HTML, text, anything cut short, or nothing.
        content_type: The header, which decides between text and HTML when the body does not.
    """
    if 300 <= status < 400:
        return TransportError(Failure.REDIRECT, f"The Gemini API answered with a redirect ({status}), not followed.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return error_in(value, status) or _unstructured(status, body, content_type)


def error_in(value: object, status: int = 200) -> GeminiError | None:
    """The error that a decoded JSON value is, `{"error": …}` or a list of one; None if it is not an error."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict) or not value.get("error"):
        return None
    error = value["error"]
    if not isinstance(error, dict):
        error = {"message": value.get("error_description") or error}
    code = _status(status, error.get("code"))
    reason, message = error.get("status"), error.get("message")
    return GeminiError(
        code,
        _bounded(message) or _default_message(code),
        reason if isinstance(reason, str) and reason else reason_of(code),
        _objects(error.get("details")),
    )


def _bounded(message: object) -> str:
    """The text of an error, of which nobody needs more than a page; cut between two words, not within a key."""
    text = message.strip() if isinstance(message, str) else ""
    if len(text) <= _MAX_MESSAGE:
        return text
    head, _, _ = text[:_MAX_MESSAGE].rpartition(" ")
    return f"{head or text[: _MAX_MESSAGE // 2]} …"


def reason_of(status: int) -> str:
    """The `google.rpc.Code` that Google sends with an HTTP status."""
    return _REASONS.get(status, "UNKNOWN")


# HTTP mapping of google.rpc.Code: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_REASONS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_NO_MODEL = re.compile(
    r"\b(tunedModels|models)/\S{1,200}+ is (?:not (?:found|supported)|no longer available)"
    r"|\bmodel\b.{0,120}(not found|no longer)|\bPublisher Model \S{1,400}+ (?:was |is )?not found",
    re.IGNORECASE,
)
_TIME = re.compile(r"(?<![\d.])(\d{1,12}+(?:\.\d{1,32}+)?)(ms|h|m|s)")
_RETRY_TEXT = re.compile(
    r"(?:^|[\n.] ?)Please retry in ((?:\d{1,12}+(?:\.\d{1,32}+)?\s?(?:ms|h|m|s)){1,8})", re.IGNORECASE
)
_TITLE = re.compile(r"<title[^<>]*+>([^<]*)", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHORTEST_KEY = 8
_LONG_KEY = 16
_MAX_TEXT = 300
_MAX_MESSAGE = 4_096
_MAX_DURATION = 64
_MAX_READ = 16_384


def _seconds(duration: str) -> float | None:
    """`48s`, `34.4s`, `724.9ms` and `11h43m14.9s`, all of which Google writes."""
    if len(duration) > _MAX_DURATION:
        return None
    times = _TIME.findall(duration.replace(" ", "").lower())
    return sum(float(number) * _UNITS[unit] for number, unit in times) if times else None


def _objects(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def can_be_key(secret: str) -> bool:
    """Whether `secret` is long enough to be a key; a placeholder such as `key` may be a word of any answer."""
    return len(secret) >= _SHORTEST_KEY


def _pattern_of(secret: str) -> re.Pattern[str] | None:
    """What finds a key in a text; None for one that is too short to be one."""
    if not can_be_key(secret):
        return None
    literal = re.escape(secret)
    return re.compile(literal if len(secret) >= _LONG_KEY else rf"(?<![A-Za-z0-9_-]){literal}(?![A-Za-z0-9_-])")


def _without(value: object, pattern: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return pattern.sub(HIDDEN, value)
    if isinstance(value, list):
        return [_without(item, pattern) for item in value]
    if isinstance(value, dict):
        return {pattern.sub(HIDDEN, key): _without(item, pattern) for key, item in value.items()}
    return value


def _status(status: int, code: object) -> int:
    """The HTTP status if it is that of an error, else the code in the body, else 502."""
    if 400 <= status < 600:
        return status
    return code if isinstance(code, int) and 400 <= code < 600 else 502


def _default_message(status: int) -> str:
    phrase = f" ({HTTPStatus(status).phrase})" if status in _KNOWN_STATUSES else ""
    return f"The Gemini API answered {status}{phrase} and did not say why."


_KNOWN_STATUSES = frozenset(HTTPStatus)


def _unstructured(status: int, body: bytes, content_type: str) -> GeminiError:
    text = " ".join(body[:_MAX_READ].decode("utf-8", "replace").split())
    is_html = "html" in content_type.lower() or text[:1] == "<"
    if is_html:
        found = _TITLE.search(text)
        title = unescape(found[1]).strip()[:_MAX_TEXT] if found else ""
        message = f"The Gemini API answered {status} with a web page instead of JSON" + (f": {title}" if title else ".")
    elif text[:1] in ("", "{", "[") or not text.isprintable() or "\ufffd" in text:
        message = _default_message(status)
    else:
        message = text[:_MAX_TEXT]
    if 400 <= status < 600:
        return GeminiError(status, message, reason_of(status))
    not_an_answer = f"The Gemini API answered {status} with something that is not an answer."
    return TransportError(Failure.INVALID_BODY, message if is_html else not_an_answer)
