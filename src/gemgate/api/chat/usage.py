"""Token counts."""

from typing import Any

from gemgate.gemini.types import UsageMetadata
from gemgate.gemini.usage import by_modality, counts


def usage(meta: UsageMetadata) -> dict[str, Any]:
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
    return "default" if tier == "standard" else tier


def _named(counts: dict[str, int], side: str) -> dict[str, int]:
    wanted = ("TEXT", "IMAGE", "VIDEO", "DOCUMENT") if side == "prompt" else ("TEXT", "IMAGE")
    return {f"{modality.lower()}_tokens": counts[modality] for modality in wanted if modality in counts}
