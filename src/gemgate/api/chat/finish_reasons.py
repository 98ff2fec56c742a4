"""Why Gemini stopped, in OpenAI's five words."""

from gemgate.errors import ApiError
from gemgate.gemini.types import GenerateContentResponse, PromptFeedback

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

_BROKEN = {
    "MALFORMED_FUNCTION_CALL": "the model wrote a function call that cannot be read",
    "UNEXPECTED_TOOL_CALL": "the model called a function that was not declared",
    "TOO_MANY_TOOL_CALLS": "the model made too many tool calls in a row",
    "MISSING_THOUGHT_SIGNATURE": "a thought signature was missing in the conversation",
    "MALFORMED_RESPONSE": "the model's answer could not be read",
}


def refusal(reason: str, message: str | None = None) -> str:
    """Words for an answer or a prompt that was blocked; `reason` is the native one."""
    return f"Gemini blocked this ({reason})." + (f" {message}" if message else "")


def broken(reason: str | None, *, is_empty: bool, message: str | None) -> ApiError | None:
    """The error behind a native finish reason, or None when the answer can be given.

    A reason that is neither known nor a filter's (OTHER, NO_IMAGE, a new one, none) is an error only when nothing came
    with it.
    """
    if reason in _BROKEN:
        detail = message or _BROKEN[reason]
        return ApiError(
            502,
            f"Gemini broke off ({reason}): {detail}. Sending the request again often helps.",
            type="server_error",
            code=f"upstream_{reason.lower()}",
        )
    if reason not in FINISH_REASONS and is_empty:
        return no_answer(reason, message)
    return None


def no_answer(reason: str | None = None, message: str | None = None) -> ApiError:
    """The error for an answer with nothing in it."""
    text = "Gemini gave no answer" + (f" ({reason})." if reason else ".") + (f" {message}" if message else "")
    return ApiError(502, text, type="server_error", code="upstream_no_answer")


def block(answer: GenerateContentResponse) -> PromptFeedback | None:
    """The feedback on a prompt that was blocked; None for feedback that only rates it."""
    feedback = answer.get("promptFeedback") or {}
    return feedback if feedback.get("blockReason") or feedback.get("blockReasonMessage") else None
