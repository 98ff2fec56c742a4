"""A native answer as a chat completion."""

from collections.abc import Sequence
from typing import Any

from gemgate.chat.choice import Choice
from gemgate.chat.context import AnswerContext
from gemgate.chat.finish import refusal
from gemgate.chat.usage import add, service_tier, usage
from gemgate.gemini.types import Candidate, GenerateContentResponse, UsageMetadata


def from_gemini(
    answers: Sequence[GenerateContentResponse], context: AnswerContext, *, fallback_id: str, created: int
) -> dict[str, Any]:
    """One `chat.completion` from the answers to all calls of a request, in the order of the calls.

    Args:
        answers: Native answers, one a call.
        context: What the request asked for.
        fallback_id: Stands in for a `responseId` that is missing.
        created: Unix seconds.

    Raises:
        ApiError: 502 when there is one choice and Gemini broke off without an answer.
    """
    choices: list[dict[str, Any]] = []
    meta: UsageMetadata = {}
    for answer in answers:
        seed = answer.get("responseId") or fallback_id
        candidates = sorted(answer.get("candidates") or [], key=lambda candidate: candidate.get("index", 0))
        many = len(answers) > 1 or len(candidates) > 1
        for candidate in candidates:
            choices.append(_choice(candidate, Choice(context, len(choices), seed), fails=not many))
        if not candidates:
            choices.append(_blocked(answer, len(choices)))
        meta = add(meta, answer.get("usageMetadata") or {})
    head = answers[0]
    completion = {
        "id": f"chatcmpl-{head.get('responseId') or fallback_id}",
        "object": "chat.completion",
        "created": created,
        "model": context.model,
        "choices": choices,
        "usage": usage(meta),
        "system_fingerprint": head.get("modelVersion"),
    }
    if tier := service_tier(meta):
        completion["service_tier"] = tier
    return completion


def _choice(candidate: Candidate, choice: Choice, *, fails: bool) -> dict[str, Any]:
    message = merge(choice.feed(candidate), choice.finish())
    failure = choice.failure()
    if failure is not None and fails:
        raise failure
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


def merge(delta: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Two deltas of a message as one: text is joined, lists are joined, objects are merged."""
    merged = dict(delta)
    for name, value in more.items():
        known: Any = merged.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            merged[name] = merge(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            merged[name] = [*known, *value]
        elif isinstance(known, str) and isinstance(value, str):
            merged[name] = known + value
        else:
            merged[name] = value
    return merged


def _blocked(answer: GenerateContentResponse, index: int) -> dict[str, Any]:
    """A blocked prompt: HTTP 200 at Google, with `promptFeedback` and no candidates."""
    feedback = answer.get("promptFeedback") or {}
    reason = feedback.get("blockReason") or "NO_CANDIDATES"
    return {
        "index": index,
        "message": {
            "role": "assistant",
            "content": None,
            "refusal": refusal(reason, feedback.get("blockReasonMessage")),
            "extra_content": {"google": {"prompt_feedback": feedback}},
        },
        "logprobs": None,
        "finish_reason": "content_filter",
        "native_finish_reason": reason,
    }
