"""The results of a batch, read and translated in steps of a few milliseconds, in a process of its own. No network.

Bytes come in pieces and go out in pieces; what must wait meanwhile waits on disk, so that memory does not grow with the
number of lines.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gemgate.api.batches.input_lines import MAX_LINES, LineSplitter, read_line
from gemgate.api.batches.line_lessons import LineLessons
from gemgate.api.batches.line_translation import LineJob, ResultWriter, Translators, no_result
from gemgate.api.batches.spool import SLICE, STEP, Records, Spool
from gemgate.gemini.batch_types import JobResult, ResultLines, result_key

_KEY = re.compile(r"(\d{1,9})-(\d{1,5})-(\d{1,5})-(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Written:
    """What one call of `ResultSession.write` gave: lines of the output file, and whether that is all."""

    output: bytes
    is_done: bool


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """What the results came to.

    Attributes:
        completed: Lines that were answered.
        failed: Lines that were not.
        usage: Of the batch.
        lessons: Facts about the model that refusals of lines have taught, by their names.
        served: What the answers say has answered; empty: nothing.
        searches: Queries that the web was searched for.
        searching: Requests that have searched.
    """

    completed: int
    failed: int
    usage: dict[str, Any]
    lessons: Mapping[str, object] = field(default_factory=dict)
    served: str = ""
    searches: int = 0
    searching: int = 0


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
        lessons: Learns from lines that Google has refused.
        read: Makes a line of the Developer API's out of one of the results; None: they are such lines.
    """

    def __init__(
        self,
        job: LineJob,
        translators: Translators,
        *,
        requests: int,
        not_run: str | None = None,
        directory: Path | None = None,
        lessons: LineLessons | None = None,
        read: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._read = read
        self._lessons = lessons
        self._writer = ResultWriter(job, translators, lessons)
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
        until = time.process_time() + SLICE
        while self._next < self._total and size < STEP and time.process_time() <= until:
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
        """The counts, and what Google has said of the model."""
        taught = self._lessons.taught if self._lessons is not None else {}
        failed = self._total - self._completed
        writer = self._writer
        return ResultSummary(
            self._completed, failed, writer.usage.wire(), taught, writer.served, writer.searches, writer.searching
        )

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
        if self._read is not None:
            line = self._read(line)
        found = _KEY.fullmatch(result_key(line))
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
