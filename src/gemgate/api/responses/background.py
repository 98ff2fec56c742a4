"""Responses in the background: how many run, who follows them, how they are cancelled, and what dead processes left."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog

from gemgate.api.responses.background_run import BackgroundRun, BackgroundWork
from gemgate.api.responses.event_log import events_after
from gemgate.api.responses.events import error_of_response, last_events
from gemgate.api.responses.kept_responses import KeptResponses, response_not_found
from gemgate.api.responses.kept_turn import KeptTurn, beside, read_turn
from gemgate.api.responses.wire import Json
from gemgate.auth.caller import Caller
from gemgate.errors import SERVER_ERROR, ApiError
from gemgate.redaction import traceback_of
from gemgate.store import StoredResponse
from gemgate.tasks import in_background
from gemgate.web.sse import DONE

FOLLOW_SECONDS = 0.5
"""Between two looks for events that another process keeps."""

REAP_SECONDS = 10.0
"""Between two looks for responses whose process is gone."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BackgroundLimits:
    """How many responses may be generated in the background by one process: of all callers, and of one."""

    at_once: int
    per_caller: int


@dataclass(slots=True)
class BackgroundResponses:
    """Those of one process, and the way to those of others.

    Attributes:
        store: Where they are kept.
        limits: How many may run.
    """

    store: KeptResponses
    limits: BackgroundLimits
    _runs: dict[tuple[str, str], BackgroundRun] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["BackgroundResponses"]:
        """End what dead processes have left; at the end of the block, what this one still generates fails."""
        async with in_background(self._reap()):
            try:
                yield self
            finally:
                await asyncio.gather(*[run.stop() for run in list(self._runs.values())])

    def check_room(self, caller: Caller) -> None:
        """Refuse one response more than may run.

        Raises:
            ApiError: 400, none may; 429, the caller has as many; 503, the process has.
        """
        at_once, most = self.limits.at_once, self.limits.per_caller
        if not at_once:
            msg = "This gateway generates no responses in the background (GEMGATE_MAX_BACKGROUND_RESPONSES is 0)."
            raise ApiError(400, msg, param="background", code="unsupported_parameter")
        headers = {"retry-after": "1"}
        if sum(owner == caller.id for owner, _ in self._runs) >= most:
            msg = (
                f"You have {most} responses running in the background, as many as one caller may have at once "
                "(GEMGATE_MAX_BACKGROUND_RESPONSES_PER_CALLER). Please retry when one of them has ended."
            )
            raise ApiError(429, msg, type="requests", code="rate_limit_exceeded", headers=headers)
        if len(self._runs) >= at_once:
            msg = f"The gateway generates {at_once} responses in the background, as many as it may. Please retry."
            raise ApiError(503, msg, type=SERVER_ERROR, code="server_overloaded", headers=headers)

    async def start(self, work: BackgroundWork) -> BackgroundRun:
        """Keep a response, and begin to generate it.

        Raises:
            ApiError: as `check_room`.
            StoreError: the store failed, and nothing has begun.
        """
        self.check_room(work.caller)
        run = BackgroundRun(work, self.store)
        self._runs[run.name] = run
        try:
            await run.start()
        except BaseException:
            del self._runs[run.name]
            raise
        run.task.add_done_callback(lambda _task: self._runs.pop(run.name, None))
        return run

    async def cancel(self, caller: Caller, response_id: str) -> Json:
        """The response as it has ended: cancelled, unless it had ended before.

        Raises:
            ApiError: 404, it is not there; 400, it is not in the background.
        """
        found, turn = await self._found(caller.id, response_id)
        if not turn.response["background"]:
            raise ApiError(400, "Cannot cancel a synchronous response.", param="response_id", code="invalid_value")
        if (run := self._runs.get((caller.id, response_id))) is not None:
            await run.cancel()
        elif found.row.lease_until is not None:
            await self._end(found, turn, {"status": "cancelled"})
        else:
            return turn.response
        _, turn = await self._found(caller.id, response_id)
        return turn.response

    async def check_streamed(self, caller: Caller, response_id: str) -> None:
        """Whether there are events to follow.

        Raises:
            ApiError: 404, it is not there; 400, its events were not kept.
        """
        _, turn = await self._found(caller.id, response_id)
        if not turn.response["background"]:
            raise _not_streamed("background=true")
        if await self.store.store.responses.last_event(caller.id, response_id) is None:
            raise _not_streamed("stream=true")

    async def follow(self, caller: Caller, response_id: str, after: int = -1) -> AsyncGenerator[bytes, None]:
        """The events of a response beyond the number `after`, those that are kept and those that come.

        Raises:
            ApiError: 404, it was deleted.
            StoreError: the store failed.
        """
        if (run := self._runs.get((caller.id, response_id))) is not None:
            async for data in run.log.follow(after):
                yield data
            return
        responses, last, is_at_work = self.store.store.responses, after, True
        while is_at_work:
            # First, so that all events are there of one that has ended.
            is_at_work = await responses.is_at_work(caller.id, response_id)
            while some := await responses.events(caller.id, response_id, last):
                for events in some:
                    yield events_after(events, last)
                    last = events.last
            if is_at_work:
                await asyncio.sleep(FOLLOW_SECONDS)
        if await responses.last_event(caller.id, response_id) is None:
            raise response_not_found(response_id)  # deleted meanwhile
        yield DONE

    async def _found(self, owner: str, response_id: str) -> tuple[StoredResponse, KeptTurn]:
        found = await self.store.store.responses.get(owner, response_id)
        if found is None:
            raise response_not_found(response_id)
        return found, await read_turn(found.payload)

    async def _reap(self) -> None:
        while True:
            try:
                await self.end_abandoned()
            except Exception as error:  # noqa: BLE001  the next look may succeed, and no request needs one
                _log.error("abandoned responses were not ended", exception=traceback_of(error))
            await asyncio.sleep(REAP_SECONDS)

    async def end_abandoned(self) -> int:
        """End the responses whose process is gone, as failed; how many there were."""
        ended = 0
        for found in await self.store.store.responses.abandoned():
            turn = await read_turn(found.payload)
            error = error_of_response(_abandoned())
            ended += await self._end(found, turn, {"status": "failed", "error": error}, is_abandoned=True)
        return ended

    async def _end(self, found: StoredResponse, turn: KeptTurn, news: Json, *, is_abandoned: bool = False) -> bool:
        """End a response of another process; False where it has ended meanwhile, or, if abandoned, is alive."""
        response = {**turn.response, **news}
        return await self.store.store.responses.replace(
            found.row.owner,
            found.row.id,
            await beside(len(found.payload), partial(turn.payload, response)),
            status=response["status"],
            closing=lambda number: last_events(response, number),
            is_abandoned=is_abandoned,
        )


def _abandoned() -> ApiError:
    msg = "The gateway was stopped before the response had ended. Please retry."
    return ApiError(500, msg, type=SERVER_ERROR)


def _not_streamed(what: str) -> ApiError:
    msg = f"This response cannot be streamed because it was not created with {what}."
    return ApiError(400, msg, param="stream", code="invalid_value")
