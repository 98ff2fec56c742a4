"""Answers in which nothing is answered, though Google calls them good. Another attempt mostly goes better."""

from collections.abc import Sequence

from gemgate.gemini.types import Candidate, GenerateContentResponse, Part

_MALFORMED = "MALFORMED_FUNCTION_CALL"


def void_reason(events: Sequence[GenerateContentResponse], *, count_thoughts: bool) -> str | None:
    """`empty` or `malformed_function_call` if `events` hold no content so far and no other reason for that.

    Args:
        events: Of a stream, or one whole answer.
        count_thoughts: Whether a thought is content: in a stream it is shown before the end is known.
    """
    reason = "empty"
    for event in events:
        if (event.get("promptFeedback") or {}).get("blockReason"):
            return None
        for candidate in event.get("candidates") or ():
            finish = candidate.get("finishReason", "STOP")
            if finish not in ("STOP", _MALFORMED) or _has_content(candidate, count_thoughts):
                return None
            if finish == _MALFORMED:
                reason = "malformed_function_call"
    return reason


def _has_content(candidate: Candidate, count_thoughts: bool) -> bool:
    parts = (candidate.get("content") or {}).get("parts") or ()
    return any(_is_content(part) and (count_thoughts or not part.get("thought")) for part in parts)


def _is_content(part: Part) -> bool:
    """Whether a part holds more than an empty text. A signature is a sign that the model has finished on purpose."""
    return bool(part.get("text")) or bool(part.keys() - {"text", "thought"})
