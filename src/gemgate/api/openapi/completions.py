"""The answers of `POST /v1/completions`.

Source: https://platform.openai.com/docs/api-reference/completions/object, and openai-python 3.54. What OpenAI does not
have: `extra_content`, `native_finish_reason` and `service_tier`.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.api.openapi.chat import ChatUsage
from gemgate.api.openapi.common import ExtraContent


class TextLogprobs(TypedDict):
    """Of each token: its text, its log probability, the likeliest in its place, and where in the text it begins."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class TextChoice(TypedDict):
    """One text, or a piece of it in a stream, whose last piece has the finish reasons."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length", "content_filter"] | None
    native_finish_reason: NotRequired[str | None]
    extra_content: NotRequired[ExtraContent]


class TextCompletion(TypedDict):
    """The texts, or one event of a stream. With `include_usage` the last one has the usage and no choices."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    system_fingerprint: str | None
    service_tier: NotRequired[str]
    usage: NotRequired[ChatUsage | None]
