"""The arguments of calls in the history, which a model wrote and a client sends back."""

import orjson

from gemgate.errors import ApiError
from gemgate.translation.lenient_json import exact_numbers, read_json, repaired_json
from gemgate.translation.notes import Notes

_TEXT = "_raw"
"""The argument that holds a value other than a JSON object: a conversation must be able to go on."""

_LEVELS = 1_000  # fewer brackets are not too deep to be read


def parse_arguments(arguments: object, param: str, notes: Notes) -> dict[str, object]:
    """The arguments of a call as an object that can be sent to Google.

    Nothing, `null` and the `[]` of PHP mean no arguments. Damaged JSON is repaired, and any other value becomes
    the argument `_raw`; both are noted.

    Raises:
        ApiError: 400 when they are nested too deeply, and under the strict policy when they are not a JSON object.
    """
    if isinstance(arguments, str) and _is_too_deep(arguments):
        raise _too_deep(param)
    value, change = _read(arguments)
    if change:
        if notes.policy == "strict":
            msg = f"'{param}' is not a JSON object: send the arguments as the model gave them."
            raise ApiError(400, msg, param=param, code="invalid_value")
        notes.adjust(f"{param}->{change}")
    try:
        exact = exact_numbers(value)
        orjson.dumps(exact)
    except (TypeError, ValueError, RecursionError) as error:
        raise _too_deep(param) from error
    return exact  # type: ignore[no-any-return]  # an object, as it was


def _is_too_deep(text: str) -> bool:
    """Whether it is JSON of more levels than can be read; such a text is not damaged, and must not be repaired."""
    opened = text.count("{") + text.count("[")
    if opened < _LEVELS or opened != text.count("}") + text.count("]"):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return str(error).startswith("depth limit")
    return False


def _too_deep(param: str) -> ApiError:
    msg = f"'{param}' cannot be sent on: it is nested more than about 200 levels deep."
    return ApiError(400, msg, param=param, code="invalid_value")


def _read(arguments: object) -> tuple[dict[str, object], str]:
    """The object, and how it was changed."""
    if not isinstance(arguments, str):
        return _object(arguments, arguments, "")
    if not arguments.strip():
        return {}, ""
    try:
        return _object(read_json(arguments), arguments, "")
    except ValueError:
        pass
    try:
        return _object(repaired_json(arguments), arguments, "repaired")
    except ValueError:
        return {_TEXT: arguments}, _TEXT


def _object(value: object, source: object, change: str) -> tuple[dict[str, object], str]:
    if isinstance(value, dict):
        return value, change
    if value is None or value == []:
        return {}, change
    if isinstance(value, str):  # an object that was written as JSON twice
        if not value.strip():
            return {}, change
        try:
            if isinstance(inner := read_json(value), dict):
                return inner, "repaired"
        except ValueError:
            pass
    return {_TEXT: source}, _TEXT
