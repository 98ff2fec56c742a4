"""The answers of `POST /v1/chat/completions`.

Source: https://platform.openai.com/docs/api-reference/chat/object, and openai-python 3.54. What OpenAI does not have:
`reasoning_content`, `images`, `extra_content` and `native_finish_reason`.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.api.openapi.common import ExtraContent

FinishReason = Literal["stop", "length", "tool_calls", "function_call", "content_filter"]


class AnsweredFunction(TypedDict):
    """A call's name, and its arguments as JSON text."""

    name: str
    arguments: str


class AnsweredCustom(TypedDict):
    """The call of a custom tool."""

    name: str
    input: str


class AnsweredCall(TypedDict):
    """A tool call; `type` says whether it has `function` or `custom`."""

    id: str
    type: Literal["function", "custom"]
    function: NotRequired[AnsweredFunction]
    custom: NotRequired[AnsweredCustom]
    extra_content: NotRequired[ExtraContent]


class StreamedCall(AnsweredCall):
    """A whole tool call: Gemini sends none in pieces. `index` counts over the choice."""

    index: int


class DataUrl(TypedDict):
    """`data:image/png;base64,…`."""

    url: str


class AnsweredImage(TypedDict):
    """An image that the model drew."""

    type: Literal["image_url"]
    image_url: DataUrl
    extra_content: NotRequired[ExtraContent]


class StreamedImage(AnsweredImage):
    """A whole image; `index` counts over the choice."""

    index: int


class UrlCitation(TypedDict):
    """Where in `content` (in characters) a source is cited."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(TypedDict):
    """A citation of a source on the web."""

    type: Literal["url_citation"]
    url_citation: UrlCitation


class StreamedAnnotation(Annotation):
    """All of them are in the chunk with the finish reason."""

    index: int


class AnsweredAudio(TypedDict):
    """Speech in base64. It is not kept: `expires_at` is 0."""

    id: str
    expires_at: int
    transcript: str
    data: str


class StreamedAudio(TypedDict):
    """A piece of the speech: the first one has everything, the others more of `data`."""

    id: NotRequired[str]
    expires_at: NotRequired[int]
    transcript: NotRequired[str]
    data: str


class AnsweredMessage(TypedDict):
    """The message of a choice. `extra_content.google` has what Gemini says beside, under names of its own."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[AnsweredCall]]
    function_call: NotRequired[AnsweredFunction]
    images: NotRequired[list[AnsweredImage]]
    annotations: NotRequired[list[Annotation]]
    audio: NotRequired[AnsweredAudio]
    extra_content: NotRequired[ExtraContent]


class Delta(TypedDict):
    """What a chunk adds to the message of a choice."""

    role: NotRequired[Literal["assistant"]]
    content: NotRequired[str]
    refusal: NotRequired[str]
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[StreamedCall]]
    function_call: NotRequired[AnsweredFunction]
    images: NotRequired[list[StreamedImage]]
    annotations: NotRequired[list[StreamedAnnotation]]
    audio: NotRequired[StreamedAudio]
    extra_content: NotRequired[ExtraContent]


class TopLogprob(TypedDict):
    """A token that might have been here; `bytes` are its UTF-8."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """A token of the answer, and the likeliest in its place."""

    top_logprobs: list[TopLogprob]


class Logprobs(TypedDict):
    """Of all tokens of the choice; in a stream they are in the chunk with the finish reason."""

    content: list[TokenLogprob]
    refusal: None


class AnsweredChoice(TypedDict):
    """One answer. `native_finish_reason` is Gemini's word."""

    index: int
    message: AnsweredMessage
    logprobs: Logprobs | None
    finish_reason: FinishReason
    native_finish_reason: str | None


class StreamedChoice(TypedDict):
    """What a chunk adds to one answer; the last chunk of each has the finish reasons."""

    index: int
    delta: Delta
    logprobs: Logprobs | None
    finish_reason: FinishReason | None
    native_finish_reason: NotRequired[str | None]


class PromptTokensDetails(TypedDict):
    """Tokens of the prompt by kind, as far as Gemini says."""

    cached_tokens: int
    audio_tokens: int
    text_tokens: NotRequired[int]
    image_tokens: NotRequired[int]
    video_tokens: NotRequired[int]
    document_tokens: NotRequired[int]


class CompletionTokensDetails(TypedDict):
    """Tokens of the answer by kind, as far as Gemini says."""

    reasoning_tokens: int
    audio_tokens: int
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int
    text_tokens: NotRequired[int]
    image_tokens: NotRequired[int]


class ChatUsage(TypedDict):
    """Tokens; those of thoughts are part of `completion_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class ChatCompletion(TypedDict):
    """A whole answer. `system_fingerprint` is the version of the model."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[AnsweredChoice]
    usage: ChatUsage
    system_fingerprint: str | None
    service_tier: NotRequired[str]


class ChatCompletionChunk(TypedDict):
    """One event of a stream. With `include_usage` the last one has the usage and no choices."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[StreamedChoice]
    system_fingerprint: str | None
    service_tier: NotRequired[str]
    usage: NotRequired[ChatUsage | None]
