"""A form with one file in it, whose bytes are handed on as they come."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request

from gemgate.errors import ApiError
from gemgate.web.multipart import FormPart, is_form, stream_form

_MAX_TEXT = 65_536
"""Bytes of all fields that are no file."""

_FRAME = 1_048_576
"""Bytes of a form beside the file: its fields, boundaries and headers."""

_NESTED = re.compile(r"(\w+)\[(\w+)\]", re.ASCII)


class FormFile:
    """The file in the field `name`, of at most `maximum` bytes.

    OpenAI's client for Python sends the other fields before the file, the one for Node in the order the program wrote
    them, often after it. So `chunks` goes on to the end of the form before it ends, and its consumer keeps the bytes
    only if it ends without an error.

    Attributes:
        filename: What the client calls the file.
        content_type: What the client says of the bytes.
        fields: The form's other fields; `a[b]` is `{"a": {"b": …}}`.
    """

    def __init__(
        self, request: Request, name: str, maximum: int, *, what: str = "A file", max_text: int = _MAX_TEXT
    ) -> None:
        """Nothing is read yet; `what` names the file in an error, and `max_text` bounds all other fields, in bytes.

        Raises:
            ApiError: 415 when the body is not a form, 413 when it says that it is too large.
        """
        self.filename = "file"
        self.content_type: str | None = None
        self.fields: dict[str, object] = {}
        self._request = request
        self._name = name
        self._max = maximum
        self._what = what
        self._file: FormPart | None = None
        self._size = 0
        self._text = 0
        self._max_text = max_text
        if not is_form(request.headers):
            msg = f"This endpoint reads a form: send 'Content-Type: multipart/form-data' and the file in '{name}'."
            raise ApiError(415, msg, code="unsupported_content_type")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > maximum + _FRAME:
            raise self._too_large(maximum)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The bytes of the file, once.

        Raises:
            ApiError: 400 or 413 when the form is not what this endpoint takes, perhaps after all bytes of the file.
            ClientDisconnect: the client went while it was sending.
        """
        part: FormPart | None = None
        async with aclosing(stream_form(self._request, self._max + _FRAME)) as pieces:
            async for current, piece in pieces:
                if current is not part:
                    self._end_of(part)
                    part = current
                    self._begin(part)
                if part is self._file:
                    self._count(len(piece))
                    yield piece
                else:
                    self._collect(part, piece)
        self._end_of(part)
        if self._file is None:
            msg = f"Missing required parameter: '{self._name}'. Send the file in a form, with a file name."
            raise ApiError(400, msg, param=self._name, code="missing_required_parameter")
        self._finish()
        self._count(0)

    def _limit(self) -> int:
        """The most bytes, as far as the fields that have come say."""
        return self._max

    def _finish(self) -> None:
        """The form is whole: check its fields."""

    def _begin(self, part: FormPart) -> None:
        if part.filename is None:
            if part.name == self._name:
                msg = f"'{part.name}' must be a file: its part of the form needs a file name."
                raise ApiError(400, msg, param=part.name, code="invalid_type")
            return
        if part.name != self._name:
            name = part.name[:80]
            raise ApiError(400, f"'{name}' is a file, and only '{self._name}' is one.", param=name, code="invalid_type")
        if self._file is not None:
            raise ApiError(400, f"'{part.name}' is there twice: send one file.", param=part.name, code="invalid_form")
        self._file = part
        self.filename = part.filename or self.filename
        self.content_type = part.content_type

    def _count(self, more: int) -> None:
        self._size += more
        if self._size > (maximum := self._limit()):
            raise self._too_large(maximum)

    def _too_large(self, maximum: int) -> ApiError:
        return file_too_large(self._what, maximum)

    def _collect(self, part: FormPart, piece: bytes) -> None:
        self._text += len(piece)
        if self._text > self._max_text:
            msg = f"The form's fields have more than {self._max_text} bytes; only '{self._name}' is a file."
            raise ApiError(400, msg, param=part.name[:80], code="invalid_form")
        part.content += piece

    def _end_of(self, part: FormPart | None) -> None:
        if part is not None and part is not self._file:
            self._put(part)

    def _put(self, part: FormPart) -> None:
        """Set a field that has come whole."""
        found = _NESTED.fullmatch(part.name)
        if found is None:
            self.fields[part.name[:80]] = part.text()
            return
        outer = self.fields.get(found[1])
        self.fields[found[1]] = (outer if isinstance(outer, dict) else {}) | {found[2]: part.text()}


def file_too_large(what: str, maximum: int, hint: str = "") -> ApiError:
    """`what`, such as "A file", has more than `maximum` bytes."""
    return ApiError(413, f"{what} may have at most {maximum} bytes.{hint}", code="file_too_large")
