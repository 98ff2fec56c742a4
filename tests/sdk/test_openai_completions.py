"""The official clients' `completions`, the legacy API, against the running gateway."""

from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.sdk.conftest import MakeClient
from tests.sdk.node_project import run
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack

FLASH_25, FLASH_36 = "gemini-2.5-flash", "gemini-3.6-flash"
MODELS = pytest.mark.parametrize("model", [FLASH_25, FLASH_36])
PROMPTS = ["Roses are", "Violets are"]


def in_order(chunks: list[Any]) -> list[tuple[str, str]]:
    texts: dict[int, str] = {}
    ends: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
            if choice["finish_reason"]:
                ends[choice["index"]] = choice["finish_reason"]
    return [(texts[index], ends[index]) for index in sorted(texts)]


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
@MODELS
def test_each_prompt_has_its_texts_and_the_stream_says_the_same(
    make_client: MakeClient, prefix: str, model: str
) -> None:
    client = make_client(prefix)
    asked: Any = {"model": model, "prompt": PROMPTS, "n": 2, "max_tokens": 200}
    whole = client.completions.create(**asked)
    assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
    assert ["Roses" in choice.text for choice in whole.choices] == [True, True, False, False]
    stream = client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    *chunks, last = [chunk.model_dump() for chunk in stream]
    assert in_order(chunks) == [(choice.text, choice.finish_reason) for choice in whole.choices]
    assert last["usage"] == whole.usage.model_dump() if whole.usage else None


@MODELS
def test_a_text_is_as_long_as_max_tokens(client: OpenAI, model: str) -> None:
    (choice,) = client.completions.create(model=model, prompt="Roses are").choices
    assert (len(choice.text) <= 16 * 4, len(choice.text) > 40, choice.finish_reason) == (True, True, "length")


def test_logprobs_and_echo(client: OpenAI) -> None:
    (choice,) = client.completions.create(model=FLASH_25, prompt="Roses are", logprobs=2, max_tokens=5).choices
    assert choice.logprobs is not None
    assert "".join(choice.logprobs.tokens or []) == choice.text
    (echoed,) = client.completions.create(model=FLASH_25, prompt="Roses are", echo=True).choices
    assert echoed.text.startswith("Roses are")


def test_a_suffix_is_prompted(client: OpenAI) -> None:
    raw = client.completions.with_raw_response.create(model=FLASH_36, prompt="def f(", suffix="):\n    pass")
    assert "suffix=prompted" in raw.headers["x-gemgate-adjusted"]


def test_failures_are_the_errors_that_applications_catch(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model=FLASH_25, prompt=[[1, 2], [3]])
    assert (caught.value.code, caught.value.param) == ("unsupported_value", "prompt")
    with pytest.raises(openai.RateLimitError):
        client.completions.create(model=FLASH_25, prompt=["Hi", "Hi [[emulator: 429 7]]"])
    (blocked,) = client.completions.create(model=FLASH_25, prompt="Hi [[emulator: blocked-prompt]]").choices
    assert blocked.finish_reason == "content_filter"


def test_openai_node_sees_the_same(project: Path, servers: Stack) -> None:
    (seen,) = run(project, "completions.mjs", servers.base(), KEY, FLASH_36)
    *chunks, last = seen["streamed"]
    # Where a text is cut is known to a character: a stream has seen less of it by then.
    whole = [choice["text"][:40] for choice in seen["whole"]["choices"]]
    assert [text[:40] for text, _ in in_order(chunks)] == whole
    assert {reason for _, reason in in_order(chunks)} == {"length"}
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert last["choices"] == []
    assert seen["echoed"]["choices"][0]["text"].startswith("Roses are")
    assert seen["left"] == 1
    error = seen["errors"]["tokens"]
    assert (error["name"], error["param"]) == ("BadRequestError", "prompt")
