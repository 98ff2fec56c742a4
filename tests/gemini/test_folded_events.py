"""A streamed answer as a whole one."""

from typing import Any

import httpx
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, json_for, sse, streams

from gemgate.gemini.folded_events import fold_events


def test_parts_follow_each_other_and_the_last_word_counts() -> None:
    events: list[Any] = [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "a"}]}, "index": 0}], "modelVersion": "m"},
        {
            "candidates": [
                {"content": {"parts": [{"text": "b"}]}, "index": 0, "groundingMetadata": {"webSearchQueries": ["q"]}}
            ],
            "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3},
        },
        {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": "", "thoughtSignature": "c2ln"}]},
                    "index": 0,
                    "finishReason": "STOP",
                    "groundingMetadata": {},
                }
            ],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
            "responseId": "R",
        },
    ]
    assert fold_events(events) == {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [{"text": "a"}, {"text": "b"}, {"text": "", "thoughtSignature": "c2ln"}],
                },
                "index": 0,
                "groundingMetadata": {"webSearchQueries": ["q"]},
                "finishReason": "STOP",
            }
        ],
        "modelVersion": "m",
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        "responseId": "R",
    }


def test_candidates_are_told_apart_by_their_index() -> None:
    def event(index: int, text: str) -> Any:
        return {"candidates": [{"content": {"parts": [{"text": text}]}, "index": index}]}

    folded = fold_events([event(1, "c"), event(0, "a"), event(1, "d"), event(0, "b")])
    assert [[part["text"] for part in found["content"]["parts"]] for found in folded["candidates"]] == [
        ["a", "b"],
        ["c", "d"],
    ]


def test_a_blocked_prompt_stays_blocked() -> None:
    assert fold_events([{"promptFeedback": {"blockReason": "SAFETY"}}]) == {"promptFeedback": {"blockReason": "SAFETY"}}


async def test_a_whole_answer_above_the_limit_of_the_model_is_asked_for_as_a_stream() -> None:
    pieces = [native({"text": "Hel"}), native({"text": "lo"}, finishReason="STOP")]

    def answer(request: httpx.Request) -> httpx.Response:
        return sse(*pieces) if streams(request) else json_for(request, native({"text": "Hello"}, finishReason="STOP"))

    google = FakeGoogle(answer)
    async with in_process(gateway_app(google)) as client:
        for model, limit in [("gemini-4-argon", 32_768), ("gemini-4-argon", 32_769), ("gemini-3.8-flash", 65_536)]:
            body = {"model": model, "max_tokens": limit, "messages": [{"role": "user", "content": "Hi"}]}
            completion = (await client.post("/v1/chat/completions", json=body)).json()
            assert completion["choices"][0]["message"]["content"] == "Hello"
            assert completion["choices"][0]["finish_reason"] == "stop"
    assert google.methods == ["generateContent", "streamGenerateContent", "generateContent"]
