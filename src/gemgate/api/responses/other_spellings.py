"""What users write in a request of the Responses API although it has other words for it: read as what it means."""

from typing import Any, NamedTuple

from pydantic import ValidationError

from gemgate.api.responses.wire import Reasoning, ResponseRequest, TextFormat, TextOptions
from gemgate.gemini.model_facts import ModelFacts
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
from gemgate.translation.validation import from_validation

SCHEMA_NAME = "answer"
"""The name of a schema that came without one; Gemini is not sent it."""


class RespelledRequest(NamedTuple):
    """A request in the words of the Responses API.

    Attributes:
        request: The request; None for the one that came.
        own: What OpenAI's API has no field for.
    """

    request: ResponseRequest | None
    own: OwnOptions


AS_WRITTEN = RespelledRequest(None, NO_OPTIONS)
"""A request with nothing to respell."""


def respelled(request: ResponseRequest, facts: ModelFacts, notes: Notes) -> RespelledRequest:
    """The request in the words of the API; its own field counts where two say something, and it is noted.

    Raises:
        ApiError: 400 for a field of a wrong type.
    """
    extra, changes = dict(request.model_extra or {}), dict[str, Any]()
    if (google := take_google(extra, request.google, request.extra_body, notes)) is not None:
        changes["google"] = google
    if reasoning := _reasoning(extra, request.reasoning, notes):
        changes["reasoning"] = reasoning
    has_format = request.text is not None and request.text.format is not None
    if extra.get("guided_json") is not None and not has_format:
        wanted = TextFormat(type="json_schema", name=SCHEMA_NAME, schema=take_schema(extra))
        text = request.text or TextOptions()
        changes["text"] = text.model_copy(update={"format": wanted})
    image_config = take_image_config(extra, facts, notes)
    choices = take_choices(extra) if not has_format and "text" not in changes else []
    return RespelledRequest(with_changes(request, changes, extra), OwnOptions(image_config, choices))


def _reasoning(extra: dict[str, object], known: Reasoning | None, notes: Notes) -> Reasoning | None:
    """`reasoning` with what chat's `reasoning_effort` and Anthropic's `thinking` say, if there is one of them."""
    own: dict[str, Any] = known.model_dump(exclude_none=True) if known is not None else {}
    found = own
    if (thinking := extra.pop("thinking", None)) is not None:
        found = reasoning_with(found, "thinking", reasoning_of(thinking, notes), notes)
    if (effort := extra.pop("reasoning_effort", None)) is not None:
        more = effort if isinstance(effort, dict) else {"effort": effort}
        found = reasoning_with(found, "reasoning_effort", more, notes)
    if found is own:
        return None
    try:
        return ResponseRequest.model_validate({"model": "-", "reasoning": found}).reasoning
    except ValidationError as error:
        raise from_validation(error) from error
