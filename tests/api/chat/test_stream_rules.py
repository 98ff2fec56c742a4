"""Chunks: what OpenAI's clients rely on."""

from typing import Any

import pytest
from tests.support.answers import Json, comparable, fold, native, sdk_fold, streamed, streamed_calls, whole

from gemgate.errors import ApiError
from gemgate.translation.response_format import HiddenFunction

STOP = native({"text": ""}, finishReason="STOP")
THINKING = [
    native({"text": "Hm. ", "thought": True}),
    native({"text": "So.", "thought": True}),
    native({"text": "4"}),
    STOP,
]


def call(name: str = "look_up", **more: Any) -> Json:
    signature = more.pop("signature", None)
    return {"functionCall": {"name": name, **more}, **({"thoughtSignature": signature} if signature else {})}


def deltas(chunks: list[Json], index: int = 0) -> list[Json]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]


def folded(*events: Json, **changes: Any) -> Json:
    choice: Json = fold(streamed(*events, **changes))["choices"][0]
    return choice


def finishes(chunks: list[Json]) -> list[tuple[int, str | None]]:
    return [(choice["index"], choice["finish_reason"]) for chunk in chunks for choice in chunk["choices"]]


def test_a_text_stream_is_role_text_finish_usage() -> None:
    chunks = streamed(native({"text": "He"}), native({"text": "llo"}), STOP)
    assert deltas(chunks) == [{"role": "assistant", "content": ""}, {"content": "He"}, {"content": "llo"}, {}]
    assert finishes(chunks) == [(0, None), (0, None), (0, None), (0, "stop")]
    assert chunks[-1]["choices"] == []
    assert [chunk["usage"] is None for chunk in chunks] == [True, True, True, True, False]
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-resp"}
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_without_asking_no_chunk_names_the_usage() -> None:
    assert all("usage" not in chunk for chunk in streamed(native({"text": "x"}), STOP, include_usage=False))


def test_the_id_is_made_once_when_google_gives_none() -> None:
    events = [{"candidates": [{"content": {"parts": [{"text": "x"}]}}]}, {"candidates": [{"finishReason": "STOP"}]}]
    assert {chunk["id"] for chunk in streamed(*events)} == {"chatcmpl-fallback"}


def test_an_event_with_nothing_to_show_gives_no_chunk() -> None:
    assert len(deltas(streamed(native({"text": ""}), native(), native({"text": "x"}), STOP))) == 3


def test_calls_are_counted_over_the_whole_choice() -> None:
    events = [native(call(id="a", signature="sig")), native(call(id="b"), call(id="c")), STOP]
    chunks = streamed(*events)
    calls = [item for delta in deltas(chunks) for item in delta.get("tool_calls", [])]
    assert [(item["index"], item["id"]) for item in calls] == [(0, "a"), (1, "b"), (2, "c")]
    assert calls[0]["extra_content"] == {"google": {"thought_signature": "sig"}}
    assert all("extra_content" not in item for item in calls[1:])


def test_parallel_calls_of_one_function_stay_apart() -> None:
    message = fold(streamed(native(call(args={"a": 1})), native(call(args={"a": 2})), STOP))["choices"][0]["message"]
    assert [item["function"]["arguments"] for item in message["tool_calls"]] == ['{"a":1}', '{"a":2}']
    assert len({item["id"] for item in message["tool_calls"]}) == 2


def test_text_and_call_in_one_event_both_survive() -> None:
    message = folded(native({"text": "So:"}, call(), {"text": ""}, finishReason="STOP"))["message"]
    assert message["content"] == "So:"
    assert message["tool_calls"][0]["function"]["name"] == "look_up"


def test_a_stop_after_the_call_is_tool_calls() -> None:
    assert finishes(streamed(native(call()), STOP))[-1] == (0, "tool_calls")


def test_two_stops_are_one_end() -> None:
    first = native({"executableCode": {"code": "1"}}, finishReason="STOP")
    chunks = streamed(first, native({"text": "One."}), STOP)
    assert [reason for _, reason in finishes(chunks) if reason] == ["stop"]
    assert fold(chunks)["choices"][0]["message"]["content"] == "One."


def test_the_signature_of_the_text_is_said_once_at_the_end() -> None:
    events = [native({"text": "a", "thoughtSignature": "one"}), native({"text": "", "thoughtSignature": "two"}), STOP]
    extras = [delta["extra_content"] for delta in deltas(streamed(*events)) if "extra_content" in delta]
    assert extras == [{"google": {"thought_signature": "two"}}]


def test_thoughts_stream_as_reasoning_content() -> None:
    assert [delta.get("reasoning_content") for delta in deltas(streamed(*THINKING))[1:3]] == ["Hm. ", "So."]


def test_google_opens_and_closes_the_thought_once() -> None:
    contents = [delta.get("content") for delta in deltas(streamed(*THINKING, dialect="google"))]
    assert contents == ["", "<thought>Hm. ", "So.", "</thought>4", None]


def test_a_thought_that_nothing_follows_is_closed() -> None:
    chunks = streamed(native({"text": "Hm.", "thought": True}, finishReason="MAX_TOKENS"), dialect="google")
    assert fold(chunks)["choices"][0]["message"]["content"] == "<thought>Hm.</thought>"
    assert finishes(chunks)[-1] == (0, "length")


def test_two_candidates_come_in_order_and_both_end() -> None:
    second = {"content": {"parts": [{"text": "b"}]}, "index": 1}
    first = {"content": {"parts": [{"text": "a"}]}, "index": 0}
    ends = [{"finishReason": "STOP", "index": 1}, {"finishReason": "MAX_TOKENS", "index": 0}]
    chunks = streamed({"candidates": [second]}, {"candidates": [first]}, {"candidates": ends})
    announced = [choice["index"] for chunk in chunks for choice in chunk["choices"] if "role" in choice["delta"]]
    assert announced == [0, 1]
    assert [deltas(chunks, index)[0] for index in (0, 1)] == [{"role": "assistant", "content": ""}] * 2
    assert [end for end in finishes(chunks) if end[1]] == [(0, "length"), (1, "stop")]
    assert comparable(sdk_fold(chunks))["choices"][1]["message"]["content"] == "b"


def test_streams_of_several_calls_are_choices_of_one() -> None:
    events = [
        (1, native(call()) | {"responseId": "r1", "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}}),
        (0, native({"text": "a"}) | {"responseId": "r0"}),
        (1, native({"text": ""}, finishReason="STOP") | {"responseId": "r1"}),
        (0, STOP | {"responseId": "r0", "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}}),
    ]
    chunks = streamed_calls(events, calls=2)
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-r1"}
    first, second = fold(chunks)["choices"]
    assert (first["message"]["content"], first["finish_reason"]) == ("a", "stop")
    assert (second["message"]["tool_calls"][0]["index"], second["finish_reason"]) == (0, "tool_calls")
    assert chunks[-1]["usage"]["prompt_tokens"] == 7


@pytest.mark.parametrize("events", [[], [(0, STOP)], [(1, STOP)], [(0, STOP), (1, native({"text": "x"}))]])
def test_a_call_of_several_that_did_not_end_is_truncated(events: list[tuple[int, Json]]) -> None:
    with pytest.raises(ApiError) as failure:
        streamed_calls(events, calls=2)
    assert (failure.value.status, failure.value.type, failure.value.code) == (502, "server_error", "stream_truncated")


@pytest.mark.parametrize("events", [[], [native({"text": "x"})], [{"usageMetadata": {}}], [native(call())]])
def test_a_stream_without_a_finish_reason_is_truncated(events: list[Json]) -> None:
    with pytest.raises(ApiError) as failure:
        streamed(*events)
    assert failure.value.code == "stream_truncated"


def test_a_candidate_that_never_came_is_truncated() -> None:
    with pytest.raises(ApiError, match="ended before"):
        streamed({"candidates": [{"finishReason": "STOP", "index": 1}]})


def test_a_blocked_prompt_is_one_choice_with_a_refusal() -> None:
    feedback = {"blockReason": "SAFETY", "blockReasonMessage": "Reasons"}
    event = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}
    extra = {"google": {"prompt_feedback": feedback}}
    chunks = streamed(event)
    assert deltas(chunks) == [
        {"role": "assistant", "content": ""},
        {"refusal": "Gemini blocked this (SAFETY). Reasons", "extra_content": extra},
    ]
    assert finishes(chunks)[-1] == (0, "content_filter")
    assert chunks[-1]["usage"]["prompt_tokens"] == 5
    assert comparable(fold(chunks)) == comparable(whole(event))


def test_a_prompt_that_is_blocked_for_one_call_leaves_the_other() -> None:
    events = [(1, {"promptFeedback": {"blockReason": "OTHER"}}), (0, native({"text": "a"})), (0, STOP)]
    ends = [end for end in finishes(streamed_calls(events, calls=2)) if end[1]]
    assert ends == [(0, "stop"), (1, "content_filter")]


def test_an_answer_that_is_blocked_midway_keeps_what_came() -> None:
    block = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    chunks = streamed(native({"text": "Once"}), block)
    choice = fold(chunks)["choices"][0]
    assert choice["message"]["content"] == "Once"
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("content_filter", "PROHIBITED_CONTENT")
    assert "refusal" not in choice["message"]


def test_one_call_at_a_time_holds_over_events() -> None:
    message = folded(native(call("one")), native(call("two")), STOP, first_call_only=True)["message"]
    assert [item["function"]["name"] for item in message["tool_calls"]] == ["one"]
    assert message["extra_content"]["google"]["held_back_tool_calls"] == 1


def test_a_legacy_call_is_said_once() -> None:
    chunks = streamed(native(call("one")), native(call("two")), STOP, legacy_functions=True)
    assert [delta["function_call"]["name"] for delta in deltas(chunks) if "function_call" in delta] == ["one"]
    assert finishes(chunks)[-1] == (0, "function_call")


def test_a_custom_call_streams_its_text() -> None:
    (made,) = fold(streamed(native(call("sql", args={"input": "x"})), STOP, custom=frozenset({"sql"})))["choices"]
    assert made["message"]["tool_calls"][0]["custom"] == {"name": "sql", "input": "x"}


def test_the_hidden_function_streams_as_content() -> None:
    events = [native({"text": "Well: "}), native(call("final_answer", args={"a": 1})), STOP]
    choice = fold(streamed(*events, hidden=HiddenFunction("final_answer"), is_json=True))["choices"][0]
    assert choice["message"]["content"] == '{"a":1}'
    assert choice["finish_reason"] == "stop"


def test_a_thought_after_the_hidden_function_stays_out_of_the_json_in_either_dialect() -> None:
    events = [native(call("final_answer", args={"a": 1})), native({"text": "Hm.", "thought": True}), STOP]
    for dialect in ("openai", "google"):
        choice = fold(streamed(*events, hidden=HiddenFunction("final_answer"), dialect=dialect))["choices"][0]
        assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ('{"a":1}', "Hm.")


def test_calls_that_google_answers_are_never_shown() -> None:
    result = {"functionResponse": {"name": "mcp", "response": {}}}
    events = [native(call("mcp"), finishReason="STOP"), native(result), native({"text": "Done."}), STOP]
    chunks = streamed(*events, holds_calls=True)
    assert all("tool_calls" not in delta for delta in deltas(chunks))
    assert finishes(chunks)[-1] == (0, "stop")


def test_calls_that_google_leaves_are_shown_at_the_end() -> None:
    chunks = streamed(native(call("mine")), STOP, holds_calls=True)
    assert [item["function"]["name"] for item in deltas(chunks)[-1]["tool_calls"]] == ["mine"]
    assert finishes(chunks)[-1] == (0, "tool_calls")


def test_images_are_numbered_over_the_stream() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "QQ=="}}
    chunks = streamed(native(image), native(image), STOP)
    images = [item for delta in deltas(chunks) for item in delta.get("images", [])]
    assert [item["index"] for item in images] == [0, 1]


def test_log_probabilities_come_together_at_the_end() -> None:
    events = [
        native({"text": token}, logprobsResult={"chosenCandidates": [{"token": token, "logProbability": -1.0}]})
        for token in ("a", "b")
    ]
    found = [choice["logprobs"] for chunk in streamed(*events, STOP) for choice in chunk["choices"]]
    assert found[:-1] == [None] * 3
    assert [token["token"] for token in found[-1]["content"]] == ["a", "b"]
