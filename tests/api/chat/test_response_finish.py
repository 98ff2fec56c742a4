"""Why an answer ended: finish reasons, refusals, blocked prompts, errors."""

from typing import Any

import pytest
from tests.support.answers import Json, native, streamed, whole

from gemgate.errors import ApiError

OPENAI_REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}

FILTERS = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "ESCALATION",
]
BROKEN = [
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
]
VAGUE = ["OTHER", "IMAGE_OTHER", "NO_IMAGE", "FINISH_REASON_UNSPECIFIED", "A_REASON_OF_TOMORROW"]
BLOCKED: Json = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 7}}


def end(*parts: Json, **candidate: Any) -> Json:
    """The only choice of an answer; a stream must end the same way."""
    answer = native(*parts, **candidate)
    choice: Json = whole(answer)["choices"][0]
    last = streamed(answer)[-2]["choices"][0]
    assert last["finish_reason"] == choice["finish_reason"]
    assert last["native_finish_reason"] == choice["native_finish_reason"]
    assert last["delta"].get("refusal") == choice["message"]["refusal"]
    return choice


def error_of(*answers: Json) -> ApiError:
    """The error that these answers are; a stream of the first must be the same."""
    with pytest.raises(ApiError) as buffered:
        whole(*answers)
    with pytest.raises(ApiError) as stream:
        streamed(answers[0])
    assert stream.value.body() == buffered.value.body()
    assert stream.value.status == buffered.value.status
    return buffered.value


@pytest.mark.parametrize("reason", FILTERS)
def test_a_filter_keeps_the_text_that_came(reason: str) -> None:
    choice = end({"text": "Once upon"}, finishReason=reason)
    assert choice["finish_reason"] == "content_filter"
    assert choice["native_finish_reason"] == reason
    assert choice["message"]["content"] == "Once upon"
    assert choice["message"]["refusal"] is None


@pytest.mark.parametrize("reason", FILTERS)
def test_a_filter_that_left_nothing_is_a_refusal(reason: str) -> None:
    choice = end(finishReason=reason, finishMessage="Because.")
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["content"] is None
    assert choice["message"]["refusal"] == f"Gemini blocked this ({reason}). Because."


def test_thoughts_alone_do_not_make_an_answer() -> None:
    choice = end({"text": "Hm.", "thought": True}, finishReason="SAFETY")
    assert choice["message"]["refusal"] == "Gemini blocked this (SAFETY)."
    assert choice["message"]["reasoning_content"] == "Hm."


def test_thinking_that_ate_the_budget_is_length() -> None:
    choice = end(finishReason="MAX_TOKENS")
    assert (choice["finish_reason"], choice["message"]["content"]) == ("length", "")


@pytest.mark.parametrize("reason", VAGUE)
def test_an_unknown_reason_gives_what_was_said(reason: str) -> None:
    choice = end({"text": "So."}, finishReason=reason)
    assert choice["finish_reason"] == "stop"
    assert choice["native_finish_reason"] == reason


@pytest.mark.parametrize("reason", VAGUE)
def test_an_unknown_reason_without_an_answer_is_an_error(reason: str) -> None:
    error = error_of(native(finishReason=reason, finishMessage="Internal."))
    assert (error.status, error.type, error.code) == (502, "server_error", "upstream_no_answer")
    assert error.message == f"Gemini gave no answer ({reason}). Internal."


@pytest.mark.parametrize("reason", BROKEN)
@pytest.mark.parametrize("parts", [[], [{"text": "I call", "thought": True}], [{"functionCall": {"name": "f"}}]])
def test_a_broken_call_is_an_error_when_nothing_whole_came_before(reason: str, parts: list[Json]) -> None:
    error = error_of(native(*parts, finishReason=reason))
    assert (error.status, error.type, error.code) == (502, "server_error", f"upstream_{reason.lower()}")
    assert reason in error.message


def test_a_broken_call_says_what_google_says() -> None:
    message = "Malformed function call: print(default_api.f())"
    error = error_of(native(finishReason="MALFORMED_FUNCTION_CALL", finishMessage=message))
    assert message in error.message


def test_a_broken_choice_does_not_take_the_good_one_with_it() -> None:
    bad = {"finishReason": "MALFORMED_FUNCTION_CALL", "index": 0}
    good = {"content": {"parts": [{"text": "Fine."}]}, "finishReason": "STOP", "index": 1}
    first, second = whole({"candidates": [bad, good]})["choices"]
    assert first["native_finish_reason"] == "MALFORMED_FUNCTION_CALL"
    assert second["message"]["content"] == "Fine."
    ends = [chunk["choices"][0] for chunk in streamed({"candidates": [bad, good]})[:-1]]
    assert [end["index"] for end in ends if end["finish_reason"]] == [0, 1]


def test_when_every_choice_is_broken_the_answer_is_an_error() -> None:
    candidates = [{"finishReason": "MALFORMED_FUNCTION_CALL", "index": index} for index in (0, 1)]
    assert error_of({"candidates": candidates}).code == "upstream_malformed_function_call"


def test_a_blocked_prompt_is_content_filter() -> None:
    completion = whole(BLOCKED)
    (choice,) = completion["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["native_finish_reason"] == "PROHIBITED_CONTENT"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": "Gemini blocked this (PROHIBITED_CONTENT).",
        "extra_content": {"google": {"prompt_feedback": BLOCKED["promptFeedback"]}},
    }
    assert completion["usage"]["prompt_tokens"] == 7


def test_a_blocked_prompt_may_have_no_usage_and_a_message() -> None:
    feedback = {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "Injection."}
    completion = whole({"promptFeedback": feedback})
    assert completion["choices"][0]["message"]["refusal"] == "Gemini blocked this (MODEL_ARMOR). Injection."
    assert completion["usage"]["total_tokens"] == 0


def test_a_block_without_a_reason_is_one_too() -> None:
    choice = whole({"candidates": [], "promptFeedback": {"blockReasonMessage": "No."}})["choices"][0]
    assert choice["native_finish_reason"] == "BLOCK_REASON_UNSPECIFIED"


def test_ratings_of_the_prompt_do_not_block_it() -> None:
    answer = native({"text": "Hi."}, finishReason="STOP") | {"promptFeedback": {"safetyRatings": [{"category": "X"}]}}
    choice = whole(answer)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", "Hi.")


@pytest.mark.parametrize("answer", [{}, {"candidates": []}, {"promptFeedback": {"safetyRatings": []}}])
def test_an_answer_with_nothing_in_it_is_an_error(answer: Json) -> None:
    with pytest.raises(ApiError) as failure:
        whole(answer)
    assert (failure.value.status, failure.value.code) == (502, "upstream_no_answer")
    assert failure.value.message == "Gemini gave no answer."


def test_a_whole_answer_without_a_finish_reason_is_given_if_there_is_text() -> None:
    choice = whole(native({"text": "Hi."}))["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", None)
    with pytest.raises(ApiError, match="no answer"):
        whole(native())


@pytest.mark.parametrize("reason", [*FILTERS, *VAGUE, "STOP", "MAX_TOKENS"])
def test_only_openais_reasons_are_given(reason: str) -> None:
    parts: list[Json] = [{"text": "x"}, {"functionCall": {"name": "f"}}]
    assert end(*parts, finishReason=reason)["finish_reason"] in OPENAI_REASONS
