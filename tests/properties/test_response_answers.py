"""Whatever Gemini answers: no machine of responses crashes, and streams equal whole answers."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.support.answers import merged
from tests.support.natives import ANSWER, Json, streams
from tests.support.responses import WEATHER, final, streamed, whole, without_carriers

from gemgate.errors import ApiError

moderate = settings(max_examples=80, deadline=None)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORMAT = {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}
LOOK_UP = {**WEATHER, "name": "look_up"}
CUSTOM = {"type": "custom", "name": "weather"}
MODELS = st.sampled_from(["gemini-2.5-flash", "gemini-3-flash-preview"])
BODIES = st.fixed_dictionaries(
    {"model": MODELS},
    optional={
        "tools": st.sampled_from([[LOOK_UP], [LOOK_UP, CUSTOM]]),
        "parallel_tool_calls": st.booleans(),
        "text": st.just(FORMAT),
        "include": st.sampled_from(
            [["web_search_call.action.sources", "file_search_call.results", "code_interpreter_call.outputs"]]
        ),
    },
)


def outcome(answer: Any) -> Any:
    """What a translation gives, or the code of its error."""
    try:
        return answer()
    except ApiError as error:
        return error.status, error.code, error.message


def comparable(response: Json) -> Json:
    """A response without what differs each time."""
    shown = {**response, "output": without_carriers(response["output"])}
    del shown["completed_at"]
    return shown


@moderate
@given(streams(), BODIES)
def test_the_last_event_of_a_stream_has_the_whole_answer(events: list[Json], body: Json) -> None:
    folded = outcome(lambda: comparable(final(streamed(*events, **body))))
    assert folded == outcome(lambda: comparable(whole(merged(events), **body)))


@moderate
@given(streams(), BODIES)
def test_the_deltas_of_a_stream_are_what_its_items_say(events: list[Json], body: Json) -> None:
    try:
        given_ = streamed(*events, **body)
    except ApiError:
        return
    response = final(given_)
    Response.model_validate(response)
    if given_[-1]["type"] == "response.completed":
        folded = folded_by_the_client(given_)
        assert [(item["id"], said(item)) for item in folded] == [
            (item["id"], said(item)) for item in response["output"]
        ]
    items: dict[int, list[Json]] = {}
    open_item = -1
    for event in given_:
        EVENT.validate_python(event)
        if event["type"] == "response.output_item.added":
            assert event["output_index"] == open_item + 1
            open_item = event["output_index"]
        if "output_index" in event:
            assert event["output_index"] == open_item
            items.setdefault(open_item, []).append(event)
    assert len(items) == len(response["output"])
    for index, item in enumerate(response["output"]):
        deltas = "".join(event["delta"] for event in items[index] if event["type"].endswith(".delta"))
        assert deltas == said(item)


def folded_by_the_client(events: list[Json]) -> list[Json]:
    """The items that openai-python's helper makes of a stream.

    It raises on a delta before its item or its part, an id that changes, an index or a call id that comes twice, an
    event of another kind of item, and an item that never ends.
    """
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    raw = [construct_type(type_=ResponseStreamEvent, value=event) for event in events]
    seen = [each for event in raw for each in state.handle_event(event)]  # type: ignore[arg-type]  # as the client does
    assert seen[-1].type == "response.completed"
    return [item.model_dump(mode="json", warnings=False) for item in seen[-1].response.output]


def said(item: Json) -> str:
    """What the deltas of an item are to be together."""
    match item["type"]:
        case "message":
            return str(item["content"][0]["text"])
        case "reasoning":
            return "".join(part["text"] for part in item["summary"])
        case "function_call":
            return str(item["arguments"])
        case "custom_tool_call":
            return str(item["input"])
        case "code_interpreter_call":
            return str(item["code"])
        case _:
            return ""


@moderate
@given(ANSWER, BODIES)
def test_no_answer_crashes_the_machine(answer: Json, body: Json) -> None:
    try:
        response = whole(answer, **body)
    except ApiError:
        return
    Response.model_validate(orjson.loads(orjson.dumps(response)))
