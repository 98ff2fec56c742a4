"""Missing images become an error, never an empty list.

Codes: `moderation_blocked` when a filter of Google's took the prompt or the image; `content_policy_violation` when the
model made no image by its own decision, which it may explain in text; a 502 when nothing says why.
"""

import re
from collections.abc import Sequence

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.translation.google_errors import error_in_words

_FILTERS = frozenset({
    "BLOCKLIST", "ESCALATION", "IMAGE_PROHIBITED_CONTENT", "IMAGE_SAFETY", "JAILBREAK", "MODEL_ARMOR",
    "PROHIBITED_CONTENT", "SAFETY", "SPII",
})  # fmt: skip
_DECISIONS = frozenset({"IMAGE_OTHER", "IMAGE_RECITATION", "LANGUAGE", "NO_IMAGE", "RECITATION"})

_MAX_TEXT = 1000
_RESPONSIBLE_AI = re.compile(r"responsible ai|usage guidelines", re.IGNORECASE)

# A native field's name in OpenAI's words, where chat has another word for it than images have.
_PARAMS = {"messages": "prompt", "modalities": "model"}


def blocked(reason: str, message: str | None = None) -> ApiError:
    """The error for a prompt that was not let through."""
    return _refused("moderation_blocked", reason, f"Google blocked the prompt ({reason}).", message)


def filtered(reasons: Sequence[str]) -> ApiError:
    """The error for images of Imagen that were all filtered; without a reason the error has none either."""
    reason_given = " ".join(reasons) or "It gave no reason."
    return _refused("moderation_blocked", "RAI_FILTERED", "Google filtered all images (RAI_FILTERED).", reason_given)


def no_image(reason: str | None, message: str | None, text: str) -> ApiError:
    """The error for an answer without an image.

    Args:
        reason: The native finish reason.
        message: What Google says about it.
        text: What the model said in place of an image.
    """
    said = " ".join(part for part in (message, f"The model said: {text[:_MAX_TEXT]}" if text else "") if part)
    if reason in _FILTERS:
        return _refused("moderation_blocked", reason, f"Google blocked the image ({reason}).", said)
    if reason in _DECISIONS or text:
        reason = reason or "NO_IMAGE"
        return _refused("content_policy_violation", reason, f"Gemini made no image ({reason}).", said)
    shown = f"Gemini gave no image ({reason or 'no reason'})." + (f" {said}" if said else "")
    return ApiError(502, shown, type="server_error", code="upstream_no_answer")


def image_error(error: GeminiError, *, is_imagen: bool) -> ApiError:
    """Google's error for the caller who asked for an image.

    Args:
        error: Google's.
        is_imagen: Whether `predict` was called, whose models Google has taken out of service.
    """
    failure = error_in_words(error, _PARAMS)
    failure.__cause__ = error
    if failure.status == 400 and failure.code is None and _RESPONSIBLE_AI.search(error.message):
        failure.code = "moderation_blocked"
    if is_imagen and failure.code == "model_not_found":
        failure.message += (
            " (Google has switched Imagen off in the Gemini API: use one of Gemini's image models, "
            "such as gemini-3.1-flash-image.)"
        )
    return failure


def _refused(code: str, reason: str | None, head: str, more: str | None) -> ApiError:
    message = head + (f" {more}" if more else "")
    return ApiError(400, message, param="prompt", code=code, google={"status": reason, "details": []})
