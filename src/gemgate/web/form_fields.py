"""The fields of a form whose names are nested in brackets, as OpenAI's clients write objects and lists."""

import re

import orjson

from gemgate.errors import ApiError
from gemgate.web.multipart import FormPart

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\]){0,8})")
_OBJECTS = frozenset({"extra_body", "google"})
"""Fields that may be JSON."""


def put_field(fields: dict[str, object], part: FormPart) -> None:
    """Set the field `a[b][c]` within `fields`; a list's item is `a[]`, an object in a list `a[][b]`.

    Raises:
        ApiError: 400 when its name is invalid or contradicts another, or its text is invalid JSON where JSON is needed.
    """
    text = part.text()
    found = _NAME.fullmatch(part.name)
    if found is None:
        raise _misnamed(part.name)
    steps = [found[1], *(step[:-1] for step in found[2].split("[")[1:])]
    value: object = text
    if steps[0] in _OBJECTS and len(steps) == 1:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            msg = f"The form's field '{steps[0]}' must be a JSON object."
            raise ApiError(400, msg, param=steps[0], code="invalid_json") from None
    if not _insert(fields, steps, value):
        raise _misnamed(part.name)


def _insert(target: dict[str, object], steps: list[str], value: object) -> bool:
    """Whether `value` could be put where `steps` lead."""
    step, *rest = steps
    if not step:
        return False
    if not rest:
        target[step] = value
        return True
    if rest[0]:
        child = target.setdefault(step, {})
        return isinstance(child, dict) and _insert(child, rest, value)
    items = target.setdefault(step, [])
    if not isinstance(items, list):
        return False
    if len(rest) == 1:
        items.append(value)
        return True
    # Clients write the items in turn, or the first field of all and then the second: either way an item that lacks the
    # field is the one that is meant.
    for item in items:
        if isinstance(item, dict) and rest[1] not in item:
            return _insert(item, rest[1:], value)
    items.append({})
    return _insert(items[-1], rest[1:], value)


def _misnamed(name: str) -> ApiError:
    shown = name[:80]
    return ApiError(
        400,
        f"The form's field '{shown}' contradicts another, or its name is invalid.",
        param=shown,
        code="invalid_form",
    )
