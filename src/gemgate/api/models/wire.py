"""The answers of `GET /v1/models`, as in OpenAI's reference, and what more is known of a model.

Source: https://platform.openai.com/docs/api-reference/models/object
"""

from typing import Literal

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12


class Range(TypedDict):
    """Both ends belong to it; tokens."""

    min: int
    max: int


class _Always(TypedDict):
    chat: bool
    embeddings: bool
    images: bool
    audio: bool
    thinking: Literal["budget", "levels"] | None


class Capabilities(_Always, total=False):
    """What this gateway can do with a model.

    `audio` means spoken answers. `thinking` says how it is set: by a budget of tokens (`thinking_budget`) or by
    `reasoning_effort` alone (`thinking_levels`); null: it cannot be set.
    """

    thinking_budget: Range
    thinking_levels: list[str]


class _OpenAiModel(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class FactShown(TypedDict):
    """What the gateway believes of one fact about a model.

    `origin` is `table` (built in), `google` (its list of models), `setting` (GEMGATE_MODEL_FACTS) or `learned` (from
    Google's answers); `since` the day or the moment from which it holds, or on which its source was read.
    """

    value: object
    origin: Literal["table", "google", "setting", "learned"]
    since: str
    source: str


class Retirement(TypedDict):
    """The end of a model, as far as it is known: Google's own word for its stage, and its sentence about it."""

    date: str | None
    successor: str | None
    stage: str | None
    message: str | None


class Model(_OpenAiModel, total=False):
    """A model; limits are tokens. What Google does not give is left out.

    `facts` and `retirement` are there where one model is asked for.

    `alias_of` lists the models that a name of the operator's means, of which the first that can answer does; all
    else is said of the first.
    """

    display_name: str
    description: str
    context_window: int
    max_output_tokens: int
    capabilities: Capabilities
    alias_of: list[str]
    facts: dict[str, FactShown]
    retirement: Retirement


class ModelListObject(TypedDict):
    """All models, on one page."""

    object: Literal["list"]
    data: list[Model]
