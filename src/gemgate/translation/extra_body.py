"""`extra_body.google`: what Gemini offers and OpenAI does not know, in each nesting that clients produce.

Google's page documents a top-level field `extra_body` holding `google`; Python users who write one level too few send
`google` itself, JavaScript users who write one too many send `extra_body.extra_body.google`. All three are read.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gemgate.errors import ApiError
from gemgate.translation.notes import Notes

_FREE_FORM = frozenset(
    {"args", "headers", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "responseSchema"}
)
_HUMP = re.compile(r"(?<=[a-z0-9])[A-Z]")
_SNAKE = re.compile(r"(?<!_)_++([a-z0-9])")  # begun once at each run of underscores, and never given back


def google_options(
    google: object, extra_body: dict[str, object] | None, known: Collection[str], notes: Notes
) -> dict[str, object]:
    """The options under `google`, by their snake_case names.

    Args:
        google: The field `google` of the request.
        extra_body: The field `extra_body`.
        known: The options that the endpoint has, in snake_case; any other is noted as dropped.
        notes: Where it is noted.

    Raises:
        ApiError: 400 when a nesting is not an object; under the strict policy also for unknown options.
    """
    if google is None and extra_body is None:
        return {}
    options: dict[str, object] = {}
    if google is not None:
        _take(options, google, "google")
    body, path = extra_body, "extra_body"
    while body is not None:
        _take(options, body.get("google"), f"{path}.google")
        notes.drop_unknown({k: v for k, v in body.items() if k not in {"google", "extra_body"}}, f"{path}.")
        body, path = _object(body.get("extra_body"), f"{path}.extra_body"), f"{path}.extra_body"
    for name in options:
        if name not in known:
            notes.drop(f"extra_body.google.{name}")
    taken = {name: value for name, value in options.items() if name in known and value is not None}
    notes.explicit = frozenset(_paths(taken))
    return taken


def _paths(options: Mapping[str, object]) -> Iterator[str]:
    for name, value in options.items():
        yield name
        if isinstance(value, dict):
            yield from (f"{name}.{field}" for field in camel(dict.fromkeys(value)))


def camel(value: object) -> Any:
    """`value` with its fields' names in camelCase, as Google writes them; schemas and arguments stay as they are."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {_SNAKE.sub(lambda hit: hit[1].upper(), name): item for name, item in value.items()}
    return {name: item if name in _FREE_FORM else camel(item) for name, item in renamed.items()}


def snake(name: str) -> str:
    """`thinkingConfig` as `thinking_config`."""
    return _HUMP.sub(lambda hit: "_" + hit[0], name).lower()


def _take(options: dict[str, object], value: object, path: str) -> None:
    for name, option in (_object(value, path) or {}).items():
        options.setdefault(snake(name), option)


def _object(value: object, path: str) -> dict[str, object] | None:
    if value is None or isinstance(value, dict):
        return value
    msg = f"'{path}' must be an object, and it is {type(value).__name__}."
    raise ApiError(400, msg, param=path, code="invalid_type")


def object_option(options: Mapping[str, object], name: str) -> dict[str, object]:
    """The option `name` in camelCase, or an empty object.

    Raises:
        ApiError: 400 when it is not an object.
    """
    if name not in options:
        return {}
    renamed: dict[str, object] = camel(_object(options[name], f"extra_body.google.{name}") or {})
    return renamed


def list_option(options: Mapping[str, object], name: str) -> list[Any]:
    """The option `name` in camelCase, or an empty list.

    Raises:
        ApiError: 400 when it is not a list of objects.
    """
    if name not in options:
        return []
    value, path = options[name], f"extra_body.google.{name}"
    if value is not None and not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
        raise ApiError(400, f"'{path}' must be a list of objects.", param=path, code="invalid_type")
    renamed: list[object] = camel(value or [])
    return renamed
