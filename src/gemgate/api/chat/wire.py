"""The request of `POST /v1/chat/completions`, named and optional as in OpenAI's reference.

What becomes of each field is in `PARAMETERS`.

Source: https://platform.openai.com/docs/api-reference/chat/create, and openai-python 3.54. Objects keep the fields
they do not know (`model_extra`), so that nothing a caller sent vanishes unseen. `null` means absent, as at OpenAI.

Messages and their calls, of which a request may hold hundreds, are dicts: they take half of the time of models, and a
quarter of the objects. Fields that they do not know are among their keys, and `unknown_fields` finds it.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Required

from pydantic import BeforeValidator, ConfigDict, Field, PositiveInt, with_config
from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.translation.other_spellings import absent_if_no_limit
from gemgate.translation.parameters import (
    ParameterSupport,
    dropped,
    handled,
    mapped,
)
from gemgate.wire import Content, Function, Items, Wire

_open = with_config(ConfigDict(extra="allow"))


@_open
class ToolCallFunction(TypedDict, total=False):
    """A call's name, and its arguments as JSON text."""

    name: Required[str]
    arguments: str | dict[str, object] | list[object] | None


@_open
class CustomCall(TypedDict, total=False):
    """The call of a custom tool: free text."""

    name: Required[str]
    input: str


@_open
class ToolCall(TypedDict, total=False):
    """One call in a message of the assistant."""

    id: str | None
    type: Literal["function", "custom"]
    function: ToolCallFunction | None
    custom: CustomCall | None
    index: int | None
    extra_content: dict[str, object] | None


@_open
class SystemMessage(TypedDict, total=False):
    """`system` and `developer`."""

    role: Required[Literal["system", "developer"]]
    content: Content
    name: str | None


@_open
class UserMessage(TypedDict, total=False):
    """`user`."""

    role: Required[Literal["user"]]
    content: Content
    name: str | None


@_open
class AssistantMessage(TypedDict, total=False):
    """`assistant`, with what gateways add to it and clients send back."""

    role: Required[Literal["assistant"]]
    content: Content
    refusal: str | None
    tool_calls: Items[ToolCall] | None
    function_call: ToolCallFunction | None
    name: str | None
    images: Items[dict[str, object]] | None
    extra_content: dict[str, object] | None


@_open
class ToolMessage(TypedDict, total=False):
    """`tool`: the result of one call. Clients send text, parts, and bare JSON objects."""

    role: Required[Literal["tool"]]
    tool_call_id: Required[str]
    content: Content | dict[str, object]
    name: str | None


@_open
class FunctionMessage(TypedDict, total=False):
    """`function`: the result of a legacy `function_call`, found by its name."""

    role: Required[Literal["function"]]
    name: Required[str]
    content: Content | dict[str, object]


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage, Field(discriminator="role")
]

_KNOWN_FIELDS: dict[str, frozenset[str]] = {
    "system": frozenset(SystemMessage.__annotations__),
    "developer": frozenset(SystemMessage.__annotations__),
    "user": frozenset(UserMessage.__annotations__),
    "assistant": frozenset(AssistantMessage.__annotations__),
    "tool": frozenset(ToolMessage.__annotations__),
    "function": frozenset(FunctionMessage.__annotations__),
}


def unknown_fields(message: Message) -> Mapping[str, object] | None:
    """The fields of a message that OpenAI does not know; None when there are none."""
    known = _KNOWN_FIELDS[message["role"]]
    if message.keys() <= known:
        return None
    return {name: value for name, value in message.items() if name not in known}


class ToolDefinition(Wire):
    """`function`, `custom`, or a built-in tool such as `web_search`; Google's own tools come without a type."""

    type: str | None = None
    function: Function | None = None
    custom: dict[str, object] | None = None


class JsonSchema(Wire):
    """The `json_schema` of a response format; the wire name of `schema_` is `schema`."""

    name: str | None = None
    description: str | None = None
    schema_: object = Field(default=None, alias="schema")
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
    """How speech is to be made: the voice's name, and the format."""

    voice: str | dict[str, object]
    format: str


Limit = Annotated[PositiveInt | None, BeforeValidator(absent_if_no_limit)]


class ChatCompletionRequest(Wire):
    """A conversation, and how it is to be answered."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[Items[Message], Field(min_length=1)]

    audio: Audio | None = None
    extra_body: dict[str, object] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    function_call: str | dict[str, object] | None = None
    functions: Items[Function] | None = None
    google: dict[str, object] | None = None
    logit_bias: Annotated[dict[str, float], Field(fail_fast=True)] | None = None
    logprobs: bool | None = None
    max_completion_tokens: Limit = None
    max_tokens: Limit = None
    metadata: dict[str, object] | None = None
    modalities: Items[Literal["text", "image", "audio"]] | None = None
    moderation: object = None
    n: Annotated[int, Field(ge=1, le=8)] | None = None
    parallel_tool_calls: bool | None = None
    prediction: object = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: object = None
    prompt_cache_retention: str | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | dict[str, object] | None = (
        None
    )
    reasoning: dict[str, object] | None = None
    response_format: ResponseFormat | None = None
    safety_identifier: str | None = None
    seed: int | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    stop: str | Items[str] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    tool_choice: str | dict[str, object] | None = None
    tools: Items[ToolDefinition] | None = None
    top_k: Limit = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    user: str | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    web_search_options: dict[str, object] | None = None


PARAMETERS: dict[str, ParameterSupport] = {
    "model": mapped("the model in the path; the answer repeats the name that was asked for"),
    "messages": mapped(
        "`contents` and `systemInstruction`; a `file_id` is uploaded to Google's Files API when it is first used"
    ),
    "audio": mapped(
        "`generationConfig.speechConfig`; the formats are those of `/audio/speech`: `mp3`, `opus`, `aac`, `flac`, "
        "`pcm16`, and `wav` in whole answers"
    ),
    "extra_body": mapped(
        "`extra_body.google`: thinking_config, cached_content, safety_settings, tools, tool_config, generation_config"
    ),
    "frequency_penalty": mapped("`frequencyPenalty`; dropped on models that refuse penalties (2.5 and later)"),
    "function_call": mapped("as `tool_choice`"),
    "functions": mapped("as `tools`"),
    "google": mapped("as `extra_body.google`"),
    "logit_bias": dropped("Gemini has no token biases"),
    "logprobs": mapped("`responseLogprobs`; a 400 in streams and on models that lack it"),
    "max_completion_tokens": mapped("`maxOutputTokens`; thinking counts against it"),
    "max_tokens": mapped("`maxOutputTokens`, unless max_completion_tokens is given"),
    "metadata": dropped("Gemini keeps no metadata with a completion"),
    "modalities": mapped("`responseModalities`"),
    "moderation": dropped("Gemini has safety settings instead: extra_body.google.safety_settings"),
    "n": mapped("`candidateCount`, or parallel calls on models without it; at most 8"),
    "parallel_tool_calls": handled("`false`: calls after the first are held back"),
    "prediction": dropped("Gemini has no predicted outputs"),
    "presence_penalty": mapped("`presencePenalty`; dropped on models that refuse penalties (2.5 and later)"),
    "prompt_cache_key": dropped("Gemini's implicit cache has no keys"),
    "prompt_cache_options": dropped("Gemini's implicit cache has no options; see extra_body.google.cached_content"),
    "prompt_cache_retention": dropped("Gemini's implicit cache has no retention; see extra_body.google.cached_content"),
    "reasoning": mapped("`thinkingConfig`: effort, max_tokens, exclude, summary (other gateways' spelling)"),
    "reasoning_effort": mapped("`thinkingBudget` on 2.5, `thinkingLevel` on 3 and later"),
    "response_format": mapped("`responseMimeType` and `responseJsonSchema`; a hidden function beside tools on 2.5"),
    "safety_identifier": dropped("Gemini takes no identifiers of end users"),
    "seed": mapped("`seed`, folded to 32 bits"),
    "service_tier": mapped("`serviceTier`; the answer names the tier that served it"),
    "stop": mapped("`stopSequences`; at most 5"),
    "store": mapped("`store`; `false` unless asked for"),
    "stream": mapped("`streamGenerateContent`"),
    "stream_options": handled("`include_usage`: one last chunk with the usage"),
    "temperature": mapped("`temperature`"),
    "tool_choice": mapped("`functionCallingConfig`"),
    "tools": mapped("`functionDeclarations` and built-in tools"),
    "top_k": mapped("`topK`"),
    "top_logprobs": mapped("`logprobs`"),
    "top_p": mapped("`topP`"),
    "user": dropped("Gemini takes no identifiers of end users"),
    "verbosity": dropped("Gemini has no verbosity; say it in a message"),
    "web_search_options": mapped("the tool `googleSearch`; its options are dropped"),
}

DROPPED = frozenset(name for name, support in PARAMETERS.items() if support.kind == "dropped")
