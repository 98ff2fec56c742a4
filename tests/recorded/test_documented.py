"""Every recorded answer, told to a caller, is as the OpenAPI document says."""

from functools import cache

import pytest
from tests.recorded.proof import expected_error
from tests.recorded.test_recorded_answers import is_whole
from tests.recorded.test_recorded_streams import ends_well
from tests.recorded.traffic import Exchange, check, each, skip_when_absent
from tests.support.answers import streamed, whole
from tests.support.documented import Documented

from gemgate.app import create_app
from gemgate.gemini.errors import decode_error
from gemgate.settings import Settings
from gemgate.translation.google_errors import error_from_gemini

skip_when_absent()

DIALECTS = ("openai", "google")


@cache
def documented() -> Documented:
    return Documented(create_app(Settings(_env_file=None)).openapi())


@pytest.mark.parametrize("dialect", DIALECTS)
@each(is_whole)
def test_a_recorded_answer_is_as_documented(batch: list[Exchange], dialect: str) -> None:
    def prove(exchange: Exchange) -> None:
        if expected_error(exchange.events, is_stream=False) is None:
            documented().is_a("ChatCompletion", whole(*exchange.events, dialect=dialect))

    check(batch, prove)


@pytest.mark.parametrize("dialect", DIALECTS)
@each(ends_well)
def test_each_chunk_of_a_recorded_stream_is_as_documented(batch: list[Exchange], dialect: str) -> None:
    def prove(exchange: Exchange) -> None:
        if expected_error(exchange.events, is_stream=True) is None:
            for chunk in streamed(*exchange.events, dialect=dialect):
                documented().is_a("ChatCompletionChunk", chunk)

    check(batch, prove)


@each(lambda exchange: exchange.status >= 400)
def test_a_recorded_error_is_as_documented(batch: list[Exchange]) -> None:
    def prove(exchange: Exchange) -> None:
        error = error_from_gemini(decode_error(exchange.status, exchange.raw, exchange.content_type))
        documented().is_a("ErrorBody", error.body())

    check(batch, prove)
