"""What becomes of each parameter: the one table behind the code, the tests and the documentation."""

from gemgate.translation.parameters import (
    ParameterSupport,
    dropped,
    handled,
    mapped,
)

PARAMETERS: dict[str, ParameterSupport] = {
    "model": mapped("the model in the path; the answer repeats the name that was asked for"),
    "messages": mapped(
        "`contents` and `systemInstruction`; a `file_id` is uploaded to Google's Files API when it is first used"
    ),
    "audio": mapped("`generationConfig.speechConfig`; the answer is `wav` or `pcm16`"),
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
