"""Whole answers: text, thoughts, calls, images, grounding, log probabilities."""

from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion
from tests.support.answers import CREATED, MODEL, Json, message_of, native, whole

from gemgate.translation.function_names import NameMap
from gemgate.translation.response_format import HiddenFunction
from gemgate.translation.thought_signatures import SignatureStore, call_key

THOUGHT = {"text": "Let me see.", "thought": True}
ANSWER = {"text": "It is 4."}


def call(name: str = "look_up", args: Any = None, **more: Any) -> Json:
    """A part with a call; `signature` stands beside it."""
    signature = more.pop("signature", None)
    held = {"name": name, **({} if args is None else {"args": args}), **more}
    return {"functionCall": held, **({"thoughtSignature": signature} if signature else {})}


def choice_of(*parts: Json, finish: str = "STOP", **changes: Any) -> Json:
    found: Json = whole(native(*parts, finishReason=finish), **changes)["choices"][0]
    return found


def test_an_answer_has_every_field_that_openai_promises() -> None:
    completion = whole(native(ANSWER, finishReason="STOP"))
    ChatCompletion.model_validate(completion)
    assert completion["id"] == "chatcmpl-resp"
    assert completion["object"] == "chat.completion"
    assert completion["created"] == CREATED
    assert completion["model"] == MODEL
    assert completion["system_fingerprint"] == "gemini-0"
    assert completion["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "It is 4.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
            "native_finish_reason": "STOP",
        }
    ]


def test_an_answer_without_an_id_gets_one() -> None:
    assert whole({"candidates": [{"finishReason": "STOP"}]})["id"] == "chatcmpl-fallback"


def test_all_text_parts_are_joined_and_empty_ones_vanish() -> None:
    assert message_of({"text": "a"}, {"text": ""}, {}, {"text": "b"})["content"] == "ab"


@pytest.mark.parametrize("content", [{}, {"role": "model"}, {"role": "model", "parts": []}, None])
def test_a_stop_without_text_is_an_empty_answer(content: Any) -> None:
    choice = whole({"candidates": [{"content": content, "finishReason": "STOP"}]})["choices"][0]
    assert choice["message"]["content"] == ""
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]


def test_thoughts_are_reasoning_content_and_never_content() -> None:
    message = message_of(THOUGHT, ANSWER, {"text": " Yes.", "thought": True})
    assert message["reasoning_content"] == "Let me see. Yes."
    assert message["content"] == "It is 4."


def test_google_renders_thoughts_between_tags() -> None:
    message = message_of(THOUGHT, ANSWER, dialect="google")
    assert message["content"] == "<thought>Let me see.</thought>It is 4."
    assert message["extra_content"] == {"google": {"thought": True}}
    assert "reasoning_content" not in message


def test_thoughts_after_the_answer_get_their_own_tags() -> None:
    message = message_of({"text": "a"}, THOUGHT, {"text": "b"}, THOUGHT, dialect="google")
    assert message["content"] == "a<thought>Let me see.</thought>b<thought>Let me see.</thought>"


def test_json_is_never_mixed_with_thoughts() -> None:
    message = message_of(THOUGHT, {"text": '{"a":1}'}, dialect="google", is_json=True)
    assert message["content"] == '{"a":1}'
    assert message["reasoning_content"] == "Let me see."


def test_the_signature_of_an_empty_text_is_kept() -> None:
    message = message_of(ANSWER, {"text": "", "thoughtSignature": "sig"})
    assert message["content"] == "It is 4."
    assert message["extra_content"]["google"]["thought_signature"] == "sig"


def test_a_signature_alone_is_kept() -> None:
    assert message_of(ANSWER, {"thoughtSignature": "sig"})["extra_content"]["google"]["thought_signature"] == "sig"


def test_calls_are_tool_calls_and_text_beside_them_survives() -> None:
    choice = choice_of(ANSWER, call(args={"q": "größe"}, id="2nte4526", signature="sig"), call(id="b", args={}))
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "It is 4."
    assert choice["message"]["tool_calls"] == [
        {
            "id": "2nte4526",
            "type": "function",
            "function": {"name": "look_up", "arguments": '{"q":"größe"}'},
            "extra_content": {"google": {"thought_signature": "sig"}},
        },
        {"id": "b", "type": "function", "function": {"name": "look_up", "arguments": "{}"}},
    ]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert choice_of(call())["message"]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_made_up_ids_are_short_differ_and_depend_on_the_answer() -> None:
    def ids(response_id: str) -> list[str]:
        answer = native(call(), call(), finishReason="STOP") | {"responseId": response_id}
        return [item["id"] for item in whole(answer)["choices"][0]["message"]["tool_calls"]]

    assert len({*ids("one"), *ids("two")}) == 4
    assert ids("one") == ids("one")
    assert all(len(made_up) <= 40 and made_up.startswith("call_") for made_up in ids("one"))


def test_a_call_that_was_cut_off_is_length() -> None:
    assert choice_of(call(), finish="MAX_TOKENS")["finish_reason"] == "length"


def test_names_are_restored() -> None:
    names = NameMap()
    native_name = names.to_gemini("my tool!")
    tool_calls = message_of(call(native_name), call("its_own"), names=names)["tool_calls"]
    assert [item["function"]["name"] for item in tool_calls] == ["my tool!", "its_own"]


def test_signatures_of_calls_are_remembered_for_clients_that_drop_them() -> None:
    signatures = SignatureStore(10, 60.0)
    message_of(
        call(args={"a": 1}, id="c1", signature="sig"), call(id="c2"), signatures=signatures, caller_id="somebody"
    )
    assert signatures.get(call_key("somebody", "c1", "look_up", {"a": 1})) == "sig"
    assert len(signatures) == 1


def test_one_call_at_a_time_holds_the_others_back_and_says_so() -> None:
    message = message_of(call("one"), call("two"), call("three"), first_call_only=True)
    assert [item["function"]["name"] for item in message["tool_calls"]] == ["one"]
    assert message["extra_content"]["google"]["held_back_tool_calls"] == 2


def test_legacy_functions_get_one_function_call() -> None:
    signatures = SignatureStore(10, 60.0)
    choice = choice_of(
        call("one", {"a": 1}, signature="sig"), call("two"), legacy_functions=True, signatures=signatures
    )
    assert choice["message"]["function_call"] == {"name": "one", "arguments": '{"a":1}'}
    assert choice["message"]["extra_content"]["google"]["held_back_tool_calls"] == 1
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    assert signatures.get(call_key("", "", "one", {"a": 1})) == "sig"


def test_custom_tools_are_called_with_free_text() -> None:
    message = message_of(call("sql", {"input": "select 1"}, id="c"), call("sql"), custom=frozenset({"sql"}))
    first, second = message["tool_calls"]
    assert first == {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    assert second["custom"]["input"] == ""


@pytest.mark.parametrize(
    ("hidden", "args", "content"),
    [
        (HiddenFunction("final_answer"), {"a": 1}, '{"a":1}'),
        (HiddenFunction("final_answer", "value"), {"value": [1, 2]}, "[1,2]"),
        (HiddenFunction("final_answer", "value"), {"value": "text"}, '"text"'),
        (HiddenFunction("final_answer", "json", is_text=True), {"json": '{"a": 1}'}, '{"a": 1}'),
        (HiddenFunction("final_answer", "json", is_text=True), {"json": {"a": 1}}, '{"a":1}'),
        (HiddenFunction("final_answer", "json", is_text=True), {}, "null"),
    ],
)
def test_the_hidden_function_is_the_content(hidden: HiddenFunction, args: Json, content: str) -> None:
    choice = choice_of(call("final_answer", args, signature="sig"), hidden=hidden, is_json=True)
    assert choice["message"]["content"] == content
    assert choice["message"]["extra_content"]["google"]["thought_signature"] == "sig"
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]


def test_text_beside_the_hidden_function_does_not_spoil_the_json() -> None:
    parts = [{"text": "Here you are: "}, call("final_answer", {"a": 1}), call("final_answer", {"a": 2})]
    message = message_of(*parts, hidden=HiddenFunction("final_answer"), is_json=True)
    assert message["content"] == '{"a":1}'
    assert message["extra_content"]["google"]["parts"] == [{"text": "Here you are: "}]


def test_text_without_the_hidden_function_is_the_content() -> None:
    choice = choice_of({"text": "I "}, call("other"), {"text": "cannot"}, hidden=HiddenFunction("final_answer"))
    assert choice["message"]["content"] == "I cannot"
    assert [item["function"]["name"] for item in choice["message"]["tool_calls"]] == ["other"]


def test_calls_that_google_answers_itself_are_not_the_callers() -> None:
    result = {"functionResponse": {"name": "mcp", "response": {"ok": True}}}
    choice = choice_of(call("mcp"), result, ANSWER, call("mcp"), call("mine"), holds_calls=True)
    assert [item["function"]["name"] for item in choice["message"]["tool_calls"]] == ["mcp", "mine"]
    assert choice["message"]["extra_content"]["google"]["parts"] == [result]
    assert choice_of(call("mcp"), result, ANSWER, holds_calls=True)["finish_reason"] == "stop"


def test_images_are_data_urls_beside_the_text() -> None:
    message = message_of(
        {"text": "Look:"}, {"inlineData": {"mimeType": "image/png", "data": "QQ=="}, "thoughtSignature": "sig"}
    )
    assert message["content"] == "Look:"
    url = {"url": "data:image/png;base64,QQ=="}
    extra = {"google": {"thought_signature": "sig"}}
    assert message["images"] == [{"type": "image_url", "image_url": url, "extra_content": extra}]


def test_parts_without_a_counterpart_are_kept_in_order_as_they_came() -> None:
    parts: list[Json] = [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}, "thoughtSignature": "sig"},
        {"inlineData": {"mimeType": "video/mp4", "data": "QQ=="}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "QQ=="}, "thought": True},
        {"aPartOfTomorrow": 1},
    ]
    message = message_of(*parts, ANSWER)
    assert message["extra_content"]["google"]["parts"] == parts
    assert "images" not in message


def test_what_stands_beside_the_content_is_kept_by_our_names() -> None:
    beside: Json = {"avgLogprobs": -0.5, "finishMessage": "Done.", "safetyRatings": [{"category": "X"}]}
    beside |= {"citationMetadata": {"citationSources": [{"uri": "u"}]}, "urlContextMetadata": {"urlMetadata": []}}
    message = whole(native(ANSWER, finishReason="STOP", **beside))["choices"][0]["message"]
    assert message["extra_content"]["google"] == {
        "avg_logprobs": -0.5,
        "citation_metadata": {"citationSources": [{"uri": "u"}]},
        "finish_message": "Done.",
        "safety_ratings": [{"category": "X"}],
        "url_context_metadata": {"urlMetadata": []},
    }


def test_log_probabilities_have_their_bytes() -> None:
    result = {
        "chosenCandidates": [{"token": "ö", "tokenId": 1, "logProbability": -0.5}, {"token": "k"}],
        "topCandidates": [{"candidates": [{"token": "ö", "logProbability": -0.5}]}],
    }
    choice = whole(native({"text": "ök"}, finishReason="STOP", logprobsResult=result))["choices"][0]
    best = {"token": "ö", "logprob": -0.5, "bytes": [195, 182]}
    assert choice["logprobs"] == {
        "content": [
            {**best, "top_logprobs": [best]},
            {"token": "k", "logprob": 0.0, "bytes": [107], "top_logprobs": []},
        ],
        "refusal": None,
    }


def test_two_candidates_are_two_choices_in_order() -> None:
    second = {"content": {"parts": [{"text": "b"}]}, "finishReason": "MAX_TOKENS", "index": 1}
    first = {"content": {"parts": [{"text": "a"}, call()]}, "finishReason": "STOP", "index": 0}
    choices = whole({"candidates": [second, first]})["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in choices] == [(0, "a"), (1, "b")]
    assert [choice["finish_reason"] for choice in choices] == ["tool_calls", "length"]


def test_answers_to_several_calls_are_numbered_through_and_all_paid() -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5, "serviceTier": "flex"}
    details = {"promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}]}
    one = native({"text": "a"}, call(), finishReason="STOP") | {"usageMetadata": usage | details, "responseId": "r1"}
    two = native({"text": "b"}, call(), finishReason="STOP") | {"usageMetadata": usage | details, "responseId": "r2"}
    completion = whole(one, two)
    assert [choice["index"] for choice in completion["choices"]] == [0, 1]
    ids = [choice["message"]["tool_calls"][0]["id"] for choice in completion["choices"]]
    assert len(set(ids)) == 2
    assert completion["usage"]["total_tokens"] == 10
    assert completion["usage"]["prompt_tokens_details"]["audio_tokens"] == 4
    assert completion["service_tier"] == "flex"
    assert completion["id"] == "chatcmpl-r1"


def test_an_answer_can_be_written_as_json() -> None:
    completion = whole(native(THOUGHT, ANSWER, call(args={"a": [1, None, "ü"]}), finishReason="STOP"))
    assert orjson.loads(orjson.dumps(completion)) == completion
