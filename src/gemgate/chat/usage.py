"""Token counts."""

from typing import Any

from gemgate.gemini.types import ModalityTokenCount, UsageMetadata


def usage(meta: UsageMetadata) -> dict[str, Any]:
    """`usageMetadata` as OpenAI's `usage`.

    completion = candidates + thoughts, prompt = prompt + tool use, cached is part of prompt: so the sums of 2,316
    recorded usages come out. What Gemini leaves out is 0, or what the total leaves for it.
    """
    tool_use = meta.get("toolUsePromptTokenCount") or 0
    thoughts = meta.get("thoughtsTokenCount") or 0
    total = meta.get("totalTokenCount")
    prompt = meta.get("promptTokenCount")
    candidates = meta.get("candidatesTokenCount")
    if prompt is None:
        prompt = max(0, (total or 0) - tool_use - thoughts - (candidates or 0))
    if candidates is None:
        candidates = max(0, (total or 0) - prompt - tool_use - thoughts)
    asked = prompt + tool_use
    answered = candidates + thoughts
    inputs = _by_modality(meta.get("promptTokensDetails"))
    outputs = _by_modality(meta.get("candidatesTokensDetails"))
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": total if total is not None else asked + answered,
        "prompt_tokens_details": {
            "cached_tokens": meta.get("cachedContentTokenCount") or 0,
            "audio_tokens": inputs.get("AUDIO", 0),
            **_named(inputs, "prompt"),
        },
        "completion_tokens_details": {
            "reasoning_tokens": thoughts,
            "audio_tokens": outputs.get("AUDIO", 0),
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
            **_named(outputs, "completion"),
        },
    }


def add(first: UsageMetadata, second: UsageMetadata) -> UsageMetadata:
    """The usage of two calls that answer one request: every count is paid, so every count is summed."""
    total: dict[str, Any] = dict(first)
    for name, value in second.items():
        if isinstance(value, int):
            total[name] = (total.get(name) or 0) + value
        elif isinstance(value, list):
            total[name] = [*(total.get(name) or ()), *value]
        else:
            total.setdefault(name, value)
    return total  # type: ignore[return-value]  # the same names


def service_tier(meta: UsageMetadata) -> str | None:
    """The tier that served the request, in OpenAI's words; None when Google does not say."""
    tier = meta.get("serviceTier")
    return "default" if tier == "standard" else tier


def _by_modality(details: list[ModalityTokenCount] | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for detail in details or []:
        modality = detail.get("modality", "")
        counts[modality] = counts.get(modality, 0) + detail.get("tokenCount", 0)
    return counts


def _named(counts: dict[str, int], side: str) -> dict[str, int]:
    wanted = ("TEXT", "IMAGE", "VIDEO", "DOCUMENT") if side == "prompt" else ("TEXT", "IMAGE")
    return {f"{modality.lower()}_tokens": counts[modality] for modality in wanted if modality in counts}
