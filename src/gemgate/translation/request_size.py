"""How much one request may hold, counted before anything is made of it.

What a request costs grows with the number of its values, far more than with its bytes: a megabyte of text is read in a
millisecond, a megabyte of empty objects in half a second.
"""

from gemgate.errors import ApiError

MAX_OBJECTS = 100_000
"""Objects of JSON in one body."""

MAX_VALUES = 500_000
"""Values of JSON in one body: objects, lists, texts, numbers."""

MAX_DEPTH = 200
"""Objects and lists of JSON within each other, as pydantic's parser of requests counts."""

TOO_DEEP = "The body's JSON is nested too deeply: about 200 levels are read."

_OPENINGS = b"{" * 256
_AS_OPENING = bytes.maketrans(b"[", b"{")
CHECKED_BYTES = 3 * MAX_OBJECTS
"""A shorter body cannot hold too much: `{},` is the shortest object."""


def check_values(raw: bytes) -> None:
    """Count the values of a body that is JSON, or is to be.

    A body of less than 300 kB is let through at once. In a larger one, brackets and commas are counted, also those in
    its texts; only where these are too many, the texts are left out.

    Raises:
        ApiError: 400, it is nested too deeply, or there are more than `MAX_OBJECTS` or `MAX_VALUES`.
    """
    if len(raw) < CHECKED_BYTES or _has_few_marks(raw) or _fits(raw):
        return
    strings = (raw.count(b'"') - raw.count(b'\\"')) // 2
    if strings > 2 * MAX_VALUES:  # each is a value, or the name of one
        raise _too_many(strings // 2, "values", MAX_VALUES)
    bare = _without_strings(raw)
    if _OPENINGS in bare.translate(_AS_OPENING, b": \t\r\n"):
        raise ApiError(400, TOO_DEEP, code="json_too_deep")
    if (objects := bare.count(b"{")) > MAX_OBJECTS:
        raise _too_many(objects, "objects", MAX_OBJECTS)
    if (values := _values(bare, objects)) > MAX_VALUES:
        raise _too_many(values, "values", MAX_VALUES)


def check_depth(value: object) -> None:
    """Count the levels of JSON that was read by a parser which goes deeper than that of requests.

    Raises:
        ApiError: 400, there are more than `MAX_DEPTH`.
    """
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for part in level
            for item in (part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise ApiError(400, TOO_DEEP, code="json_too_deep")


def is_heavy(raw: bytes) -> bool:
    """Whether the work on this body may take so long that others should not wait for it.

    Brackets and commas are counted, also those in its texts: a long text may be heavy without need.
    """
    if len(raw) <= LIGHT_BYTES or _has_few_marks(raw):
        return False
    return raw.count(b"{") > _LIGHT_OBJECTS or raw.count(b",") > _LIGHT_VALUES


LIGHT_BYTES = 65_536
"""JSON of at most so many bytes is worked on in a moment, whatever it holds."""

_LIGHT_OBJECTS = 2_000
_LIGHT_VALUES = 20_000


def _has_few_marks(raw: bytes) -> bool:
    """Whether all brackets and commas together are few, as beside large media.

    To find the next one is ten times as quick as to count them: that takes a third of a millisecond for each megabyte.
    """
    left = _LIGHT_OBJECTS
    for mark in (b"{", b",", b"["):
        at = raw.find(mark)
        while at >= 0:
            if left == 0:
                return False
            left -= 1
            at = raw.find(mark, at + 1)
    return True


def _fits(text: bytes) -> bool:
    objects = text.count(b"{")
    return objects <= MAX_OBJECTS and _values(text, objects) <= MAX_VALUES


def _without_strings(raw: bytes) -> bytes:
    """What is between the strings of JSON; a backslash is in strings only."""
    return b"".join(raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])


def _values(text: bytes, objects: int) -> int:
    """There is a value behind each comma, and first in each container."""
    return 1 + text.count(b",") + objects + text.count(b"[")


def _too_many(count: int, what: str, maximum: int) -> ApiError:
    msg = f"The body holds {count:,} {what} of JSON or more, and at most {maximum:,} are read."
    return ApiError(400, msg, code="too_many_values")
