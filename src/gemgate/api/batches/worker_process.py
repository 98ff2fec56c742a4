"""A process beside the gateway's for the CPU work of batches, so that the event loop stays free for live requests.

A thread would not do: it shares Python's lock with the event loop and holds it for 5 ms at a time.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, TypeVar

from gemgate.api.batches.input_sessions import CheckSession, TranslateSession, WriteLine
from gemgate.api.batches.line_lessons import LineLessons
from gemgate.api.batches.line_translation import LineJob, Translators
from gemgate.api.batches.result_session import ResultSession
from gemgate.gemini.batch_types import input_line
from gemgate.gemini.fact_snapshot import FactSnapshot, PinnedFacts, catalog_of_pinned, catalog_of_snapshot
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.model_overrides import ModelFactsError
from gemgate.gemini.vertex.batch_lines import (
    MAX_INPUT,
    MAX_REQUESTS,
    developer_result_line,
    vertex_embedding_line,
    vertex_input_line,
)
from gemgate.model_routing.aliases import ModelAliases, ModelLists
from gemgate.translation.options import (
    CachedSearch,
    EmbeddingOptions,
    ModerationOptions,
    Options,
    Policy,
    RemoteMedia,
    ShownThoughts,
    TrailingAssistant,
)
from gemgate.translation.thought_signatures import SignatureStore
from gemgate.web.turns import Turns

IDLE = 60.0
"""Seconds without work after which the process ends."""

DEADLINE = 120.0
"""Seconds that one call may take, after which the process is killed. `line_limit` ends a line long before."""

_NICENESS = 10
_SIGNATURES = 1000


@dataclass(frozen=True, slots=True)
class Setup:
    """What the process needs to know of the settings; see `Settings` for the meaning of each.

    Attributes:
        directory: Where temporary files go; None: where the system puts them.
        google_host: The host of Google's API, where the gateway holds keys and lines must not name what another
            caller has made; None: they are not looked at for that.
        in_vertex: Whether lines are for jobs of Vertex AI.
    """

    model_facts: dict[str, object] | Path
    models: ModelLists = field(default_factory=dict)
    unsupported_params: Policy = "warn"
    trailing_assistant: TrailingAssistant = "trim"
    remote_media: RemoteMedia = "fetch"
    model_facts_date: str = ""
    show_thoughts: ShownThoughts = "off"
    cached_search: CachedSearch = "drop"
    asks_successors: bool = False
    max_line: int = 104_857_600
    max_request: int = 100_000_000
    directory: Path | None = None
    google_host: str | None = None
    moderation: ModerationOptions = field(default_factory=ModerationOptions)
    in_vertex: bool = False

    def translators(self, known: FactSnapshot | None = None) -> Translators:
        """The translators under these settings, and what was known. The store of signatures is empty."""
        catalog = catalog_of_snapshot(
            self.model_facts, self.model_facts_date, known or FactSnapshot(), asks_vertex=self.in_vertex
        )
        return self._translators(catalog, catalog.successor_of if self.asks_successors else None)

    def translators_of(self, pins: PinnedFacts | None) -> Translators:
        """The translators that read answers by the facts of their requests."""
        try:
            catalog = catalog_of_pinned(self.model_facts_date, pins) if pins is not None else None
        except ModelFactsError:
            catalog = None
        if pins is None or catalog is None:
            return self.translators()
        return self._translators(catalog, lambda _: pins["model"])

    def _translators(self, catalog: Catalog, successor_of: Callable[[str], str | None] | None) -> Translators:
        chat = Options(
            catalog=catalog,
            signatures=SignatureStore(_SIGNATURES, 3600),
            unsupported_params=self.unsupported_params,
            trailing_assistant=self.trailing_assistant,
            remote_media=self.remote_media,
            show_thoughts=self.show_thoughts,
            cached_search=self.cached_search,
        )
        embeddings = EmbeddingOptions(
            catalog=catalog, unsupported_params=self.unsupported_params, remote_media=self.remote_media, usage="off"
        )
        return Translators(chat, embeddings, ModelAliases(self.models, successor_of), self.moderation)

    def check_session(self) -> CheckSession:
        """One that looks at an input as it is uploaded."""
        return CheckSession(ModelAliases(self.models), max_line=self.max_line)

    def translate_session(self, job: LineJob, known: FactSnapshot | None = None) -> TranslateSession:
        """One that makes the native input of a job, by what is known of models."""
        return TranslateSession(
            job,
            self.translators(known),
            max_line=self.max_line,
            max_request=self.max_request,
            directory=self.directory,
            google_host=self.google_host,
            write=self._writes(job),
            max_native=MAX_INPUT if self.in_vertex else None,
            max_requests=MAX_REQUESTS if self.in_vertex else None,
        )

    def _writes(self, job: LineJob) -> WriteLine:
        """What writes a line of the native input."""
        if not self.in_vertex:
            return input_line
        return vertex_embedding_line if job.url == "/v1/embeddings" else vertex_input_line

    def result_session(
        self, job: LineJob, requests: int, not_run: str | None = None, facts: PinnedFacts | None = None
    ) -> ResultSession:
        """One that puts the results of a job's so many `requests` into their places.

        Args:
            job: The job.
            requests: How many there are.
            not_run: Why some have none.
            facts: What was believed of the model when they were made.
        """
        lessons = LineLessons(job, self.translators_of(facts), self.translators_of(facts))
        return ResultSession(
            job,
            self.translators_of(facts),
            requests=requests,
            not_run=not_run,
            directory=self.directory,
            lessons=lessons,
            read=developer_result_line if self.in_vertex else None,
        )


Session = CheckSession | TranslateSession | ResultSession
S = TypeVar("S", bound=Session)
R = TypeVar("R")
P = ParamSpec("P")


class SessionTable:
    """The sessions of one process, by number. Each method runs in that process."""

    def __init__(self) -> None:
        self._sessions: dict[int, Session] = {}

    def open(self, number: int, made: Callable[[], Session]) -> None:
        """Begin a session: what `made` gives."""
        self._sessions[number] = made()

    def call(self, number: int, method: Callable[..., R], *args: object) -> R:
        """Call a method of a session, such as `TranslateSession.feed`.

        Raises:
            SessionLostError: the process was restarted since it was opened.
        """
        session = self._sessions.get(number)
        if session is None:
            raise SessionLostError
        return method(session, *args)

    def close(self, number: int) -> None:
        """End a session, if it is there."""
        if session := self._sessions.pop(number, None):
            session.close()


class SessionLostError(Exception):
    """The process ended in the middle of the work, which must begin again."""


class CallTooLongError(SessionLostError):
    """A call took so long that the process was killed."""


_bench = SessionTable()


def _open(number: int, made: Callable[[], Session]) -> None:
    _bench.open(number, made)


def _call(number: int, method: Callable[..., R], *args: object) -> R:
    return _bench.call(number, method, *args)


def _close(number: int) -> None:
    _bench.close(number)


def _prepare() -> None:
    """Live requests go first, Ctrl-C is the parent's, and when the parent is killed this process ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(_NICENESS)
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(parent.join,), daemon=True).start()


def _end_with(wait: Callable[[], object]) -> None:
    wait()
    os._exit(1)


class WorkerProcess:
    """Starts the process when there is work and ends it when there was none for a while.

    Used as `async with process.input(job) as call: await call(TranslateSession.feed, piece)`. Calls of several
    sessions take turns: one is made at a time, and callers come in rotation, however many batches each of them has.

    Args:
        setup: What the process needs to know.
        known: What Google has said of models until now, which the process needs to know too.
        idle: Seconds without work after which it ends.
        deadline: Seconds that one call may take.
    """

    def __init__(
        self,
        setup: Setup,
        known: Callable[[], FactSnapshot] = FactSnapshot,
        *,
        idle: float = IDLE,
        deadline: float = DEADLINE,
    ) -> None:
        self.deadline = deadline
        self.turns = Turns()
        self._setup = setup
        self._known = known
        self._idle = idle
        self._pool: ProcessPoolExecutor | None = None
        self._numbers = count()
        self._open_sessions = 0
        self._closing: asyncio.TimerHandle | None = None

    def check(self) -> "AbstractAsyncContextManager[SessionProxy[CheckSession]]":
        """A `CheckSession`. Its calls raise `SessionLostError` when the process has died, like those of the others."""
        return self._session(self._setup.check_session)

    def input(self, job: LineJob) -> "AbstractAsyncContextManager[SessionProxy[TranslateSession]]":
        """A `TranslateSession`."""
        return self._session(partial(self._setup.translate_session, job, self._known()), job)

    def results(
        self, job: LineJob, *, requests: int, not_run: str | None, facts: PinnedFacts | None = None
    ) -> "AbstractAsyncContextManager[SessionProxy[ResultSession]]":
        """A `ResultSession`; `facts` are those of the requests."""
        return self._session(partial(self._setup.result_session, job, requests, not_run, facts), job)

    async def aclose(self) -> None:
        """End the process."""
        if self._closing:
            self._closing.cancel()
        pool, self._pool = self._pool, None
        if pool:
            # It has nothing to save, and may have only just begun to load its modules, which takes a second.
            _kill(pool)
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    @asynccontextmanager
    async def _session(self, made: Callable[[], S], job: LineJob | None = None) -> AsyncIterator["SessionProxy[S]"]:
        if self._closing:
            self._closing.cancel()
        self._open_sessions += 1
        number = next(self._numbers)
        pool: ProcessPoolExecutor | None = None
        try:
            pool = await self._started()
            caller = job.caller_id or job.batch_id if job is not None else f"#{number}"
            call: SessionProxy[S] = SessionProxy(self, pool, number, caller)
            await call.run(_open, number, made)
            yield call
        finally:
            self._open_sessions -= 1
            if pool is not None:
                with suppress(RuntimeError):
                    pool.submit(_close, number)
            if not self._open_sessions:
                self._closing = asyncio.get_running_loop().call_later(self._idle, self._stop_idle)

    async def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            pool = self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_prepare)
            # The first submission starts the process, which takes milliseconds that the event loop does not have.
            await asyncio.to_thread(pool.submit, os.getpid)
            return pool
        return self._pool

    def _stop_idle(self) -> None:
        pool, self._pool = self._pool, None
        if pool:
            pool.shutdown(wait=False)

    def drop(self, pool: ProcessPoolExecutor, *, kill: bool = False) -> None:
        """Forget a process that has died, or that is to be killed."""
        if kill:
            _kill(pool)
        if self._pool is pool:
            self._pool = None
        pool.shutdown(wait=False)


def _kill(pool: ProcessPoolExecutor) -> None:
    for process in list(pool._processes.values()):  # noqa: SLF001  `kill_workers`, from Python 3.14 on
        process.kill()


class SessionProxy(Generic[S]):
    """Calls the methods of a session in its process: `await call(TranslateSession.feed, piece)`."""

    def __init__(self, process: WorkerProcess, pool: ProcessPoolExecutor, number: int, caller: str) -> None:
        self._process = process
        self._pool = pool
        self._number = number
        self._caller = caller

    async def __call__(self, method: Callable[Concatenate[S, P], R], *args: P.args, **_none: P.kwargs) -> R:
        """The method's result.

        Raises:
            SessionLostError: the process has died; `CallTooLongError`, because this call took too long.
        """
        return await self.run(_call, self._number, method, *args)

    async def run(self, function: Callable[P, R], *args: P.args, **more: P.kwargs) -> R:
        """Run a function there, when it is this caller's turn.

        Raises:
            SessionLostError: the process has died; `CallTooLongError`, because this call took too long.
        """
        try:
            async with self._process.turns.of(self._caller):
                running = asyncio.wrap_future(self._pool.submit(function, *args, **more))
                try:
                    done, _ = await asyncio.wait({running}, timeout=self._process.deadline)
                finally:
                    running.cancel()  # which does nothing to what has ended
                if not done:
                    self._process.drop(self._pool, kill=True)
                    raise CallTooLongError
                return running.result()
        except RuntimeError as error:  # BrokenProcessPool is one, and so is a pool that was shut down
            self._process.drop(self._pool)
            raise SessionLostError from error
