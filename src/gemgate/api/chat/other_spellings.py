"""What users write in a chat request although OpenAI's API has other words for it: read as what it means."""

from typing import Any, NamedTuple

from gemgate.api.chat.wire import ChatCompletionRequest, JsonSchema, ResponseFormat
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import GenerationConfig
from gemgate.translation.extra_body import camel, snake
from gemgate.translation.notes import Notes

GOOGLES = frozenset({"cached_content", "generation_config", "safety_settings", "thinking_config", "tool_config"})
"""Options of `extra_body.google` that are read at the top level too, also in camelCase."""

_IMAGE_FIELDS = frozenset({"aspectRatio", "imageSize"})


class Respelled(NamedTuple):
    """A request in OpenAI's words.

    Attributes:
        request: The request; the one that came, where it has nothing to respell.
        image_config: The `imageConfig` that was asked for.
        choices: The texts of which the answer must be one.
    """

    request: ChatCompletionRequest
    image_config: dict[str, Any]
    choices: list[str]


def respelled(request: ChatCompletionRequest, facts: ModelFacts, notes: Notes) -> Respelled:
    """The request in OpenAI's words; fields that say two things are noted, and OpenAI's own field counts.

    Raises:
        ApiError: 400 for a field of a wrong type.
    """
    extra, changes = dict(request.model_extra or {}), dict[str, Any]()
    if isinstance(request.reasoning_effort, dict):
        changes |= {"reasoning_effort": None, "reasoning": {**request.reasoning_effort, **(request.reasoning or {})}}
    if not extra and not changes:
        return Respelled(request, {}, [])
    if google := {snake(name): extra.pop(name) for name in list(extra) if snake(name) in GOOGLES}:
        changes["google"] = _with_known(google, request, notes)
    if (thinking := extra.pop("thinking", None)) is not None:
        changes["reasoning"] = {**_reasoning(thinking, notes), **(changes.get("reasoning") or request.reasoning or {})}
    image_config = _image_config(extra, facts, notes)
    if extra.get("guided_json") is not None and request.response_format is None:
        schema = JsonSchema(schema=extra.pop("guided_json"))
        changes["response_format"] = ResponseFormat(type="json_schema", json_schema=schema)
    choices = _choices(extra) if request.response_format is None and "response_format" not in changes else []
    copy = request.model_copy(update=changes)
    object.__setattr__(copy, "__pydantic_extra__", extra)
    return Respelled(copy, image_config, choices)


def add_respelled(config: GenerationConfig, words: Respelled, *, has_functions: bool, notes: Notes) -> None:
    """Put into `config` what OpenAI has no field for."""
    if words.image_config:
        config["imageConfig"] = words.image_config
    if words.choices and has_functions:
        notes.drop("guided_choice")
    elif words.choices:
        config["responseMimeType"] = "text/x.enum"
        config["responseSchema"] = {"type": "STRING", "enum": words.choices}


def _with_known(google: dict[str, Any], request: ChatCompletionRequest, notes: Notes) -> dict[str, Any]:
    nested = (request.extra_body or {}).get("google")
    known = {snake(name): value for name, value in (request.google or {}).items()}
    elsewhere = known.keys() | {snake(name) for name in (nested if isinstance(nested, dict) else ())}
    for name in sorted(google.keys() & elsewhere):
        notes.adjust(f"{name}->google.{name}")
    return {**{name: value for name, value in google.items() if name not in elsewhere}, **known}


def _reasoning(thinking: Any, notes: Notes) -> dict[str, Any]:
    """Anthropic's `thinking` as `reasoning`."""
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in ("enabled", "disabled", "adaptive"):
        msg = "'thinking' must be an object whose 'type' is enabled, disabled or adaptive."
        raise ApiError(400, msg, param="thinking", code="invalid_value")
    others = {name: value for name, value in thinking.items() if name not in ("type", "budget_tokens")}
    notes.drop_unknown(others, "thinking.")
    if kind == "enabled" and thinking.get("budget_tokens") is not None:
        return {"max_tokens": thinking["budget_tokens"]}
    return {"enabled": kind != "disabled"}


def _image_config(extra: dict[str, Any], facts: ModelFacts, notes: Notes) -> dict[str, Any]:
    given = extra.get("image_config", extra.get("imageConfig"))
    if not facts.images or not isinstance(given, dict):
        return {}
    extra.pop("image_config", None)
    extra.pop("imageConfig", None)
    config: dict[str, Any] = camel(given)
    notes.drop_unknown({name: value for name, value in config.items() if name not in _IMAGE_FIELDS}, "image_config.")
    return {name: value for name, value in config.items() if name in _IMAGE_FIELDS and value is not None}


def _choices(extra: dict[str, Any]) -> list[str]:
    choices = extra.get("guided_choice")
    if (
        not isinstance(choices, list)
        or not choices
        or not all(isinstance(choice, str) and choice for choice in choices)
    ):
        return []
    del extra["guided_choice"]
    return choices
