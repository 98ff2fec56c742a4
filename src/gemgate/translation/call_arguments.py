"""The arguments of a function call, which OpenAI writes as text."""

from typing import Any

import orjson

from gemgate.errors import ApiError


def parse_arguments(arguments: str | dict[str, Any] | None, param: str) -> dict[str, Any]:
    """The arguments of a call as an object.

    Raises:
        ApiError: 400 when they are not JSON, or JSON but no object.
    """
    if arguments is None or arguments == "":
        return {}
    if isinstance(arguments, dict):
        return _sendable(arguments, param)
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError as error:
        msg = f"'{param}' is not JSON ({error}): send the arguments as the model gave them."
        raise ApiError(400, msg, param=param, code="invalid_value") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        msg = f"'{param}' must be a JSON object, and it is {type(value).__name__}."
        raise ApiError(400, msg, param=param, code="invalid_value")
    return _sendable(value, param)


def _sendable(arguments: dict[str, Any], param: str) -> dict[str, Any]:
    """`arguments`, if they can be written as JSON again, as Google must be sent them."""
    try:
        orjson.dumps(arguments)
    except TypeError as error:
        msg = (
            f"'{param}' cannot be sent on: it is nested more than about 200 levels deep, or holds an integer of more "
            "than 64 bits."
        )
        raise ApiError(400, msg, param=param, code="invalid_value") from error
    return arguments
