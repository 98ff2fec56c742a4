from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.gemini.errors import (
    Failure,
    GeminiError,
    TransportError,
    decode_error,
    error_in,
)
from gemgate.redaction import HIDDEN

KEY = "AIzaSyExampleExampleExampleExampleExa"

QUOTA = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan and billing details.\n"
        "* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count, "
        "limit: 1000000, model: gemini-2.5-flash\nPlease retry in 48.939935699s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help", "links": [{"description": "…", "url": "…"}]},
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [
                    {"quotaId": "GenerateContentPaidTierInputTokensPerModelPerMinute", "quotaValue": "1000000"},
                    {"quotaMetric": "without an id"},
                ],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "48s"},
        ],
    }
}
BAD_KEY = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
}


def detail(name: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/google.rpc.{name}", **fields}


def error(message: str = "", *details: dict[str, Any]) -> GeminiError:
    return GeminiError(429, message, "RESOURCE_EXHAUSTED", list(details))


def test_an_error_object_gives_status_message_reason_and_details() -> None:
    got = decode_error(429, orjson.dumps(QUOTA), "application/json")
    assert (got.status, got.reason) == (429, "RESOURCE_EXHAUSTED")
    assert got.message.startswith("You exceeded your current quota")
    assert got.details == QUOTA["error"]["details"]
    assert got.quota_ids == ("GenerateContentPaidTierInputTokensPerModelPerMinute",)
    assert not got.is_daily_quota
    assert got.retry_delay == 48


def test_a_list_of_one_error_is_that_error() -> None:
    got = decode_error(400, orjson.dumps([BAD_KEY]))
    assert got.is_invalid_key
    assert got.error_info_reason == "API_KEY_INVALID"


def test_an_error_reads_as_status_reason_and_message() -> None:
    assert str(decode_error(400, orjson.dumps(BAD_KEY))) == (
        "400 INVALID_ARGUMENT: API key not valid. Please pass a valid API key."
    )


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("48s", 48),
        ("34.4s", 34.4),
        ("0.5s", 0.5),
        ("0s", 0),
        ("90.000000001s", 90.000000001),
        ("", None),
        ("soon", None),
    ],
)
def test_retry_info_is_a_duration_in_seconds(written: str, seconds: float | None) -> None:
    assert error("", detail("RetryInfo", retryDelay=written)).retry_delay == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please retry in 48.939935699s.", 48.939935699),
        ("Please retry in 12 s", 12),
        ("Please retry in 724.9ms.", 0.7249),
        ("Please retry in 11h43m14.5s.", 42194.5),
        ("Please retry later.", None),
    ],
)
def test_without_retry_info_the_text_names_the_delay(message: str, seconds: float | None) -> None:
    assert error(message).retry_delay == (None if seconds is None else pytest.approx(seconds))
    assert error(message, detail("RetryInfo")).retry_delay == (None if seconds is None else pytest.approx(seconds))


def test_a_quota_per_day_is_a_daily_quota() -> None:
    quota = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
    assert error("", detail("QuotaFailure", violations=[{"quotaId": quota}])).is_daily_quota


@pytest.mark.parametrize(
    "failed",
    [
        error("", detail("ErrorInfo", reason="API_KEY_EXPIRED")),
        error("API key expired. Please renew the API key."),
        error("API Key not valid. Please pass a valid API key."),
    ],
)
def test_a_bad_key_is_known_by_its_reason_or_its_text(failed: GeminiError) -> None:
    assert failed.is_invalid_key


def test_field_violations_are_listed() -> None:
    violation = {"field": "contents[0].parts[0]", "description": "Unknown name"}
    assert error("", detail("BadRequest", fieldViolations=[violation, "?"])).field_violations == [violation]


@pytest.mark.parametrize("details", [None, {}, "x", [1, None, {"@type": 5}, {}, detail("ErrorInfo", reason=3)]])
def test_details_of_an_odd_shape_say_nothing(details: Any) -> None:
    got = decode_error(400, orjson.dumps({"error": {"message": "no", "details": details}}))
    assert (got.retry_delay, got.quota_ids, got.field_violations, got.error_info_reason) == (None, (), [], "")
    assert not got.is_invalid_key


def test_html_is_told_by_its_title_and_never_shown() -> None:
    page = b"<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not\n Found)&#33;!1</title><p>secret page"
    got = decode_error(404, page, "text/html; charset=UTF-8")
    assert got.message == "The Gemini API answered 404 with a web page instead of JSON: Error 404 (Not Found)!!1"
    assert got.reason == "NOT_FOUND"


def test_html_without_a_title_has_a_fixed_text() -> None:
    assert decode_error(502, b"<html>oops").message == "The Gemini API answered 502 with a web page instead of JSON."


@pytest.mark.parametrize(
    "body", [b"", b"  ", b'{"error": {"code": 503, "mess', b"[", b"\xff\xfe\x00", b"\x1f\x8b\x08", b"\x00"]
)
def test_a_body_that_says_nothing_has_the_words_of_its_status(body: bytes) -> None:
    got = decode_error(503, body, "application/json")
    assert got.message == "The Gemini API answered 503 (Service Unavailable) and did not say why."
    assert (got.status, got.reason) == (503, "UNAVAILABLE")


def test_a_status_without_a_name_is_only_a_number() -> None:
    got = decode_error(499, b"")
    assert (got.message, got.reason) == ("The Gemini API answered 499 and did not say why.", "CANCELLED")
    assert decode_error(418, b"").reason == "UNKNOWN"


def test_plain_text_is_the_message_cut_short() -> None:
    assert decode_error(413, b"Request\n too large", "text/plain").message == "Request too large"
    assert len(decode_error(413, b"long " * 9999).message) == 300


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "invalid_grant", "error_description": "Bad Request"}, "Bad Request"),
        ({"error": "invalid_grant"}, "invalid_grant"),
        ({"error": {"code": 500, "message": "  \n"}}, "The Gemini API answered 500 (Internal Server Error)"),
        ({"error": {"code": "x", "message": ["no"]}}, "The Gemini API answered 500 (Internal Server Error)"),
    ],
)
def test_error_objects_of_other_shapes_still_have_a_message(body: Any, message: str) -> None:
    got = decode_error(500, orjson.dumps(body))
    assert got.message.startswith(message)
    assert (got.status, got.reason) == (500, "INTERNAL")


def test_an_error_object_under_status_200_has_the_status_of_its_code() -> None:
    assert decode_error(200, orjson.dumps(QUOTA)).status == 429
    assert decode_error(200, b'{"error": {"code": 7, "message": "no"}}').status == 502


@pytest.mark.parametrize("value", [None, [], {}, {"error": None}, {"error": {}}, [{"candidates": []}], 3, "error"])
def test_anything_else_is_no_error_object(value: Any) -> None:
    assert error_in(value) is None


def test_a_good_status_without_an_answer_is_an_invalid_body() -> None:
    got = decode_error(200, b"plain text")
    assert (got.status, got.reason) == (502, Failure.INVALID_BODY)
    assert got.message == "The Gemini API answered 200 with something that is not an answer."
    assert "web page" in decode_error(200, b"<html>log in</html>").message


def test_a_redirect_is_a_502() -> None:
    got = decode_error(302, orjson.dumps(QUOTA))
    assert isinstance(got, TransportError)
    assert (got.status, got.failure) == (502, Failure.REDIRECT)


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_a_gateway_status_and_a_text(failure: Failure) -> None:
    got = TransportError(failure)
    assert got.status == (504 if "timeout" in failure else 502)
    assert got.reason == failure
    assert got.message.endswith(".")


def test_a_secret_is_hidden_wherever_google_repeats_it() -> None:
    named = f"Consumer 'api_key:{KEY}' has been suspended."
    failed = GeminiError(403, named, "PERMISSION_DENIED", [{"metadata": {"consumer": [named, 1]}, "domain": "x"}])
    failed.hide(KEY)
    hidden = f"Consumer 'api_key:{HIDDEN}' has been suspended."
    assert failed.message == hidden
    assert failed.details == [{"metadata": {"consumer": [hidden, 1]}, "domain": "x"}]


def test_without_a_secret_there_is_nothing_to_hide() -> None:
    failed = error("text")
    failed.hide("")
    assert failed.message == "text"


@given(status=st.integers(200, 599), body=st.binary(max_size=80), content_type=st.sampled_from(["", "text/html"]))
def test_no_bytes_break_the_decoder(status: int, body: bytes, content_type: str) -> None:
    got = decode_error(status, body, content_type)
    assert 400 <= got.status < 600
    assert got.message


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["@type", "code", "message", "status", "details", "reason"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(value=json_values)
def test_no_error_object_breaks_the_decoder(value: Any) -> None:
    got = decode_error(500, orjson.dumps({"error": value}))
    got.hide("a")
    assert got.message
    assert isinstance(got.reason, str)
    assert got.retry_delay is None or got.retry_delay >= 0
    assert not got.is_daily_quota
