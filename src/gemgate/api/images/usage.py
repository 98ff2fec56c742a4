"""Token counts of images."""

from typing import Any

from gemgate.gemini.types import ModalityTokenCount, UsageMetadata


def usage(meta: UsageMetadata) -> dict[str, Any]:
    """`usageMetadata` as OpenAI's `usage`.

    Thoughts, which are paid as output, count as text; so does whatever Google does not call an image.
    """
    asked = meta.get("promptTokenCount", 0) + meta.get("toolUsePromptTokenCount", 0)
    made = meta.get("candidatesTokenCount", 0) + meta.get("thoughtsTokenCount", 0)
    return {
        "input_tokens": asked,
        "input_tokens_details": _split(asked, meta.get("promptTokensDetails")),
        "output_tokens": made,
        "output_tokens_details": _split(made, meta.get("candidatesTokensDetails")),
        "total_tokens": meta.get("totalTokenCount", asked + made),
    }


def _split(total: int, details: list[ModalityTokenCount] | None) -> dict[str, int]:
    images = sum(item.get("tokenCount", 0) for item in details or () if item.get("modality") == "IMAGE")
    images = min(images, total)
    return {"image_tokens": images, "text_tokens": total - images}
