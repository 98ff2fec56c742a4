"""What users write in a chat request although OpenAI's API has other words for it: read as what it means."""

from typing import Any, NamedTuple

from gemgate.api.chat.wire import ChatCompletionRequest, JsonSchema, ResponseFormat
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import GenerationConfig
from gemgate.translation.notes import Notes
from gemgate.translation.other_spellings import (
    add_choices,
    reasoning_of,
    reasoning_with,
    take_choices,
    take_google,
    take_image_config,
    take_schema,
)


class Respelled(NamedTuple):
    """A request in OpenAI's words.

    Attributes:
        request: The request; the one that came, where it has nothing to respell.
        image_config: The `imageConfig` that was asked for.
        choices: The texts of which the answer must be one.
    """

    request: ChatCompletionRequest
    image_config: dict[str, object]
    choices: list[str]


def respelled(request: ChatCompletionRequest, facts: ModelFacts, notes: Notes) -> Respelled:
    """The request in OpenAI's words; fields that say two things are noted, and OpenAI's own field counts.

    Raises:
        ApiError: 400 for a field of a wrong type.
    """
    extra, changes = dict(request.model_extra or {}), dict[str, Any]()
    if isinstance(request.reasoning_effort, dict):
        known = reasoning_with(request.reasoning or {}, "reasoning_effort", request.reasoning_effort, notes)
        changes |= {"reasoning_effort": None, "reasoning": known}
    if not extra and not changes:
        return Respelled(request, {}, [])
    if (google := take_google(extra, request.google, request.extra_body, notes)) is not None:
        changes["google"] = google
    if (thinking := extra.pop("thinking", None)) is not None:
        known = changes.get("reasoning") or request.reasoning or {}
        changes["reasoning"] = reasoning_with(known, "thinking", reasoning_of(thinking, notes), notes)
    image_config = take_image_config(extra, facts, notes)
    if extra.get("guided_json") is not None and request.response_format is None:
        schema = JsonSchema(schema=take_schema(extra))
        changes["response_format"] = ResponseFormat(type="json_schema", json_schema=schema)
    choices = take_choices(extra) if request.response_format is None and "response_format" not in changes else []
    copy = request.model_copy(update=changes)
    object.__setattr__(copy, "__pydantic_extra__", extra)
    return Respelled(copy, image_config, choices)


def add_respelled(config: GenerationConfig, words: Respelled, *, has_functions: bool, notes: Notes) -> None:
    """Put into `config` what OpenAI has no field for."""
    if words.image_config:
        config["imageConfig"] = words.image_config
    add_choices(config, words.choices, has_functions=has_functions, notes=notes)
