"""Whether what Google sent has the types that the code relies on: looked at once, at the door.

The types are those of `types`. Every field may be absent or null, an item of a list may not; fields that they do not
know are left alone.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

from gemgate.gemini.errors import Failure, TransportError
from gemgate.gemini.types import GenerateContentResponse

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator


def check_response(answer: object, shape: object = GenerateContentResponse) -> None:
    """Look at a whole answer, or at an event of a stream: two microseconds where all is well.

    Args:
        answer: Decoded JSON.
        shape: One of `types`.

    Raises:
        TransportError: a value is of another type than `shape` says.
    """
    try:
        _validator(shape).validate_python(answer, strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = [each for each in details if each["input"] is not None or isinstance(each["loc"][-1], int)]
        if found:
            raise TransportError(Failure.INVALID_BODY, _message(found[0]["loc"])) from None


def check_events(events: Sequence[Mapping[str, object]]) -> tuple[int, TransportError | None]:
    """How many of `events` are good before the first that is not, and what is wrong with that one.

    All are looked at in one call, and one by one only if that finds something.
    """
    try:
        check_response(events, _EVENTS)
    except TransportError:
        return _first_bad(events)
    return len(events), None


_EVENTS = list[GenerateContentResponse]


def _first_bad(events: Sequence[Mapping[str, object]]) -> tuple[int, TransportError | None]:
    for number, event in enumerate(events):
        try:
            check_response(event)
        except TransportError as error:
            return number, error
    return len(events), None


@cache
def _validator(shape: Any) -> "SchemaValidator":
    return cast("SchemaValidator", TypeAdapter(shape).validator)


def _message(location: Sequence[int | str]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    return f"The Gemini API sent an answer of another shape than its own: '{path[:200]}' is of a wrong type."
