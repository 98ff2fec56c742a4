import pickle
from typing import Any

import pytest

from gemgate.errors import ApiError, internal_error, shutting_down
from gemgate.gemini.errors import (
    Failure,
    GeminiError,
    TransportError,
    decode_error,
)
from gemgate.translation.google_errors import error_from_gemini
from gemgate.upstream.errors import NoUsableKeyError

RPC = "type.googleapis.com/google.rpc."


EXCEEDED = "You exceeded your current quota, please check your plan and billing details."
BAD_KEY = "API key not valid. Please pass a valid API key."


def quota(quota_id: str, message: str = EXCEEDED, delay: str = "48s") -> GeminiError:
    details: list[dict[str, Any]] = [
        {"@type": RPC + "QuotaFailure", "violations": [{"quotaId": quota_id}]},
        {"@type": RPC + "RetryInfo", "retryDelay": delay},
    ]
    return GeminiError(429, message, "RESOURCE_EXHAUSTED", details)


def bad_request(message: str, field: str | None = None) -> GeminiError:
    details = [] if field is None else [{"@type": RPC + "BadRequest", "fieldViolations": [{"field": field}]}]
    return GeminiError(400, message, "INVALID_ARGUMENT", details)


def test_the_body_has_all_four_keys_of_openais_error() -> None:
    assert ApiError(404, "no").body() == {
        "error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}
    }


def test_only_an_error_of_googles_has_the_key_google() -> None:
    error = error_from_gemini(bad_request("Please use a valid role: user, model."))
    assert error.body()["error"]["google"] == {"status": "INVALID_ARGUMENT", "details": []}
    assert error.headers["x-google-status"] == "INVALID_ARGUMENT"
    assert "google" not in error_from_gemini(TransportError(Failure.CONNECT_FAILED)).body()["error"]
    assert "google" not in internal_error().body()["error"]


def test_a_bad_key_is_401_though_google_says_400() -> None:
    details = [{"@type": RPC + "ErrorInfo", "reason": "API_KEY_INVALID"}]
    error = error_from_gemini(GeminiError(400, BAD_KEY, "INVALID_ARGUMENT", details))
    assert (error.status, error.type, error.code) == (401, "invalid_request_error", "invalid_api_key")
    assert error.message == f"Google refused the Gemini API key: {BAD_KEY}"


def test_an_expired_key_is_401_by_its_text() -> None:
    assert error_from_gemini(bad_request("API key expired. Please renew the API key.")).code == "invalid_api_key"


@pytest.mark.parametrize(
    ("google", "status", "kind", "code"),
    [
        (
            bad_request("The input token count (1250074) exceeds the maximum number of tokens allowed (1048576)."),
            400,
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (
            GeminiError(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"),
            403,
            "invalid_request_error",
            "unsupported_country_region_territory",
        ),
        (
            GeminiError(403, "User location is not supported for the API use.", "PERMISSION_DENIED"),
            403,
            "invalid_request_error",
            "unsupported_country_region_territory",
        ),
        (bad_request("Request contains an invalid argument."), 400, "invalid_request_error", None),
        (
            GeminiError(403, "Method doesn't allow unregistered callers (callers without …).", "PERMISSION_DENIED"),
            401,
            "invalid_request_error",
            None,
        ),
        (
            GeminiError(401, "API keys are not supported by this API.", "UNAUTHENTICATED"),
            401,
            "invalid_request_error",
            "invalid_api_key",
        ),
        (
            GeminiError(403, "Generative Language API has not been used in project 1.", "PERMISSION_DENIED"),
            403,
            "permission_error",
            None,
        ),
        (
            GeminiError(404, "models/x is not found for API version v1beta, or is not supported", "NOT_FOUND"),
            404,
            "invalid_request_error",
            "model_not_found",
        ),
        (
            GeminiError(404, "This model models/gemini-2.0-flash is no longer available.", "NOT_FOUND"),
            404,
            "invalid_request_error",
            "model_not_found",
        ),
        (
            GeminiError(404, "Publisher Model `projects/x` was not found or your project has no access", "NOT_FOUND"),
            404,
            "invalid_request_error",
            "model_not_found",
        ),
        (GeminiError(404, "Requested entity was not found.", "NOT_FOUND"), 404, "invalid_request_error", None),
        (GeminiError(409, "File exists.", "ALREADY_EXISTS"), 409, "invalid_request_error", None),
        (decode_error(413, b"<html><title>Too large</title>"), 413, "invalid_request_error", "request_too_large"),
        (GeminiError(499, "The operation was cancelled.", "CANCELLED"), 499, "invalid_request_error", None),
        (GeminiError(500, "An internal error has occurred.", "INTERNAL"), 500, "server_error", None),
        (decode_error(502, b"<!DOCTYPE html><title>Bad Gateway</title>"), 502, "server_error", None),
        (GeminiError(503, "The model is overloaded.", "UNAVAILABLE"), 503, "server_error", "server_overloaded"),
        (GeminiError(504, "Deadline exceeded.", "DEADLINE_EXCEEDED"), 504, "server_error", "timeout"),
    ],
)
def test_each_error_of_google_has_its_status_type_and_code(
    google: GeminiError, status: int, kind: str, code: str | None
) -> None:
    error = error_from_gemini(google)
    assert (error.status, error.type, error.code) == (status, kind, code)
    assert google.message in error.message


def test_a_web_page_is_told_by_its_title() -> None:
    error = error_from_gemini(decode_error(503, b"<html><head><title>Service down</title></head><body>x</body>"))
    assert "web page" in error.message
    assert "Service down" in error.message
    assert "<" not in error.message


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Failure.CONNECT_FAILED, 502, "connect_failed"),
        (Failure.TLS_FAILED, 502, "tls_failed"),
        (Failure.CONNECTION_LOST, 502, "connection_lost"),
        (Failure.ANSWER_CUT, 502, "stream_truncated"),
        (Failure.FIRST_BYTE_TIMEOUT, 504, "timeout"),
        (Failure.REQUEST_TIMEOUT, 504, "timeout"),
    ],
)
def test_a_failure_on_the_way_to_google_is_a_server_error(failure: Failure, status: int, code: str) -> None:
    error = error_from_gemini(TransportError(failure))
    assert (error.status, error.type, error.code) == (status, "server_error", code)
    assert "x-google-status" not in error.headers


def test_an_unknown_name_is_the_parameter_at_fault() -> None:
    error = error_from_gemini(bad_request('Invalid JSON payload received. Unknown name "foo": Cannot find field.'))
    assert (error.code, error.param) == ("unknown_parameter", "foo")


def test_an_unknown_name_that_openai_has_is_told_in_openais_spelling() -> None:
    text = "Invalid JSON payload received. Unknown name \"frequencyPenalty\" at 'generation_config': Cannot find field."
    assert error_from_gemini(bad_request(text)).param == "frequency_penalty"


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ("generation_config.temperature", "temperature"),
        ("generationConfig.maxOutputTokens", "max_completion_tokens"),
        ("generation_config.thinking_config.thinking_budget", "reasoning_effort"),
        ("contents[0].parts[1].inline_data", "messages"),
        ("system_instruction", "messages"),
        ("tools[0].function_declarations[2].name", "tools"),
        ("GenerateContentRequest.tool_config", "tool_choice"),
        ("labels[3]", "labels[3]"),
        ("generation_config", "generation_config"),
    ],
)
def test_the_field_at_fault_is_named_as_openai_names_it(field: str, param: str) -> None:
    assert error_from_gemini(bad_request("Invalid value", field)).param == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n", "messages"),
        ("Invalid value at 'generation_config.top_p' (TYPE_FLOAT), \"x\"", "top_p"),
        ("Something else.", None),
    ],
)
def test_a_field_named_only_in_the_text_is_found(message: str, param: str | None) -> None:
    assert error_from_gemini(bad_request(message)).param == param


def test_a_field_violation_without_a_field_names_no_parameter() -> None:
    details = [{"@type": RPC + "BadRequest", "fieldViolations": [{"description": "no"}]}]
    assert error_from_gemini(GeminiError(400, "no", "INVALID_ARGUMENT", details)).param is None


def test_a_quota_of_a_minute_names_the_time_to_wait() -> None:
    error = error_from_gemini(quota("GenerateContentPaidTierInputTokensPerModelPerMinute", delay="34.4s"))
    assert (error.status, error.type, error.code) == (429, "tokens", "rate_limit_exceeded")
    assert error.headers["retry-after"] == "35"
    assert error.headers["retry-after-ms"] == "34400"
    assert "x-should-retry" not in error.headers


def test_a_quota_of_requests_says_so() -> None:
    assert error_from_gemini(quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")).type == "requests"


def test_a_bare_429_names_no_time() -> None:
    error = error_from_gemini(GeminiError(429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED"))
    assert (error.type, error.code) == ("rate_limit_error", "rate_limit_exceeded")
    assert "retry-after" not in error.headers


@pytest.mark.parametrize(
    "google",
    [
        quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
        quota("GenerateRequestsPerMinute", "* Quota exceeded for metric: x, limit: 0, model: gemini-2.5-pro"),
        quota("", "Your prepayment credits are depleted."),
        quota("", "Your project has exceeded its monthly spending cap."),
    ],
)
def test_a_quota_that_waiting_does_not_help_is_insufficient_quota(google: GeminiError) -> None:
    error = error_from_gemini(google)
    assert (error.status, error.type, error.code) == (429, "insufficient_quota", "insufficient_quota")
    assert error.headers["x-should-retry"] == "false"
    assert "retry-after" not in error.headers


def test_a_quota_of_a_minute_is_told_in_openais_rate_limit_headers_too() -> None:
    google = quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", delay="12.2s")
    google.details[0]["violations"][0]["quotaValue"] = "10"
    headers = error_from_gemini(google).headers
    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-reset-requests"] == "12.2s"


@pytest.mark.parametrize(
    ("delay", "reset"),
    [("0.3s", "300ms"), ("60s", "1m0s"), ("361s", "6m1s"), ("3600s", "1h0m0s"), ("36061s", "10h1m1s")],
)
def test_the_time_of_a_rate_limit_is_written_as_openai_does(delay: str, reset: str) -> None:
    headers = error_from_gemini(quota("GenerateContentPaidTierInputTokensPerModelPerMinute", delay=delay)).headers
    assert headers["x-ratelimit-reset-tokens"] == reset
    assert "x-ratelimit-limit-tokens" not in headers


def test_what_the_gateway_knows_of_its_keys_goes_before_googles_time() -> None:
    google = quota("GenerateRequestsPerMinutePerProjectPerModel", delay="48s")
    google.available_in = 3.5
    headers = error_from_gemini(google).headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("4", "3500")


def test_a_quota_of_a_day_says_when_it_begins_anew_if_that_is_known() -> None:
    google = quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")
    google.available_in = 3600
    headers = error_from_gemini(google).headers
    assert (headers["retry-after"], headers["x-should-retry"]) == ("3600", "false")


@pytest.mark.parametrize("google", [GeminiError(503, "busy", "UNAVAILABLE"), TransportError(Failure.CONNECT_FAILED)])
def test_what_was_tried_again_to_the_end_is_not_to_be_tried_by_the_client(google: GeminiError) -> None:
    assert "x-should-retry" not in error_from_gemini(google).headers
    google.is_final = True
    assert error_from_gemini(google).headers["x-should-retry"] == "false"


def test_keys_that_google_refuses_are_no_fault_of_the_callers() -> None:
    error = error_from_gemini(NoUsableKeyError())
    assert (error.status, error.type, error.code) == (503, "server_error", "upstream_key_rejected")
    assert error.headers["x-should-retry"] == "false"
    assert error.message == "Google rejects the gateway's own Gemini API keys."


def test_an_overload_with_a_time_to_wait_says_it() -> None:
    details = [{"@type": RPC + "RetryInfo", "retryDelay": "2s"}]
    assert error_from_gemini(GeminiError(503, "busy", "UNAVAILABLE", details)).headers["retry-after"] == "2"


def test_a_key_in_googles_message_or_details_is_hidden() -> None:
    key = "AIzaSyA-0123456789abcdefghijklmnopqrstu"
    details = [{"@type": RPC + "ErrorInfo", "metadata": {"consumer": f"api_key:{key}"}}]
    error = error_from_gemini(
        GeminiError(403, f"Consumer 'api_key:{key}' has been suspended.", "PERMISSION_DENIED", details)
    )
    assert key not in str(error.body())
    assert "Consumer 'api_key:***' has been suspended." in error.message


def test_a_status_that_is_no_word_stays_out_of_the_headers() -> None:
    assert "x-google-status" not in error_from_gemini(GeminiError(400, "no", "A\r\nB")).headers


def test_our_own_errors_are_server_errors() -> None:
    assert (internal_error().status, internal_error().type) == (500, "server_error")
    assert (shutting_down().status, shutting_down().headers) == (503, {"retry-after": "1"})


def test_an_error_survives_the_way_to_another_process() -> None:
    error = ApiError(
        413, "Too large.", type="t", param="p", code="c", headers={"retry-after": "1"}, google={"status": "S"}
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (vars(copy), str(copy)) == (vars(error), str(error))
