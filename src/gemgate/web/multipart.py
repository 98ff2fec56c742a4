"""Reads a multipart form, into memory or as it comes, within a limit: no temporary files."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from gemgate.errors import ApiError

# The caller is told what is wrong with a form; that must not give them a way to fill the log.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

MAX_PARTS = 256
"""Fields and files of one form."""


@dataclass(slots=True)
class FormPart:
    """A field or a file.

    Attributes:
        name: The field's name, as it was sent.
        content: The bytes.
        filename: The file's name; None when the part is not a file.
        content_type: What the client says of the bytes.
    """

    name: str
    content: bytearray = field(default_factory=bytearray, repr=False)
    filename: str | None = None
    content_type: str | None = None

    def text(self) -> str:
        """The content as text.

        Raises:
            ApiError: 400, when it is not UTF-8.
        """
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            msg = f"The form's field '{self.name[:80]}' is not UTF-8."
            raise ApiError(400, msg, param=self.name[:80], code="invalid_value") from None


def is_form(headers: Mapping[str, str]) -> bool:
    """Whether the body is a multipart form; `headers` ignores case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


async def read_form(request: Request, limit: int) -> list[FormPart]:
    """The parts of a form of at most `limit` bytes, in their order.

    Raises:
        ApiError: 413 when it is too large, 415 for an encoding, 400 when it is not a whole form.
        ClientDisconnect: the client went while it was sending.
    """
    parts: list[FormPart] = []
    async with aclosing(stream_form(request, limit)) as pieces:
        async for part, piece in pieces:
            if not parts or parts[-1] is not part:
                parts.append(part)
            part.content += piece
    return parts


async def stream_form(request: Request, limit: int) -> AsyncGenerator[tuple[FormPart, bytes]]:
    """The bytes of a form's parts as they come, each with its part, whose `content` is left empty.

    A part begins with a piece of no bytes. The iteration ends without an error only when the form is whole.

    Raises:
        ApiError: 413 when it has more than `limit` bytes, 415 for an encoding, 400 when it is not a whole form.
        ClientDisconnect: the client went while it was sending.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        msg = f"The content encoding '{encoding[:80]}' is not supported. Send the body as it is."
        raise ApiError(415, msg, code="unsupported_content_encoding")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    reader = _Reader(request.headers["content-type"])
    size = 0
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            for piece in reader.feed(chunk):
                yield piece
    reader.finish()


class _Reader:
    """Separates the parts as the parser finds them."""

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise _malformed("its Content-Type names no boundary")
        self._found: list[tuple[FormPart, bytes]] = []
        self._part = FormPart("")
        self._count = 0
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._open,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise _malformed("its boundary is too long") from None

    def feed(self, chunk: bytes) -> list[tuple[FormPart, bytes]]:
        """What `chunk` holds of each part; the pieces of a part are together."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise _malformed("it cannot be read") from None
        found, self._found = self._found, []
        return found

    def finish(self) -> None:
        if not self._ended:
            raise _malformed("it breaks off before its last boundary")

    def _begin(self) -> None:
        self._headers.clear()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _open(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition"))[1]
        name = _text(options.get(b"name"))
        if name is None:
            raise _malformed("a part of it has no name")
        if self._count == MAX_PARTS:
            raise _malformed(f"it has more than {MAX_PARTS} parts")
        self._count += 1
        content_type = _text(self._headers.get(b"content-type"))
        self._part = FormPart(name, filename=_text(options.get(b"filename")), content_type=content_type)
        self._found.append((self._part, b""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._found.append((self._part, data[start:end]))

    def _end(self) -> None:
        self._ended = True


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("utf-8", "replace")


def _malformed(problem: str) -> ApiError:
    msg = f"The body is not a valid multipart form: {problem}. Let the HTTP library write both the body and the header."
    return ApiError(400, msg, code="invalid_form")


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413, f"The body is larger than {limit} bytes, the most that this gateway reads.", code="request_too_large"
    )
