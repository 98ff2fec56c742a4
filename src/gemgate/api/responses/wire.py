"""The request of `POST /v1/responses`, named and optional as in OpenAI's reference.

What becomes of each field is in `PARAMETERS`.

Source: https://platform.openai.com/docs/api-reference/responses/create, and openai-python 3.57. Objects keep the fields
they do not know (`model_extra`), so that nothing a caller sent vanishes unseen. `null` means absent, as at OpenAI.

Items, tools and formats are dicts: they have more than forty kinds, clients add fields of their own to them, and
each is read where it is translated.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt, StringConstraints

from gemgate.translation.other_spellings import absent_if_no_limit
from gemgate.translation.parameters import ParameterSupport, dropped, handled, mapped, rejected
from gemgate.wire import Items, Wire

Json = dict[str, Any]
"""An object of this API as it is sent or kept: an item, a tool, a response."""

MAX_METADATA = 16
"""Pairs of `metadata`; a key has at most 64 characters, a value 512, as at OpenAI."""

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
MetadataKey = Annotated[str, StringConstraints(max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]


class Reasoning(Wire):
    """How much is thought, and how much of it is shown."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: str | None = None
    mode: str | None = None


class TextFormat(Wire):
    """`text`, `json_object` or `json_schema`, here itself, and not in an object of its own."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema_: object = Field(default=None, alias="schema")
    strict: bool | None = None
    description: str | None = None


class TextOptions(Wire):
    """What the text of the answer is to be."""

    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ResponseStreamOptions(Wire):
    """Options of a stream."""

    include_obfuscation: bool | None = None


class ConversationRef(Wire):
    """A conversation by its id."""

    id: str


class ResponseRequest(Wire):
    """What came before, what is new, and how it is to be answered."""

    model: Annotated[str, Field(min_length=1)]
    input: str | Items[dict[str, object]] | None = None

    access_programs: object = None
    background: bool | None = None
    background_options: object = None
    client_metadata: object = None
    context_management: object = None
    conversation: str | ConversationRef | None = None
    extra_body: dict[str, object] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    generate: bool | None = None
    google: dict[str, object] | None = None
    image: object = None
    include: Items[str] | None = None
    instructions: str | None = None
    max_output_tokens: Annotated[PositiveInt | None, BeforeValidator(absent_if_no_limit)] = None
    max_tool_calls: PositiveInt | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=MAX_METADATA)] | None = None
    moderation: object = None
    parallel_tool_calls: bool | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    previous_response_id: str | None = None
    prompt: object = None
    prompt_cache_key: str | None = None
    prompt_cache_options: object = None
    prompt_cache_retention: str | None = None
    reasoning: Reasoning | None = None
    safety_identifier: str | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    text: TextOptions | None = None
    tool_choice: str | dict[str, object] | None = None
    tools: Items[dict[str, object]] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: str | None = None

    @property
    def conversation_id(self) -> str | None:
        """The id of the conversation that it belongs to."""
        given = self.conversation
        return given.id if isinstance(given, ConversationRef) else given


PARAMETERS: dict[str, ParameterSupport] = {
    "model": mapped("the model in the path; the answer repeats the name that was asked for"),
    "input": mapped("`contents`, and `systemInstruction` for the system and developer messages at its start"),
    "access_programs": dropped("Gemini has no programs of access"),
    "background": handled("answered at once, and generated beside the caller; see [background](#background)"),
    "background_options": dropped("Gemini has no windows of completion"),
    "client_metadata": handled("taken, and used for nothing"),
    "context_management": handled(
        "`compaction`: a conversation above its threshold is compacted before it is answered"
    ),
    "conversation": handled("its items come before the input; input and output are added to it"),
    "extra_body": mapped("`extra_body.google`: thinking_config, cached_content, safety_settings, generation_config"),
    "frequency_penalty": mapped("`frequencyPenalty`; dropped on models that refuse penalties (2.5 and later)"),
    "generate": handled(
        "`false`: nothing is generated, and the response, which is empty, holds the input to go on from"
    ),
    "google": mapped("as `extra_body.google`"),
    "image": dropped("Gemini has no compression of context"),
    "include": handled("sources of searches, results of file searches, outputs of code, log probabilities"),
    "instructions": mapped("the first part of `systemInstruction`"),
    "max_output_tokens": mapped("`maxOutputTokens`; thinking counts against it"),
    "max_tool_calls": dropped("Gemini does not limit its built-in calls"),
    "metadata": handled("repeated in the response"),
    "moderation": dropped("Gemini has safety settings instead: extra_body.google.safety_settings"),
    "parallel_tool_calls": handled("`false`: calls after the first are held back"),
    "presence_penalty": mapped("`presencePenalty`; dropped on models that refuse penalties (2.5 and later)"),
    "previous_response_id": handled("what was said up to that response comes before the input"),
    "prompt": rejected("templates of prompts are kept at OpenAI"),
    "prompt_cache_key": handled("repeated in the response; Gemini's implicit cache has no keys"),
    "prompt_cache_options": dropped("Gemini's implicit cache has no options; see extra_body.google.cached_content"),
    "prompt_cache_retention": dropped("Gemini's implicit cache has no retention; see extra_body.google.cached_content"),
    "reasoning": mapped("`thinkingConfig`: `effort` sets the budget or the level, `summary` asks for the thoughts"),
    "safety_identifier": handled("repeated in the response; Gemini takes no identifiers of end users"),
    "service_tier": mapped("`serviceTier`; the answer names the tier that served it"),
    "store": handled("kept for 30 days unless it is `false`; see [state](#state)"),
    "stream": mapped("`streamGenerateContent`"),
    "stream_options": handled("`include_obfuscation` changes nothing: events are never padded"),
    "temperature": mapped("`temperature`"),
    "text": mapped("`format`: `responseMimeType` and `responseJsonSchema`, a hidden function beside tools on 2.5"),
    "tool_choice": mapped("`functionCallingConfig`"),
    "tools": mapped("`functionDeclarations` and built-in tools"),
    "top_logprobs": mapped("`logprobs`, with `message.output_text.logprobs` in `include`; dropped in streams"),
    "top_p": mapped("`topP`"),
    "truncation": handled("`auto`: what is too long is sent again without its oldest turns"),
    "user": handled("repeated in the response; Gemini takes no identifiers of end users"),
}

DROPPED = frozenset(name for name, support in PARAMETERS.items() if support.kind == "dropped")
