"""Refusals as Google words and shapes them. Sources: recorded exchanges; texts nobody recorded say so."""

from dataclasses import dataclass, field

from gemgate.emulator.validation import Violation

_TYPE = "type.googleapis.com/google.rpc."
SERVICE = "generativelanguage.googleapis.com"
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@dataclass(slots=True)
class GoogleApiError(Exception):
    """An answer other than 200.

    `details` are `google.rpc` messages; `reason` is `error.status` where the HTTP status does not decide it.
    """

    status: int
    message: str
    details: list[dict[str, object]] = field(default_factory=list)
    reason: str = ""

    @property
    def name(self) -> str:
        """`error.status`."""
        return self.reason or STATUS_NAMES.get(self.status, "UNKNOWN")

    def body(self) -> dict[str, object]:
        """The JSON body: `{"error": {code, message, status, details?}}`."""
        error: dict[str, object] = {
            "code": self.status,
            "message": self.message,
            "status": self.name,
        }
        if self.details:
            error["details"] = self.details
        return {"error": error}


def invalid(message: str) -> GoogleApiError:
    """A plain 400."""
    return GoogleApiError(400, message)


def bad_request(found: list[Violation]) -> GoogleApiError:
    """A 400 that lists what the JSON reader refused, as text and as `BadRequest.fieldViolations`."""
    listed = [
        {"field": each.field, "description": each.description} if each.field else {"description": each.description}
        for each in found
    ]
    message = "\n".join(each.description for each in found)
    if all(each.description.startswith("* ") for each in found):
        return GoogleApiError(400, "".join(each.description for each in found))
    return GoogleApiError(400, message, [{"@type": _TYPE + "BadRequest", "fieldViolations": listed}])


def api_key_invalid(message: str = "API key not valid. Please pass a valid API key.") -> GoogleApiError:
    """A wrong key is a 400 at Google, not a 401."""
    return GoogleApiError(
        400,
        message,
        [
            {
                "@type": _TYPE + "ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": SERVICE},
            },
            {"@type": _TYPE + "LocalizedMessage", "locale": "en-US", "message": message},
        ],
    )


def unregistered() -> GoogleApiError:
    """No credential at all."""
    return GoogleApiError(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def keys_not_supported(method: str) -> GoogleApiError:
    """An API key where an OAuth token belongs: in `Authorization: Bearer`."""
    return GoogleApiError(
        401,
        "API keys are not supported by this API. Expected OAuth2 access token or other authentication credentials that "
        "assert a principal. See https://cloud.google.com/docs/authentication",
        [
            {
                "@type": _TYPE + "ErrorInfo",
                "reason": "CREDENTIALS_MISSING",
                "domain": "googleapis.com",
                "metadata": {"method": f"google.ai.generativelanguage.v1beta.{method}", "service": SERVICE},
            }
        ],
    )


def permission_denied() -> GoogleApiError:
    """The API is not enabled for the key's project."""
    url = f"https://console.developers.google.com/apis/api/{SERVICE}/overview?project=000000000000"
    return GoogleApiError(
        403,
        "Generative Language API has not been used in project 000000000000 before or it is disabled. "
        f"Enable it by visiting {url} then retry. If you enabled this API recently, wait a few minutes for the action "
        "to propagate to our systems and retry.",
        [
            {
                "@type": _TYPE + "Help",
                "links": [{"description": "Google developers console API activation", "url": url}],
            },
            {
                "@type": _TYPE + "ErrorInfo",
                "reason": "SERVICE_DISABLED",
                "domain": "googleapis.com",
                "metadata": {"service": SERVICE, "consumer": "projects/000000000000"},
            },
        ],
    )


def model_not_found(model: str, version: str, method: str) -> GoogleApiError:
    """A model that does not exist, or does not have the method."""
    return GoogleApiError(
        404,
        f"models/{model} is not found for API version {version}, or is not supported for {method}. "
        "Call ModelService.ListModels to see the list of available models and their supported methods.",
    )


def no_longer_available(model: str) -> GoogleApiError:
    """A model that was served once. The text is from public reports."""
    return GoogleApiError(
        404,
        f"This model models/{model} is no longer available. Please update your code to use a newer model for the "
        "latest features and improvements.",
    )


def cache_not_found() -> GoogleApiError:
    """An unknown, foreign or expired cache: a 403, not a 404."""
    return GoogleApiError(403, "CachedContent not found (or permission denied)")


def not_found() -> GoogleApiError:
    """A resource other than a model, a cache or a file that does not exist."""
    return GoogleApiError(404, "Requested entity was not found.")


def file_not_found(name: str) -> GoogleApiError:
    """An unknown, foreign or expired file: a 403, not a 404. `name` is without `files/`."""
    return GoogleApiError(403, f"You do not have permission to access the File {name} or it may not exist.")


def file_not_active(name: str) -> GoogleApiError:
    """A file that is still being processed, or could not be. The text is from public reports."""
    message = f"The File {name} is not in an ACTIVE state and usage is not allowed."
    return GoogleApiError(400, message, reason="FAILED_PRECONDITION")


def quota_exceeded(model: str, *, daily: bool = False, retry_seconds: float = 48.939935699) -> GoogleApiError:
    """A 429 with `Help`, `QuotaFailure` and `RetryInfo`; a daily quota says `PerDay` in its id."""
    metric = (
        f"{SERVICE}/generate_content_free_tier_requests"
        if daily
        else (f"{SERVICE}/generate_content_paid_tier_input_token_count")
    )
    limit = "20" if daily else "1000000"
    quota = (
        "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
        if daily
        else ("GenerateContentPaidTierInputTokensPerModelPerMinute")
    )
    return GoogleApiError(
        429,
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: "
        f"https://ai.dev/rate-limit. \n* Quota exceeded for metric: {metric}, limit: {limit}, model: {model}\n"
        f"Please retry in {retry_seconds}s.",
        [
            {
                "@type": _TYPE + "Help",
                "links": [
                    {
                        "description": "Learn more about Gemini API quotas",
                        "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
                    }
                ],
            },
            {
                "@type": _TYPE + "QuotaFailure",
                "violations": [
                    {
                        "quotaMetric": metric,
                        "quotaId": quota,
                        "quotaDimensions": {"model": model, "location": "global"},
                        "quotaValue": limit,
                    }
                ],
            },
            {"@type": _TYPE + "RetryInfo", "retryDelay": f"{int(retry_seconds)}s"},
        ],
    )


def overloaded() -> GoogleApiError:
    """The commonest transient failure. The text is from public reports."""
    return GoogleApiError(503, "The model is overloaded. Please try again later.")


def internal() -> GoogleApiError:
    """Google's own fault. The text is from public reports."""
    return GoogleApiError(
        500,
        "An internal error has occurred. Please retry or report in "
        "https://developers.generativeai.google/guide/troubleshooting",
    )
