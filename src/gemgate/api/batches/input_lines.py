"""Reads a batch's input, JSON lines in OpenAI's format, and says what is wrong with each line.

Source: https://platform.openai.com/docs/guides/batch. No I/O: bytes are fed in pieces of any size, and one line at a
time is held.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from gemgate.api.batches import moderation_lines
from gemgate.auth.client_keys import is_allowed
from gemgate.batch_limits import ENDPOINTS, MAX_BATCH_BYTES
from gemgate.errors import ApiError
from gemgate.gemini.decisions import MODEL
from gemgate.gemini.resource_names import without_prefixes
from gemgate.model_routing.aliases import ModelAliases
from gemgate.model_routing.model_name import model_name

MAX_LINES = 50_000
MAX_ERRORS = 1000
"""Errors that are kept; what is wrong beyond them is counted."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class LineError:
    """A reason why an input cannot become a batch.

    Attributes:
        code: OpenAI's word for it, such as `invalid_json_line`.
        message: What is wrong, in a sentence.
        line: The number of the line, from 1; None when it is about the whole file.
        param: The field at fault, such as `custom_id` or `body.model`.
    """

    code: str
    message: str
    line: int | None = None
    param: str | None = None

    def wire(self) -> dict[str, object]:
        """The error as it is in `errors.data` of a batch."""
        return {"code": self.code, "line": self.line, "message": self.message, "param": self.param}


@dataclass(frozen=True, slots=True)
class Line:
    """One good line.

    Attributes:
        index: Its place among the lines that hold something, from 0.
        number: Its number in the file, from 1.
        offset: Where it begins in the file, in bytes.
        custom_id: The caller's name of it.
        url: The endpoint.
        body: The body of the request.
    """

    index: int
    number: int
    offset: int
    custom_id: str
    url: str
    body: dict[str, object]


class LineSplitter:
    """Cuts bytes at line ends; a line of more than `most` bytes is given as None and not held."""

    def __init__(self, maximum: int) -> None:
        self._max = maximum
        self._held: list[bytes] = []
        self._length = 0
        self._start = 0

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes | None]]:
        """The lines that `piece` completes, without their ends: the offset of each, and its bytes."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._hold(piece[start:end])
            yield self._take(1)
            start = end + 1
        self._hold(piece[start:])

    def finish(self) -> Iterator[tuple[int, bytes | None]]:
        """A last line without an end."""
        if self._length:
            yield self._take(0)

    def _hold(self, part: bytes) -> None:
        self._length += len(part)
        if self._length <= self._max:
            self._held.append(part)
        else:
            self._held.clear()

    def _take(self, end: int) -> tuple[int, bytes | None]:
        line = b"".join(self._held) if self._length <= self._max else None
        offset = self._start
        self._start += self._length + end
        self._held, self._length = [], 0
        return offset, line


class InputReader:
    """Validates an input as it comes.

    Attributes:
        total: Lines that hold something, good or bad.
        model: The resource name of the model that all lines ask for.
        url: The endpoint that all lines call.
        errors: What is wrong, the first `MAX_ERRORS` of it.
        unlisted: How many errors there are beyond those.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        max_line: int = 104_857_600,
        models: Sequence[str] | None = None,
        aliases: ModelAliases | None = None,
        general_judge: str = "",
    ) -> None:
        """`endpoint` is what each line must call (None: what the first one calls), `max_line` its limit in bytes.

        `models` are patterns of the models that the caller may use (None: all), `aliases` other names for models,
        `general_judge` the model that judges in batches; empty: all are read as if it were one.
        """
        self.total = 0
        self.model: str | None = None
        self.url = endpoint
        self.errors: list[LineError] = []
        self.unlisted = 0
        self._max_line = max_line
        self._models = models
        self._aliases = aliases or ModelAliases()
        self._general_judge = general_judge
        self._splitter = LineSplitter(max_line)
        self._seen: set[bytes] = set()
        self._number = 0
        self._bytes = 0

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong so far."""
        return not self.errors

    def feed(self, piece: bytes) -> list[Line]:
        """The good lines that `piece` completes."""
        fitted = self._bytes <= MAX_BATCH_BYTES
        self._bytes += len(piece)
        if self._bytes > MAX_BATCH_BYTES:
            if fitted:
                self._fail("max_file_size_exceeded", _too_many_bytes())
            return []
        return self._read(self._splitter.feed(piece))

    def finish(self) -> list[Line]:
        """The last line, if it has no end; and a word about an input with nothing in it."""
        lines = self._read(self._splitter.finish()) if self._bytes <= MAX_BATCH_BYTES else []
        if not self.total and not self.errors:
            self._fail("empty_file", "The input file holds no line. A batch needs at least one request.")
        return lines

    def wire_errors(self) -> list[dict[str, object]]:
        """The errors for `errors.data` of a batch; the last one says how many are not listed."""
        shown = [error.wire() for error in self.errors]
        if self.unlisted:
            shown.append(LineError("too_many_errors", f"{self.unlisted} more errors are not listed.").wire())
        return shown

    def _read(self, raw_lines: Iterator[tuple[int, bytes | None]]) -> list[Line]:
        lines: list[Line] = []
        for offset, raw in raw_lines:
            self._number += 1
            text = raw.removeprefix(_BOM) if raw is not None and offset == 0 else raw
            if text is not None and not text.strip():
                continue
            self.total += 1
            if self.total > MAX_LINES:
                if self.total == MAX_LINES + 1:
                    self._fail("max_requests_exceeded", _too_many_lines())
                continue
            try:
                lines.append(self._line(offset, text))
            except _BadLineError as bad:
                self._fail(bad.code, bad.message, self._number, bad.param)
        return lines

    def _line(self, offset: int, text: bytes | None) -> Line:
        if text is None:
            msg = f"The line is longer than {self._max_line} bytes, the most this gateway reads."
            raise _BadLineError("line_too_long", msg)
        fields = _object(text)
        custom_id = self._custom_id(fields)
        method = _string(fields, "method")
        if method != "POST":
            raise _BadLineError(
                "invalid_method", f"Invalid method: {_short(method)}. Each request is a 'POST'.", "method"
            )
        url = self._url(fields)
        body = fields.get("body")
        if body is None:
            raise _missing("body")
        if not isinstance(body, dict):
            raise _BadLineError("invalid_type", "Invalid type for 'body': expected an object.", "body")
        self._check_model(body)
        return Line(self.total - 1, self._number, offset, custom_id, url, body)

    def _custom_id(self, fields: dict[str, object]) -> str:
        custom_id = _string(fields, "custom_id")
        digest = hashlib.blake2b(custom_id.encode(), digest_size=16).digest()
        if digest in self._seen:
            msg = f"The custom_id {_short(custom_id)} is in an earlier line already: each must be unique."
            raise _BadLineError("duplicate_custom_id", msg, "custom_id")
        self._seen.add(digest)
        return custom_id

    def _url(self, fields: dict[str, object]) -> str:
        url = _string(fields, "url")
        if url not in ENDPOINTS:
            msg = f"Invalid url: {_short(url)}. A batch may call one of {', '.join(ENDPOINTS)}."
            raise _BadLineError("invalid_url", msg, "url")
        if self.url is None:
            self.url = url
        if url != self.url:
            msg = f"The url {_short(url)} is not the one of this batch: {self.url}."
            raise _BadLineError("invalid_url", msg, "url")
        return url

    def _check_model(self, body: dict[str, object]) -> None:
        is_moderation = self.url == moderation_lines.URL
        asked = moderation_lines.asked_model(body) if is_moderation else body.get("model")
        asked = _string({"model": asked}, "model", "body.model")
        try:
            if is_moderation:
                model = model_name(moderation_lines.judge_of(asked, self._aliases, self._general_judge or MODEL))
            else:
                model = model_name(self._aliases.first(asked))
        except ApiError as error:
            raise _BadLineError("invalid_value", error.message, "body.model") from None
        if not is_allowed(without_prefixes(asked), self._models):
            msg = f"The key does not have access to the model {_short(asked)}. GET /v1/models lists what it may use."
            raise _BadLineError("model_not_found", msg, "body.model")
        if self.model is None:
            self.model = model
        if model != self.model:
            msg = f"The model {_short(asked)} differs from that of earlier lines: Gemini runs one model in a batch."
            raise _BadLineError("mismatched_model", msg, "body.model")

    def _fail(self, code: str, message: str, line: int | None = None, param: str | None = None) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(LineError(code, message, line, param))
        else:
            self.unlisted += 1


class _BadLineError(Exception):
    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def read_line(text: bytes) -> tuple[str, dict[str, object]]:
    """`custom_id` and `body` of a line that was validated before."""
    fields = orjson.loads(text.removeprefix(_BOM))
    return fields["custom_id"], fields["body"]


def _object(text: bytes) -> dict[str, object]:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _BadLineError(
            "invalid_json_line", f"The line is not valid JSON: {error.msg} (column {error.colno})."
        ) from None
    if not isinstance(fields, dict):
        raise _BadLineError("invalid_json_line", "The line is not a JSON object.")
    return fields


def _string(fields: dict[str, object], name: str, param: str | None = None) -> str:
    param = param or name
    value = fields.get(name)
    if value is None or value == "":
        raise _missing(param)
    if not isinstance(value, str):
        raise _BadLineError("invalid_type", f"Invalid type for '{param}': expected a string.", param)
    return value


def _missing(param: str) -> _BadLineError:
    return _BadLineError("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


def _short(text: str) -> str:
    return f"'{text[:80]}…'" if len(text) > 80 else f"'{text}'"


def _too_many_lines() -> str:
    return (
        f"The input holds more than {MAX_LINES:,} requests, the most that OpenAI's API allows in a batch "
        "(Google limits the bytes instead: 2 GB a file, and the tokens in all queued batches). Split it."
    )


def _too_many_bytes() -> str:
    return (
        f"The input is larger than {MAX_BATCH_BYTES // 1048576} MB, the most that OpenAI's API allows for a batch "
        "(Google allows 2 GB for the translated file). Split it."
    )
