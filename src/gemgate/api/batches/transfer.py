"""Moves a batch's bytes between the blob store, the process that translates them, and Google."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import orjson

from gemgate.api.batches.claimed import BlobNames
from gemgate.api.batches.input_check import cut
from gemgate.api.batches.input_sessions import InputSummary, Translated, TranslateSession, Waiting
from gemgate.api.batches.line_translation import LineJob
from gemgate.api.batches.result_session import ResultSession, ResultSummary
from gemgate.api.batches.worker_process import S, SessionProxy, WorkerProcess
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.batch_types import BatchJob as GoogleJob
from gemgate.gemini.fact_snapshot import PinnedFacts
from gemgate.gemini.files import GeminiFiles
from gemgate.media.references import Ref, Resolved
from gemgate.store.blobs import Blobs
from gemgate.store.errors import BlobMissingError
from gemgate.store.files import Files
from gemgate.store.tables import BatchRow

ResolveMedia = Callable[[Sequence[Ref], Caller], Awaitable[Resolved]]
"""Fetches remote media, and has the caller's files uploaded. Raises `ApiError` 400 for what cannot be used."""

CheckNames = Callable[[Caller, Collection[str]], Awaitable[None]]
"""Raises `ApiError` 404 for what the caller has not made at Google."""

_LINES_FETCHED_AT_ONCE = 4


async def everything_is_allowed(_caller: Caller, _names: Collection[str]) -> None:
    """The check where Google keeps callers apart."""


@dataclass(frozen=True, slots=True)
class TranslatedInput:
    """What became of an input: its summary, and the size of the native input in bytes."""

    summary: InputSummary
    native_bytes: int


class Transfer:
    """The steps that move bytes. Each can be done again: it puts the same blobs and files in place of the old ones."""

    def __init__(
        self,
        blobs: Blobs,
        files: Files,
        process: WorkerProcess,
        resolve: ResolveMedia,
        check: CheckNames = everything_is_allowed,
    ) -> None:
        self._check = check
        self._blobs = blobs
        self._files = files
        self._process = process
        self._resolve = resolve

    async def keep_input(self, row: BatchRow) -> bool:
        """Copy the input, unless that was done before; False when the file is gone."""
        place = BlobNames(row.id).input
        try:
            await self._blobs.size(place)
        except BlobMissingError:
            file = await self._files.get(row.owner, row.input_file_id)
            if file is None:
                return False
            async with aclosing(self._files.open(file)) as pieces:
                await self._blobs.put(place, pieces)
        return True

    async def translate(self, job: LineJob, caller: Caller) -> TranslatedInput:
        """Write the native input, and what was refused."""
        places = BlobNames(job.batch_id)
        async with self._process.input(job) as call:
            async with aclosing(self._native(call, places.input, caller)) as native:
                size, _ = await self._blobs.put(places.native, native)
            summary = await call(TranslateSession.summary)
            if summary.refused:
                async with aclosing(_drained(call, TranslateSession.refused)) as pieces:
                    await self._blobs.put(places.refused, pieces)
        return TranslatedInput(summary, size)

    async def inline_requests(self, job: LineJob) -> list[tuple[str, Mapping[str, object]]]:
        """The native input as keys and requests; only for a small one."""
        pieces = [piece async for piece in self._blobs.get(BlobNames(job.batch_id).native)]
        lines = (orjson.loads(line) for line in b"".join(pieces).splitlines())
        return [(line["key"], line["request"]) for line in lines]

    def native_from(self, job: LineJob, offset: int) -> AsyncGenerator[bytes]:
        """The native input from `offset` on."""
        return self._blobs.get(BlobNames(job.batch_id).native, offset)

    async def write_results(
        self,
        row: BatchRow,
        job: LineJob,
        results: AsyncIterable[bytes],
        *,
        requests: int,
        has_refused: bool,
        not_run: str | None,
        facts: PinnedFacts | None = None,
        output_file_id: str,
        error_file_id: str,
    ) -> tuple[ResultSummary, bool, bool]:
        """Write the output file and the error file: the counts, and whether there is the one and the other."""
        places = BlobNames(row.id)
        session = self._process.results(job, requests=requests, not_run=not_run, facts=facts)
        async with session as call, AsyncExitStack() as stack:
            given = await stack.enter_async_context(aclosing(self._blobs.get(places.input)))
            await _feed(call, ResultSession.feed_input, given)
            if has_refused:
                refused = await stack.enter_async_context(aclosing(self._blobs.get(places.refused)))
                await _feed(call, ResultSession.feed_refused, refused)
            await _feed(call, ResultSession.feed_results, results)
            await call(ResultSession.end_of_input)
            has_output = await self._save(row, _output(call), output_file_id, "output")
            has_errors = await self._save(row, _drained(call, ResultSession.errors), error_file_id, "error")
            return await call(ResultSession.summary), has_output, has_errors

    async def tidy(self, row: BatchRow) -> None:
        """Remove the blobs of a batch that has ended."""
        await self._blobs.delete(*BlobNames(row.id).all())

    async def _save(self, row: BatchRow, pieces: AsyncGenerator[bytes], file_id: str, what: str) -> bool:
        """Write a file, unless it would be empty."""
        async with aclosing(pieces):
            first = await anext(pieces, None)
            if first is None:
                return False
            await self._files.save(
                row.owner,
                _joined(first, pieces),
                filename=f"{row.id}_{what}.jsonl",
                purpose="batch_output",
                mime_type="application/jsonl",
                expires_after=row.output_expires_after,
                file_id=file_id,
            )
        return True

    async def _native(self, call: SessionProxy[TranslateSession], place: str, caller: Caller) -> AsyncGenerator[bytes]:
        async with aclosing(self._blobs.get(place)) as pieces:
            async for piece in pieces:
                for part in cut(piece):
                    async for native in self._translated(call, await call(TranslateSession.feed, part), caller):
                        yield native
        async for native in self._translated(call, await call(TranslateSession.finish), caller):
            yield native

    async def _translated(
        self, call: SessionProxy[TranslateSession], translated: Translated, caller: Caller
    ) -> AsyncIterator[bytes]:
        """What a call gave, and what was left for the calls after it."""
        while True:
            async for native in self._with_media(call, translated, caller):
                yield native
            if not translated.has_more:
                return
            translated = await call(TranslateSession.more)

    async def _with_media(
        self, call: SessionProxy[TranslateSession], translated: Translated, caller: Caller
    ) -> AsyncIterator[bytes]:
        if translated.native:
            yield translated.native
        for start in range(0, len(translated.waiting), _LINES_FETCHED_AT_ONCE):
            waiting = translated.waiting[start : start + _LINES_FETCHED_AT_ONCE]
            found = await asyncio.gather(*(self._found(line, caller) for line in waiting))
            for line, media in zip(waiting, found, strict=True):
                if native := await call(TranslateSession.resolve, line.index, media):
                    yield native

    async def _found(self, line: Waiting, caller: Caller) -> Resolved | ApiError:
        try:
            if line.names:
                await self._check(caller, line.names)
            return await self._resolve(line.refs, caller) if line.refs else {}
        except ApiError as error:
            return error


async def results_of(job: GoogleJob, files: GeminiFiles, key: str) -> AsyncGenerator[bytes]:
    """Google's results as JSON lines, whether they came with the job or are in a file.

    Raises:
        GeminiError: they cannot be had; `MissingFileError` when Google has deleted them.
    """
    if job.responses_file:
        async with files.download(job.responses_file, key=key) as pieces:
            async for piece in pieces:
                yield piece
    for item in job.inlined:
        yield _as_line(item)


def _as_line(item: object) -> bytes:
    """A result that came inline, written like one in a file."""
    if not isinstance(item, dict):
        return b""
    metadata = item.get("metadata")
    key = metadata.get("key") if isinstance(metadata, dict) else None
    line = {"key": key, **{name: value for name, value in item.items() if name != "metadata"}}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


async def _feed(
    call: SessionProxy[ResultSession], method: Callable[[ResultSession, bytes], None], pieces: AsyncIterable[bytes]
) -> None:
    async for piece in pieces:
        for part in cut(piece):
            await call(method, part)


async def _output(call: SessionProxy[ResultSession]) -> AsyncGenerator[bytes]:
    is_done = False
    while not is_done:
        written = await call(ResultSession.write)
        is_done = written.is_done
        if written.output:
            yield written.output


async def _drained(call: SessionProxy[S], method: Callable[[S], bytes]) -> AsyncGenerator[bytes]:
    while piece := await call(method):
        yield piece


async def _joined(first: bytes, rest: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for piece in rest:
        yield piece
