"""A native answer as a chat completion."""

from collections.abc import Sequence
from typing import Any

from gemgate.api.chat.answer_context import AnswerContext
from gemgate.api.chat.choice import Choice
from gemgate.gemini.types import Candidate, GenerateContentResponse
from gemgate.gemini.usage import total
from gemgate.translation.lenient_json import without_fence
from gemgate.translation.notes import Notes
from gemgate.translation.response_fields import block, no_answer, service_tier, usage


def completion_from_gemini(
    answers: Sequence[GenerateContentResponse],
    context: AnswerContext,
    *,
    fallback_id: str,
    created: int,
    notes: Notes | None = None,
) -> dict[str, Any]:
    """One `chat.completion` from the answers to all calls of a request, in the order of the calls.

    Args:
        answers: Native answers, one a call.
        context: What the request asked for.
        fallback_id: Used where the `responseId` is missing.
        created: Unix seconds.
        notes: Where it is noted what was changed in the answer.

    Raises:
        ApiError: 502 when Gemini broke off without an answer in every choice.
    """
    choices: list[Choice] = []
    shown: list[dict[str, object]] = []
    for answer in answers:
        seed = answer.get("responseId") or fallback_id
        for candidate in _candidates(answer):
            choice = Choice(context, len(choices), seed)
            delta = choice.feed(candidate)
            if choice.reason is None and (feedback := block(answer)):
                choice.block(feedback)
            if status := answer.get("modelStatus"):
                choice.beside["model_status"] = status
            choices.append(choice)
            last = choice.finish()
            shown.append(_shown(choice, merge(delta, last) if last else delta))
            if notes is not None:
                _note_changes(choice, notes)
    failures = [failure for choice in choices if (failure := choice.failure())]
    if len(failures) == len(choices):
        raise failures[0]
    head = answers[0]
    meta = total(answer.get("usageMetadata") or {} for answer in answers)
    completion = {
        "id": f"chatcmpl-{head.get('responseId') or fallback_id}",
        "object": "chat.completion",
        "created": created,
        "model": context.model,
        "choices": shown,
        "usage": usage(meta),
        "system_fingerprint": head.get("modelVersion"),
    }
    if tier := service_tier(meta):
        completion["service_tier"] = tier
    return completion


def _note_changes(choice: Choice, notes: Notes) -> None:
    for change in choice.notes():
        notes.adjust(change)


def _candidates(answer: GenerateContentResponse) -> list[Candidate]:
    """In the order of their indexes. A blocked prompt is one without content: HTTP 200 and no candidates at Google."""
    candidates = answer.get("candidates") or []
    if len(candidates) > 1:
        candidates = sorted(candidates, key=lambda candidate: candidate.get("index", 0))
    if not candidates and not block(answer):
        raise no_answer()
    return candidates or [{}]


def _shown(choice: Choice, message: dict[str, Any]) -> dict[str, object]:
    if choice.context.is_json and "annotations" not in message and (json_text := without_fence(message.get("content"))):
        message["content"] = json_text
        choice.changes.append("content=fence->JSON")
    if message.get("content") is None and not message.keys() & {"tool_calls", "function_call", "refusal", "audio"}:
        message["content"] = ""
    for name in ("tool_calls", "images", "annotations"):
        for item in message.get(name, []):
            del item["index"]
    return {
        "index": choice.index,
        "message": {"role": "assistant", "content": None, "refusal": None, **message},
        "logprobs": {"content": choice.logprobs, "refusal": None} if choice.logprobs else None,
        "finish_reason": choice.finish_reason,
        "native_finish_reason": choice.reason,
    }


def merge(delta: dict[str, object], more: dict[str, object]) -> dict[str, object]:
    """Two deltas of a message as one: text and lists are joined, objects are merged."""
    merged = dict(delta)
    for name, value in more.items():
        known: object = merged.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            merged[name] = merge(known, value)
        elif (isinstance(known, str) and isinstance(value, str)) or (
            isinstance(known, list) and isinstance(value, list)
        ):
            merged[name] = known + value  # type: ignore[operator]  # both are of one type
        else:
            merged[name] = value
    return merged
