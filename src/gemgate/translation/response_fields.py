"""The fields of a choice and of its completion: finish reasons, token counts, log probabilities, citations."""

from typing import Any

from gemgate.errors import ApiError
from gemgate.gemini.types import (
    GenerateContentResponse,
    GroundingMetadata,
    LogprobsCandidate,
    LogprobsResult,
    PromptFeedback,
    Segment,
    UsageMetadata,
)
from gemgate.gemini.usage import by_modality, counts
from gemgate.gemini.vertex.differences import tier_of

FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
}

BROKEN = {
    "MALFORMED_FUNCTION_CALL": "the model wrote a function call that cannot be read",
    "UNEXPECTED_TOOL_CALL": "the model called a function that was not declared",
    "TOO_MANY_TOOL_CALLS": "the model made too many tool calls in a row",
    "MISSING_THOUGHT_SIGNATURE": "a thought signature was missing in the conversation",
    "MALFORMED_RESPONSE": "the model's answer could not be read",
}
"""Finish reasons of answers that Gemini broke off, and what each means."""

_MAX_SUPPORTS = 1_000  # each is looked for in the whole answer
_MAX_ANNOTATIONS = 10_000


def refusal(reason: str, message: str | None = None) -> str:
    """Words for an answer or a prompt that was blocked; `reason` is the native one."""
    return f"Gemini blocked this ({reason})." + (f" {message}" if message else "")


def empty_answer_error(reason: str | None, message: str | None) -> ApiError | None:
    """The error behind the native finish reason of an answer with nothing in it; None when it can be given so.

    A reason for breaking off is an error, and so is one that is neither known nor a filter's (OTHER, NO_IMAGE, a new
    one, none).
    """
    if reason in BROKEN:
        detail = message or BROKEN[reason]
        return ApiError(
            502,
            f"Gemini broke off ({reason}): {detail}. Sending the request again often helps.",
            type="server_error",
            code=f"upstream_{reason.lower()}",
        )
    return None if reason in FINISH_REASONS else no_answer(reason, message)


def no_answer(reason: str | None = None, message: str | None = None) -> ApiError:
    """The error for an answer with nothing in it."""
    text = "Gemini gave no answer" + (f" ({reason})." if reason else ".") + (f" {message}" if message else "")
    return ApiError(502, text, type="server_error", code="upstream_no_answer")


def block(answer: GenerateContentResponse) -> PromptFeedback | None:
    """The feedback on a prompt that was blocked; None for feedback that only rates it."""
    feedback = answer.get("promptFeedback") or {}
    return feedback if feedback.get("blockReason") or feedback.get("blockReasonMessage") else None


def usage(meta: UsageMetadata) -> dict[str, object]:
    """`usageMetadata` as OpenAI's `usage`.

    completion = candidates + thoughts, prompt = prompt + tool use, cached is part of prompt: so the sums of 2,316
    recorded usages come out. What Gemini leaves out is 0, or what the total leaves for it.
    """
    found = counts(meta)
    asked = found.prompt + found.tool_use
    answered = found.candidates + found.thoughts
    inputs = by_modality(meta.get("promptTokensDetails"))
    outputs = by_modality(meta.get("candidatesTokensDetails"))
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": found.total if found.total is not None else asked + answered,
        "prompt_tokens_details": {
            "cached_tokens": found.cached,
            "audio_tokens": inputs.get("AUDIO", 0),
            **_named(inputs, "prompt"),
        },
        "completion_tokens_details": {
            "reasoning_tokens": found.thoughts,
            "audio_tokens": outputs.get("AUDIO", 0),
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
            **_named(outputs, "completion"),
        },
    }


def service_tier(meta: UsageMetadata) -> str | None:
    """The tier that served the request, in OpenAI's words; None when Google does not say."""
    tier = meta.get("serviceTier")
    if tier is None and "trafficType" in meta:
        return tier_of(meta)
    return "default" if tier == "standard" else tier


def _named(counts: dict[str, int], side: str) -> dict[str, int]:
    wanted = ("TEXT", "IMAGE", "VIDEO", "DOCUMENT") if side == "prompt" else ("TEXT", "IMAGE")
    return {f"{modality.lower()}_tokens": counts[modality] for modality in wanted if modality in counts}


def token_logprobs(result: LogprobsResult) -> list[dict[str, object]]:
    """`logprobsResult` as OpenAI's `logprobs.content`; `topCandidates[i]` belongs to `chosenCandidates[i]`."""
    tops = result.get("topCandidates") or []
    tokens = []
    for position, chosen in enumerate(result.get("chosenCandidates") or []):
        likeliest = tops[position].get("candidates") or [] if position < len(tops) else []
        tokens.append({**_token(chosen), "top_logprobs": [_token(candidate) for candidate in likeliest]})
    return tokens


def _token(candidate: LogprobsCandidate) -> dict[str, object]:
    token = candidate.get("token", "")
    return {"token": token, "logprob": candidate.get("logProbability", 0.0), "bytes": list(token.encode())}


def annotations(grounding: GroundingMetadata, text: str, part_starts: list[int]) -> list[dict[str, Any]]:
    """One `url_citation` for each supported segment and each of its sources.

    Args:
        grounding: What Gemini says supports the answer.
        text: The whole answer.
        part_starts: Where each part of the answer starts in `text`, in UTF-8 bytes; `segment.partIndex` counts them.

    Gemini's offsets are UTF-8 bytes and leave out 0; OpenAI's are characters. A segment that cannot be found in the
    text gives no annotation (the native metadata is kept beside), nor do those after the first thousand.
    """
    sources = [_source(chunk) for chunk in grounding.get("groundingChunks") or []]
    encoded = text.encode()
    found = []
    for support in (grounding.get("groundingSupports") or [])[:_MAX_SUPPORTS]:
        span = _span(support.get("segment") or {}, text, encoded, part_starts)
        if span is None:
            continue
        for index in support.get("groundingChunkIndices") or []:
            source = sources[index] if 0 <= index < len(sources) else None
            if source is not None:
                url, title = source
                citation = {"start_index": span[0], "end_index": span[1], "title": title, "url": url}
                found.append({"type": "url_citation", "url_citation": citation})
    return found[:_MAX_ANNOTATIONS]


def _source(chunk: dict[str, object]) -> tuple[str, str] | None:
    """URL and title of a chunk: `web`, `retrievedContext`, `maps` or `image`."""
    for kind in ("web", "retrievedContext", "maps", "image"):
        source = chunk.get(kind)
        if isinstance(source, dict):
            url = source.get("uri") or source.get("sourceUri") or source.get("fileSearchStore") or ""
            return str(url), str(source.get("title") or url)
    return None


def _span(segment: Segment, text: str, encoded: bytes, part_starts: list[int]) -> tuple[int, int] | None:
    start, end = segment.get("startIndex", 0), segment.get("endIndex", 0)
    quoted = segment.get("text")
    part = segment.get("partIndex", 0)
    # A stream counts over the whole answer, a whole answer may count within a part: the quoted text decides.
    for base in {part_starts[part] if 0 <= part < len(part_starts) else 0: None, 0: None}:
        cut = encoded[base + start : base + end]
        if cut and (quoted is None or cut.decode(errors="replace") == quoted):
            before = len(encoded[: base + start].decode(errors="replace"))
            return before, before + len(cut.decode(errors="replace"))
    at = text.find(quoted) if quoted else -1
    return (at, at + len(quoted)) if quoted and at >= 0 else None
