"""A failure in the middle of a stream, as Google's clients read it. No I/O."""

import orjson

from gemgate.errors import ApiError
from gemgate.shapes import google_body


def error_event(error: ApiError) -> bytes:
    """The last event of a stream that failed on its way."""
    return b"data: " + orjson.dumps(google_body(error)) + b"\r\n\r\n"
