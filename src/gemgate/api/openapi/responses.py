"""The answers of `POST /v1/responses`.

Source: https://platform.openai.com/docs/api-reference/responses/object, /responses-streaming, and openai-python 3.57.
Items have more than twenty kinds, which OpenAI's reference describes; here they are objects with a type.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.api.openapi.common import Json


class InputTokens(TypedDict):
    """What the prompt's tokens are."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokens(TypedDict):
    """What the answer's tokens are."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """Tokens; those of thoughts count as output."""

    input_tokens: int
    input_tokens_details: InputTokens
    output_tokens: int
    output_tokens_details: OutputTokens
    total_tokens: int


class ResponseFailure(TypedDict):
    """Why a response has failed."""

    code: str
    message: str
    type: str
    param: str | None


class IncompleteDetails(TypedDict):
    """Why a response is incomplete."""

    reason: Literal["max_output_tokens", "content_filter"]


class ShownReasoning(TypedDict):
    """How much was to be thought and shown."""

    effort: str | None
    summary: str | None


class ConversationObject(TypedDict):
    """A conversation."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, str]


class DeletedConversation(TypedDict):
    """The answer to the deletion of a conversation."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: bool


class ConversationLink(TypedDict):
    """The conversation that a response belongs to."""

    id: str


class ResponseObject(TypedDict):
    """A response, with what it repeats of its request."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete", "failed", "in_progress", "queued", "cancelled"]
    background: bool
    conversation: NotRequired[ConversationLink]
    completed_at: int | None
    error: ResponseFailure | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    output: list[Json]
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    reasoning: ShownReasoning
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float
    text: Json
    tool_choice: str | Json
    tools: list[Json]
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None
    user: str | None
    metadata: dict[str, str]
    presence_penalty: float
    frequency_penalty: float


class DeletedResponse(TypedDict):
    """The answer to the deletion of a response."""

    id: str
    object: Literal["response"]
    deleted: bool


class ItemList(TypedDict):
    """A page of items."""

    object: Literal["list"]
    data: list[Json]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ResponseEvent(TypedDict):
    """An event of a stream: its type, its number, and the fields of that type."""

    type: str
    sequence_number: int
    response: NotRequired[ResponseObject]
    output_index: NotRequired[int]
    content_index: NotRequired[int]
    summary_index: NotRequired[int]
    annotation_index: NotRequired[int]
    item_id: NotRequired[str]
    item: NotRequired[Json]
    part: NotRequired[Json]
    annotation: NotRequired[Json]
    delta: NotRequired[str]
    text: NotRequired[str]
    arguments: NotRequired[str]
    input: NotRequired[str]
    code: NotRequired[str | None]
    logprobs: NotRequired[list[Json]]
    message: NotRequired[str]
    param: NotRequired[str | None]
    error: NotRequired[Json]


class InputTokenCount(TypedDict):
    """What a request would have Gemini read."""

    object: Literal["response.input_tokens"]
    input_tokens: int


class CompactedConversation(TypedDict):
    """The messages of the user, and an item with a summary of everything that was said."""

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[Json]
    usage: ResponseUsage
