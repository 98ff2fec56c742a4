"""The CPU work of a batch, in steps of a few milliseconds, for a process of its own. No network.

Bytes come in pieces and go out in pieces; what must wait meanwhile waits on disk, so that memory does not grow with the
number of lines.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gemgate.api.batches.input_lines import (
    MAX_LINES,
    InputReader,
    Line,
    LineSplitter,
    read_line,
)
from gemgate.api.batches.line_translation import (
    LineJob,
    Native,
    ResultWriter,
    Translators,
    no_result,
    prepare,
)
from gemgate.api.batches.spool import Records, Spool
from gemgate.errors import ApiError, internal_error
from gemgate.gemini.batch_types import JobResult, ResultLines, input_line
from gemgate.media.references import Ref, Resolved
from gemgate.model_routing.aliases import ModelAliases

MAX_INPUTS = 50_000
"""OpenAI's limit of embeddings in one batch."""

MAX_NATIVE = 2_000_000_000
"""Google's limit of one input file, in bytes."""

STEP = 262_144
"""About how many bytes one call gives out."""

_KEY = re.compile(r"(\d{1,9})-(\d{1,5})-(\d{1,5})-(\d{1,5})", re.ASCII)


class CheckSession:
    """An input on its way into the store, before there is a batch: what is wrong with it, line by line."""

    def __init__(self, aliases: ModelAliases, *, max_line: int = 104_857_600) -> None:
        self._reader = InputReader(max_line=max_line, aliases=aliases)

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        self._reader.feed(piece)

    def finish(self) -> list[dict[str, Any]]:
        """All that is wrong, as in `errors.data` of a batch."""
        self._reader.finish()
        return self._reader.wire_errors()

    def close(self) -> None:
        """Nothing is on disk."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line that waits for what it names: its index, and what must be fetched or looked up."""

    index: int
    refs: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Translated:
    """What one call of `TranslateSession` gave: lines for Google, and lines that wait for `resolve`."""

    native: bytes = b""
    waiting: tuple[Waiting, ...] = ()


@dataclass(frozen=True, slots=True)
class InputSummary:
    """What an input came to.

    Attributes:
        total: Lines.
        refused: Lines that could not be translated; their error lines are in `refused`.
        requests: Native requests.
        model: `models/…`, None without a valid line.
        errors: Why this cannot be a batch, as in `errors.data`; empty when it can.
    """

    total: int
    refused: int
    requests: int
    model: str | None
    errors: list[dict[str, Any]] = field(default_factory=list)


class TranslateSession:
    """An input on its way to Google: `feed`, `resolve` and `finish`, then `summary` and `refused`."""

    def __init__(
        self,
        job: LineJob,
        translators: Translators,
        *,
        max_line: int = 104_857_600,
        max_request: int = 100_000_000,
        directory: Path | None = None,
    ) -> None:
        self._job = job
        self._translators = translators
        self._max_request = max_request
        self._reader = InputReader(job.url, max_line=max_line, models=job.models, aliases=translators.aliases)
        self._writer = ResultWriter(job, translators)
        self._waiting: dict[int, Line] = {}
        self._refused = Spool(directory)
        self._refusals = 0
        self._requests = 0
        self._bytes = 0

    def feed(self, piece: bytes) -> Translated:
        """Translate the lines that `piece` completes."""
        return self._take(self._reader.feed(piece))

    def finish(self) -> Translated:
        """Translate the last line, if it has no end."""
        return self._take(self._reader.finish())

    def resolve(self, index: int, media: Resolved | ApiError) -> bytes:
        """Translate a line that waited, with its media or with the reason why there are none."""
        line = self._waiting.pop(index)
        if isinstance(media, ApiError):
            self._refuse(line, media)
            return b""
        return self._translate(line, media)

    def summary(self) -> InputSummary:
        """What the whole input came to."""
        reader = self._reader
        errors = reader.wire_errors()
        if not errors and self._bytes > MAX_NATIVE:
            msg = f"The input, translated and with its media, is larger than {MAX_NATIVE // 10**9} GB, the most that "
            errors = [{"code": "max_file_size_exceeded", "line": None, "message": f"{msg}Google takes.", "param": None}]
        if not errors and self._job.url == "/v1/embeddings" and self._requests > MAX_INPUTS:
            msg = f"The requests hold {self._requests:,} inputs, and OpenAI's API allows {MAX_INPUTS:,} in a batch."
            errors = [{"code": "max_requests_exceeded", "line": None, "message": msg, "param": "body.input"}]
        return InputSummary(reader.total, self._refusals, self._requests, reader.model, errors)

    def refused(self) -> bytes:
        """The next lines about what was refused, for `ResultSession.feed_refused`; empty at the end."""
        return self._refused.drain(STEP)

    def close(self) -> None:
        """Drop what is on disk."""
        self._refused.close()

    def _take(self, lines: list[Line]) -> Translated:
        if not self._reader.is_good or self._bytes > MAX_NATIVE:
            return Translated()
        native: list[bytes] = []
        waiting: list[Waiting] = []
        for line in lines:
            refs = self._references(line)
            if refs:
                self._waiting[line.index] = line
                waiting.append(Waiting(line.index, refs))
            elif refs is not None:
                native.append(self._translate(line, {}))
        return Translated(b"".join(native), tuple(waiting))

    def _references(self, line: Line) -> tuple[Ref, ...] | None:
        """What must be fetched or looked up; None when the line was refused."""
        raw = orjson.dumps(line.body)
        may_fetch = self._translators.chat.remote_media == "fetch" and b"http" in raw
        if not may_fetch and b'"file_id"' not in raw:
            return ()
        try:
            return tuple(prepare(line.body, self._job, self._translators).references())
        except Exception as error:  # noqa: BLE001  one line must not spoil the others
            self._refuse(line, error)
            return None

    def _translate(self, line: Line, media: Resolved) -> bytes:
        try:
            requests = prepare(line.body, self._job, self._translators).to_gemini(media)
            native = b"".join(self._numbered(line, requests))
        except Exception as error:  # noqa: BLE001  one line must not spoil the others
            self._refuse(line, error)
            return b""
        self._requests += len(requests)
        self._bytes += len(native)
        return native

    def _numbered(self, line: Line, requests: list[Native]) -> list[bytes]:
        count = len(requests)
        lines = [
            input_line(f"{self._requests + part}-{line.index}-{part}-{count}", request)
            for part, request in enumerate(requests)
        ]
        if (size := max(map(len, lines))) > self._max_request:
            msg = (
                f"The request has {size} bytes with its media, and Google takes at most {self._max_request}. Upload "
                "the media to /v1/files with the purpose 'user_data', and send its id as file_id."
            )
            raise ApiError(413, msg, code="media_too_large")
        return lines

    def _refuse(self, line: Line, error: Exception) -> None:
        self._refusals += 1
        told = error if isinstance(error, ApiError) else internal_error()
        record = {"index": line.index, "line": self._writer.refused(line.custom_id, told).decode()}
        self._refused.append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


@dataclass(frozen=True, slots=True)
class Written:
    """What one call of `ResultSession.write` gave: lines of the output file, and whether that is all."""

    output: bytes
    is_done: bool


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """Lines that were answered and lines that were not, and `usage` of the batch."""

    completed: int
    failed: int
    usage: dict[str, Any]


class ResultSession:
    """Google's results on their way to the caller.

    First `feed_input`, `feed_refused` and `feed_results`, in pieces, in any order; then `end_of_input`, then `write`
    until it is done, `errors` until it is empty, `summary`. The output is in the order of the input, whatever the order
    of the results, so that the same results always give the same bytes.

    Args:
        job: The batch.
        translators: The operator's decisions.
        requests: How many native requests there are.
        not_run: Why lines without a result have none, one of `translate.NOT_RUN`; None: Google forgot them.
        directory: Where temporary files go.
    """

    def __init__(
        self,
        job: LineJob,
        translators: Translators,
        *,
        requests: int,
        not_run: str | None = None,
        directory: Path | None = None,
    ) -> None:
        self._writer = ResultWriter(job, translators)
        self._requests = requests
        self._not_run = not_run
        self._splitters = {name: LineSplitter(1 << 40) for name in ("input", "refused", "results")}
        self._lines = Records(directory)
        self._refused = Records(directory)
        self._results = Records(directory)
        self._first = Records(directory)
        self._errors = Spool(directory)
        self._total = 0
        self._next = 0
        self._completed = 0

    def feed_input(self, piece: bytes) -> None:
        """The batch's input."""
        for _, line in self._splitters["input"].feed(piece):
            self._keep_input(line)

    def feed_refused(self, piece: bytes) -> None:
        """What `TranslateSession.refused` gave."""
        for _, line in self._splitters["refused"].feed(piece):
            self._keep_refused(line)

    def feed_results(self, piece: bytes) -> None:
        """Google's results, as JSON lines."""
        for _, line in self._splitters["results"].feed(piece):
            self._keep_result(line)

    def end_of_input(self) -> None:
        """All pieces have been fed."""
        for name, keep in (
            ("input", self._keep_input),
            ("refused", self._keep_refused),
            ("results", self._keep_result),
        ):
            for _, line in self._splitters[name].finish():
                keep(line)

    def write(self) -> Written:
        """The next lines of the output."""
        output: list[bytes] = []
        size = 0
        while self._next < self._total and size < STEP:
            read, is_good, line = self._line(self._next)
            size += read + len(line)
            self._next += 1
            if is_good:
                self._completed += 1
                output.append(line)
            else:
                self._errors.append(line)
        return Written(b"".join(output), self._next >= self._total)

    def errors(self) -> bytes:
        """The next lines of the error file; empty at the end."""
        return self._errors.drain(STEP)

    def summary(self) -> ResultSummary:
        """The counts."""
        return ResultSummary(self._completed, self._total - self._completed, self._writer.usage.wire())

    def close(self) -> None:
        """Drop what is on disk."""
        for kept in (self._lines, self._refused, self._results, self._first, self._errors):
            kept.close()

    def _keep_input(self, line: bytes | None) -> None:
        if line and line.strip(b" \t\r\xef\xbb\xbf") and self._total < MAX_LINES:
            self._lines.put(self._total, line)
            self._total += 1

    def _keep_refused(self, line: bytes | None) -> None:
        if line:
            record = orjson.loads(line)
            self._refused.put(record["index"], record["line"].encode())

    def _keep_result(self, line: bytes | None) -> None:
        """Under the number of its request; where that of its line begins is kept beside."""
        if not line or not line.strip():
            return
        found = _KEY.fullmatch(_result(line).key)
        if not found:
            return
        number, index, part, count = map(int, found.groups())
        if part < count and part <= number < self._requests and index < MAX_LINES:
            self._results.put(number, line)
            self._first.put(index, b"%d %d" % (number - part, count))

    def _line(self, index: int) -> tuple[int, bool, bytes]:
        """Bytes read, whether the line is good, and the line."""
        if refused := self._refused.get(index):
            return len(refused), False, refused
        text = self._lines.get(index)
        custom_id, body = read_line(text)
        raw = self._raw_results(index)
        read = len(text) + sum(map(len, raw))
        if raw and all(raw):
            return read, *self._writer.line(custom_id, body, [_result(line) for line in raw])
        if self._not_run:
            return read, False, self._writer.not_run(custom_id, self._not_run)
        return read, False, self._writer.refused(custom_id, no_result())

    def _raw_results(self, index: int) -> list[bytes]:
        place = self._first.get(index)
        if not place:
            return []
        first, count = map(int, place.split())
        return [self._results.get(number) for number in range(first, first + count)]


def _result(line: bytes) -> JobResult:
    return ResultLines().feed(line + b"\n")[0]
