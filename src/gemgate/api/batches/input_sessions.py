"""The input of a batch, checked and translated in steps of a few milliseconds, in a process of its own. No network.

Bytes come in pieces and go out in pieces; what must wait meanwhile waits on disk, so that memory does not grow with the
number of lines.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from gemgate.api.batches.input_lines import (
    InputReader,
    Line,
)
from gemgate.api.batches.line_limit import line_limit
from gemgate.api.batches.line_translation import (
    LineJob,
    Native,
    Prepared,
    ResultWriter,
    Translators,
    prepare,
)
from gemgate.api.batches.spool import SLICE, STEP, Spool
from gemgate.auth.resource_errors import too_many_names
from gemgate.errors import ApiError, internal_error
from gemgate.gemini.batch_types import input_line
from gemgate.gemini.fact_snapshot import PinnedFacts, pinned
from gemgate.gemini.named_resources import may_name, named_in
from gemgate.media.references import Ref, Resolved
from gemgate.model_routing.aliases import ModelAliases, bare
from gemgate.translation.request_size import check_depth, check_values

MAX_INPUTS = 50_000
"""OpenAI's limit of embeddings in one batch."""

MAX_NATIVE = 2_000_000_000
"""Google's limit of one input file, in bytes."""

WriteLine = Callable[[str, Mapping[str, object]], bytes]
"""Writes a key and a native request as a line of a job's input. Raises `TypeError` for what is not JSON."""


class CheckSession:
    """An input on its way into the store, before there is a batch: what is wrong with it, line by line."""

    def __init__(self, aliases: ModelAliases, *, max_line: int = 104_857_600) -> None:
        self._reader = InputReader(max_line=max_line, aliases=aliases)

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        self._reader.feed(piece)

    def finish(self) -> list[dict[str, object]]:
        """All that is wrong, as in `errors.data` of a batch."""
        self._reader.finish()
        return self._reader.wire_errors()

    def close(self) -> None:
        """Nothing is on disk."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line that waits: its index, what must be fetched or looked up for it, and what it names at Google."""

    index: int
    refs: tuple[Ref, ...]
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Translated:
    """What one call of `TranslateSession` gave: lines for Google, and lines that wait for `resolve`.

    Attributes:
        native: Lines for Google.
        waiting: Lines that wait.
        has_more: Whether lines were left for another call, of `more`.
    """

    native: bytes = b""
    waiting: tuple[Waiting, ...] = ()
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class InputSummary:
    """What an input came to.

    Attributes:
        total: Lines.
        refused: Lines that could not be translated; their error lines are in `refused`.
        requests: Native requests.
        model: `models/…`, None without a valid line.
        errors: Why this cannot be a batch, as in `errors.data`; empty when it can.
        facts: What was believed of the model; None without one.
    """

    total: int
    refused: int
    requests: int
    model: str | None
    errors: list[dict[str, object]] = field(default_factory=list)
    facts: PinnedFacts | None = None


class TranslateSession:
    """An input on its way to Google: `feed`, `resolve` and `finish`, then `summary` and `refused`.

    After `feed` and `finish`, `more` is called as long as `has_more` says so.
    """

    def __init__(
        self,
        job: LineJob,
        translators: Translators,
        *,
        max_line: int = 104_857_600,
        max_request: int = 100_000_000,
        directory: Path | None = None,
        google_host: str | None = None,
        write: WriteLine = input_line,
        max_native: int | None = None,
        max_requests: int | None = None,
    ) -> None:
        self._write = write
        self._max_native = MAX_NATIVE if max_native is None else max_native
        self._max_requests = max_requests
        self._job = job
        self._translators = translators
        self._google_host = google_host
        self._max_request = max_request
        self._reader = InputReader(
            job.url,
            max_line=max_line,
            models=job.models,
            aliases=translators.aliases,
            general_judge=translators.moderation.model,
        )
        self._writer = ResultWriter(job, translators)
        self._queue: deque[Line] = deque()
        self._waiting: dict[int, tuple[str, Prepared]] = {}
        self._refused = Spool(directory)
        self._refusals = 0
        self._requests = 0
        self._bytes = 0

    def feed(self, piece: bytes) -> Translated:
        """Translate the lines that `piece` completes."""
        self._queue.extend(self._reader.feed(piece))
        return self.more()

    def finish(self) -> Translated:
        """Translate the last line, if it has no end."""
        self._queue.extend(self._reader.finish())
        return self.more()

    def more(self) -> Translated:
        """Translate what was fed before: one line at least, and others for as long as `SLICE` lasts."""
        if not self._reader.is_good or self._bytes > self._max_native:
            self._queue.clear()
            return Translated()
        until = time.process_time() + SLICE
        native: list[bytes] = []
        waiting: list[Waiting] = []
        while self._queue:
            line = self._queue.popleft()
            prepared, wanted = self._prepared(line)
            if prepared is not None and (wanted.refs or wanted.names):
                self._waiting[line.index] = line.custom_id, prepared
                waiting.append(wanted)
            elif prepared is not None:
                native.append(self._translate(line.index, line.custom_id, prepared, {}))
            if time.process_time() > until:
                break
        return Translated(b"".join(native), tuple(waiting), bool(self._queue))

    def resolve(self, index: int, media: Resolved | ApiError) -> bytes:
        """Translate a line that waited, with its media or with the reason why there are none."""
        custom_id, prepared = self._waiting.pop(index)
        if isinstance(media, ApiError):
            self._refuse(index, custom_id, media)
            return b""
        return self._translate(index, custom_id, prepared, media)

    def summary(self) -> InputSummary:
        """What the whole input came to."""
        reader = self._reader
        errors = reader.wire_errors()
        if not errors and self._bytes > self._max_native:
            most = f"{self._max_native // 10**9} GB"
            msg = f"The input, translated and with its media, is larger than {most}, the most that "
            errors = [{"code": "max_file_size_exceeded", "line": None, "message": f"{msg}Google takes.", "param": None}]
        if not errors and self._job.url == "/v1/embeddings" and self._requests > MAX_INPUTS:
            msg = f"The requests hold {self._requests:,} inputs, and OpenAI's API allows {MAX_INPUTS:,} in a batch."
            errors = [{"code": "max_requests_exceeded", "line": None, "message": msg, "param": "body.input"}]
        if not errors and self._max_requests is not None and self._requests > self._max_requests:
            msg = f"The lines come to {self._requests:,} requests, and Google takes {self._max_requests:,} in a job."
            errors = [{"code": "max_requests_exceeded", "line": None, "message": msg, "param": None}]
        facts = pinned(self._translators.chat.catalog, reader.model) if reader.model else None
        return InputSummary(reader.total, self._refusals, self._requests, reader.model, errors, facts)

    def refused(self) -> bytes:
        """The next lines about what was refused, for `ResultSession.feed_refused`; empty at the end."""
        return self._refused.drain(STEP)

    def close(self) -> None:
        """Drop what is on disk."""
        self._refused.close()

    def _prepared(self, line: Line) -> tuple[Prepared | None, Waiting]:
        """The line, read for all that follows, and what it waits for; None when it was refused."""
        try:
            with line_limit():
                check_depth(line.body)
                raw = orjson.dumps(line.body)
                check_values(raw)
                prepared = prepare(line.body, self._job, self._translators)
                return prepared, Waiting(line.index, self._references(prepared, raw), self._names(line.body, raw))
        except Exception as error:  # noqa: BLE001  one line must not spoil the others
            self._refuse(line.index, line.custom_id, error)
        return None, Waiting(line.index, ())

    def _references(self, prepared: Prepared, raw: bytes) -> tuple[Ref, ...]:
        """What must be fetched or looked up."""
        may_fetch = self._translators.chat.remote_media == "fetch" and b"http" in raw
        return tuple(prepared.references()) if may_fetch or b'"file_id"' in raw else ()

    def _names(self, body: Mapping[str, object], raw: bytes) -> frozenset[str]:
        """What the line names at Google.

        Raises:
            ApiError: 400, it names too much.
        """
        if self._google_host is None or not may_name(raw):
            return frozenset()
        asked = self._translators.aliases.lists.get(bare(str(body.get("model"))))
        named = named_in(
            {name: value for name, value in body.items() if asked is None or name != "model"}, self._google_host
        )
        if named.is_too_much:
            raise too_many_names()
        return frozenset(named.names)

    def _translate(self, index: int, custom_id: str, prepared: Prepared, media: Resolved) -> bytes:
        try:
            with line_limit():
                requests = prepared.to_gemini(media)
                native = b"".join(self._numbered(index, requests))
        except Exception as error:  # noqa: BLE001  one line must not spoil the others
            self._refuse(index, custom_id, error)
            return b""
        self._requests += len(requests)
        self._bytes += len(native)
        return native

    def _numbered(self, index: int, requests: list[Native]) -> list[bytes]:
        count = len(requests)
        lines = [
            self._write(f"{self._requests + part}-{index}-{part}-{count}", request)
            for part, request in enumerate(requests)
        ]
        if (size := max(map(len, lines))) > self._max_request:
            msg = (
                f"The request has {size} bytes with its media, and Google takes at most {self._max_request}. Upload "
                "the media to /v1/files with the purpose 'user_data', and send its id as file_id."
            )
            raise ApiError(413, msg, code="media_too_large")
        return lines

    def _refuse(self, index: int, custom_id: str, error: Exception) -> None:
        self._refusals += 1
        api_error = error if isinstance(error, ApiError) else internal_error()
        record = {"index": index, "line": self._writer.refused(custom_id, api_error).decode()}
        self._refused.append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
