"""The request of `POST /v1/chat/completions`, named and optional as in OpenAI's reference.

What becomes of each field is in `fates.FATES`.

Source: https://platform.openai.com/docs/api-reference/chat/create, and openai-python 3.54. Objects keep the fields
they do not know (`model_extra`), so that nothing a caller sent vanishes unseen. `null` means absent, as at OpenAI.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from gemgate.wire import Content, Items, Wire


class FunctionCall(Wire):
    """A call's name, and its arguments as JSON text."""

    name: str
    arguments: str | dict[str, Any] | None = None


class CustomCall(Wire):
    """The call of a custom tool: free text."""

    name: str
    input: str = ""


class ToolCall(Wire):
    """One call in a message of the assistant."""

    id: str | None = None
    type: Literal["function", "custom"] = "function"
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    index: int | None = None
    extra_content: dict[str, Any] | None = None


class SystemMessage(Wire):
    """`system` and `developer`."""

    role: Literal["system", "developer"]
    content: Content = None
    name: str | None = None


class UserMessage(Wire):
    """`user`."""

    role: Literal["user"]
    content: Content = None
    name: str | None = None


class AssistantMessage(Wire):
    """`assistant`, with what gateways add to it and clients send back."""

    role: Literal["assistant"]
    content: Content = None
    refusal: str | None = None
    tool_calls: Items[ToolCall] | None = None
    function_call: FunctionCall | None = None
    name: str | None = None
    images: Items[dict[str, Any]] | None = None
    extra_content: dict[str, Any] | None = None


class ToolMessage(Wire):
    """`tool`: the result of one call. Clients send text, parts, and bare JSON objects."""

    role: Literal["tool"]
    tool_call_id: str
    content: Content | dict[str, Any] = None
    name: str | None = None


class FunctionMessage(Wire):
    """`function`: the result of a legacy `function_call`, found by its name."""

    role: Literal["function"]
    name: str
    content: Content | dict[str, Any] = None


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage, Field(discriminator="role")
]


class Function(Wire):
    """What a function is called, does and takes."""

    name: str
    description: str | None = None
    parameters: Any = None
    strict: bool | None = None


class ToolDefinition(Wire):
    """`function`, `custom`, or a built-in tool such as `web_search`."""

    type: str
    function: Function | None = None
    custom: dict[str, Any] | None = None


class JsonSchema(Wire):
    """The `json_schema` of a response format; the wire name of `schema_` is `schema`."""

    name: str | None = None
    description: str | None = None
    schema_: Any = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Wire):
    """`text`, `json_object` or `json_schema`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Wire):
    """Options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Audio(Wire):
    """How speech is to be made: the voice's name, and `wav` or `pcm16`."""

    voice: str | dict[str, Any]
    format: str


class ChatCompletionRequest(Wire):
    """A conversation, and how it is to be answered."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[Items[Message], Field(min_length=1)]

    audio: Audio | None = None
    extra_body: dict[str, Any] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    function_call: str | dict[str, Any] | None = None
    functions: Items[Function] | None = None
    google: dict[str, Any] | None = None
    logit_bias: Annotated[dict[str, float], Field(fail_fast=True)] | None = None
    logprobs: bool | None = None
    max_completion_tokens: PositiveInt | None = None
    max_tokens: PositiveInt | None = None
    metadata: dict[str, Any] | None = None
    modalities: Items[Literal["text", "image", "audio"]] | None = None
    moderation: Any = None
    n: Annotated[int, Field(ge=1, le=8)] | None = None
    parallel_tool_calls: bool | None = None
    prediction: Any = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: str | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    reasoning: dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    safety_identifier: str | None = None
    seed: int | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    stop: str | Items[str] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: Items[ToolDefinition] | None = None
    top_k: PositiveInt | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    user: str | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    web_search_options: dict[str, Any] | None = None
