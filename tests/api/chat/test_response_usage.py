"""Token counts: what Gemini says, leaves out, and how it adds up."""

from typing import Any

import pytest
from tests.support.answers import native, streamed, whole

from gemgate.gemini.usage import total
from gemgate.translation.response_fields import service_tier, usage


@pytest.mark.parametrize(
    ("meta", "prompt", "completion", "total"),
    [
        ({}, 0, 0, 0),
        ({"promptTokenCount": 85, "toolUsePromptTokenCount": 149, "candidatesTokenCount": 122, "thoughtsTokenCount": 87,
          "totalTokenCount": 443}, 234, 209, 443),
        # Thinking, and text that is not counted: what the total leaves is the text's.
        ({"promptTokenCount": 10, "thoughtsTokenCount": 100, "totalTokenCount": 113}, 10, 103, 113),
        # Media by URL: the prompt is not counted, but the total is.
        ({"candidatesTokenCount": 5, "thoughtsTokenCount": 20, "totalTokenCount": 1025}, 1000, 25, 1025),
        ({"candidatesTokenCount": 5, "thoughtsTokenCount": 20}, 0, 25, 25),
        ({"promptTokenCount": 7, "totalTokenCount": 7}, 7, 0, 7),
        ({"promptTokenCount": 7, "candidatesTokenCount": 3}, 7, 3, 10),
        # Totals that do not add up never make a negative count.
        ({"promptTokenCount": 9, "totalTokenCount": 7}, 9, 0, 7),
        ({"candidatesTokenCount": 9, "totalTokenCount": 7}, 0, 9, 7),
        ({"promptTokenCount": None, "thoughtsTokenCount": None, "totalTokenCount": None}, 0, 0, 0),
        ({"trafficType": "ON_DEMAND"}, 0, 0, 0),
    ],
)  # fmt: skip
def test_thoughts_are_completion_and_tool_use_is_prompt(meta: Any, prompt: int, completion: int, total: int) -> None:
    counted = usage(meta)
    assert counted["prompt_tokens"] == prompt
    assert counted["completion_tokens"] == completion
    assert counted["total_tokens"] == total


def test_details_are_named_as_openai_names_them() -> None:
    counted = usage(
        {
            "promptTokenCount": 20,
            "cachedContentTokenCount": 8,
            "thoughtsTokenCount": 4,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 1},
                {"modality": "IMAGE", "tokenCount": 2},
                {"modality": "AUDIO", "tokenCount": 3},
                {"modality": "AUDIO", "tokenCount": 4},
                {"modality": "VIDEO"},
                {"modality": "DOCUMENT", "tokenCount": 5},
                {"tokenCount": 6},
            ],
            "candidatesTokensDetails": [
                {"modality": "AUDIO", "tokenCount": 9},
                {"modality": "IMAGE", "tokenCount": 10},
                {"modality": "SMELL", "tokenCount": 11},
            ],
        }
    )
    assert counted["prompt_tokens_details"] == {
        "cached_tokens": 8,
        "audio_tokens": 7,
        "text_tokens": 1,
        "image_tokens": 2,
        "video_tokens": 0,
        "document_tokens": 5,
    }
    assert counted["completion_tokens_details"] == {
        "reasoning_tokens": 4,
        "audio_tokens": 9,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
        "image_tokens": 10,
    }


def test_counts_of_two_calls_are_summed() -> None:
    assert total(
        [{"promptTokenCount": 1, "serviceTier": "flex"}, {"promptTokenCount": 2, "serviceTier": "standard"}]
    ) == {
        "promptTokenCount": 3,
        "serviceTier": "flex",
    }


@pytest.mark.parametrize(("native_tier", "tier"), [("standard", "default"), ("flex", "flex"), (None, None)])
def test_the_tier_is_in_openais_words(native_tier: Any, tier: str | None) -> None:
    assert service_tier({"serviceTier": native_tier} if native_tier else {}) == tier
    answer = native({"text": "x"}, finishReason="STOP")
    answer |= {"usageMetadata": {"serviceTier": native_tier}} if native_tier else {}
    assert whole(answer).get("service_tier") == tier
    assert {chunk.get("service_tier") for chunk in streamed(answer)} == {tier}


def test_the_last_counts_of_a_stream_are_the_counts() -> None:
    first = native({"text": "a"}) | {"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}
    second = native({"text": "b"}) | {
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 21, "totalTokenCount": 30}
    }
    # After a round of built-in tools the counts start again, and the answer's are left out (recorded).
    last = native(finishReason="STOP") | {
        "usageMetadata": {"promptTokenCount": 87, "thoughtsTokenCount": 78, "totalTokenCount": 165}
    }
    counted = streamed(first, second, last)[-1]["usage"]
    assert (counted["prompt_tokens"], counted["completion_tokens"], counted["total_tokens"]) == (87, 78, 165)


def test_an_event_without_a_total_does_not_wipe_the_counts() -> None:
    first = native({"text": "a"}) | {
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10}
    }
    last = native(finishReason="STOP") | {"usageMetadata": {"candidatesTokenCount": 2}}
    counted = streamed(first, last)[-1]["usage"]
    assert (counted["prompt_tokens"], counted["completion_tokens"]) == (9, 2)


def test_a_count_of_another_type_is_left_out_of_the_sum() -> None:
    odd: Any = [{"promptTokenCount": "3"}, {"promptTokenCount": 4}, {"promptTokensDetails": [{}]}]
    assert total(odd) == {"promptTokenCount": "3", "promptTokensDetails": [{}]}
