"""Questions as Google has them, by their places, and the answers in their order."""

from gemgate.api.decisions.inputs import words_of
from gemgate.api.decisions.wire import ChoiceQuestion, DecisionChoice, DecisionRequest, Question, ScoreQuestion
from gemgate.errors import ApiError
from gemgate.gemini.decisions import DecisionAnswer, DecisionResponse, block_of
from gemgate.translation.notes import Notes

Json = dict[str, object]


def question_id(index: int) -> str:
    """Of the question at this place: Google takes letters, digits, dashes and underscores."""
    return f"q{index}"


def questions_of(request: DecisionRequest, notes: Notes) -> dict[str, Json]:
    """The native questions.

    Raises:
        ApiError: 400 for instructions that are empty or hold an image, and for options that are there twice.
    """
    return {
        question_id(index): _question(question, f"questions[{index}]", notes)
        for index, question in enumerate(request.questions)
    }


def answers_of(request: DecisionRequest, response: DecisionResponse) -> list[Json]:
    """OpenAI's answers, in the order of the questions; a question that Google left out, or blocked, is a refusal.

    Raises:
        ApiError: 502 when there are no answers and nothing was blocked, or an answer is of another shape.
    """
    found = response.get("answers") or {}
    if not found and block_of(response) is None:
        raise _unreadable("it has no answers")
    return [_answer(question, found.get(question_id(index)), index) for index, question in enumerate(request.questions)]


def _question(question: Question, param: str, notes: Notes) -> Json:
    notes.drop_unknown(question.model_extra, "questions[].")
    words = words_of(question.instructions, f"{param}.instructions", notes)
    if isinstance(question, ChoiceQuestion):
        for choice in question.choices:
            notes.drop_unknown(choice.model_extra, "questions[].choices[].")
        ids = _option_ids(question.choices, f"{param}.choices")
        return {
            "type": "choice",
            "instructions": words,
            "criteria": {each: _description(each, choice) for each, choice in zip(ids, question.choices, strict=True)},
        }
    if isinstance(question, ScoreQuestion):
        for level in question.levels:
            notes.drop_unknown(level.model_extra, "questions[].levels[].")
        levels = [
            f"{level.label}: {level.description}" if level.description else level.label for level in question.levels
        ]
        for index, text in enumerate(levels):
            if not text.strip():
                where = f"{param}.levels[{index}].label"
                raise ApiError(400, f"'{where}' is empty.", param=where, code="invalid_value")
        return {"type": "score", "instructions": words, "criteria": levels}
    return {"type": "noul", "instructions": words}


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else "true" if value else "false"


def _option_ids(choices: list[DecisionChoice], param: str) -> list[str]:
    """Google's ids of the options: their values, unless one is empty, has blanks around it, or is of two types.

    Raises:
        ApiError: 400 for an option that is there twice.
    """
    values = [choice.value for choice in choices]
    if len({(type(value), value) for value in values}) < len(values):
        raise ApiError(400, f"'{param}' holds an option twice.", param=param, code="invalid_value")
    texts = [_text(value) for value in values]
    is_plain = len(set(texts)) == len(texts) and all(
        text == text.strip() and text.isprintable() and text for text in texts
    )
    return texts if is_plain else [f"option_{index}" for index in range(len(texts))]


def _description(option_id: str, choice: DecisionChoice) -> str:
    text, described = _text(choice.value), choice.description or ""
    if option_id == text:
        return described
    kind = "the boolean " if isinstance(choice.value, bool) else ""
    return f"{kind}{text!r}" + (f": {described}" if described else "")


def _answer(question: Question, answer: DecisionAnswer | None, index: int) -> Json:
    if answer is None:
        return {"type": "refusal", "name": question.name}
    if isinstance(question, ChoiceQuestion):
        return _chosen(question, answer, index)
    if isinstance(question, ScoreQuestion):
        return _scored(question, answer, index)
    if (noul := answer.get("noul")) is None:
        raise _unreadable(f"the answer to 'questions[{index}]' has no probability")
    return {"type": "predicate", "name": question.name, "probability": noul}


def _chosen(question: ChoiceQuestion, answer: DecisionAnswer, index: int) -> Json:
    ids = _option_ids(question.choices, "choices")
    values = dict(zip(ids, (choice.value for choice in question.choices), strict=True))
    probabilities, chosen = answer.get("probabilities") or {}, answer.get("choice")
    if chosen not in values or not probabilities.keys() <= values.keys():
        raise _unreadable(f"the answer to 'questions[{index}]' is none of its options")
    return {
        "type": "choice",
        "name": question.name,
        "choice": values[chosen],
        "confidence": answer.get("confidence", probabilities.get(chosen, 0.0)),
        "probabilities": [{"value": values[each], "probability": probabilities.get(each, 0.0)} for each in ids],
    }


def _scored(question: ScoreQuestion, answer: DecisionAnswer, index: int) -> Json:
    probabilities, score = answer.get("probabilities") or {}, answer.get("score")
    places = {str(place) for place in range(len(question.levels))}
    if score is None or not probabilities.keys() <= places:
        raise _unreadable(f"the answer to 'questions[{index}]' has no score, or levels that it does not have")
    return {
        "type": "score",
        "name": question.name,
        "score": score,
        "confidence": answer.get("confidence", max(probabilities.values(), default=0.0)),
        "probabilities": [
            {"label": level.label, "value": place, "probability": probabilities.get(str(place), 0.0)}
            for place, level in enumerate(question.levels)
        ],
    }


def _unreadable(why: str) -> ApiError:
    msg = f"Gemini's decision cannot be read: {why}."
    return ApiError(502, msg, type="server_error", code="upstream_malformed_response")
