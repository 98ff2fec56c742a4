"""The answers of `POST /v1/moderations` and `POST /v1/decisions`.

Source: openai-python 3.54, `types/moderation.py` and `types/decision.py`. What OpenAI does not have: `extra_content`.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.api.openapi.common import ExtraContent


class ModerationResult(TypedDict):
    """Of one input: by the names of the categories, whether it is of them, how likely, and by what that was judged."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[Literal["text", "image"]]]
    extra_content: NotRequired[ExtraContent]


class ModerationObject(TypedDict):
    """A result for each input."""

    id: str
    model: str
    results: list[ModerationResult]


class OptionProbability(TypedDict):
    """How likely an option is."""

    value: str | bool
    probability: float


class LevelProbability(TypedDict):
    """How likely a level is; `value` is its place, from 0."""

    label: str
    value: int
    probability: float


class DecidedAnswer(TypedDict):
    """The answer to a question, by its type; `refusal` if it has not been answered."""

    type: Literal["predicate", "choice", "score", "refusal"]
    name: str | None
    probability: NotRequired[float]
    choice: NotRequired[str | bool]
    score: NotRequired[float]
    confidence: NotRequired[float]
    probabilities: NotRequired[list[OptionProbability] | list[LevelProbability]]


class DecisionInputDetails(TypedDict):
    """Tokens of the input by kind."""

    cache_write_tokens: int
    cached_tokens: int


class DecisionOutputDetails(TypedDict):
    """Tokens of the answers by kind."""

    reasoning_tokens: int


class DecisionTokens(TypedDict):
    """Tokens."""

    input_tokens: int
    input_tokens_details: DecisionInputDetails
    output_tokens: int
    output_tokens_details: DecisionOutputDetails
    total_tokens: int


class DecisionObject(TypedDict):
    """An answer for each question, in their order."""

    answers: list[DecidedAnswer]
    model: str
    usage: DecisionTokens
    extra_content: NotRequired[ExtraContent]
