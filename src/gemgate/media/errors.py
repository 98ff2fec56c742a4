"""The one error of this package."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from gemgate.errors import ApiError

Code = Literal[
    "forbidden_url",
    "invalid_base64",
    "invalid_image_url",
    "media_too_large",
    "media_unreachable",
    "unsupported_media_type",
]


@dataclass(slots=True)
class MediaError(Exception):
    """Media that cannot be used. `message` says what is wrong and the way out; `code` is a stable word for programs.

    The message never holds the content, nor the query or the credentials of a URL.
    """

    message: str
    code: Code

    def __str__(self) -> str:
        return self.message


@contextmanager
def naming(param: str) -> Iterator[None]:
    """Makes a `MediaError` an `ApiError` that names the parameter."""
    try:
        yield
    except MediaError as error:
        raise ApiError(400, f"'{param}': {error}", param=param, code=error.code) from error
