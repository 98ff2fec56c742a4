"""Native answers as a text completion."""

from collections.abc import Iterator, Sequence
from typing import Any

from gemgate.api.chat.response import completion_from_gemini
from gemgate.api.completions.limit import kept_length
from gemgate.api.completions.request import TextCompletionTranslation
from gemgate.gemini.types import GenerateContentResponse
from gemgate.gemini.usage import counts, total
from gemgate.translation.response_fields import service_tier, usage

Json = dict[str, Any]

OBJECT = "text_completion"

_HIDDEN = "thought_signature"
"""What chat shows beside an answer, and a text that ends here has no use for."""


def text_completion(
    answers: Sequence[GenerateContentResponse],
    translation: TextCompletionTranslation,
    *,
    fallback_id: str,
    created: int,
) -> Json:
    """One `text_completion` from the answers to all calls of a request, in the order of the calls.

    Raises:
        ApiError: 502 when Gemini broke off without an answer to one of the prompts.
    """
    choices: list[Json] = []
    each, n = translation.calls_each, translation.n
    for number, chat in enumerate(translation.chats):
        given = answers[number * each : (number + 1) * each]
        completion = completion_from_gemini(
            given, chat.context, fallback_id=fallback_id, created=created, notes=translation.notes
        )
        prompt = translation.prompts[number] if translation.prompts else ""
        for choice, written in zip(completion["choices"], _counts(given), strict=True):
            shown = _shown(choice, translation.limit, written, prompt)
            choices.append({**shown, "index": number * n + choice["index"]})
    head = answers[0]
    meta = total(answer.get("usageMetadata") or {} for answer in answers)
    body = {
        "id": f"cmpl-{head.get('responseId') or fallback_id}",
        "object": OBJECT,
        "created": created,
        "model": translation.context.model,
        "choices": choices,
        "usage": usage(meta),
        "system_fingerprint": head.get("modelVersion"),
    }
    if tier := service_tier(meta):
        body["service_tier"] = tier
    return body


def shown_beside(message: Json) -> Json:
    """What Gemini says beside a text: the reason why it is blocked, for one."""
    google = (message.get("extra_content") or {}).get("google") or {}
    beside = {name: value for name, value in google.items() if name != _HIDDEN}
    return {"extra_content": {"google": beside}} if beside else {}


def finish_of(reason: str) -> str:
    """Chat's finish reason, where a text has it."""
    return reason if reason in ("stop", "length", "content_filter") else "stop"


def _counts(answers: Sequence[GenerateContentResponse]) -> Iterator[int]:
    """For each candidate, in the order of the choices: the tokens of its call; 0: not known."""
    for answer in answers:
        tokens = counts(answer.get("usageMetadata") or {}).candidates
        yield from [tokens] * len(answer.get("candidates") or [{}])


def _shown(choice: Json, limit: int | None, written: int, prompt: str) -> Json:
    message = choice["message"]
    text, finish = message.get("content") or "", finish_of(choice["finish_reason"])
    native = choice["native_finish_reason"]
    tokens = (choice["logprobs"] or {}).get("content") or []
    kept = len(text)
    if limit is not None and tokens:
        tokens = tokens[:limit]
        kept = sum(len(token["token"]) for token in tokens)
    elif limit is not None:
        kept = kept_length(text, limit, written)
    if kept < len(text):
        text, finish = text[:kept], "length"
    return {
        "index": choice["index"],
        "text": prompt + text,
        "logprobs": _old_logprobs(tokens) if tokens else None,
        "finish_reason": finish,
        "native_finish_reason": native,
        **shown_beside(message),
    }


def _old_logprobs(tokens: Sequence[Json]) -> Json:
    """Chat's `logprobs.content` in the form of this endpoint; offsets are characters of the text."""
    offsets, at = [], 0
    for token in tokens:
        offsets.append(at)
        at += len(token["token"])
    tops = [_top(token) for token in tokens]
    return {
        "tokens": [token["token"] for token in tokens],
        "token_logprobs": [token["logprob"] for token in tokens],
        "top_logprobs": tops if any(token["top_logprobs"] for token in tokens) else None,
        "text_offset": offsets,
    }


def _top(token: Json) -> dict[str, float]:
    """The likeliest tokens, and the one that was written, which need not be one of them."""
    likeliest = {each["token"]: each["logprob"] for each in token["top_logprobs"]}
    return {**likeliest, token["token"]: token["logprob"]}
