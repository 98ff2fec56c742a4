"""Several Gemini keys, retries and fallbacks, as OpenAI's own client sees them, over real sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from tests.support.stack import Stack, stack

HELLO: dict[str, Any] = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}


@contextmanager
def gateway_with_keys(*keys: str, **settings: Any) -> Iterator[tuple[Stack, openai.OpenAI]]:
    """A gateway that holds these keys before the emulator, and a client of it."""
    with (
        stack(gemini_api_key=keys, **settings) as running,
        openai.OpenAI(api_key="none", base_url=running.base(), max_retries=0) as client,
    ):
        yield running, client


@pytest.mark.parametrize("bad", ["emulator-429-30", "emulator-429-daily", "invalid", "expired", "emulator-403"])
def test_a_key_that_google_refuses_is_never_noticed(bad: str) -> None:
    with gateway_with_keys(bad, "good") as (running, client):
        for _ in range(3):
            assert "emulator" in (client.chat.completions.create(**HELLO).choices[0].message.content or "")
            with client.chat.completions.create(**HELLO, stream=True) as chunks:
                assert [chunk for chunk in chunks if chunk.choices]
        assert len(running.seen.requests) == 6 + 1


def test_all_keys_without_quota_are_one_refusal_that_says_when_to_come_back() -> None:
    with gateway_with_keys("emulator-429-30", "emulator-429-20") as (running, client):
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(**HELLO)
        asked = len(running.seen.requests)
        with pytest.raises(openai.RateLimitError) as again:
            client.chat.completions.create(**HELLO, stream=True)
        assert len(running.seen.requests) == asked == 2
    headers = again.value.response.headers
    assert again.value.code == "rate_limit_exceeded"
    assert 17 < int(headers["retry-after"]) <= 20
    assert headers["x-ratelimit-remaining-tokens"] == "0"
    assert headers["x-ratelimit-limit-tokens"] == "1000000"
    reset = float(headers["x-ratelimit-reset-tokens"].removesuffix("s"))
    assert int(headers["retry-after"]) - 1 < reset <= int(headers["retry-after"])
    assert "x-should-retry" not in headers
    assert "emulator-429" not in caught.value.message + again.value.message


def test_all_keys_without_quota_for_the_day_are_not_tried_again_by_the_client() -> None:
    with gateway_with_keys("emulator-429-daily") as (running, client):
        with pytest.raises(openai.RateLimitError) as caught:
            client.with_options(max_retries=5).chat.completions.create(**HELLO)
        assert len(running.seen.requests) == 1
    assert caught.value.code == "insufficient_quota"
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 25 * 3600


def test_a_failure_that_was_tried_to_the_end_is_not_tried_again_by_the_client() -> None:
    with gateway_with_keys("good", retries=2) as (running, client):
        with pytest.raises(openai.InternalServerError) as caught:
            client.with_options(max_retries=5).chat.completions.create(**{**HELLO, "model": "emulator-503"})
        assert len(running.seen.requests) == 3
        assert len({str(request.body) for request in running.seen.requests}) == 1
    assert caught.value.code == "server_overloaded"


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_that_passes_is_never_noticed(stream: bool) -> None:
    with gateway_with_keys("good") as (running, client):
        body = {**HELLO, "messages": [{"role": "user", "content": "Hello [[emulator: flaky 2]]"}]}
        answer: Any = client.chat.completions.create(**body, stream=stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in answer) if stream else str(answer)
        assert "Hello" in text
        assert len(running.seen.requests) == 3


@pytest.mark.parametrize("scenario", ["empty", "malformed-function-call"])
def test_an_answer_without_content_is_asked_for_once_more(scenario: str) -> None:
    with gateway_with_keys("good") as (running, client):
        body = {**HELLO, "messages": [{"role": "user", "content": f"Hello [[emulator: {scenario}]]"}]}
        if scenario == "empty":
            client.chat.completions.create(**body)
        else:
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(**body)
        assert len(running.seen.requests) == 2


def test_keys_that_google_refuses_altogether_are_the_gateways_fault() -> None:
    with gateway_with_keys("invalid", "expired") as (running, client):
        for _ in range(2):
            with pytest.raises(openai.InternalServerError) as caught:
                client.with_options(max_retries=3).chat.completions.create(**HELLO)
        assert len(running.seen.requests) == 2
    assert (caught.value.status_code, caught.value.code) == (503, "upstream_key_rejected")


def test_a_callers_own_key_is_used_alone_and_told_of_in_openais_words() -> None:
    with gateway_with_keys() as (running, client):
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="invalid").chat.completions.create(**HELLO)
        assert len(running.seen.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_another_model_stands_in_and_is_told_in_a_header(stream: bool) -> None:
    models = "gpt-4o=emulator-503,gemini-2.5-flash-lite"
    with gateway_with_keys("good", models=models) as (_, client):
        raw = client.chat.completions.with_raw_response.create(**{**HELLO, "model": "gpt-4o"}, stream=stream)
        assert raw.headers["x-gemgate-model"] == "gemini-2.5-flash-lite"
        answer: Any = raw.parse()
        model = next(iter(answer)).model if stream else answer.model
        assert model == "gpt-4o"
        assert {"gpt-4o"} < {model.id for model in client.models.list()}
        described = client.models.retrieve("gpt-4o")
        assert (described.owned_by, described.model_extra and described.model_extra["alias_of"]) == (
            "gemgate",
            ["emulator-503", "gemini-2.5-flash-lite"],
        )
