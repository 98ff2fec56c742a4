"""Every recorded answer that came whole, and every error, in the words of OpenAI's API."""

import pytest
from openai.types.chat import ChatCompletion
from tests.recorded.proof import expected_error, prove_completion
from tests.recorded.traffic import Exchange, check, chosen, each, exchanges, skip_when_absent
from tests.support.answers import whole

from gemgate.errors import ApiError
from gemgate.gemini.errors import decode_error
from gemgate.translation.google_errors import error_from_gemini

skip_when_absent()

DIALECTS = ("openai", "google")


def is_whole(exchange: Exchange) -> bool:
    return exchange.status == 200 and (not exchange.is_stream or isinstance(exchange.body, dict))


def prove_whole(exchange: Exchange, dialect: str) -> None:
    events = exchange.events
    code = expected_error(events, is_stream=False)
    if code is not None:
        with pytest.raises(ApiError) as failure:
            whole(*events, dialect=dialect)
        assert (failure.value.status, failure.value.code) == (502, code)
        return
    completion = whole(*events, dialect=dialect)
    prove_completion(completion, events, dialect)
    ChatCompletion.model_validate(completion)


@pytest.mark.parametrize("dialect", DIALECTS)
@each(is_whole)
def test_a_recorded_answer_keeps_all_it_says(batch: list[Exchange], dialect: str) -> None:
    check(batch, lambda exchange: prove_whole(exchange, dialect))


def test_nearly_all_recordings_are_answers_and_all_kinds_are_here() -> None:
    errors = chosen(lambda exchange: exchange.status >= 400)
    streams = chosen(lambda exchange: exchange.is_stream)
    assert len(exchanges()) >= 1280
    assert len(errors) >= 30
    assert len(streams) >= 230


# Google's HTTP status and part of the message, and what callers get (wire.md D.3, FACTS section 5).
ERRORS = [
    (400, "API key not valid", (401, "invalid_request_error", "invalid_api_key")),
    (400, "input token count", (400, "invalid_request_error", "context_length_exceeded")),
    (400, "User location is not supported", (403, "invalid_request_error", "unsupported_country_region_territory")),
    (400, "", (400, "invalid_request_error", None)),
    (401, "", (401, "invalid_request_error", "invalid_api_key")),
    (403, "", (403, "permission_error", None)),
    (404, "odel", (404, "invalid_request_error", "model_not_found")),
    (404, "", (404, "invalid_request_error", None)),
    (429, "quota metric", (429, "rate_limit_error", "rate_limit_exceeded")),
    (429, "", (429, "tokens", "rate_limit_exceeded")),
]


def prove_error(exchange: Exchange) -> None:
    message = str(exchange.body["error"]["message"]) if isinstance(exchange.body, dict) else ""
    expected = next(out for status, text, out in ERRORS if status == exchange.status and text in message)
    error = error_from_gemini(decode_error(exchange.status, exchange.raw, exchange.content_type))
    assert (error.status, error.type, error.code) == expected
    assert message.strip() in error.message
    assert error.google is not None
    assert error.google["status"] == exchange.body["error"]["status"]


@each(lambda exchange: exchange.status >= 400)
def test_a_recorded_error_gets_its_status_and_code(batch: list[Exchange]) -> None:
    check(batch, prove_error)


def test_a_web_page_in_place_of_an_answer_is_a_bad_gateway() -> None:
    (page,) = (exchange for exchange in exchanges() if exchange.name.endswith("url-not-found_html"))
    error = error_from_gemini(decode_error(page.status, page.raw, page.content_type))
    assert (error.status, error.code) == (502, "invalid_body")
    assert "Error 404 (Not Found)" in error.message


def test_json_that_is_no_answer_is_an_error() -> None:
    (answer,) = (
        exchange for exchange in exchanges() if exchange.name == "vertexai-unary-failure-invalid-response_json"
    )
    with pytest.raises(ApiError) as failure:
        whole(answer.body)
    assert (failure.value.status, failure.value.code) == (502, "upstream_no_answer")
