"""What users write in other APIs' words, for each endpoint that generates: read as what it means."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel

from gemgate.errors import ApiError
from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.types import GenerationConfig
from gemgate.translation.extra_body import camel, snake
from gemgate.translation.notes import Notes

GOOGLES = frozenset({"cached_content", "generation_config", "safety_settings", "thinking_config", "tool_config"})
"""Options of `extra_body.google` that are read at the top level too, also in camelCase."""

RequestT = TypeVar("RequestT", bound=BaseModel)

_IMAGE_FIELDS = frozenset({"aspectRatio", "imageSize"})


def absent_if_no_limit(value: object) -> object:
    """None for `-1` and `0`, which some clients send for a limit that they do not set."""
    return None if value in (-1, 0) and not isinstance(value, bool) else value


def take_google(
    extra: dict[str, Any],
    google: Mapping[str, object] | None,
    extra_body: Mapping[str, object] | None,
    notes: Notes,
    names: Collection[str] = GOOGLES,
) -> dict[str, object] | None:
    """The field `google` with Google's options that are at the top level, which are taken out of `extra`.

    None, where there is nothing of the kind. Options in `google` and `extra_body` go before them, and it is noted.
    `names` are those that the endpoint reads there.
    """
    given = {snake(name): extra.pop(name) for name in list(extra) if snake(name) in names}
    if not given:
        return None
    nested = (extra_body or {}).get("google")
    known = {snake(name): value for name, value in (google or {}).items()}
    elsewhere = known.keys() | {snake(name) for name in (nested if isinstance(nested, dict) else ())}
    for name in sorted(given.keys() & elsewhere):
        notes.adjust(f"{name}->google.{name}")
    return {**{name: value for name, value in given.items() if name not in elsewhere}, **known}


def reasoning_of(thinking: object, notes: Notes) -> dict[str, object]:
    """Anthropic's `thinking` as `reasoning`.

    Raises:
        ApiError: 400, it is something else.
    """
    given = thinking if isinstance(thinking, dict) else {}
    kind = given.get("type")
    if kind is None and given.get("budget_tokens") is not None:
        kind = "enabled"
    if kind not in ("enabled", "disabled", "adaptive"):
        msg = "'thinking' must be an object whose 'type' is enabled, disabled or adaptive."
        raise ApiError(400, msg, param="thinking", code="invalid_value")
    others = {name: value for name, value in given.items() if name not in ("type", "budget_tokens")}
    notes.drop_unknown(others, "thinking.")
    if kind == "enabled" and given.get("budget_tokens") is not None:
        return {"max_tokens": given["budget_tokens"]}
    return {"enabled": kind != "disabled"}


class OwnOptions(NamedTuple):
    """What is asked of Gemini in fields for which OpenAI's API has none.

    Attributes:
        image_config: The `imageConfig` that was asked for.
        choices: The texts of which the answer must be one.
    """

    image_config: dict[str, object]
    choices: list[str]

    def add_to(self, config: GenerationConfig, *, has_functions: bool, notes: Notes) -> None:
        """Put them into the native `config`; a model that has functions beside choices may call one."""
        if self.image_config:
            config["imageConfig"] = {**config.get("imageConfig", {}), **self.image_config}
        if self.choices and has_functions:
            notes.drop("guided_choice")
        elif self.choices:
            config["responseMimeType"] = "text/x.enum"
            config["responseSchema"] = {"type": "STRING", "enum": self.choices}


NO_OPTIONS = OwnOptions({}, [])


def with_changes(request: RequestT, changes: Mapping[str, object], extra: dict[str, Any]) -> RequestT:
    """A copy of `request` with other values, and with `extra` as its unknown fields."""
    copy = request.model_copy(update=changes)
    object.__setattr__(copy, "__pydantic_extra__", extra)
    return copy


def take_image_config(extra: dict[str, Any], facts: ModelFacts, notes: Notes) -> dict[str, object]:
    """The `imageConfig` that `image_config` asks a model for images for; it is taken out of `extra`."""
    given = extra.get("image_config", extra.get("imageConfig"))
    if not facts.images or not isinstance(given, dict):
        return {}
    extra.pop("image_config", None)
    extra.pop("imageConfig", None)
    config: dict[str, object] = camel(given)
    notes.drop_unknown({name: value for name, value in config.items() if name not in _IMAGE_FIELDS}, "image_config.")
    return {name: value for name, value in config.items() if name in _IMAGE_FIELDS and value is not None}


def take_schema(extra: dict[str, Any]) -> object:
    """The schema of `guided_json`, an object or its text; it is taken out of `extra`."""
    schema = extra.pop("guided_json")
    with suppress(ValueError):
        return orjson.loads(schema) if isinstance(schema, str) else schema
    return schema


def reasoning_with(known: Mapping[str, Any], name: str, more: Mapping[str, object], notes: Notes) -> dict[str, object]:
    """`reasoning` with what another parameter, `name`, says of it; the former counts, and a difference is noted."""
    for field in sorted(more.keys() & known.keys()):
        if known[field] is not None and known[field] != more[field]:
            notes.adjust(f"{name}->reasoning.{field}={str(known[field])[:80]}")
    return {**more, **{field: value for field, value in known.items() if value is not None}}


def take_choices(extra: dict[str, Any]) -> list[str]:
    """The texts of `guided_choice`, of which the answer must be one; they are taken out of `extra`."""
    choices = extra.get("guided_choice")
    if (
        not isinstance(choices, list)
        or not choices
        or not all(isinstance(choice, str) and choice for choice in choices)
    ):
        return []
    del extra["guided_choice"]
    return list(dict.fromkeys(choices))
