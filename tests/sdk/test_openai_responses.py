"""`responses` of openai-python against the running gateway: whole, streamed, parsed, and in loops of tools."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel
from tests.support.stack import KEY, Stack, gateway

GEMINI_25 = "gemini-2.5-flash"
GEMINI_3 = "gemini-3-flash-preview"
NEWEST = "gemini-3.6-flash"
FAMILIES = pytest.mark.parametrize("model", [GEMINI_25, GEMINI_3, NEWEST])
HELLO = "Hello there"
QUESTION = "What is the weather in Paris?"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def said(scenario: str) -> str:
    return f"{HELLO} [[emulator: {scenario}]]"


@FAMILIES
def test_a_response_with_the_defaults_of_the_client(client: OpenAI, model: str) -> None:
    response = client.responses.create(model=model, input=HELLO)
    assert HELLO in response.output_text
    assert response.status == "completed"
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens > 0


@FAMILIES
def test_the_stream_helper_gives_what_a_whole_response_says(client: OpenAI, model: str) -> None:
    whole = client.responses.create(model=model, input=HELLO, reasoning={"summary": "auto"})
    with client.responses.stream(model=model, input=HELLO, reasoning={"summary": "auto"}) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == final.output_text == whole.output_text
    assert [item.type for item in final.output] == [item.type for item in whole.output] == ["reasoning", "message"]
    assert [event.sequence_number for event in events] == sorted(event.sequence_number for event in events)


@FAMILIES
def test_a_parsed_response_is_an_object(client: OpenAI, model: str) -> None:
    response = client.responses.parse(model=model, input="A person", text_format=Person)
    assert isinstance(response.output_parsed, Person)


def answered(response: Response) -> list[Any]:
    """The items of an answer as the client sends them back, and outputs to its calls."""
    items: list[Any] = [item.model_dump(exclude_none=True, mode="json") for item in response.output]
    calls = [item for item in response.output if item.type == "function_call"]
    return items + [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]


@FAMILIES
@pytest.mark.parametrize("streams", [False, True])
def test_a_loop_of_tools_brings_the_signature_back(client: OpenAI, servers: Stack, model: str, streams: bool) -> None:
    asked: list[Any] = [{"role": "user", "content": QUESTION}]
    if streams:
        with client.responses.stream(model=model, input=asked, tools=[WEATHER]) as stream:
            stream.until_done()
            response: Any = stream.get_final_response()
    else:
        response = client.responses.create(model=model, input=asked, tools=[WEATHER])
    final = client.responses.create(model=model, input=[*asked, *answered(response)], tools=[WEATHER])
    assert "sunny" in final.output_text
    turn = servers.seen.requests[-1].body["contents"][1]["parts"]
    assert turn[0]["functionCall"]["args"] == {"city": "Paris"}
    assert turn[0]["thoughtSignature"]


@FAMILIES
def test_a_parsed_response_at_the_end_of_a_loop_is_an_object(client: OpenAI, model: str) -> None:
    asked: list[Any] = [{"role": "user", "content": QUESTION}]
    response = client.responses.parse(model=model, input=asked, tools=[WEATHER], text_format=Person)
    assert response.output_parsed is None
    items = [*asked, *answered(response)]
    final = client.responses.parse(model=model, input=items, tools=[WEATHER], text_format=Person)
    assert isinstance(final.output_parsed, Person)
    assert [item.type for item in final.output if item.type != "reasoning"] == ["message"]


def test_a_search_beside_functions_on_gemini_3_comes_back_whole(client: OpenAI, servers: Stack) -> None:
    tools: Any = [WEATHER, {"type": "web_search"}]
    asked: list[Any] = [{"role": "user", "content": QUESTION}]
    called = client.responses.create(model=GEMINI_3, input=asked, tools=tools)
    asked += answered(called)
    response = client.responses.create(model=GEMINI_3, input=asked, tools=tools)
    kinds = [item.type for item in response.output]
    assert "web_search_call" in kinds
    assert kinds[-1] == "message"
    more: Any = [*asked, *answered(response), {"role": "user", "content": HELLO}]
    client.responses.create(model=GEMINI_3, input=more, tools=tools)
    parts = servers.seen.requests[-1].body["contents"][3]["parts"]
    assert [name for part in parts for name in ("toolCall", "toolResponse") if name in part] == [
        *("toolCall", "toolResponse")
    ]


@pytest.mark.parametrize("scenario", ["eof", "error-mid-stream", "reset-mid-stream", "garbage"])
def test_a_failure_midway_raises_in_both_ways_of_streaming(client: OpenAI, scenario: str) -> None:
    with (
        pytest.raises(openai.APIError) as caught,
        client.responses.stream(model=GEMINI_25, input=said(scenario)) as stream,
    ):
        stream.until_done()
    assert caught.value.code == "server_error"
    with pytest.raises(openai.APIError):
        list(client.responses.create(model=GEMINI_25, input=said(scenario), stream=True))


def test_what_is_too_long_or_filtered_is_incomplete(client: OpenAI) -> None:
    short = client.responses.create(model=GEMINI_25, input=HELLO, max_output_tokens=16)
    assert (short.status, short.incomplete_details and short.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    filtered = client.responses.create(model=GEMINI_25, input=said("safety"))
    assert filtered.incomplete_details is not None
    assert filtered.incomplete_details.reason == "content_filter"
    assert filtered.output_text


def test_a_blocked_prompt_is_a_bad_request(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=GEMINI_25, input=said("blocked-prompt"))
    assert caught.value.code == "invalid_prompt"


def test_tokens_are_counted_and_conversations_compacted(client: OpenAI) -> None:
    counted = client.responses.input_tokens.count(model=GEMINI_25, input=HELLO, instructions="Be kind")
    assert counted.input_tokens > 3
    compacted = client.responses.compact(model=GEMINI_25, input=HELLO)
    assert compacted.output[-1].type == "compaction"
    # The client's types have no message of the user in an output, though OpenAI gives them back.
    items: Any = [item.model_dump(exclude_none=True, mode="json", warnings=False) for item in compacted.output]
    response = client.responses.create(model=GEMINI_25, input=[*items, {"role": "user", "content": "Go on"}])
    assert response.status == "completed"


@pytest.fixture
def patient(servers: Stack) -> Iterator[str]:
    with gateway(servers.emulator, stream_start_after=0.05, keepalive_interval=0.05) as origin:
        yield origin


def test_a_silent_stream_is_kept_alive_by_events_that_are_numbered(patient: str) -> None:
    client = OpenAI(api_key=KEY, base_url=f"{patient}/v1", max_retries=0, timeout=20)
    with client:
        events = list(client.responses.create(model=GEMINI_25, input=said("slow-start=0.5"), stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds.count("response.in_progress") > 2
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
