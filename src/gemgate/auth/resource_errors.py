"""Errors about what a request names at Google. Apart, because the process that translates batches needs no store."""

from gemgate.errors import ApiError
from gemgate.gemini.named_resources import MAX_NAMES, Named
from gemgate.redaction import redact

_SHOWN = 200


def bounded(named: Named) -> Named:
    """`named`, if that is all.

    Raises:
        ApiError: 400 for more names than are looked up.
    """
    if named.is_too_much:
        raise too_many_names()
    return named


def too_many_names() -> ApiError:
    """The error for a body with more names than are looked up."""
    msg = f"The request names more files, caches and the like than the gateway looks up: {MAX_NAMES} at most."
    return ApiError(400, msg, code="too_many_names")


def not_yours(name: str, param: str | None = None) -> ApiError:
    """The error for a resource that is another's, or is not there."""
    msg = f"There is no {redact(name)[:_SHOWN]}, or it was not made by you through this gateway."
    return ApiError(404, msg, param=param, code="not_your_resource")
