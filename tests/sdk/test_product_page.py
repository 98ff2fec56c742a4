"""Every chat snippet of Google's page on OpenAI compatibility runs, changed only in base URL and key."""

import shutil
from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_chunk import ChoiceDelta
from tests.sdk.page import AUDIO_SECONDS, IMAGE_SIZE, Media, run_curl, run_python, snippet
from tests.support.stack import GOOGLE, GOOGLE_BARE, OPENAI, Stack

BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


@pytest.fixture
def python(servers: Stack, media: Media) -> Any:
    return lambda feature, prefix: run_python(snippet(feature, "python", servers.base(prefix), media))


@pytest.fixture
def curl(servers: Stack, media: Media) -> Any:
    return lambda feature, prefix: run_curl(snippet(feature, "bash", servers.base(prefix), media))


def is_whole(completion: ChatCompletion) -> None:
    """What every completion has, whatever was asked."""
    (choice,) = completion.choices
    usage = completion.usage
    assert completion.object == "chat.completion"
    assert completion.id.startswith("chatcmpl-")
    assert completion.created > 1_700_000_000
    assert choice.index == 0
    assert choice.message.role == "assistant"
    assert usage is not None
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@BOTH
def test_text(python: Any, prefix: str) -> None:
    names = python("text", prefix)
    is_whole(names["response"])
    (message,) = names["printed"]
    assert isinstance(message, ChatCompletionMessage)
    assert "Tell me what a proxy does" in (message.content or "")
    assert "You are a kind teacher." in (message.content or "")
    assert message.tool_calls is None
    assert message.refusal is None
    assert names["response"].model == "gemini-2.5-flash"
    assert names["response"].choices[0].finish_reason == "stop"


@BOTH
def test_reasoning_effort(python: Any, prefix: str) -> None:
    names = python("reasoning_effort", prefix)
    is_whole(names["response"])
    usage = names["response"].usage
    assert usage.completion_tokens_details.reasoning_tokens > 0
    assert usage.completion_tokens > usage.completion_tokens_details.reasoning_tokens
    assert "Tell me what a proxy does" in names["printed"][0].content


def test_thinking_config_shows_thoughts_apart_from_the_content(python: Any) -> None:
    names = python("thinking_config", OPENAI)
    is_whole(names["response"])
    (message,) = names["printed"]
    assert message.reasoning_content.startswith("**Reading the Request**")
    assert "<thought>" not in message.content
    assert names["response"].usage.completion_tokens_details.reasoning_tokens > 0


def test_thinking_config_shows_thoughts_between_tags_as_googles_endpoint_does(python: Any) -> None:
    names = python("thinking_config", GOOGLE)
    is_whole(names["response"])
    (message,) = names["printed"]
    thoughts, _, answer = message.content.partition("</thought>")
    assert thoughts.startswith("<thought>**Reading the Request**")
    assert "Tell me what a proxy does" in answer
    assert "reasoning_content" not in (message.model_extra or {})
    assert names["response"].usage.completion_tokens_details.reasoning_tokens > 0


@BOTH
def test_streaming(python: Any, prefix: str) -> None:
    deltas = python("streaming", prefix)["printed"]
    assert all(isinstance(delta, ChoiceDelta) for delta in deltas)
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    assert "Good morning!" in "".join(delta.content or "" for delta in deltas)
    assert len([delta for delta in deltas if delta.content]) > 1


@BOTH
def test_function_calling(python: Any, prefix: str) -> None:
    (response,) = python("function_calling", prefix)["printed"]
    is_whole(response)
    (choice,) = response.choices
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert call.type == "function"
    assert call.id
    assert call.function.name == "get_weather"
    assert orjson.loads(call.function.arguments)["location"] == "Chicago"


@BOTH
def test_image_understanding(python: Any, prefix: str) -> None:
    names = python("image_understanding", prefix)
    is_whole(names["response"])
    (choice,) = names["printed"]
    assert isinstance(choice, Choice)
    assert choice.finish_reason == "stop"
    assert "an image (image/jpeg) of {}x{} pixels".format(*IMAGE_SIZE) in (choice.message.content or "")


@BOTH
def test_audio_understanding(python: Any, prefix: str) -> None:
    names = python("audio_understanding", prefix)
    is_whole(names["response"])
    (content,) = names["printed"]
    assert f"of {AUDIO_SECONDS} seconds" in content
    assert names["response"].usage.prompt_tokens_details.audio_tokens > 0


@BOTH
def test_structured_output(python: Any, prefix: str) -> None:
    names = python("structured_output", prefix)
    is_whole(names["completion"])
    (event,) = names["printed"]
    assert isinstance(event, names["CalendarEvent"])
    assert event.participants
    assert orjson.loads(names["completion"].choices[0].message.content) == event.model_dump()


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE, GOOGLE_BARE])
def test_cached_content(python: Any, prefix: str) -> None:
    names = python("cached_content", prefix)
    *chunks, usage = names["printed"]
    assert "What happens in the video?" in "".join(
        chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices
    )
    assert chunks[-1].choices == []
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]].count("stop") == 1
    assert usage == chunks[-1].usage.to_dict()
    assert usage["prompt_tokens"] > usage["prompt_tokens_details"]["cached_tokens"] > 0
    assert usage["completion_tokens"] > usage["completion_tokens_details"]["reasoning_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


CURL_FINDS = {
    "text": "Tell me what a proxy does",
    "reasoning_effort": "Tell me what a proxy does",
    "thinking_config": "**Reading the Request**",
    "image_understanding": "an image (image/jpeg) of {}x{} pixels".format(*IMAGE_SIZE),
    "audio_understanding": f"of {AUDIO_SECONDS} seconds",
}


@needs_curl
@BOTH
@pytest.mark.parametrize("feature", CURL_FINDS)
def test_curl(curl: Any, feature: str, prefix: str) -> None:
    answer = orjson.loads(curl(feature, prefix))
    is_whole(ChatCompletion.model_validate(answer))
    message = answer["choices"][0]["message"]
    assert CURL_FINDS[feature] in message["content"] + message.get("reasoning_content", "")


@needs_curl
@BOTH
def test_curl_function_calling(curl: Any, prefix: str) -> None:
    answer = orjson.loads(curl("function_calling", prefix))
    is_whole(ChatCompletion.model_validate(answer))
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert orjson.loads(call["function"]["arguments"])["location"] == "Chicago"


@needs_curl
@BOTH
def test_curl_streaming(curl: Any, prefix: str) -> None:
    raw: bytes = curl("streaming", prefix)
    *events, done, rest = raw.split(b"\n\n")
    chunks = [orjson.loads(event.removeprefix(b"data: ")) for event in events]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert (done, rest) == (b"data: [DONE]", b"")
    assert "Tell me what a proxy does" in text
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}
