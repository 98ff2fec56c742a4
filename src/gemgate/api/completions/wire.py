"""The request of `POST /v1/completions`; what becomes of each field is in `PARAMETERS`.

Source: https://platform.openai.com/docs/api-reference/completions/create, and openai-python 3.54. Objects keep the
fields they do not know (`model_extra`). `null` means absent.
"""

from typing import Annotated

from pydantic import Field

from gemgate.translation.parameters import ParameterSupport, dropped, handled, mapped
from gemgate.wire import Items, Wire

MAX_CHOICES = 128
"""Texts that one request may ask for: prompts times `n`."""

DEFAULT_TOKENS = 16
"""OpenAI's `max_tokens` where the request has none."""

Prompt = Annotated[str | Items[int] | int, Field(union_mode="left_to_right")]
"""One prompt. Integers are tokens: they are read so that they can be refused with the way out."""


class TextStreamOptions(Wire):
    """Options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class TextCompletionRequest(Wire):
    """Texts that are to be continued, and how."""

    model: Annotated[str, Field(min_length=1)]
    prompt: Annotated[str | Items[Prompt] | None, Field(union_mode="left_to_right")] = None
    best_of: Annotated[int, Field(ge=1, le=20)] | None = None
    echo: bool | None = None
    extra_body: dict[str, object] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    google: dict[str, object] | None = None
    logit_bias: Annotated[dict[str, float], Field(fail_fast=True)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    max_tokens: Annotated[int, Field(ge=-1)] | None = None
    n: Annotated[int, Field(ge=1, le=8)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: int | None = None
    stop: str | Items[str] | None = None
    stream: bool | None = None
    stream_options: TextStreamOptions | None = None
    suffix: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    user: str | None = None


PARAMETERS: dict[str, ParameterSupport] = {
    "model": mapped("the model in the path; the answer repeats the name that was asked for"),
    "prompt": mapped("the user's turn, below an instruction to continue it: a call for each prompt; no token numbers"),
    "best_of": handled("above `n`: dropped; Gemini does not choose among its answers"),
    "echo": handled("the prompt before each text; a 400 with `logprobs`, because Gemini rates no prompt"),
    "extra_body": mapped("`extra_body.google`: thinking_config, safety_settings, generation_config"),
    "frequency_penalty": mapped("`frequencyPenalty`; dropped on models that refuse penalties (2.5 and later)"),
    "google": mapped("as `extra_body.google`"),
    "logit_bias": dropped("Gemini has no token biases"),
    "logprobs": mapped("`responseLogprobs`, in the old form; a 400 in streams and on models that lack it"),
    "max_tokens": mapped(
        "`maxOutputTokens`, 16 unless it is given; on models that always think with room for the thoughts, and the "
        "gateway cuts the text; `-1`: no limit"
    ),
    "n": mapped("`candidateCount`, or parallel calls on models without it; at most 8, and 128 with all prompts"),
    "presence_penalty": mapped("`presencePenalty`; dropped on models that refuse penalties (2.5 and later)"),
    "seed": mapped("`seed`, folded to 32 bits"),
    "stop": mapped("`stopSequences`; at most 5"),
    "stream": mapped("`streamGenerateContent`"),
    "stream_options": handled("`include_usage`: one last chunk with the usage"),
    "suffix": mapped("words in the user's turn, noted in `x-gemgate-adjusted`: Gemini has no tokens for a gap"),
    "temperature": mapped("`temperature`"),
    "top_p": mapped("`topP`"),
    "user": dropped("Gemini takes no identifiers of end users"),
}
