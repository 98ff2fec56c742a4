"""Native answers as items and their events."""

from typing import Any, get_args

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.support.answers import native
from tests.support.responses import FLASH_3, WEATHER, final, kinds, streamed, translate, whole, without_carriers

from gemgate.errors import ApiError

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TEXT: dict[str, Any] = {"text": "Hello"}
THOUGHT: dict[str, Any] = {"text": "**Plan**\n\nI greet.\n\n\n", "thought": True}
CALL: dict[str, Any] = {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}}
PNG: dict[str, Any] = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
USAGE = {
    "promptTokenCount": 3,
    "candidatesTokenCount": 2,
    "thoughtsTokenCount": 4,
    "cachedContentTokenCount": 1,
    "toolUsePromptTokenCount": 5,
    "totalTokenCount": 14,
}
TOOLS: dict[str, Any] = {"tools": [WEATHER]}


def answer(*parts: Any, finish: str = "STOP", **candidate: Any) -> Any:
    return native(*parts, finishReason=finish, **candidate) | {"usageMetadata": USAGE}


def test_a_response_has_every_field_in_the_order_of_the_service() -> None:
    response = whole(answer(TEXT), metadata={"a": "b"}, instructions="Be kind", user="u")
    assert list(response) == [
        *("id", "object", "created_at", "status", "background", "completed_at", "error", "incomplete_details"),
        *("instructions", "max_output_tokens", "max_tool_calls", "model", "output", "parallel_tool_calls"),
        *("previous_response_id", "prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier"),
        *("service_tier", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p"),
        *("truncation", "usage", "user", "metadata", "presence_penalty", "frequency_penalty"),
    ]
    Response.model_validate(response, strict=True)
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "created_at"):
        assert isinstance(response[name], int | float)
    assert response["metadata"] == {"a": "b"}
    assert response["reasoning"] == {"effort": None, "summary": None}
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "medium"}
    assert response["store"] is False


def test_usage_counts_thoughts_as_output_and_what_tools_read_as_input() -> None:
    assert whole(answer(TEXT))["usage"] == {
        "input_tokens": 8,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 14,
    }


def test_echoed_functions_have_all_their_fields() -> None:
    tools = [{"type": "function", "name": "f", "parameters": None, "strict": None}]
    assert whole(answer(TEXT), tools=tools)["tools"] == [
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": None}
    ]


def test_the_events_of_a_message() -> None:
    events = streamed(native(TEXT), answer({"text": " there"}))
    assert kinds(events) == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done", "content_part.done", "output_item.done"),
        "completed",
    ]
    for event in events:
        EVENT.validate_python(event)
    assert events[0]["response"]["status"] == "in_progress"
    assert events[2]["item"]["content"] == []
    assert events[3]["part"] == {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    assert events[6]["text"] == "Hello there"
    assert final(events)["output"] == [events[8]["item"]]


def test_the_events_of_reasoning_a_call_and_text_are_one_after_the_other() -> None:
    events = streamed(native(THOUGHT), native(CALL), answer(TEXT), **TOOLS)
    assert kinds(events)[2:] == [
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done"),
        "output_item.done",
        "completed",
    ]
    for event in events:
        EVENT.validate_python(event)
    assert [event["output_index"] for event in events if "output_index" in event] == [0] * 6 + [1] * 4 + [2] * 6
    added = next(event for event in events if event["type"].endswith("added") and event["output_index"] == 1)
    assert added["item"]["arguments"] == ""
    assert added["item"]["status"] == "in_progress"
    reasoning, call, _ = final(events)["output"]
    assert reasoning["summary"] == [{"type": "summary_text", "text": THOUGHT["text"]}]
    assert "encrypted_content" not in reasoning
    assert "content" not in reasoning
    assert call["arguments"] == '{"city":"Paris"}'
    assert call["call_id"].startswith("call_")
    assert len(call["call_id"]) == 29


def test_each_title_begins_a_part_of_the_summary() -> None:
    events = streamed(native(THOUGHT), native({"text": "**Then**\n\nMore", "thought": True}), answer(TEXT))
    (reasoning, _) = final(events)["output"]
    assert [part["text"] for part in reasoning["summary"]] == [THOUGHT["text"], "**Then**\n\nMore"]
    indexes = [event["summary_index"] for event in events if event["type"].endswith("summary_text.delta")]
    assert indexes == [0, 1]


def test_added_and_done_have_one_id_and_all_ids_differ() -> None:
    events = streamed(native(THOUGHT), native(CALL, CALL), answer(TEXT), **TOOLS)
    added = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [item["id"] for item in added] == [item["id"] for item in done]
    ids = [item[name] for item in done for name in ("id", "call_id") if name in item]
    assert len(set(ids)) == len(ids)
    assert all(len(each) <= 64 for each in ids)


def test_a_call_without_arguments_has_an_empty_object() -> None:
    (call,) = whole(answer({"functionCall": {"name": "get_weather"}}), **TOOLS)["output"]
    assert call["arguments"] == "{}"


def test_one_call_is_shown_where_calls_may_not_be_parallel() -> None:
    assert len(whole(answer(CALL, CALL), **TOOLS, parallel_tool_calls=False)["output"]) == 1


def test_an_answer_that_is_too_long_is_incomplete() -> None:
    events = streamed(native(THOUGHT), answer(TEXT, finish="MAX_TOKENS"))
    assert events[-1]["type"] == "response.incomplete"
    response = final(events)
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][-1]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == 6


def test_an_answer_of_thoughts_alone_that_is_too_long_has_only_reasoning() -> None:
    response = whole(answer(THOUGHT, finish="MAX_TOKENS"))
    assert [item["type"] for item in response["output"]] == ["reasoning"]
    assert response["status"] == "incomplete"


@pytest.mark.parametrize("finish", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"])
def test_an_answer_that_is_filtered_is_incomplete_with_its_text(finish: str) -> None:
    response = whole(answer(TEXT, finish=finish))
    assert response["incomplete_details"] == {"reason": "content_filter"}
    assert response["output"][0]["content"][0]["text"] == "Hello"


def test_a_blocked_prompt_is_a_400_invalid_prompt() -> None:
    with pytest.raises(ApiError) as caught:
        whole({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})
    assert (caught.value.status, caught.value.code) == (400, "invalid_prompt")
    assert "PROHIBITED_CONTENT" in caught.value.message


@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"])
def test_an_answer_that_broke_off_is_an_error(finish: str) -> None:
    with pytest.raises(ApiError) as caught:
        whole(answer(finish=finish))
    assert caught.value.status == 502


def test_a_stream_that_was_cut_is_an_error_and_a_whole_answer_without_a_reason_none() -> None:
    with pytest.raises(ApiError) as caught:
        streamed(native(TEXT))
    assert caught.value.code == "stream_truncated"
    assert whole(native(TEXT))["status"] == "completed"


def test_nothing_at_all_is_an_error() -> None:
    with pytest.raises(ApiError) as caught:
        whole(answer(finish="OTHER"))
    assert caught.value.code == "upstream_no_answer"


def test_code_that_was_run_is_an_item() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    events = streamed(native(code), native(result), answer(TEXT), tools=tools)
    assert kinds(events)[2:9] == [
        *("output_item.added", "code_interpreter_call.in_progress", "code_interpreter_call_code.delta"),
        *("code_interpreter_call_code.done", "code_interpreter_call.interpreting", "code_interpreter_call.completed"),
        "output_item.done",
    ]
    for event in events:
        EVENT.validate_python(event)
    item = final(events)["output"][0]
    assert (item["code"], item["outputs"], item["status"]) == ("print(1)", None, "completed")
    assert item["container_id"].startswith("cntr_")
    included = whole(answer(code, result, TEXT), tools=tools, include=["code_interpreter_call.outputs"])
    assert included["output"][0]["outputs"] == [{"type": "logs", "logs": "1\n"}]


def test_code_without_a_result_has_failed() -> None:
    assert whole(answer({"executableCode": {"code": "while 1: pass"}}, TEXT))["output"][0]["status"] == "failed"


SEARCH = {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "a", "args": {"queries": ["one", "two"]}}}
FOUND = {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "a", "response": {}}}
GROUNDING = {
    "webSearchQueries": ["one"],
    "groundingChunks": [{"web": {"uri": "https://example.com/", "title": "example.com"}}],
    "groundingSupports": [
        {"segment": {"endIndex": 7, "startIndex": 0, "text": "größer"[:5]}, "groundingChunkIndices": [0]},
    ],
}


def test_a_search_of_gemini_3_comes_before_the_text_and_once() -> None:
    events = streamed(
        native(SEARCH),
        native(FOUND),
        answer(TEXT, groundingMetadata=GROUNDING),
        model=FLASH_3,
        tools=[{"type": "web_search"}],
    )
    output = final(events)["output"]
    assert [item["type"] for item in output] == ["reasoning", "web_search_call", "message"]
    assert output[0]["encrypted_content"].startswith("gg1.")
    assert output[1]["action"] == {"type": "search", "query": "one", "queries": ["one", "two"]}
    added = next(event for event in events if event.get("item", {}).get("type") == "web_search_call")
    assert "action" not in added["item"]
    assert [kind for kind in kinds(events) if "web_search" in kind] == [
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
    ]


def test_a_search_of_gemini_2_comes_behind_the_text_with_sources_if_they_are_included() -> None:
    given = answer(TEXT, groundingMetadata=GROUNDING)
    tools = [{"type": "web_search"}]
    assert [item["type"] for item in whole(given, tools=tools)["output"]] == ["message", "web_search_call"]
    search = whole(given, tools=tools, include=["web_search_call.action.sources"])["output"][1]
    assert search["action"]["sources"] == [{"type": "url", "url": "https://example.com/"}]


def test_citations_are_in_characters_of_their_message() -> None:
    supports = [{"segment": {"startIndex": 9, "endIndex": 14, "text": "Paris"}, "groundingChunkIndices": [0]}]
    grounding = {**GROUNDING, "groundingSupports": supports}
    events = streamed(native({"text": "größer "}), answer({"text": "Paris"}, groundingMetadata=grounding))
    (cited,) = [event for event in events if event["type"].endswith("annotation.added")]
    assert cited["annotation"] == {
        "type": "url_citation",
        "start_index": 7,
        "end_index": 12,
        "url": "https://example.com/",
        "title": "example.com",
    }
    assert kinds(events).index("output_text.annotation.added") < kinds(events).index("output_text.done")
    assert final(events)["output"][0]["content"][0]["annotations"] == [cited["annotation"]]


def test_citations_of_two_messages_are_each_in_its_own() -> None:
    supports = [
        {"segment": {"endIndex": 5, "text": "Hello"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 5, "endIndex": 8, "text": "you"}, "groundingChunkIndices": [0]},
    ]
    grounding = {**GROUNDING, "groundingSupports": supports}
    output = whole(answer(TEXT, CALL, {"text": "you"}, groundingMetadata=grounding), **TOOLS)["output"]
    messages = [item for item in output if item["type"] == "message"]
    found = [
        [(each["start_index"], each["end_index"]) for each in item["content"][0]["annotations"]] for item in messages
    ]
    assert found == [[(0, 5)], [(0, 3)]]


def test_documents_that_were_found_are_cited_as_files() -> None:
    chunk = {"retrievedContext": {"fileSearchStore": "fileSearchStores/s", "title": "a.pdf", "text": "Hello"}}
    grounding = {
        "groundingChunks": [chunk],
        "groundingSupports": [{"segment": {"endIndex": 5, "text": "Hello"}, "groundingChunkIndices": [0]}],
    }
    tools = [{"type": "file_search", "vector_store_ids": ["fileSearchStores/s"]}]
    include = ["file_search_call.results"]
    message, search = whole(answer(TEXT, groundingMetadata=grounding), tools=tools, include=include)["output"]
    assert message["content"][0]["annotations"] == [
        {"type": "file_citation", "index": 5, "file_id": "fileSearchStores/s", "filename": "a.pdf"}
    ]
    assert search["results"] == [
        {"attributes": {}, "file_id": "fileSearchStores/s", "filename": "a.pdf", "score": 1.0, "text": "Hello"}
    ]


def test_an_image_is_an_item_and_a_draft_of_one_is_left_out() -> None:
    draft = {**PNG, "thought": True}
    events = streamed(answer(draft, TEXT, PNG), model="gemini-3-pro-image-preview")
    message, image = final(events)["output"]
    assert (message["type"], image["type"]) == ("message", "image_generation_call")
    assert (image["result"], image["output_format"]) == ("aGk=", "png")
    assert "image_generation_call.generating" in kinds(events)
    for event in events:
        EVENT.validate_python(event)


@pytest.mark.parametrize(("wanted", "is_shown"), [(0, False), (None, False), (1, True), (3, True)])
def test_with_partial_images_the_final_one_is_shown_before_it_is_done(wanted: Any, is_shown: bool) -> None:
    tool = {"type": "image_generation", "partial_images": wanted}
    events = streamed(answer(PNG), model="gemini-3-pro-image-preview", tools=[tool])
    of_image = [event for event in events if "image_generation_call" in event["type"]]
    stages = ["in_progress", "generating", *["partial_image"] * is_shown, "completed"]
    assert [event["type"].rpartition(".")[2] for event in of_image] == stages
    if is_shown:
        partial = EVENT.validate_python(of_image[2], strict=True)
        assert (partial.partial_image_b64, partial.partial_image_index) == (PNG["inlineData"]["data"], 0)
        assert (partial.output_format, partial.item_id) == ("png", of_image[-1]["item_id"])


def test_pages_that_were_read_are_items() -> None:
    pages = {"urlMetadata": [{"retrievedUrl": "https://example.com/a"}]}
    _, opened = whole(answer(TEXT, urlContextMetadata=pages))["output"]
    assert opened["action"] == {"type": "open_page", "url": "https://example.com/a"}


def test_log_probabilities_are_in_whole_answers_that_include_them() -> None:
    result = {"chosenCandidates": [{"token": "Hello", "logProbability": -0.5}]}
    include = ["message.output_text.logprobs"]
    (message,) = whole(answer(TEXT, logprobsResult=result), include=include)["output"]
    assert message["content"][0]["logprobs"] == [
        {"token": "Hello", "logprob": -0.5, "bytes": list(b"Hello"), "top_logprobs": []}
    ]
    translation = translate(include=include, stream=True)
    assert translation.notes.dropped == ["include=message.output_text.logprobs"]


def test_the_format_beside_functions_on_gemini_2_is_a_message_and_no_call() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    text = {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}}
    final_answer = {"functionCall": {"name": "final_answer", "args": {"a": 1}}}
    events = streamed(native(THOUGHT), answer({"text": "I say:"}, final_answer), **TOOLS, text=text)
    _, message = final(events)["output"]
    assert message["content"][0]["text"] == '{"a":1}'
    assert final(events)["text"]["format"] == text["format"]


def test_the_echo_repeats_what_was_asked_for() -> None:
    asked: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 100,
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "truncation": "auto",
        "tool_choice": "none",
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    response = whole(answer(TEXT), **asked)
    assert {name: response[name] for name in asked} == asked


def test_the_tier_is_the_asked_one_first_and_the_served_one_at_last() -> None:
    served = answer(TEXT)
    served["usageMetadata"] = {**USAGE, "serviceTier": "flex"}
    events = streamed(served, service_tier="auto")
    assert events[0]["response"]["service_tier"] == "auto"
    assert final(events)["service_tier"] == "flex"


def test_buffered_and_streamed_answers_are_the_same() -> None:
    parts = [THOUGHT, TEXT, CALL, {"text": "More"}, PNG]
    response = whole(answer(*parts), **TOOLS)
    folded = final(streamed(*(native(part) for part in parts), answer(), **TOOLS))
    assert without_carriers(folded["output"]) == without_carriers(response["output"])


ANSWERS: dict[str, list[Any]] = {
    "thoughts, call, text": [
        native({"text": "**A**\nhm", "thought": True}),
        native({"functionCall": {"name": "get_weather", "args": {}}, "thoughtSignature": "c2ln"}),
        native({"text": "Hello"}, {"text": "", "thoughtSignature": "c2ln"}, finishReason="STOP"),
    ],
    "code": [
        native({"executableCode": {"language": "PYTHON", "code": "1"}}),
        native({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
        native({"text": "One."}, finishReason="STOP"),
    ],
    "image": [native({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}), native(finishReason="STOP")],
    "too long": [native({"text": "Hel"}, finishReason="MAX_TOKENS")],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_event_is_one_of_openais_and_text_comes_last(name: str) -> None:
    """openai-node dies of an event that it does not know, and some clients read the last item alone."""
    known = {get_args(each.model_fields["type"].annotation)[0] for each in get_args(get_args(ResponseStreamEvent)[0])}
    events = streamed(*ANSWERS[name], tools=[WEATHER], model=FLASH_3)
    assert {event["type"] for event in events} <= known
    if any("text" in part and not part.get("thought") for part in _parts(ANSWERS[name])):
        assert final(events)["output"][-1]["type"] == "message"


def _parts(answer: list[Any]) -> list[Any]:
    return [part for event in answer for part in event["candidates"][0].get("content", {}).get("parts", [])]
