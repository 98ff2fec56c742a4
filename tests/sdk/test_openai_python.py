"""openai-python against the running gateway: several choices, thoughts, headers, options, annotations."""

import re
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel
from tests.sdk.conftest import MakeClient
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack

GEMINI_25 = "gemini-2.5-flash"
GEMINI_3 = "gemini-3-flash-preview"
NEWEST = "gemini-3.6-flash"
FAMILIES = pytest.mark.parametrize("model", [GEMINI_25, GEMINI_3, NEWEST])
BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
HELLO: Any = [{"role": "user", "content": "Hello there"}]
USAGE: Any = {"include_usage": True}


@FAMILIES
def test_two_choices(client: OpenAI, servers: Stack, model: str) -> None:
    before = len(servers.seen.requests)
    completion = client.chat.completions.create(model=model, messages=HELLO, n=2)
    calls = len(servers.seen.requests) - before
    assert calls == (1 if model == GEMINI_25 else 2)
    assert [choice.index for choice in completion.choices] == [0, 1]
    assert [choice.finish_reason for choice in completion.choices] == ["stop", "stop"]
    assert all("Hello there" in (choice.message.content or "") for choice in completion.choices)
    usage = completion.usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@FAMILIES
def test_two_choices_streamed(client: OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=HELLO, n=2, stream_options=USAGE) as stream:
        final = stream.get_final_completion()
    whole = client.chat.completions.create(model=model, messages=HELLO, n=2)
    assert [choice.index for choice in final.choices] == [0, 1]
    assert [choice.finish_reason for choice in final.choices] == ["stop", "stop"]
    assert [choice.message.role for choice in final.choices] == ["assistant", "assistant"]
    assert [choice.message.content for choice in final.choices] == [choice.message.content for choice in whole.choices]
    assert final.usage == whole.usage


@FAMILIES
def test_the_stream_helper_tells_events_in_order(client: OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=HELLO) as stream:
        events = list(stream)
    text = "".join(event.delta for event in events if event.type == "content.delta")
    done = [event.content for event in events if event.type == "content.done"]
    assert done == [text]
    assert text == client.chat.completions.create(model=model, messages=HELLO).choices[0].message.content


@FAMILIES
@BOTH
def test_usage_comes_once_and_last_and_only_if_asked_for(make_client: MakeClient, model: str, prefix: str) -> None:
    client = make_client(prefix)
    asked = list(client.chat.completions.create(model=model, messages=HELLO, stream=True, stream_options=USAGE))
    unasked = list(client.chat.completions.create(model=model, messages=HELLO, stream=True))
    assert [bool(chunk.choices) for chunk in asked] == [True] * (len(asked) - 1) + [False]
    assert [chunk.usage is None for chunk in asked] == [True] * (len(asked) - 1) + [False]
    assert all(chunk.choices and chunk.usage is None for chunk in unasked)
    usage = asked[-1].usage
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens > (usage.completion_tokens_details.reasoning_tokens or 0) > 0


THOUGHTS: Any = {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}


@FAMILIES
def test_thoughts_stand_in_reasoning_content_under_v1(client: OpenAI, model: str) -> None:
    whole = client.chat.completions.create(model=model, messages=HELLO, extra_body=THOUGHTS).choices[0].message
    deltas = [
        chunk.choices[0].delta
        for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True, extra_body=THOUGHTS)
    ]
    thoughts = "".join((delta.model_extra or {}).get("reasoning_content", "") for delta in deltas)
    assert thoughts == (whole.model_extra or {})["reasoning_content"]
    assert thoughts.startswith("**Reading the Request**")
    assert "".join(delta.content or "" for delta in deltas) == whole.content
    assert "<thought>" not in (whole.content or "")


@FAMILIES
def test_thoughts_stand_between_tags_where_google_puts_them(make_client: MakeClient, model: str) -> None:
    client = make_client(GOOGLE)
    whole = client.chat.completions.create(model=model, messages=HELLO, extra_body=THOUGHTS).choices[0].message
    deltas = [
        chunk.choices[0].delta
        for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True, extra_body=THOUGHTS)
    ]
    marked = [
        delta for delta in deltas if (delta.model_extra or {}).get("extra_content", {}).get("google", {}).get("thought")
    ]
    assert "".join(delta.content or "" for delta in deltas) == whole.content
    assert re.fullmatch(r"<thought>\*\*Reading.*</thought>You said: .*", whole.content or "", re.DOTALL)
    assert marked
    assert all("You said" not in (delta.content or "") for delta in marked)
    assert not any("reasoning_content" in (delta.model_extra or {}) for delta in deltas)


class Person(BaseModel):
    name: str
    age: int


@FAMILIES
@BOTH
def test_structured_output_stays_json_beside_thoughts(make_client: MakeClient, model: str, prefix: str) -> None:
    client = make_client(prefix)
    parsed = client.chat.completions.parse(
        model=model, messages=HELLO, response_format=Person, extra_body=THOUGHTS
    ).choices[0]
    with client.chat.completions.stream(
        model=model, messages=HELLO, response_format=Person, extra_body=THOUGHTS
    ) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert isinstance(parsed.message.parsed, Person)
    assert streamed.message.parsed == parsed.message.parsed


@BOTH
def test_headers_say_what_became_of_the_request(make_client: MakeClient, prefix: str) -> None:
    raw = make_client(prefix).chat.completions.with_raw_response.create(
        model=GEMINI_25,
        messages=HELLO,
        reasoning_effort="xhigh",
        logit_bias={"50256": -100},
        verbosity="low",
        extra_headers={"x-request-id": "mine-1"},
    )
    completion = raw.parse()
    assert raw.headers["x-request-id"] == "mine-1"
    assert completion._request_id == "mine-1"
    assert raw.headers["x-gemgate-dropped-params"] == "logit_bias,verbosity"
    assert raw.headers["x-gemgate-adjusted"] == "reasoning_effort=xhigh->thinking_budget=24576"


def test_every_answer_has_a_request_id_of_its_own(client: OpenAI) -> None:
    ids = [client.chat.completions.create(model=GEMINI_25, messages=HELLO)._request_id for _ in range(2)]
    assert all(ids)
    assert len(set(ids)) == 2


def test_streams_have_the_headers_too(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=GEMINI_3, messages=HELLO, stream=True, reasoning_effort="none", presence_penalty=1
    )
    chunks = list(raw.parse())
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert raw.headers["x-request-id"]
    assert raw.headers["x-gemgate-adjusted"] == "reasoning_effort=none->minimal"
    assert raw.headers["x-gemgate-dropped-params"] == "presence_penalty"


@FAMILIES
def test_a_dry_run_shows_the_native_request_and_calls_nobody(client: OpenAI, servers: Stack, model: str) -> None:
    before = len(servers.seen.requests)
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=HELLO, n=2, reasoning_effort="low", extra_headers={"x-gemgate-dry-run": "true"}
    )
    shown = orjson.loads(raw.text)
    assert len(servers.seen.requests) == before
    assert shown["object"] == "gemgate.dry_run"
    assert (shown["method"], shown["path"]) == ("POST", f"/v1beta/models/{model}:generateContent")
    assert shown["body"]["contents"] == [{"role": "user", "parts": [{"text": "Hello there"}]}]
    assert shown["calls"] == (1 if model == GEMINI_25 else 2)
    client.chat.completions.create(model=model, messages=HELLO, n=2, reasoning_effort="low")
    assert servers.seen.requests[-1].body == shown["body"]


@pytest.mark.parametrize(
    "body",
    [
        {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}}},
        {"google": {"thinking_config": {"thinking_budget": 0}}},
        {"extra_body": {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}}}},
        {"extra_body": {"google": {"thinkingConfig": {"thinkingBudget": 0}}}},
    ],
)
def test_every_nesting_of_extra_body_is_read(client: OpenAI, servers: Stack, body: Any) -> None:
    completion = client.chat.completions.create(model=GEMINI_25, messages=HELLO, extra_body=body)
    assert servers.seen.requests[-1].body["generationConfig"] == {"thinkingConfig": {"thinkingBudget": 0}}
    assert completion.usage is not None
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 0


def test_effort_and_budget_together_are_refused_by_name(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=GEMINI_25,
            messages=HELLO,
            reasoning_effort="low",
            extra_body={"google": {"thinking_config": {"thinking_budget": 5}}},
        )
    assert caught.value.param == "reasoning_effort"
    assert "thinking_config.thinking_budget" in caught.value.message


def test_a_cache_does_not_go_with_a_system_message(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="gemini-2.5-pro",
            messages=[{"role": "system", "content": "Be brief."}, *HELLO],
            extra_body={"google": {"cached_content": "cachedContents/0000aaaa1111bbbb2222cccc3333dddd4444eeee"}},
        )
    assert "remove system and developer messages" in caught.value.message


def test_logprobs(client: OpenAI) -> None:
    (choice,) = client.chat.completions.create(model=GEMINI_25, messages=HELLO, logprobs=True, top_logprobs=3).choices
    assert choice.logprobs is not None
    tokens = choice.logprobs.content
    assert tokens
    assert "".join(token.token for token in tokens) == choice.message.content
    assert all(bytes(token.bytes or []).decode() == token.token for token in tokens)
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 3 for token in tokens)


@FAMILIES
@pytest.mark.parametrize("asked", [{"web_search_options": {}}, {"tools": [{"type": "web_search"}]}])
def test_a_web_search_cites_characters_and_not_bytes(client: OpenAI, model: str, asked: Any) -> None:
    messages: Any = [{"role": "user", "content": "Where is the café “Größe”?"}]
    (choice,) = client.chat.completions.create(model=model, messages=messages, **asked).choices
    assert choice.finish_reason == "stop"
    _cites(choice.message.to_dict())


@FAMILIES
def test_a_streamed_web_search_cites_the_whole_answer(client: OpenAI, model: str) -> None:
    messages: Any = [{"role": "user", "content": "Where is the café “Größe”?"}]
    with client.chat.completions.stream(model=model, messages=messages, web_search_options={}) as stream:
        _cites(stream.get_final_completion().choices[0].message.to_dict())


def _cites(message: dict[str, Any]) -> None:
    """Each citation cuts out of the content just the text that Google says it supports."""
    supports = message["extra_content"]["google"]["grounding_metadata"]["groundingSupports"]
    cited = [annotation["url_citation"] for annotation in message["annotations"]]
    content = message["content"]
    assert len(cited) > 1
    assert [content[cite["start_index"] : cite["end_index"]] for cite in cited] == [
        support["segment"]["text"] for support in supports
    ]
    assert cited[0]["start_index"] == 0
    assert {cite["title"] for cite in cited} == {"example.com", "example.org"}
    assert all(cite["url"].startswith("https://") for cite in cited)


@BOTH
async def test_the_asynchronous_client(servers: Stack, prefix: str) -> None:
    async with AsyncOpenAI(api_key=KEY, base_url=servers.base(prefix), max_retries=0) as client:
        whole = await client.chat.completions.create(model=GEMINI_3, messages=HELLO)
        chunks = [
            chunk async for chunk in await client.chat.completions.create(model=GEMINI_3, messages=HELLO, stream=True)
        ]
        async with client.chat.completions.stream(model=GEMINI_3, messages=HELLO) as stream:
            final = await stream.get_final_completion()
        parsed = await client.chat.completions.parse(model=GEMINI_3, messages=HELLO, response_format=Person)
    texts = {
        whole.choices[0].message.content,
        final.choices[0].message.content,
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks),
    }
    assert len(texts) == 1
    assert isinstance(parsed.choices[0].message.parsed, Person)


@pytest.mark.parametrize("name", ["models/gemini-2.5-flash", "gemini-2.5-flash"])
def test_the_model_is_called_as_the_caller_called_it(client: OpenAI, name: str) -> None:
    assert client.chat.completions.create(model=name, messages=HELLO).model == name


@pytest.mark.parametrize("scenario", ["lf", "byte-by-byte", "two-stops"])
@FAMILIES
def test_odd_framing_changes_nothing(client: OpenAI, model: str, scenario: str) -> None:
    messages: Any = [{"role": "user", "content": f"Où? [[emulator: {scenario}]]"}]
    with client.chat.completions.stream(model=model, messages=messages) as stream:
        (choice,) = stream.get_final_completion().choices
    assert "You said: “Où?”" in (choice.message.content or "")
    assert choice.finish_reason == "stop"
