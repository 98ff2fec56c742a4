"""Answers of the Decisions API, or of a general model, as moderation results."""

from collections.abc import Mapping

import orjson

from gemgate.api.moderations.categories import CATEGORIES
from gemgate.api.moderations.inputs import ModeratedInput
from gemgate.api.moderations.request import asked_categories
from gemgate.errors import ApiError
from gemgate.gemini.decisions import DecisionResponse, block_of
from gemgate.gemini.parts import decode
from gemgate.gemini.types import GenerateContentResponse
from gemgate.translation.response_fields import FINISH_REASONS, block, no_answer

Result = dict[str, object]


def result_of_decision(response: DecisionResponse, judged: ModeratedInput, threshold: float) -> Result:
    """The result for one input from the answers to its questions.

    Raises:
        ApiError: 502 when an answer is missing though nothing was blocked.
    """
    answers = response.get("answers") or {}
    feedback = block_of(response)
    scores: dict[str, float] = {}
    for category in asked_categories(judged):
        score = (answers.get(category.id) or {}).get("noul")
        if score is not None:
            scores[category.name] = _probability(score)
        elif feedback is None:
            raise _unreadable(f"an answer to '{category.id}' is missing")
    return _result(scores, judged, threshold, {"prompt_feedback": feedback} if feedback else None)


def result_of_answer(answer: GenerateContentResponse, judged: ModeratedInput, threshold: float) -> Result:
    """The result for one input from the JSON of a general model.

    Raises:
        ApiError: 502 when it is missing or cannot be read, though nothing was blocked.
    """
    if feedback := block(answer):
        return _result({}, judged, threshold, {"prompt_feedback": feedback})
    candidate = (answer.get("candidates") or [{}])[0]
    reason = candidate.get("finishReason")
    if reason is not None and FINISH_REASONS.get(reason) == "content_filter":
        return _result({}, judged, threshold, {"finish_reason": reason})
    parts = (candidate.get("content") or {}).get("parts") or []
    text = "".join(text for is_thought, text in decode(parts, ()).texts if not is_thought).strip()
    if not text:
        raise no_answer(reason, candidate.get("finishMessage"))
    return _result(_scores(text, judged), judged, threshold, None)


def moderation(results: list[Result], *, model: str, moderation_id: str) -> dict[str, object]:
    """The answer: one result for each input."""
    return {"id": f"modr-{moderation_id}", "model": model, "results": results}


def _result(
    scores: Mapping[str, float], judged: ModeratedInput, threshold: float, blocked: dict[str, object] | None
) -> Result:
    """What Google blocks is flagged, whatever the scores are: Google gives no category for it."""
    categories = {each.name: scores.get(each.name, 0.0) >= threshold for each in CATEGORIES if scores.get(each.name)}
    applied = {each.name: [kind for kind in each.kinds if kind in judged.kinds] for each in CATEGORIES}
    return {
        "flagged": blocked is not None or any(categories.values()),
        "categories": {each.name: categories.get(each.name, False) for each in CATEGORIES},
        "category_scores": {each.name: scores.get(each.name, 0.0) for each in CATEGORIES},
        "category_applied_input_types": applied,
        **({"extra_content": {"google": blocked}} if blocked else {}),
    }


def _scores(text: str, judged: ModeratedInput) -> dict[str, float]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _unreadable("the model's answer is not JSON") from None
    if not isinstance(found, dict):
        raise _unreadable("the model's answer is not an object")
    scores = {}
    for category in asked_categories(judged):
        score = found.get(category.id)
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise _unreadable(f"'{category.id}' is not a number")
        scores[category.name] = _probability(score)
    return scores


def _probability(score: float) -> float:
    return min(1.0, max(0.0, float(score)))


def _unreadable(why: str) -> ApiError:
    msg = f"Gemini's judgement cannot be read: {why}."
    return ApiError(502, msg, type="server_error", code="upstream_malformed_response")
