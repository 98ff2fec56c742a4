"""What the answer to a caller must be, given what the native answer holds."""

import re
from typing import Any

import orjson
from tests.recorded.traffic import Json, Reading, block_reason, last_usage, read

FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "MODEL_ARMOR": "content_filter",
    "RECITATION": "content_filter",
    "SAFETY": "content_filter",
    # Unknown ones, in fixtures: what was said is given.
    "FAKE_ENUM": "stop",
    "FAKE_NEW_FINISH_REASON": "stop",
    "OTHER": "stop",
    None: "stop",
}

_TAGGED = re.compile(r"<thought>(.*?)</thought>", re.DOTALL)


def expected_error(events: list[Json], *, is_stream: bool) -> str | None:
    """The code of the error that an answer must be, or None when it is one to give."""
    readings = read(events)
    if not readings:
        if block_reason(events):
            return None
        return "stream_truncated" if is_stream else "upstream_no_answer"
    if is_stream and any(reading.finish is None for reading in readings.values()):
        return "stream_truncated"
    if len(readings) > 1:
        return None
    reading = readings[0]
    if reading.finish == "UNEXPECTED_TOOL_CALL":
        return "upstream_unexpected_tool_call"
    if reading.is_empty and reading.finish in (None, "OTHER"):
        return "upstream_no_answer"
    return None


def prove_completion(completion: Json, events: list[Json], dialect: str) -> None:
    """`completion` says what the native events say, and nothing else."""
    readings = read(events)
    if readings:
        assert [choice["index"] for choice in completion["choices"]] == sorted(readings)
        for choice in completion["choices"]:
            _prove_choice(choice, readings[choice["index"]], dialect)
    else:
        _prove_blocked(completion["choices"], block_reason(events))
    _prove_usage(completion["usage"], last_usage(events))
    ids = [event["responseId"] for event in events if "responseId" in event]
    assert completion["id"] == f"chatcmpl-{ids[0] if ids else 'fallback'}"
    versions = [event["modelVersion"] for event in events if "modelVersion" in event]
    assert completion.get("system_fingerprint") == (versions[0] if versions else None)


def _prove_choice(choice: Json, reading: Reading, dialect: str) -> None:
    message = choice["message"]
    text, thoughts = message.get("content") or "", message.get("reasoning_content") or ""
    if dialect == "google":
        assert not thoughts
        thoughts, text = "".join(_TAGGED.findall(text)), _TAGGED.sub("", text)
    assert text == reading.text
    assert thoughts == reading.thoughts
    _prove_calls(message.get("tool_calls") or [], reading.calls)
    assert [image["image_url"]["url"] for image in message.get("images") or []] == reading.images
    google = (message.get("extra_content") or {}).get("google", {})
    assert google.get("thought_signature") == reading.signature
    assert google.get("parts", []) == reading.others
    finish = FINISH[reading.finish]
    assert choice["finish_reason"] == ("tool_calls" if reading.calls and finish == "stop" else finish)
    assert choice.get("native_finish_reason") == reading.finish
    assert bool(message.get("refusal")) == (reading.is_empty and finish == "content_filter")


def _prove_calls(shown: list[Json], calls: list[tuple[str, Json, str | None, str | None]]) -> None:
    assert [call["function"]["name"] for call in shown] == [name for name, *_ in calls]
    ids = [call["id"] for call in shown]
    assert len(set(ids)) == len(ids)
    assert all(0 < len(call_id) <= 40 for call_id in ids)
    for call, (_, args, native_id, signature) in zip(shown, calls, strict=True):
        assert call["type"] == "function"
        assert orjson.loads(call["function"]["arguments"]) == args
        assert native_id in (None, call["id"])
        assert call.get("extra_content", {}).get("google", {}).get("thought_signature") == signature


def _prove_blocked(choices: list[Json], reason: str | None) -> None:
    (choice,) = choices
    assert choice["finish_reason"] == "content_filter"
    assert choice["native_finish_reason"] == reason
    assert not choice["message"].get("content")
    assert str(reason) in choice["message"]["refusal"]


def _prove_usage(usage: Json, native: Json) -> None:
    def count(name: str) -> int:
        return int(native.get(name) or 0)

    thoughts, tools, total = count("thoughtsTokenCount"), count("toolUsePromptTokenCount"), count("totalTokenCount")
    prompt, candidates = count("promptTokenCount"), count("candidatesTokenCount")
    if native.get("promptTokenCount") is None:
        prompt = max(0, total - tools - thoughts - candidates)
    if native.get("candidatesTokenCount") is None:
        candidates = max(0, total - prompt - tools - thoughts)
    assert usage["prompt_tokens"] == prompt + tools
    assert usage["completion_tokens"] == candidates + thoughts
    if native.get("totalTokenCount") is not None:
        assert usage["total_tokens"] == total
    assert usage["prompt_tokens_details"]["cached_tokens"] == count("cachedContentTokenCount")
    assert usage["completion_tokens_details"]["reasoning_tokens"] == thoughts
    for side, details in (("prompt", "promptTokensDetails"), ("completion", "candidatesTokensDetails")):
        heard = [item.get("tokenCount", 0) for item in native.get(details, []) if item["modality"] == "AUDIO"]
        assert usage[f"{side}_tokens_details"]["audio_tokens"] == sum(heard)


def prove_stream_rules(chunks: list[Json]) -> None:
    """The rules that OpenAI's clients rely on."""
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["system_fingerprint"]) for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert [chunk["choices"] for chunk in chunks].index([]) == len(chunks) - 1
    assert [chunk["usage"] is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    ended: set[int] = set()
    seen: dict[int, list[Json]] = {}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        index = choice["index"]
        if index not in seen:
            assert index == len(seen)
            assert choice["delta"]["role"] == "assistant"
        seen.setdefault(index, []).append(choice["delta"])
        assert index not in ended
        if choice["finish_reason"] is not None:
            ended.add(index)
    assert ended == set(seen)
    for deltas in seen.values():
        _prove_said_once(deltas)


def _prove_said_once(deltas: list[Json]) -> None:
    assert sum("role" in delta for delta in deltas) == 1
    signatures = [
        delta["extra_content"]["google"].get("thought_signature") for delta in deltas if "extra_content" in delta
    ]
    assert sum(signature is not None for signature in signatures) <= 1
    for name in ("tool_calls", "images", "annotations"):
        entries: list[Any] = [entry for delta in deltas for entry in delta.get(name, [])]
        assert [entry["index"] for entry in entries] == list(range(len(entries)))
    for call in (call for delta in deltas for call in delta.get("tool_calls", [])):
        assert {"index", "id", "type", "function"} <= call.keys()
