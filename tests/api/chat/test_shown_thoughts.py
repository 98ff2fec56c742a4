"""GEMGATE_SHOW_THOUGHTS: thoughts for clients that cannot ask for them."""

from typing import Any

import orjson
import pytest
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, failure

Json = dict[str, Any]

USER = {"role": "user", "content": "Hi"}
ANSWER = native({"text": "I think.", "thought": True}, {"text": "Hello"}, finishReason="STOP")


async def asked(shown: str, prefix: str = "/v1", model: str = "gemini-3.5-flash", **more: Any) -> tuple[Json, Json]:
    """The native `thinkingConfig`, and the message."""
    google = FakeGoogle(ANSWER)
    async with in_process(gateway_app(google, show_thoughts=shown)) as client:
        body = {"model": model, "messages": [USER], **more}
        answer = await client.post(f"{prefix}/chat/completions", json=body)
    assert answer.status_code == 200
    if more.get("stream"):
        chunks = [orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        message = {name: "".join(delta.get(name, "") for delta in deltas) for name in ("content", "reasoning_content")}
    else:
        message = answer.json()["choices"][0]["message"]
    return google.bodies[0].get("generationConfig", {}).get("thinkingConfig", {}), message


@pytest.mark.parametrize("stream", [False, True])
async def test_on_asks_for_thoughts_and_shows_them_as_the_endpoint_does(stream: bool) -> None:
    config, message = await asked("on", reasoning_effort="low", stream=stream)
    assert config == {"thinkingLevel": "LOW", "includeThoughts": True}
    assert (message["content"], message["reasoning_content"]) == ("Hello", "I think.")
    config, message = await asked("on", "/v1beta/openai", stream=stream)
    assert config == {"includeThoughts": True}
    assert message["content"] == "<thought>I think.</thought>Hello"


@pytest.mark.parametrize("stream", [False, True])
async def test_tags_shows_them_in_the_content_everywhere(stream: bool) -> None:
    _, message = await asked("tags", stream=stream)
    assert message["content"] == "<thought>I think.</thought>Hello"


async def test_tags_that_come_back_in_the_history_are_not_sent() -> None:
    google = FakeGoogle(ANSWER)
    history = [USER, {"role": "assistant", "content": "<thought>I think.</thought>Hello"}, USER]
    async with in_process(gateway_app(google, show_thoughts="tags")) as client:
        await client.post("/v1/chat/completions", json={"model": "gemini-3.5-flash", "messages": history})
    assert google.bodies[0]["contents"][1]["parts"] == [{"text": "Hello"}]


async def test_off_asks_for_none() -> None:
    assert (await asked("off", reasoning_effort="low"))[0] == {"thinkingLevel": "LOW"}


@pytest.mark.parametrize(
    ("more", "config"),
    [
        ({"reasoning": {"exclude": True}}, {"includeThoughts": False}),
        ({"extra_body": {"google": {"thinking_config": {"include_thoughts": False}}}}, {"includeThoughts": False}),
        ({"reasoning_effort": "none"}, {"thinkingLevel": "MINIMAL", "includeThoughts": False}),
        ({"reasoning_effort": "none", "model": "gemini-2.5-flash"}, {"thinkingBudget": 0}),
        ({"model": "gemini-2.5-flash-image"}, {}),
        ({"model": "gemini-3.1-flash-image"}, {}),
        ({"model": "gemma-3-27b-it"}, {}),
    ],
)
async def test_the_request_and_the_model_go_before_the_setting(more: Json, config: Json) -> None:
    assert (await asked("on", **more))[0] == config


async def test_a_model_that_refuses_to_show_them_is_asked_again_without() -> None:
    google = FakeGoogle(failure(400, "Thinking is not enabled for models/gemini-3.5-flash"), ANSWER)
    async with in_process(gateway_app(google, show_thoughts="on")) as client:
        answer = await client.post("/v1/chat/completions", json={"model": "gemini-3.5-flash", "messages": [USER]})
    assert answer.status_code == 200
    assert "learned=thinkingConfig" in answer.headers["x-gemgate-adjusted"]
    assert "thinkingConfig" not in google.bodies[1].get("generationConfig", {})


async def test_responses_show_them_as_summaries() -> None:
    google = FakeGoogle(ANSWER)
    async with in_process(gateway_app(google, show_thoughts="on")) as client:
        body = {"model": "gemini-3.5-flash", "input": "Hi", "reasoning": {"effort": "low"}}
        answer = (await client.post("/v1/responses", json=body)).json()
        await client.post("/v1/responses", json={**body, "reasoning": {"effort": "none"}})
    configs = [sent["generationConfig"]["thinkingConfig"] for sent in google.bodies]
    assert configs[0] == {"thinkingLevel": "LOW", "includeThoughts": True}
    assert configs[1]["includeThoughts"] is False
    assert answer["output"][0]["summary"] == [{"type": "summary_text", "text": "I think."}]
