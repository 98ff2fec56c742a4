"""Tools with openai-python: parallel calls, whole loops, thought signatures, structured output beside tools."""

from collections.abc import Iterator
from typing import Any, Literal

import httpx
import openai
import orjson
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from pydantic import BaseModel
from tests.sdk.conftest import MakeClient
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack, gateway

GEMINI_25 = "gemini-2.5-flash"
GEMINI_3 = "gemini-3-flash-preview"
NEWEST = "gemini-3.6-flash"
FAMILIES = pytest.mark.parametrize("model", [GEMINI_25, GEMINI_3, NEWEST])
BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
DRY_RUN = {"x-gemgate-dry-run": "true"}
NO_SIGNATURE = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

QUESTION = "What are the weather and the time in Paris?"
RESULTS = {"get_weather": {"sky": "clear", "degrees": 21}, "get_time": {"clock": "12:30"}}


def function(name: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "parameters": {**schema, "additionalProperties": False}}}


TOOLS: Any = [function("get_weather"), function("get_time")]
STRICT: Any = [{**tool, "function": {**tool["function"], "strict": True}} for tool in TOOLS]


def ask(client: OpenAI, model: str, messages: list[Any], **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=messages, tools=TOOLS, **more)


def arguments(message: Any) -> list[tuple[str, Any]]:
    return [(call.function.name, orjson.loads(call.function.arguments)) for call in message.tool_calls]


def results(message: ChatCompletionMessage) -> list[dict[str, Any]]:
    """The results of all calls of `message`, in another order than they were called."""
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": orjson.dumps(RESULTS[call.function.name]).decode()}
        for call in message.tool_calls or []
        if call.type == "function"
    ]
    return answers[::-1]


def signature(message: ChatCompletionMessage) -> str:
    """The signature of the first call; the others have none."""
    first, *others = message.tool_calls or []
    assert all("extra_content" not in (call.model_extra or {}) for call in others)
    found: str = (first.model_extra or {})["extra_content"]["google"]["thought_signature"]
    return found


def stripped(message: ChatCompletionMessage) -> dict[str, Any]:
    """The message as a client keeps it that knows OpenAI's fields and no others."""
    calls = [call.model_dump(include={"id", "type", "function"}) for call in message.tool_calls or []]
    return {"role": "assistant", "content": message.content, "tool_calls": calls}


def sent_signatures(client: OpenAI, model: str, messages: list[Any]) -> list[str | None]:
    """The signatures of the calls in the native request that `messages` become."""
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=messages, tools=TOOLS, extra_headers=DRY_RUN
    )
    contents = orjson.loads(raw.text)["body"]["contents"]
    parts = [part for content in contents for part in content["parts"] if "functionCall" in part]
    return [part.get("thoughtSignature") for part in parts]


@pytest.fixture(scope="module")
def forgetful(servers: Stack) -> Iterator[OpenAI]:
    """A client of a replica that has seen no call and keeps no signature."""
    with (
        gateway(servers.emulator, signature_ttl=0.000_001) as origin,
        OpenAI(api_key=KEY, base_url=origin + OPENAI, max_retries=0) as other,
    ):
        yield other


@BOTH
@FAMILIES
def test_parallel_calls_accumulate_in_the_stream_helper(make_client: MakeClient, model: str, prefix: str) -> None:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "tools": TOOLS}
    with make_client(prefix).chat.completions.stream(**asked) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    (choice,) = final.choices
    calls = choice.message.tool_calls
    assert calls is not None
    assert arguments(choice.message) == [("get_weather", {"city": "Paris"}), ("get_time", {"city": "Paris"})]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.role == "assistant"
    assert len({call.id for call in calls}) == 2
    assert [call.type for call in calls] == ["function", "function"]
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert [event.name for event in done] == ["get_weather", "get_time"]


@FAMILIES
def test_several_calls_of_one_function_stay_apart(client: OpenAI, model: str) -> None:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": "The weather in Paris and London?"}]}
    with client.chat.completions.stream(**asked, tools=TOOLS) as stream:
        final = stream.get_final_completion()
    assert arguments(final.choices[0].message) == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "London"}),
    ]


@FAMILIES
def test_streamed_calls_equal_buffered_ones(client: OpenAI, model: str) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    buffered = ask(client, model, messages).choices[0].message
    streamed: list[Any] = []
    for chunk in ask(client, model, messages, stream=True):
        streamed += chunk.choices[0].delta.tool_calls or []
    assert [call.index for call in streamed] == [0, 1]
    assert [call.function.to_dict() for call in streamed] == [call.function.to_dict() for call in buffered.tool_calls]
    assert [call.id for call in streamed if model != GEMINI_25] == [
        call.id for call in buffered.tool_calls if model != GEMINI_25
    ]


@FAMILIES
@pytest.mark.parametrize("way", ["buffered", "streamed"])
def test_a_tool_loop_ends_in_text(client: OpenAI, model: str, way: Literal["buffered", "streamed"]) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    first = _complete(client, model, messages, way)
    assert first.choices[0].finish_reason == "tool_calls"
    messages += [first.choices[0].message, *results(first.choices[0].message)]
    second = _complete(client, model, messages, way)
    (choice,) = second.choices
    assert choice.finish_reason == "stop"
    assert choice.message.tool_calls is None
    assert 'The function get_weather answered {"sky":"clear","degrees":21}.' in (choice.message.content or "")
    assert 'The function get_time answered {"clock":"12:30"}.' in (choice.message.content or "")


def _complete(client: OpenAI, model: str, messages: list[Any], way: str) -> ChatCompletion:
    if way == "buffered":
        completion: ChatCompletion = ask(client, model, messages)
        return completion
    with client.chat.completions.stream(model=model, messages=messages, tools=TOOLS) as stream:
        return stream.get_final_completion()


@FAMILIES
def test_signatures_go_back_in_the_message_that_carried_them(client: OpenAI, model: str) -> None:
    question = {"role": "user", "content": QUESTION}
    message = ask(client, model, [question]).choices[0].message
    messages = [question, message, *results(message)]
    assert sent_signatures(client, model, messages) == [signature(message), None]


@FAMILIES
def test_signatures_survive_a_client_that_drops_them(client: OpenAI, model: str) -> None:
    question = {"role": "user", "content": QUESTION}
    message = ask(client, model, [question]).choices[0].message
    messages = [question, stripped(message), *results(message)]
    assert sent_signatures(client, model, messages) == [signature(message), None]
    assert ask(client, model, messages).choices[0].finish_reason == "stop"


@pytest.mark.parametrize("model", [GEMINI_3, NEWEST])
def test_a_replica_without_the_signature_sends_googles_stand_in(client: OpenAI, forgetful: OpenAI, model: str) -> None:
    question = {"role": "user", "content": QUESTION}
    message = ask(client, model, [question]).choices[0].message
    messages = [question, stripped(message), *results(message)]
    assert sent_signatures(forgetful, model, messages) == [NO_SIGNATURE, None]
    assert ask(forgetful, model, messages).choices[0].finish_reason == "stop"


def test_gemini_25_needs_no_stand_in(client: OpenAI, forgetful: OpenAI) -> None:
    question = {"role": "user", "content": QUESTION}
    message = ask(client, GEMINI_25, [question]).choices[0].message
    messages = [question, stripped(message), *results(message)]
    assert sent_signatures(forgetful, GEMINI_25, messages) == [None, None]
    assert ask(forgetful, GEMINI_25, messages).choices[0].finish_reason == "stop"


def test_the_emulator_refuses_a_call_of_gemini_3_without_its_signature(servers: Stack) -> None:
    call = {"functionCall": {"name": "get_time", "args": {"city": "Paris"}}}
    body = {
        "contents": [
            {"role": "user", "parts": [{"text": QUESTION}]},
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [{"functionResponse": {"name": "get_time", "response": {}}}]},
        ]
    }
    url = f"{servers.emulator}/v1beta/models/{GEMINI_3}:generateContent"
    with httpx.Client(trust_env=False) as native:
        answer = native.post(url, json=body, headers={"x-goog-api-key": KEY})
    assert answer.status_code == 400
    assert "thought_signature" in answer.text


class Report(BaseModel):
    city: str
    degrees: int


@FAMILIES
def test_parse_with_tools_gives_the_calls_first(client: OpenAI, model: str) -> None:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "tools": STRICT}
    completion = client.chat.completions.parse(**asked, response_format=Report)
    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.parsed is None
    assert choice.message.tool_calls is not None
    assert [call.function.name for call in choice.message.tool_calls] == ["get_weather", "get_time"]
    assert [call.function.parsed_arguments for call in choice.message.tool_calls] == [{"city": "Paris"}] * 2


@FAMILIES
def test_parse_with_tools_gives_the_object_at_last(client: OpenAI, model: str) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    first = client.chat.completions.parse(model=model, messages=messages, tools=STRICT, response_format=Report)
    message = first.choices[0].message
    messages += [message, *results(message)]
    second = client.chat.completions.parse(model=model, messages=messages, tools=STRICT, response_format=Report)
    assert isinstance(second.choices[0].message.parsed, Report)
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.tool_calls is None


@FAMILIES
def test_structured_output_beside_unused_tools_streams_as_json(client: OpenAI, model: str) -> None:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": "Just give the final answer."}]}
    with client.chat.completions.stream(**asked, tools=STRICT, tool_choice="none", response_format=Report) as stream:
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Report)
    assert final.choices[0].finish_reason == "stop"


def test_a_hidden_function_answers_on_gemini_25(client: OpenAI, servers: Stack) -> None:
    raw = client.chat.completions.with_raw_response.parse(
        model=GEMINI_25,
        messages=[{"role": "user", "content": "Just give the final answer for 7 degrees."}],
        tools=STRICT,
        response_format=Report,
    )
    (choice,) = raw.parse().choices
    native = servers.seen.requests[-1].body
    assert "responseMimeType" not in native.get("generationConfig", {})
    assert len(native["tools"][0]["functionDeclarations"]) == 3
    assert raw.headers["x-gemgate-adjusted"] == "response_format->function"
    assert isinstance(choice.message.parsed, Report)
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"


def test_results_without_their_call_name_the_message(client: OpenAI) -> None:
    orphan = {"role": "tool", "tool_call_id": "call_nobody", "content": "21"}
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, GEMINI_25, [{"role": "user", "content": QUESTION}, orphan])
    assert caught.value.param == "messages[1].tool_call_id"
