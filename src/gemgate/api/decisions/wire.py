"""The request of `POST /v1/decisions`; what becomes of each field is in `PARAMETERS`.

Source: openai-python 3.54, `types/decision_create_params.py`. Objects keep the fields they do not know
(`model_extra`). `null` means absent.
"""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr

from gemgate.gemini.decisions import MAX_OPTIONS, MODEL
from gemgate.translation.parameters import ParameterSupport, dropped, mapped
from gemgate.wire import Items, Wire

MAX_QUESTIONS = 400
"""Of one request, as at OpenAI; Google takes more."""

OPENAI_MODELS = {"gpt-6-luna": MODEL}
"""OpenAI's models, and Gemini's that answer to their names unless the operator's table says otherwise."""


class DecisionText(Wire):
    """`{"type": "input_text"}`, or `output_text` of the assistant."""

    type: Literal["input_text", "output_text"]
    text: str


class DecisionImage(Wire):
    """An image by URL, or as a data URL."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["low", "high", "auto", "original"] | None = None


class DecisionJson(Wire):
    """An object, or a list of objects, that is read as text."""

    type: Literal["input_json"]
    data: list[dict[str, object]] | dict[str, object]


class DecisionRefused(Wire):
    """A refusal of the assistant."""

    type: Literal["refusal"]
    refusal: str


DecisionPart = Annotated[DecisionText | DecisionImage | DecisionJson | DecisionRefused, Field(discriminator="type")]
Parts = Annotated[str | Items[DecisionPart], Field(union_mode="left_to_right")]


class DecisionItem(Wire):
    """A message, the call of a tool, or its output."""

    type: Literal["message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"] = (
        "message"
    )
    role: Literal["user", "developer", "system", "assistant"] | None = None
    content: Parts | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: Parts | None = None
    id: str | None = None
    namespace: str | None = None
    phase: str | None = None
    status: str | None = None


class QuestionBase(Wire):
    """What all questions have."""

    instructions: Parts
    name: str | None = None


class PredicateQuestion(QuestionBase):
    """Whether a statement is true."""

    type: Literal["predicate"]


class DecisionChoice(Wire):
    """One option: a string and a boolean of the same text are two."""

    value: StrictStr | StrictBool
    description: str | None = None


class ChoiceQuestion(QuestionBase):
    """Which of several options it is."""

    type: Literal["choice"]
    choices: Annotated[Items[DecisionChoice], Field(min_length=2, max_length=MAX_OPTIONS)]


class DecisionLevel(Wire):
    """One level."""

    label: str
    description: str | None = None


class ScoreQuestion(QuestionBase):
    """Which of several levels, in their order, it is."""

    type: Literal["score"]
    levels: Annotated[Items[DecisionLevel], Field(min_length=2, max_length=10)]


Question = Annotated[PredicateQuestion | ChoiceQuestion | ScoreQuestion, Field(discriminator="type")]


class DecisionRequest(Wire):
    """An input, and questions about it."""

    model: Annotated[str, Field(min_length=1)]
    input: Annotated[str | Items[DecisionItem], Field(union_mode="left_to_right")]
    questions: Annotated[Items[Question], Field(min_length=1, max_length=MAX_QUESTIONS)]
    prompt_cache_key: str | None = None
    prompt_cache_options: object = None
    safety_identifier: str | None = None


PARAMETERS: dict[str, ParameterSupport] = {
    "model": mapped("`model`; OpenAI's name of its model is answered by `gemini-decision-1` (see above)"),
    "input": mapped("`input`: messages, calls and outputs become text with the roles before it; images stay images"),
    "questions": mapped("`questions`, by their places: `predicate` is `noul`, `choice` and `score` are themselves"),
    "prompt_cache_key": dropped("Gemini's implicit cache has no keys"),
    "prompt_cache_options": dropped("Gemini's implicit cache has no options"),
    "safety_identifier": dropped("Gemini takes no identifiers of end users"),
}

DROPPED = tuple(name for name, support in PARAMETERS.items() if support.kind == "dropped")
