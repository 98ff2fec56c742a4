"""What each case of the Open Responses compliance suite demands (openresponses.org), against the running gateway.

The suite itself is not part of the project: `make conformance` runs it where `OPEN_RESPONSES_SUITE` names its folder.
"""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.sdk.page import Media
from tests.support.responses import read_events
from tests.support.stack import KEY, Stack
from tests.support.websocket import Socket, websocket

MODEL = "gemini-2.5-flash"
FAMILIES = pytest.mark.parametrize("model", [MODEL, "gemini-3-flash-preview"])
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
LOOK_UP: Any = {
    "type": "function",
    "name": "look_up_tide",
    "description": "When the tide is high in a harbour.",
    "parameters": {
        "type": "object",
        "properties": {"harbour": {"type": "string", "description": "The harbour, and its country."}},
        "required": ["harbour"],
    },
}
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
STORE = "fileSearchStores/logs"
TIDE = "When is the tide high in Brest?"

NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs")
NULLABLE = (
    "completed_at", "incomplete_details", "previous_response_id", "instructions", "error", "reasoning", "usage",
    "max_output_tokens", "max_tool_calls", "safety_identifier", "prompt_cache_key",
)  # fmt: skip
GIVEN: dict[str, type] = {
    "id": str, "model": str, "status": str, "created_at": int, "output": list, "tools": list, "tool_choice": str,
    "truncation": str, "parallel_tool_calls": bool, "text": dict, "store": bool, "background": bool,
    "service_tier": str, "metadata": dict,
}  # fmt: skip
"""What a response says with a value of this type; `NULLABLE` may be null, and must be there all the same."""


def check_response(response: Any) -> None:
    """The demands of the schema that a response of this gateway could break; the shape is that of OpenAI's types."""
    Response.model_validate(response, strict=True)
    assert response["object"] == "response"
    assert {name: type(response[name]) for name in GIVEN} == GIVEN
    assert [name for name in NULLABLE if name not in response] == []
    assert all(type(response[name]) in (int, float) for name in NUMBERS)
    assert response["reasoning"].keys() >= {"effort", "summary"}
    if (usage := response["usage"]) is not None:
        assert usage["input_tokens_details"].keys() >= {"cached_tokens"}
        assert usage["output_tokens_details"].keys() >= {"reasoning_tokens"}
        assert usage["total_tokens"] >= usage["input_tokens"] + usage["output_tokens"]
    functions = [tool for tool in response["tools"] if tool["type"] == "function"]
    assert all(tool.keys() >= {"description", "parameters", "strict"} for tool in functions)
    for item in response["output"]:
        check_item(item)


def check_item(item: Any) -> None:
    if item["type"] == "reasoning":  # neither may be null
        assert isinstance(item["summary"], list)
        assert isinstance(item.get("encrypted_content", ""), str)
        assert isinstance(item.get("content", []), list)
    else:
        assert item["id"]
        assert item["status"] in ("in_progress", "completed", "incomplete")
    for part in item.get("content") or ():
        assert part["type"] != "output_text" or isinstance(part["annotations"], list)


def check_events(events: list[Any]) -> Any:
    """The response at the end of a stream of which every event is in its place."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    open_items: set[int] = set()
    for event in events:
        EVENT.validate_python(event, strict=True)
        if event["type"] == "response.output_item.added":
            assert not open_items
            open_items.add(event["output_index"])
        elif event["type"] == "response.output_item.done":
            check_item(event["item"])
            open_items.remove(event["output_index"])
        elif "response" in event:
            check_response(event["response"])
        else:
            assert event["output_index"] in open_items
    assert not open_items
    return completed(events[-1]["response"])


def completed(response: Any) -> Any:
    check_response(response)
    assert response["status"] == "completed"
    assert response["output"]
    return response


class Caller:
    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask(self, given: Any, path: str = "/responses", **body: Any) -> Any:
        answer = self.http.post(path, json={"model": MODEL, "input": given} | body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def stream(self, given: Any, **body: Any) -> list[Any]:
        answer = self.http.post("/responses", json={"model": MODEL, "input": given, "stream": True} | body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert b"\nid:" not in answer.content
        return read_events(answer.content)


@pytest.fixture(scope="module")
def caller(servers: Stack) -> Iterator[Caller]:
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=servers.base(), headers=headers, timeout=120) as http:
        yield Caller(http)


@pytest.fixture
def socket(servers: Stack) -> Iterator[Socket]:
    with websocket(servers.gateway, authorization=f"Bearer {KEY}") as opened:
        yield opened


def message(content: Any, role: str = "user", **fields: Any) -> Any:
    return {"type": "message", "role": role, "content": content, **fields}


def item_of(response: Any, kind: str) -> Any:
    return next(item for item in response["output"] if item["type"] == kind)


def test_a_message_of_the_user_is_answered(caller: Caller) -> None:
    completed(caller.ask([message("Greet me in three words.")]))


def test_phases_of_what_the_assistant_said_are_taken(caller: Caller) -> None:
    said = [
        message("I look the number up.", "assistant", phase="commentary"),
        message("It is seven.", "assistant", phase="final_answer"),
    ]
    completed(caller.ask([*said, message("Which number?")]))


def test_a_stream_has_every_event_in_its_place(caller: Caller) -> None:
    check_events(caller.stream([message("Count to five.")]))


def test_a_system_message_is_taken(caller: Caller) -> None:
    completed(caller.ask([message("You are a sailor.", "system"), message("Greet me.")]))


def test_a_function_without_strict_is_called(caller: Caller) -> None:
    response = completed(caller.ask([message(TIDE)], tools=[LOOK_UP]))
    assert item_of(response, "function_call")["name"] == "look_up_tide"


def test_a_function_is_called_in_a_stream(caller: Caller) -> None:
    events = caller.stream([message(TIDE)], tools=[LOOK_UP])
    check_events(events)
    of_call = [e["type"] for e in events if e.get("output_index") == events[-2]["output_index"]]
    assert of_call == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert events[-2]["item"]["type"] == "function_call"


def test_the_output_of_a_forced_function_goes_back_to_the_response_that_called_it(caller: Caller) -> None:
    choice = {"type": "function", "name": "look_up_tide"}
    called = caller.ask([message(TIDE)], tools=[LOOK_UP], tool_choice=choice)
    call = item_of(called, "function_call")
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"high": "06:12"}'}
    answer = completed(caller.ask([output], previous_response_id=called["id"], tools=[LOOK_UP]))
    assert item_of(answer, "message")
    assert answer["previous_response_id"] == called["id"]


def test_a_response_is_gone_on_from(caller: Caller) -> None:
    first = completed(caller.ask("My boat is called Aurora."))
    completed(caller.ask("How is my boat called?", previous_response_id=first["id"]))


def test_an_image_without_detail_is_taken(caller: Caller, media: Media) -> None:
    url = f"data:image/jpeg;base64,{base64.b64encode(media.image.read_bytes()).decode()}"
    parts = [{"type": "input_text", "text": "Which shape is it?"}, {"type": "input_image", "image_url": url}]
    completed(caller.ask([message(parts)]))


def test_a_document_is_taken(caller: Caller) -> None:
    url = f"data:application/pdf;base64,{base64.b64encode(PDF).decode()}"
    file = {"type": "input_file", "filename": "log.pdf", "file_data": url}
    response = completed(caller.ask([message([{"type": "input_text", "text": "Sum it up."}, file])]))
    assert "PDF" in item_of(response, "message")["content"][0]["text"]


def test_earlier_turns_are_taken(caller: Caller) -> None:
    said = [message("My boat is called Aurora."), message("A fine name.", "assistant")]
    completed(caller.ask([*said, message("How is it called?")]))


@FAMILIES
def test_a_search_without_the_web_is_answered_without_one(caller: Caller, model: str) -> None:
    tool = {"type": "web_search", "external_web_access": False}
    response = completed(caller.ask([message("Who won the cup?")], tools=[tool], model=model))
    assert response["output"][-1]["type"] == "message"
    assert "web_search_call" not in {item["type"] for item in response["output"]}


@FAMILIES
@pytest.mark.parametrize("streams", [False, True])
def test_a_search_of_files_is_an_item_beside_a_text_that_cites_them(caller: Caller, model: str, streams: bool) -> None:
    body: Any = {"model": model, "include": ["file_search_call.results"]}
    body["tools"] = [{"type": "file_search", "vector_store_ids": [STORE]}]
    asked = [message("What does the log say?")]
    response = check_events(caller.stream(asked, **body)) if streams else completed(caller.ask(asked, **body))
    (found,) = item_of(response, "file_search_call")["results"]
    assert found["file_id"] == STORE
    (part,) = item_of(response, "message")["content"]
    assert {(each["type"], each["file_id"]) for each in part["annotations"]} == {("file_citation", STORE)}


def test_a_search_of_a_store_that_is_not_googles_is_a_404(caller: Caller) -> None:
    tool = {"type": "file_search", "vector_store_ids": ["vs_1"]}
    answer = caller.http.post("/responses", json={"model": MODEL, "input": "Hi", "tools": [tool]})
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "tools[0].vector_store_ids[0]"


def test_a_conversation_is_compacted(caller: Caller) -> None:
    said = [message("My boat is called Aurora."), message("A fine name.", "assistant")]
    compacted = caller.ask(said, "/responses/compact", prompt_cache_key="boat")
    assert compacted["object"] == "response.compaction"
    assert [item["type"] for item in compacted["output"]].count("compaction") == 1
    assert compacted["usage"]["total_tokens"] > 0


def test_nothing_is_compacted_without_a_model(caller: Caller) -> None:
    assert caller.http.post("/responses/compact", json={"input": "Hi"}).status_code == 400


def test_a_websocket_gives_one_response_after_another(socket: Socket) -> None:
    ids = [check_events(socket.create([message(text)]))["id"] for text in ("Count to three.", "Count on.")]
    assert len(set(ids)) == 2


def test_a_compacted_conversation_goes_on_over_a_websocket(caller: Caller, socket: Socket) -> None:
    said = [message("My boat is called Aurora."), message("A fine name.", "assistant")]
    compacted = caller.ask(said, "/responses/compact")
    check_events(socket.create([*compacted["output"], message("How is my boat called?")]))
