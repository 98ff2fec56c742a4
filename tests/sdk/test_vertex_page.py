"""The snippets of Google's page on OpenAI compatibility, answered by Vertex AI: the tests of the page, before it."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from tests.sdk import test_page_endpoints as endpoints
from tests.sdk import test_product_page as page
from tests.sdk.page import Media, run_curl, run_python, snippet
from tests.support.stack import GOOGLE, OPENAI, Stack
from tests.support.vertex_stack import PROJECT, vertex_stack

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def vertex() -> Iterator[Stack]:
    with vertex_stack() as running:
        yield running


@pytest.fixture
def python(vertex: Stack, media: Media) -> Any:
    return lambda feature, prefix: run_python(snippet(feature, "python", vertex.base(prefix), media))


@pytest.fixture
def curl(vertex: Stack, media: Media) -> Any:
    return lambda feature, prefix: run_curl(snippet(feature, "bash", vertex.base(prefix), media))


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
@pytest.mark.parametrize(
    "proof",
    [
        page.test_text,
        page.test_reasoning_effort,
        page.test_streaming,
        page.test_function_calling,
        page.test_image_understanding,
        page.test_audio_understanding,
        page.test_structured_output,
    ],
)
def test_a_snippet_in_python_is_answered_by_vertex(proof: Any, python: Any, vertex: Stack, prefix: str) -> None:
    proof(python, prefix)
    asked = vertex.seen.requests[-1]
    assert asked.path.startswith(f"/v1/projects/{PROJECT}/locations/global/publishers/google/models/")
    assert asked.headers["authorization"] == "***"
    assert "x-goog-api-key" not in asked.headers


@pytest.mark.parametrize(
    "proof",
    [
        page.test_thinking_config_shows_thoughts_apart_from_the_content,
        page.test_thinking_config_shows_thoughts_between_tags_as_googles_endpoint_does,
    ],
)
def test_thoughts_are_where_the_page_has_them(proof: Any, python: Any) -> None:
    proof(python)


@page.needs_curl
@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
@pytest.mark.parametrize("feature", page.CURL_FINDS)
def test_a_snippet_by_curl_is_answered_by_vertex(curl: Any, feature: str, prefix: str) -> None:
    page.test_curl(curl, feature, prefix)


@page.needs_curl
@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
def test_functions_and_streams_by_curl_are_answered_by_vertex(curl: Any, prefix: str) -> None:
    page.test_curl_function_calling(curl, prefix)
    page.test_curl_streaming(curl, prefix)


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
@pytest.mark.parametrize(
    "proof",
    [
        endpoints.test_embeddings_in_python,
        endpoints.test_listing_models_in_python,
        endpoints.test_retrieving_a_model_in_python,
    ],
)
def test_other_endpoints_in_python_are_answered_by_vertex(proof: Any, python: Any, prefix: str) -> None:
    proof(lambda feature: python(feature, prefix), prefix)


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
def test_images_are_painted_by_vertex(python: Any, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints.test_images_in_python_can_be_shown(lambda feature: python(feature, prefix), prefix, monkeypatch)


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
def test_openais_client_speaks_and_calls_functions_by_vertex(vertex: Stack, prefix: str) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    with OpenAI(api_key="none", base_url=vertex.base(prefix), max_retries=0, timeout=120) as client:
        asked = client.chat.completions.create(model="gemini-3-flash-preview", messages=messages, tools=tools)
        call = (asked.choices[0].message.tool_calls or [])[0]
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny in Paris"}
        messages += [asked.choices[0].message.to_dict(), result]
        answer = client.chat.completions.create(model="gemini-3-flash-preview", messages=messages, tools=tools)
        sound = client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="Hello", response_format="wav")
    assert "sunny in Paris" in (answer.choices[0].message.content or "")
    assert sound.content.startswith(b"RIFF")
    assert vertex.seen.requests[-1].path.startswith(f"/v1/projects/{PROJECT}/locations/global/")
