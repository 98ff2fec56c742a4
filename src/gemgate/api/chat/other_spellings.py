"""What users write in a chat request although OpenAI's API has other words for it: read as what it means."""

from typing import Any, NamedTuple

from gemgate.api.chat.wire import ChatCompletionRequest, JsonSchema, ResponseFormat
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.translation.notes import Notes
from gemgate.translation.other_spellings import (
    NO_OPTIONS,
    OwnOptions,
    reasoning_of,
    reasoning_with,
    take_choices,
    take_google,
    take_image_config,
    take_schema,
    with_changes,
)


class Respelled(NamedTuple):
    """A request in OpenAI's words.

    Attributes:
        request: The request; the one that came, where it has nothing to respell.
        own: What OpenAI's API has no field for.
    """

    request: ChatCompletionRequest
    own: OwnOptions


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
        return Respelled(request, NO_OPTIONS)
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
    return Respelled(with_changes(request, changes, extra), OwnOptions(image_config, choices))
