"""What openai-python raises: each of Google's failures as the exception an application catches."""

from typing import Any

import openai
import orjson
import pytest
from openai import OpenAI
from pydantic import BaseModel
from tests.sdk.conftest import MakeClient
from tests.support.stack import GOOGLE, KEY, OPENAI, WRONG_KEY, Stack

MODEL = "gemini-2.5-flash"
BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])


def asking(scenario: str, **more: Any) -> Any:
    """Arguments of `create` to which the emulator reacts with `scenario`."""
    return {"model": MODEL, "messages": [{"role": "user", "content": f"Hello [[emulator: {scenario}]]"}], **more}


@BOTH
@WAYS
def test_a_wrong_key_is_an_authentication_error(make_client: MakeClient, prefix: str, stream: bool) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        make_client(prefix, key=WRONG_KEY).chat.completions.create(**asking("lf", stream=stream))
    assert caught.value.status_code == 401
    assert caught.value.code == "invalid_api_key"
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id


@BOTH
@WAYS
def test_an_unknown_model_is_not_found(make_client: MakeClient, prefix: str, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": "Hello"}]
    with pytest.raises(openai.NotFoundError) as caught:
        make_client(prefix).chat.completions.create(model="gemini-0-none", messages=messages, stream=stream)
    assert caught.value.code == "model_not_found"
    assert "gemini-0-none" in caught.value.message


@WAYS
def test_a_used_up_quota_is_a_rate_limit_error_that_says_when_to_retry(client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(**asking("429 7", stream=stream))
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["retry-after-ms"] == "7000"
    assert "x-should-retry" not in caught.value.response.headers


def test_a_used_up_day_is_not_retried(servers: Stack) -> None:
    before = len(servers.seen.requests)
    with (
        OpenAI(api_key=KEY, base_url=servers.base(), max_retries=2) as patient,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        patient.chat.completions.create(**asking("429-daily"))
    assert caught.value.code == "insufficient_quota"
    assert len(servers.seen.requests) == before + 1


def test_a_passing_failure_is_retried_by_the_client(servers: Stack) -> None:
    before = len(servers.seen.requests)
    with OpenAI(api_key=KEY, base_url=servers.base(), max_retries=1) as patient:
        answer = patient.chat.completions.create(**asking("flaky"))
    assert answer.choices[0].finish_reason == "stop"
    assert len(servers.seen.requests) == before + 2


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "smell", "smell": "x"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "boss", "content": "Hello"}]}, "messages[0].role"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3.5}, "temperature"),
        ({"reasoning_effort": "none", "model": "gemini-2.5-pro"}, "reasoning_effort"),
        ({"logprobs": True, "stream": True}, "logprobs"),
    ],
)
def test_a_bad_request_names_the_parameter(client: OpenAI, change: dict[str, Any], param: str) -> None:
    asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]} | change
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**asked)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert param.split("[", maxsplit=1)[0] in caught.value.message


@WAYS
@pytest.mark.parametrize(
    ("scenario", "status", "code"),
    [("500", 500, None), ("503", 503, "server_overloaded"), ("504", 504, "timeout"), ("html-502", 502, None)],
)
def test_googles_own_failures_are_internal_server_errors(
    client: OpenAI, scenario: str, status: int, code: str | None, stream: bool
) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(**asking(scenario, stream=stream))
    assert caught.value.status_code == status
    assert caught.value.code == code
    assert caught.value.type == "server_error"
    assert "<html" not in caught.value.message


@WAYS
def test_a_project_without_the_api_is_permission_denied(client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(**asking("403", stream=stream))


@WAYS
def test_a_connection_that_breaks_before_the_answer_is_a_502(client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(**asking("reset-before-headers", stream=stream))
    assert caught.value.status_code == 502


@BOTH
@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("error-mid-stream", None),
        ("error-mid-stream-data", "server_overloaded"),
        ("reset-mid-stream", "stream_truncated"),
        ("eof", "stream_truncated"),
        ("garbage", "invalid_body"),
    ],
)
def test_a_stream_that_breaks_raises_after_what_arrived(
    make_client: MakeClient, scenario: str, code: str | None, prefix: str
) -> None:
    text = ""
    with pytest.raises(openai.APIError) as caught:  # noqa: PT012  the error comes in mid-iteration
        for chunk in make_client(prefix).chat.completions.create(**asking(scenario, stream=True)):
            text += chunk.choices[0].delta.content or ""
            assert chunk.choices[0].finish_reason is None
    assert text
    assert caught.value.code == code
    assert not isinstance(caught.value, openai.APIStatusError)


@pytest.mark.parametrize(
    ("scenario", "code"),
    [("error-mid-stream", None), ("eof", "stream_truncated"), ("garbage", "invalid_body")],
)
def test_the_stream_helper_raises_too(client: OpenAI, scenario: str, code: str | None) -> None:
    with pytest.raises(openai.APIError) as caught, client.chat.completions.stream(**asking(scenario)) as stream:
        stream.until_done()
    assert caught.value.code == code


class Name(BaseModel):
    name: str


def test_parse_raises_when_the_length_ran_out(client: OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError) as caught:
        client.chat.completions.parse(
            model=MODEL,
            messages=[{"role": "user", "content": "Who?"}],
            max_completion_tokens=1,
            response_format=Name,
        )
    usage = caught.value.completion.usage
    assert usage is not None
    assert usage.completion_tokens >= 1


@pytest.mark.parametrize("scenario", ["blocked-prompt", "safety", "no-content"])
def test_parse_raises_when_a_filter_stepped_in(client: OpenAI, scenario: str) -> None:
    with pytest.raises(openai.ContentFilterFinishReasonError):
        client.chat.completions.parse(**asking(scenario), response_format=Name)


REFUSAL = "Gemini blocked this (PROHIBITED_CONTENT)."


def test_a_blocked_prompt_is_a_refusal(client: OpenAI) -> None:
    (choice,) = client.chat.completions.create(**asking("blocked-prompt")).choices
    assert choice.finish_reason == "content_filter"
    assert choice.message.refusal == REFUSAL
    assert choice.message.content is None


def test_a_blocked_prompt_streams_a_refusal(client: OpenAI) -> None:
    choices = [chunk.choices[0] for chunk in client.chat.completions.create(**asking("blocked-prompt", stream=True))]
    assert "".join(choice.delta.refusal or "" for choice in choices) == REFUSAL
    assert not any(choice.delta.content for choice in choices)
    assert choices[-1].finish_reason == "content_filter"


def test_a_body_that_is_no_json_is_a_bad_request(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", cast_to=object, content=b'{"model":')
    assert caught.value.code == "invalid_json"


def test_an_unknown_path_has_openais_shape(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.get("/nothing/here", cast_to=object)
    assert orjson.loads(caught.value.response.content)["error"] == {
        "message": "Invalid URL (GET /v1/nothing/here)",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
