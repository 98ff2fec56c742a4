"""One response in the background: its answer, its events, its lease, and its end, whatever it is."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass

import structlog

from gemgate.api.responses.event_log import EventLog
from gemgate.api.responses.events import ResponseEvents, last_events
from gemgate.api.responses.kept_responses import KeptResponses, response_not_found
from gemgate.api.responses.kept_turn import read_turn
from gemgate.api.responses.state import ResolvedRequest
from gemgate.api.responses.wire import Json
from gemgate.auth.caller import Caller
from gemgate.errors import SERVER_ERROR, ApiError, internal_error, shutting_down, store_unavailable
from gemgate.observability.record import current
from gemgate.redaction import traceback_of
from gemgate.store import StoredEvents, StoreError
from gemgate.web.error_handlers import as_api_error
from gemgate.web.sse import DONE

LEASE = 30.0
"""Seconds without a sign of life after which another process ends a response as failed."""

RENEW_SECONDS = 5.0
"""Between two signs of life. With each it is learned whether the response has ended through another process."""

FLUSH_SECONDS = 0.5
"""Between two looks for events that other processes cannot see yet."""

END_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts to keep an end while the store fails."""

_STOP_SECONDS = 5.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BackgroundWork:
    """What is to be generated.

    Attributes:
        resolved: The request.
        caller: Whose it is.
        events: Writes the events.
        pieces: Gives the answer as ready bytes; before the last ones it hands the response to `BackgroundRun.note_end`.
        seconds: How long it may take.
        heartbeat: Seconds of silence after which an event is made.
        streams: Whether events are wanted.
    """

    resolved: ResolvedRequest
    caller: Caller
    events: ResponseEvents
    pieces: Callable[["BackgroundRun"], AsyncGenerator[bytes, None]]
    seconds: float
    heartbeat: float
    streams: bool


class BackgroundRun:
    """A response at work in this process.

    Attributes:
        work: What is generated.
        log: Its events, where they are wanted.
        task: Ends when the response has ended, and is not cancelled before; there once it is kept.
    """

    task: "asyncio.Task[None]"
    _working: "asyncio.Task[bytes]"
    """There once it is kept, as `task` is."""

    def __init__(self, work: BackgroundWork, store: KeptResponses) -> None:
        self.work = work
        self.log = EventLog()
        self._store = store
        self._failure: ApiError | None = None
        self._is_lost = False
        self._stopped = asyncio.Event()
        self._is_kept = False
        self._over = asyncio.Event()
        self._ending: tuple[Json, Mapping[str, Json]] | None = None

    @property
    def name(self) -> tuple[str, str]:
        """The caller's id and the response's."""
        return self.work.caller.id, self.work.events.head.id

    async def start(self) -> None:
        """Keep the response, and begin; it ends at once where that was asked for while the store took its time.

        Raises:
            StoreError: the store failed, and nothing has begun.
        """
        events = self.work.events
        if self.work.streams:
            self.log.add(events.begin(), events.number)
        begun = self.log.unkept()
        try:
            await self._store.begin(self.work.resolved, self.work.caller, events.progress(), LEASE, begun)
        except BaseException:
            self._over.set()
            raise
        if begun is not None:
            self.log.kept(begun.last)
        self._working = asyncio.create_task(self._last_piece())
        self.task = asyncio.create_task(self._run())
        self._is_kept = True
        if self._ending is not None or self._failure is not None:
            self._working.cancel()

    async def note_end(self, response: Json, kept: Mapping[str, Json]) -> None:
        """The answer has ended: what comes now are its last events."""
        self._ending = self._ending or (response, kept)

    async def cancel(self) -> None:
        """End it as cancelled, with what was said so far, unless it has ended; returns when it has."""
        if self._ending is None and self._failure is None:
            machine = self.work.events.machine
            output = list(machine.unfinished()) if machine else []
            response = self.work.events.head.response("cancelled", output)
            self._ending = (response, machine.kept if machine else {})
            self._break_off()
        await self._over.wait()

    async def stop(self) -> None:
        """End it as failed: the process is about to end."""
        if self._ending is None and self._failure is None:
            self._failure = shutting_down()
            self._break_off()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._over.wait()

    def _break_off(self) -> None:
        """End the work; where the store is still asked to keep the response, `start` does it then."""
        if self._is_kept:
            self._working.cancel()

    async def _run(self) -> None:
        keeping = asyncio.create_task(self._keep_up())
        await asyncio.wait({self._working})
        self._stopped.set()
        await asyncio.wait({keeping})
        try:
            await self._end()
        except Exception as error:  # noqa: BLE001  its lease runs out, and then another process ends it
            _log.error("the end of a response was not kept", exception=traceback_of(error))
            self._show(self.work.events.failed(store_unavailable()))
        finally:
            self.log.end()
            self._over.set()

    async def _last_piece(self) -> bytes:
        """Read the answer to its end; its last events are the result."""
        last = b""
        async with asyncio.timeout(self.work.seconds), aclosing(self.work.pieces(self)) as pieces:
            async for piece in pieces:
                if self._ending is None:
                    self.log.add(piece, self.work.events.number)
                else:
                    last = piece
        return last

    async def _keep_up(self) -> None:
        """Keep the events and the lease while it is at work."""
        clock = asyncio.get_running_loop().time
        renewed = clock()
        while not self._stopped.is_set():
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._stopped.wait()
            except TimeoutError:
                if self.work.streams and clock() - self.log.added_at >= self.work.heartbeat:
                    self.log.add(self.work.events.heartbeat(), self.work.events.number)
                is_due = clock() - renewed >= RENEW_SECONDS
                if not await self._kept_up(is_due=is_due):
                    self._is_lost = True
                    self._working.cancel()
                    return
                renewed = clock() if is_due else renewed

    async def _kept_up(self, *, is_due: bool) -> bool:
        """Keep the newest events, and the lease if that `is_due`; False where the response has ended elsewhere."""
        store = self._store.store.responses
        try:
            if (events := self.log.unkept()) is not None:
                if not await store.add_events(*self.name, events):
                    return False
                self.log.kept(events.last)
            return not is_due or await store.renew(*self.name, LEASE)
        except StoreError as error:
            _log.warning("a response in the background could not be kept", error=type(error).__name__)
            return True

    async def _end(self) -> None:
        """Keep the end, and show it.

        Raises:
            StoreError: the store fails for long.
        """
        last = self._last_events()
        if not self._is_lost and self._ending is not None:
            response, kept = self._ending
            unkept = self.log.unkept()
            if last is not None and unkept is not None:
                unkept = StoredEvents(unkept.first, last.last, unkept.data + last.data)
            if await self._finished(response, kept, unkept or last):
                if last is not None:
                    self.log.add(last.data, last.last + 1)
                return
        if (found := await self._store.store.responses.get(*self.name)) is not None:
            self._show((await read_turn(found.payload)).response)
        else:
            self._show(self.work.events.failed(response_not_found(self.name[1])))

    def _last_events(self) -> StoredEvents | None:
        """The events that end the answer; those of a failure where it has no end."""
        events = self.work.events
        error = None if self._working.cancelled() else self._working.exception()
        last = b""
        if self._ending is None or error is not None:
            failed = events.failed(self._reason(error))
            self._ending = (failed, events.machine.kept if events.machine else {})
        elif not self._working.cancelled() and self._ending[0]["status"] != "cancelled":
            last = self._working.result()
        if not self.work.streams:
            return None
        last = last or events.end(self._ending[0])
        return StoredEvents(self.log.next, events.number - 1, last.removesuffix(DONE))

    def _reason(self, error: BaseException | None) -> ApiError:
        """Why it has failed, which the log and the metrics are to know."""
        record = current()
        if self._failure is not None:
            failure = self._failure
        elif isinstance(error, TimeoutError):
            failure = _time_is_up(self.work.seconds)
        else:
            failure = as_api_error(error) if isinstance(error, Exception) else internal_error()
        record.error = failure.code or failure.type
        record.outcome = record.outcome or "failed"
        return failure

    async def _finished(self, response: Json, kept: Mapping[str, Json], events: StoredEvents | None) -> bool:
        """Keep the end, more than once while the store fails; False where the response has ended elsewhere.

        Raises:
            StoreError: it fails for long.
        """
        for pause in (*END_PAUSES, None):
            try:
                return await self._store.finish(self.work.resolved, self.work.caller, response, kept, events)
            except StoreError:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("the last attempt ends with an answer or an error")

    def _show(self, response: Json) -> None:
        """Show an end that is not of this process's making."""
        if self.work.streams:
            ending = last_events(response, self.log.next)
            self.log.add(ending.data, self.log.next + ending.amount)


def _time_is_up(seconds: float) -> ApiError:
    msg = f"The response was not ready after {seconds:g} seconds, as long as one in the background may take."
    return ApiError(504, msg, type=SERVER_ERROR, code="timeout")
