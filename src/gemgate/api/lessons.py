"""A request that Google has refused for what its model does not take, as the model takes it.

The refusal is recognised by Google's own words, teaches one fact about the model, and the request is translated again
with it. What the caller wrote in Google's own terms (`extra_body.google`) is never changed, and teaches nothing.
"""

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.refusal_lessons import Lesson, SentRequest, lesson_of, recognised
from gemgate.gemini.types import GenerateContentRequest
from gemgate.translation.extra_body import snake
from gemgate.translation.notes import Notes
from gemgate.translation.options import Options

MAX_LESSONS = 4
"""Refusals that one request may be adjusted to, each by another fact."""

_PARAMS = {
    "levels": "reasoning_effort",
    "thinking": "reasoning_effort",
    "budget": "reasoning_effort",
    "can_stop_thinking": "reasoning_effort",
    "candidate_count": "n",
    "logprobs": "logprobs",
    "json_with_tools": "response_format",
    "functions": "tools",
    "system_instruction": "messages",
    "prefill": "messages",
    "signatures": "messages",
    "part_resolution": "messages",
    "speech_style": "instructions",
}
_NATIVE_PARAMS = {
    "contents": "messages",
    "thoughtSignature": "messages",
    "mediaResolution": "messages",
    "responseJsonSchema": "response_format",
    "parametersJsonSchema": "tools",
    "mcpServers": "tools",
    "thinkingConfig": "reasoning_effort",
    "stopSequences": "stop",
    "maxOutputTokens": "max_tokens",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}


def may_teach(error: GeminiError) -> bool:
    """Whether a refusal says what a model does not take, as far as its words alone tell."""
    return error.status == 400 and recognised(error.message) is not None


def lesson_from(
    error: GeminiError, model: str, body: GenerateContentRequest, notes: Notes, options: Options
) -> Lesson | None:
    """What a refusal teaches about `model`; None: nothing.

    Args:
        error: The refusal.
        model: What was asked.
        body: The request as it was sent.
        notes: What is known of its translation.
        options: The catalog, and the policy.

    Raises:
        ApiError: 400 that names the parameter, under the policy `strict`: nothing is adjusted.
    """
    catalog = options.catalog
    sent = SentRequest(body, catalog.facts(model), notes.explicit, catalog.refused_values(model))
    lesson = lesson_of(error.message, sent)
    if lesson is None:
        return None
    if options.unsupported_params == "strict":
        param = _param(lesson)
        msg = f"{model.removeprefix('models/')} does not take what '{param}' asks for: {error.message}"
        raise ApiError(400, msg, param=param, code="unsupported_parameter") from error
    return lesson


def _param(lesson: Lesson) -> str:
    """OpenAI's name of the parameter that was refused."""
    known = _PARAMS.get(lesson.fact) or _NATIVE_PARAMS.get(lesson.native)
    return known or snake(lesson.native)
