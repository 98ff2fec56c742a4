"""Detects empty answers (status 200, no content). They are retried once."""

from collections.abc import Sequence

from gemgate.gemini.types import Candidate, GenerateContentResponse

_MALFORMED = "MALFORMED_FUNCTION_CALL"
_ANSWERS = frozenset({"STOP", _MALFORMED})
_TEXT = frozenset({"text", "thought"})


def empty_reason(events: Sequence[GenerateContentResponse], *, count_thoughts: bool) -> str | None:
    """`empty` or `malformed_function_call` if `events` hold no content so far and no other reason for that.

    Args:
        events: Of a stream, or one whole answer.
        count_thoughts: Whether a thought is content: in a stream it is shown before the end is known.
    """
    reason = "empty"
    for event in events:
        if (feedback := event.get("promptFeedback")) and feedback.get("blockReason"):
            return None
        for candidate in event.get("candidates") or ():
            finish = candidate.get("finishReason", "STOP")
            if finish not in _ANSWERS or _has_content(candidate, count_thoughts):
                return None
            if finish == _MALFORMED:
                reason = "malformed_function_call"
    return reason


def _has_content(candidate: Candidate, count_thoughts: bool) -> bool:
    """Whether a part holds more than an empty text. A signature is a sign that the model has finished on purpose."""
    for part in (candidate.get("content") or {}).get("parts") or ():
        if part.get("thought") and not count_thoughts:
            continue
        if part.get("text") or part.keys() - _TEXT:
            return True
    return False
