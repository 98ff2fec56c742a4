"""The product page's snippets after 1 December 2026, when Google serves other models under the names that they use.

Once by learning alone: the gateway believes the table of November. And once with the rows that hold from December on,
without one call that Google refuses. Names that are gone are asked as their successors.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from openai.types.chat import ChatCompletion
from tests.sdk.test_product_page import (
    BOTH,
    CURL_FINDS,
    curl,
    is_whole,
    needs_curl,
    python,
    test_audio_understanding,
    test_cached_content,
    test_curl_function_calling,
    test_curl_streaming,
    test_function_calling,
    test_image_understanding,
    test_reasoning_effort,
    test_streaming,
    test_structured_output,
    test_text,
    test_thinking_config_shows_thoughts_apart_from_the_content,
    test_thinking_config_shows_thoughts_between_tags_as_googles_endpoint_does,
)
from tests.support.stack import KEY, OPENAI, Stack, stack

pytestmark = pytest.mark.integration

__all__ = [
    "curl",
    "python",
    "test_audio_understanding",
    "test_cached_content",
    "test_curl_function_calling",
    "test_curl_streaming",
    "test_function_calling",
    "test_image_understanding",
    "test_reasoning_effort",
    "test_streaming",
    "test_structured_output",
    "test_text",
    "test_thinking_config_shows_thoughts_apart_from_the_content",
    "test_thinking_config_shows_thoughts_between_tags_as_googles_endpoint_does",
]

NOVEMBER, DECEMBER = "2026-11-29", "2026-12-02"


def refused_calls(stacked: Stack) -> list[str]:
    """The lines of the metric of calls that Google refused."""
    metrics = httpx.get(f"{stacked.gateway}/metrics", trust_env=False).text
    return re.findall(r"^gemgate_upstream_errors_total.*$", metrics, re.MULTILINE)


@pytest.fixture(scope="module", params=[NOVEMBER, DECEMBER], ids=["by learning alone", "with dated rows"])
def servers(request: pytest.FixtureRequest) -> Iterator[Stack]:
    with stack(model_facts_date=request.param, retired_models="successor") as running:
        running.seen.day = DECEMBER
        yield running
        if request.param == DECEMBER:
            assert refused_calls(running) == []


@needs_curl
@BOTH
@pytest.mark.parametrize("feature", CURL_FINDS)
def test_curl(curl: Any, feature: str, prefix: str) -> None:
    answer = orjson.loads(curl(feature, prefix))
    is_whole(ChatCompletion.model_validate(answer))
    message = answer["choices"][0]["message"]
    if feature != "thinking_config":  # the successor of 2.5 Flash hardly thinks unless it is asked to
        assert CURL_FINDS[feature] in message["content"]


PREFILLED: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Say yes."}, {"role": "assistant", "content": "Y"}],
    "n": 2,
}
MIXED: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hi"}],
    "temperature": 0.5,
    "reasoning_effort": "none",
    "response_format": {"type": "json_object"},
    "tools": [{"type": "function", "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}}}],
}


@pytest.mark.parametrize("asked", [PREFILLED, MIXED], ids=["prefill and candidates", "thinking off, JSON beside tools"])
@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-2.5-pro"])
def test_what_only_2_5_took_is_adjusted_and_reported(servers: Stack, model: str, asked: dict[str, Any]) -> None:
    for stream in (False, True):
        answered = httpx.post(
            f"{servers.base(OPENAI)}/chat/completions",
            json={"model": model, "stream": stream, **asked, **({"n": 1} if stream else {})},
            headers={"authorization": f"Bearer {KEY}"},
            trust_env=False,
        )
        if model == "gemini-2.5-pro" and asked is MIXED and answered.status_code == 400:
            # Believed to be 2.5 Pro, which cannot stop thinking; so the caller is told before Google is asked.
            assert answered.json()["error"]["param"] == "reasoning_effort"
            continue
        assert answered.status_code == 200, answered.text
        assert "x-gemgate-adjusted" in answered.headers or asked is MIXED


def test_the_name_is_known_to_answer_as_its_successor(servers: Stack) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}
    answered = httpx.post(f"{servers.base(OPENAI)}/chat/completions", json=body, headers=headers, trust_env=False)
    assert answered.json()["system_fingerprint"] == "gemini-3.5-flash-lite"
    shown = httpx.get(f"{servers.base(OPENAI)}/models/gemini-2.5-flash", headers=headers, trust_env=False).json()
    assert shown["facts"]["thinking"]["value"] == "level"
    assert shown["facts"]["prefill"]["value"] is False
    assert shown["facts"]["thinking"]["origin"] in {"learned", "table"}


def test_a_retired_name_is_asked_as_its_successor_and_described_as_an_alias(servers: Stack) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"model": "gemini-2.0-flash", "messages": [{"role": "user", "content": "Hi"}]}
    answered = httpx.post(f"{servers.base(OPENAI)}/chat/completions", json=body, headers=headers, trust_env=False)
    assert (answered.status_code, answered.headers["x-gemgate-model"]) == (200, "gemini-3.5-flash-lite")
    shown = httpx.get(f"{servers.base(OPENAI)}/models/gemini-2.0-flash", headers=headers, trust_env=False).json()
    assert (shown["id"], shown["alias_of"]) == ("gemini-2.0-flash", ["gemini-3.5-flash-lite"])
    painted = httpx.post(
        f"{servers.base(OPENAI)}/images/generations",
        json={"model": "imagen-3.0-generate-002", "prompt": "a cat", "response_format": "b64_json"},
        headers=headers,
        trust_env=False,
    )
    assert (painted.status_code, painted.headers["x-gemgate-model"]) == (200, "gemini-3.1-flash-image")
