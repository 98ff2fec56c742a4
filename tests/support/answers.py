"""Translate native answers in tests, whole and streamed, and fold chunks as OpenAI's clients do."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gemgate.api.chat.answer_context import AnswerContext
from gemgate.api.chat.response import completion_from_gemini
from gemgate.api.chat.stream import ChatStream
from gemgate.translation.function_names import NameMap
from gemgate.translation.thought_signatures import SignatureStore

Json = dict[str, Any]

CREATED = 1_700_000_000
MODEL = "gemini-under-test"


def answer_context(**changes: Any) -> AnswerContext:
    """What a plain request would ask for, with changes; streams end with the usage."""
    plain: Json = {"names": NameMap(), "signatures": SignatureStore(1000, 60.0), "include_usage": True}
    return AnswerContext(MODEL, **{**plain, **changes})


def whole(*answers: Any, **changes: Any) -> Json:
    """The completion that these native answers make, one answer a call."""
    return completion_from_gemini(answers, answer_context(**changes), fallback_id="fallback", created=CREATED)


def message_of(*parts: Json, finish: str = "STOP", **changes: Any) -> Json:
    """The message of an answer with these parts."""
    message: Json = whole(native(*parts, finishReason=finish), **changes)["choices"][0]["message"]
    return message


def streamed(*events: Any, **changes: Any) -> list[Json]:
    """All chunks of the stream of one call."""
    return streamed_calls([(0, event) for event in events], **changes)


def streamed_calls(events: Iterable[tuple[int, Any]], *, calls: int = 1, **changes: Any) -> list[Json]:
    """All chunks of the streams of several calls, whose events come as (call, event)."""
    stream = ChatStream(answer_context(**changes), fallback_id="fallback", created=CREATED, calls=calls)
    return [chunk for call, event in events for chunk in stream.feed(event, call)] + stream.finish()


def native(*parts: Json, index: int | None = None, **candidate: Any) -> Json:
    """An answer, or an event, of one candidate with these parts."""
    place = {} if index is None else {"index": index}
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    return {"candidates": [{**content, **place, **candidate}], "modelVersion": "gemini-0", "responseId": "resp"}


def merged(events: Sequence[Json]) -> Json:
    """The native answer that would have come in one."""
    candidates: dict[int, Json] = {}
    for event in events:
        for candidate in event.get("candidates", []):
            index = candidate.get("index", 0)
            known = candidates.setdefault(index, {"index": index, "content": {"role": "model", "parts": []}})
            known["content"]["parts"] += candidate.get("content", {}).get("parts", [])
            known |= {name: value for name, value in candidate.items() if name != "content" and value}
    answer: Json = {}
    for event in reversed(events):
        answer = {**answer, **{name: value for name, value in event.items() if name != "candidates"}}
    counted = [event["usageMetadata"] for event in events if "usageMetadata" in event]
    return {**answer, "candidates": list(candidates.values()), **({"usageMetadata": counted[-1]} if counted else {})}


def fold(chunks: Sequence[Json]) -> Json:
    """One completion from chunks, merged as the helpers of OpenAI's clients merge them.

    Text is joined, lists are merged by `index`, the last value of anything else counts. `thought` is a flag.
    """
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for part in chunk["choices"]:
            choice = choices.setdefault(part["index"], {"index": part["index"], "message": {}, "logprobs": None})
            _merge(choice["message"], orjson.loads(orjson.dumps(part["delta"])))
            choice |= {name: part[name] for name in ("finish_reason", "native_finish_reason") if part.get(name)}
            choice["logprobs"] = part["logprobs"] or choice["logprobs"]
    last: Json = {name: value for name, value in chunks[-1].items() if name not in {"choices", "object"}}
    return {**last, "object": "chat.completion", "choices": [choices[index] for index in sorted(choices)]}


def sdk_fold(chunks: Sequence[Json]) -> Json:
    """The same by openai-python's own accumulator."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in chunks:
        list(state.handle_chunk(ChatCompletionChunk.model_validate(chunk)))
    folded = state.current_completion_snapshot.model_dump(mode="json", exclude_unset=True)
    for choice in folded["choices"]:
        choice["message"].pop("parsed", None)
        for call in choice["message"].get("tool_calls") or ():
            call.get("function", {}).pop("parsed_arguments", None)
    return folded


def comparable(completion: Json) -> Json:
    """A completion without what a whole answer and a stream may render differently: nulls, `""`, places in lists."""
    choices = []
    for choice in orjson.loads(orjson.dumps(completion["choices"])):
        message = {name: value for name, value in choice["message"].items() if value not in (None, "", [])}
        for name in ("tool_calls", "images", "annotations"):
            for item in message.get(name, []):
                item.pop("index", None)
        _flag_thought(message)
        choices.append({**{name: value for name, value in choice.items() if value is not None}, "message": message})
    named = ("id", "object", "created", "model", "system_fingerprint", "usage", "service_tier")
    return {**{name: completion[name] for name in named if completion.get(name) is not None}, "choices": choices}


def _flag_thought(message: Json) -> None:
    google = message.get("extra_content", {}).get("google", {})
    if "thought" in google:
        # The clients' accumulators add up numbers, and a flag that was said twice is 2.
        google["thought"] = bool(google["thought"])


def _merge(message: Json, delta: Json) -> None:
    for name, value in delta.items():
        known = message.get(name)
        if isinstance(value, list) and value and "index" in value[0]:
            _merge_list(message.setdefault(name, []), value)
        elif known is None or name in ("index", "type", "thought"):
            message[name] = value
        elif isinstance(value, str):
            message[name] = known + value
        elif isinstance(value, dict):
            _merge(known, value)
        else:
            raise AssertionError(f"{name} is said twice, and cannot be merged: {known!r}, {value!r}")


def _merge_list(items: list[Json], delta: list[Json]) -> None:
    for entry in delta:
        at = entry["index"]
        if at < len(items):
            _merge(items[at], entry)
        else:
            assert at == len(items), f"index {at} comes when {len(items)} is next"
            items.append(entry)
