"""What becomes of each parameter: the one table behind the code, the tests and the compatibility page."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Fate:
    """The fate of a parameter.

    Attributes:
        kind: `mapped` to a native field, `answered` by the gateway itself, or `dropped` (named in a header).
        text: Where it goes, or why it cannot.
    """

    kind: Literal["mapped", "answered", "dropped"]
    text: str


def _mapped(text: str) -> Fate:
    return Fate("mapped", text)


def _answered(text: str) -> Fate:
    return Fate("answered", text)


def _dropped(text: str) -> Fate:
    return Fate("dropped", text)


FATES: dict[str, Fate] = {
    "model": _mapped("the model in the path; the answer repeats the name that was asked for"),
    "messages": _mapped("`contents` and `systemInstruction`"),
    "audio": _mapped("`generationConfig.speechConfig`; the answer is `wav` or `pcm16`"),
    "extra_body": _mapped(
        "`extra_body.google`: thinking_config, cached_content, safety_settings, tools, tool_config, generation_config"
    ),
    "frequency_penalty": _mapped("`frequencyPenalty`; dropped on models that refuse penalties (2.5 and later)"),
    "function_call": _mapped("as `tool_choice`"),
    "functions": _mapped("as `tools`"),
    "google": _mapped("as `extra_body.google`"),
    "logit_bias": _dropped("Gemini has no token biases"),
    "logprobs": _mapped("`responseLogprobs`; a 400 in streams and on models that lack it"),
    "max_completion_tokens": _mapped("`maxOutputTokens`; thinking counts against it"),
    "max_tokens": _mapped("`maxOutputTokens`, unless max_completion_tokens is given"),
    "metadata": _dropped("Gemini keeps no metadata with a completion"),
    "modalities": _mapped("`responseModalities`"),
    "moderation": _dropped("Gemini has safety settings instead: extra_body.google.safety_settings"),
    "n": _mapped("`candidateCount`, or parallel calls on models without it; at most 8"),
    "parallel_tool_calls": _answered("`false`: calls after the first are held back"),
    "prediction": _dropped("Gemini has no predicted outputs"),
    "presence_penalty": _mapped("`presencePenalty`; dropped on models that refuse penalties (2.5 and later)"),
    "prompt_cache_key": _dropped("Gemini's implicit cache has no keys"),
    "prompt_cache_options": _dropped("Gemini's implicit cache has no options; see extra_body.google.cached_content"),
    "prompt_cache_retention": _dropped(
        "Gemini's implicit cache has no retention; see extra_body.google.cached_content"
    ),
    "reasoning": _mapped("`thinkingConfig`: effort, max_tokens, exclude, summary (other gateways' spelling)"),
    "reasoning_effort": _mapped("`thinkingBudget` on 2.5, `thinkingLevel` on 3 and later"),
    "response_format": _mapped("`responseMimeType` and `responseJsonSchema`; a hidden function beside tools on 2.5"),
    "safety_identifier": _dropped("Gemini takes no identifiers of end users"),
    "seed": _mapped("`seed`, folded to 32 bits"),
    "service_tier": _mapped("`serviceTier`; the answer tells the tier that served it"),
    "stop": _mapped("`stopSequences`; at most 5"),
    "store": _mapped("`store`; `false` unless asked for"),
    "stream": _mapped("`streamGenerateContent`"),
    "stream_options": _answered("`include_usage`: one last chunk with the usage"),
    "temperature": _mapped("`temperature`"),
    "tool_choice": _mapped("`functionCallingConfig`"),
    "tools": _mapped("`functionDeclarations` and built-in tools"),
    "top_k": _mapped("`topK`"),
    "top_logprobs": _mapped("`logprobs`"),
    "top_p": _mapped("`topP`"),
    "user": _dropped("Gemini takes no identifiers of end users"),
    "verbosity": _dropped("Gemini has no verbosity; say it in a message"),
    "web_search_options": _mapped("the tool `googleSearch`; its options are dropped"),
}

DROPPED = frozenset(name for name, fate in FATES.items() if fate.kind == "dropped")
