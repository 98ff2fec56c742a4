"""openai-node against the running gateway: the snippets of Google's page, and what its helpers demand."""

from pathlib import Path
from typing import Any

import pytest
from tests.sdk.node_project import run, run_javascript
from tests.sdk.page import AUDIO_SECONDS, IMAGE_SIZE, Media, snippet
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack

GEMINI_25 = "gemini-2.5-flash"
MODELS = (GEMINI_25, "gemini-3-flash-preview", "gemini-3.6-flash")
FAMILIES = pytest.mark.parametrize("model", MODELS)
BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Any]:
    """What `core.mjs` saw, by prefix: it runs once for each."""
    return {}


@pytest.fixture
def core(project: Path, servers: Stack, outcomes: dict[str, Any], prefix: str) -> Any:
    if prefix not in outcomes:
        (outcomes[prefix],) = run(project, "core.mjs", servers.base(prefix), KEY)
    return outcomes[prefix]


@pytest.fixture
def page(project: Path, servers: Stack, media: Media, prefix: str) -> Any:
    return lambda feature: run_javascript(project, snippet(feature, "javascript", servers.base(prefix), media))


@BOTH
@pytest.mark.parametrize("feature", ["text", "reasoning_effort"])
def test_snippets_of_text(page: Any, feature: str) -> None:
    (message,) = page(feature)
    assert message["role"] == "assistant"
    assert "Tell me what a proxy does" in message["content"]
    assert "tool_calls" not in message


@BOTH
def test_snippet_of_the_thinking_config(page: Any, prefix: str) -> None:
    (message,) = page("thinking_config")
    if prefix == GOOGLE:
        assert message["content"].startswith("<thought>**Reading the Request**")
    else:
        assert message["reasoning_content"].startswith("**Reading the Request**")
        assert message["content"].startswith("You said")


@BOTH
def test_snippet_of_streaming(page: Any) -> None:
    pieces = page("streaming")
    assert all(isinstance(piece, str) for piece in pieces[:-1])
    assert "Good morning!" in "".join(piece for piece in pieces if piece)


@BOTH
def test_snippet_of_function_calling(page: Any) -> None:
    (response,) = page("function_calling")
    (choice,) = response["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert call["type"] == "function"
    assert call["function"] == {"name": "get_weather", "arguments": '{"location":"Chicago"}'}


@BOTH
def test_snippet_of_image_understanding(page: Any) -> None:
    (choice,) = page("image_understanding")
    assert "an image (image/jpeg) of {}x{} pixels".format(*IMAGE_SIZE) in choice["message"]["content"]
    assert choice["finish_reason"] == "stop"


@BOTH
def test_snippet_of_audio_understanding(page: Any) -> None:
    (content,) = page("audio_understanding")
    assert f"of {AUDIO_SECONDS} seconds" in content


@BOTH
def test_snippet_of_structured_output(page: Any) -> None:
    (event,) = page("structured_output")
    assert set(event) == {"name", "date", "participants"}
    assert isinstance(event["participants"], list)


@BOTH
def test_a_completion_carries_its_request_id(core: Any) -> None:
    for model in MODELS:
        seen = core["text"][model]
        assert seen["requestId"].startswith("req_")
        assert seen["completion"]["object"] == "chat.completion"
        assert "Hello there" in seen["completion"]["choices"][0]["message"]["content"]


@BOTH
@FAMILIES
def test_a_stream_says_what_the_whole_answer_says(core: Any, model: str) -> None:
    *chunks, last = core["streamed"][model]
    whole = core["text"][model]["completion"]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == whole["choices"][0]["message"]["content"]
    assert [chunk["choices"][0]["delta"].get("role") for chunk in chunks].count("assistant") == 1
    assert last["choices"] == []
    assert last["usage"] == whole["usage"]


@BOTH
@FAMILIES
def test_a_stream_ends_in_exactly_done(core: Any, model: str) -> None:
    raw = core["raw"][model]
    lines = [line for line in raw["text"].split("\n") if line]
    assert raw["type"].startswith("text/event-stream")
    assert lines[-1] == "data: [DONE]"
    assert lines.count("data: [DONE]") == 1
    assert all(line.startswith("data: ") for line in lines)


@BOTH
@FAMILIES
def test_the_stream_helper_gathers_parallel_calls(core: Any, model: str) -> None:
    (choice,) = core["helper"][model]["final"]["choices"]
    calls = choice["message"]["tool_calls"]
    assert core["helper"][model]["seen"] == ["get_weather", "get_time"]
    assert [call["function"] for call in calls] == [
        {"name": name, "arguments": '{"city":"Paris"}'} for name in ("get_weather", "get_time")
    ]
    assert len({call["id"] for call in calls}) == 2
    assert choice["finish_reason"] == "tool_calls"


@BOTH
@FAMILIES
def test_two_choices_streamed_equal_two_choices_buffered(core: Any, model: str) -> None:
    streamed, buffered = core["choices"][model]["streamed"], core["choices"][model]["buffered"]
    assert [choice["index"] for choice in streamed["choices"]] == [0, 1]
    assert [choice["finish_reason"] for choice in streamed["choices"]] == ["stop", "stop"]
    assert [choice["message"]["content"] for choice in streamed["choices"]] == [
        choice["message"]["content"] for choice in buffered["choices"]
    ]
    assert streamed["usage"] == buffered["usage"]


@BOTH
@FAMILIES
@pytest.mark.parametrize("way", ["runTools", "runToolsStreamed"])
def test_run_tools_goes_through_a_whole_loop(core: Any, model: str, way: str) -> None:
    seen = core[way][model]
    assert sorted(seen["called"]) == [["get_time", {"city": "Paris"}], ["get_weather", {"city": "Paris"}]]
    assert seen["roles"] == ["user", "assistant", "tool", "tool", "assistant"]
    assert 'The function get_weather answered {"sky":"clear"}.' in seen["content"]
    assert 'The function get_time answered {"clock":"12:30"}.' in seen["content"]


@BOTH
@FAMILIES
def test_zod_formats_are_parsed(core: Any, model: str) -> None:
    seen = core["parsed"][model]
    assert set(seen["parsed"]) == {"name", "age", "nickname"}
    assert seen["streamed"] == seen["parsed"]
    assert core["parsedCalls"][model] == [{"city": "Paris"}]


@BOTH
@FAMILIES
def test_thoughts_look_as_the_path_promises(core: Any, model: str, prefix: str) -> None:
    message, streamed = core["thoughts"][model]["message"], core["thoughts"][model]["streamed"]
    if prefix == GOOGLE:
        assert message["content"].startswith("<thought>**Reading the Request**")
        assert "</thought>You said" in message["content"]
        assert streamed["content"] == message["content"]
    else:
        assert message["content"].startswith("You said")
        assert message["reasoning_content"].startswith("**Reading the Request**")
        assert streamed["content"] == message["content"]


@BOTH
def test_cached_content_is_counted(core: Any) -> None:
    usage = core["cached"]
    assert usage["prompt_tokens"] > usage["prompt_tokens_details"]["cached_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@BOTH
@pytest.mark.parametrize(
    ("failure", "name", "status", "code"),
    [
        ("key", "AuthenticationError", 401, "invalid_api_key"),
        ("model", "NotFoundError", 404, "model_not_found"),
        ("quota", "RateLimitError", 429, "rate_limit_exceeded"),
        ("quotaStreamed", "RateLimitError", 429, "rate_limit_exceeded"),
        ("server", "InternalServerError", 503, "server_overloaded"),
    ],
)
def test_failures_are_the_errors_that_applications_catch(
    core: Any, failure: str, name: str, status: int, code: str
) -> None:
    error = core["errors"][failure]
    assert (error["name"], error["status"], error["code"]) == (name, status, code)
    assert error["requestID"]
    assert error["retryAfter"] == ("7" if status == 429 else None)


@BOTH
def test_a_bad_request_names_the_parameter(core: Any) -> None:
    error = core["errors"]["request"]
    assert (error["name"], error["param"]) == ("BadRequestError", "messages[0].content[0].type")


@BOTH
def test_parse_raises_when_length_or_filter_ended_the_answer(core: Any) -> None:
    assert core["errors"]["length"]["name"] == "LengthFinishReasonError"
    assert core["errors"]["filter"]["name"] == "ContentFilterFinishReasonError"


@BOTH
@pytest.mark.parametrize(("failure", "code"), [("broken", "server_overloaded"), ("truncated", "stream_truncated")])
def test_a_stream_that_breaks_throws_after_what_arrived(core: Any, failure: str, code: str) -> None:
    error = core["errors"][failure]
    assert (error["name"], error["code"]) == ("APIError", code)
    assert error["content"].startswith("You said")


@BOTH
def test_the_stream_helper_throws_too(core: Any) -> None:
    assert "nothing" not in core["errors"]["helper"]
    assert "ended before the answer did" in core["errors"]["helper"]["message"]
