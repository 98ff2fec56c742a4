"""Responses in the background, as callers meet them: created, followed, cancelled."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gemgate.api.generation import Generation, ModelCall
from gemgate.api.responses.background import BackgroundResponses
from gemgate.api.responses.background_run import BackgroundRun, BackgroundWork
from gemgate.api.responses.completion import ResponseStream, whole_response
from gemgate.api.responses.events import ResponseEvents, error_events
from gemgate.api.responses.kept_responses import response_not_found
from gemgate.api.responses.kept_turn import is_id
from gemgate.api.responses.request import ResponseTranslation
from gemgate.api.responses.state import ResolvedRequest
from gemgate.api.services import Services, caller_of, services_of
from gemgate.api.stream_after_media import StreamAfterMedia
from gemgate.errors import ApiError
from gemgate.observability.record import current
from gemgate.web.json_response import json_response
from gemgate.web.sse import KEEP_ALIVE, EventBatches, respond

router = APIRouter(tags=["responses"])


@dataclass(frozen=True, slots=True)
class BackgroundCall:
    """A request that is answered in the background.

    Attributes:
        call: The call to the first of its models.
        models: All that may be asked, in their order.
        resolved: What is asked for.
        events: Writes its events.
        translation: The native request; None where media must be fetched before.
    """

    call: ModelCall[ResponseTranslation]
    models: Sequence[str]
    resolved: ResolvedRequest
    events: ResponseEvents
    translation: ResponseTranslation | None


async def respond_in_background(request: Request, asked: BackgroundCall) -> Response:
    """Answer at once; the response is generated whether its caller stays or goes.

    Raises:
        ApiError: too many are running.
        StoreError: it cannot be kept.
    """
    services, caller, record = services_of(request), caller_of(request), current()
    settings, streams = services.settings, bool(asked.resolved.request.stream)
    pieces = partial(_streamed if streams else _whole, asked)
    work = BackgroundWork(
        asked.resolved,
        caller,
        asked.events,
        pieces,
        settings.background_timeout,
        settings.keepalive_interval,
        streams,
    )
    background = _background(services)
    run = await background.start(work)
    record.outlives_answer = True
    headers = asked.translation.notes.headers() if asked.translation is not None else {}
    if streams:
        voice = ReplayVoice()
        answer = respond(request, voice.counted(run.log.follow()), settings, lambda: headers, voice)
    else:
        answer = json_response(asked.events.head.response("queued", []), headers)
    return _AnswerBeforeTheEnd(answer, run)


@router.post("/responses/{response_id}/cancel", summary="Cancel a response")
async def cancel_response(request: Request, response_id: str) -> Response:
    """End a response in the background, and answer with the `response`; what has ended stays as it is."""
    if not is_id(response_id):
        raise response_not_found(response_id)
    services, caller = services_of(request), caller_of(request)
    if services.responses.background is None:
        raise response_not_found(response_id)
    cancelled = await services.responses.background.cancel(caller, response_id)
    return json_response(cancelled)


async def respond_with_events(request: Request, response_id: str, after: int) -> Response:
    """The events of a response in the background beyond the number `after`, those that are kept and those that come.

    Raises:
        ApiError: 404, it is not there; 400, its events were not kept.
    """
    services, caller = services_of(request), caller_of(request)
    background = services.responses.background
    if background is None or not is_id(response_id):
        raise response_not_found(response_id)
    await background.check_streamed(caller, response_id)
    voice = ReplayVoice(after + 1)
    events = voice.counted(background.follow(caller, response_id, after))
    return respond(request, events, services.settings, voice=voice)


class ReplayVoice:
    """The voice of a stream that reads what another task writes: its end is not the response's end.

    Args:
        number: That of the next event.
    """

    def __init__(self, number: int = 0) -> None:
        self._number = number

    async def counted(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """`pieces`, whose events are counted."""
        async with aclosing(pieces):
            async for piece in pieces:
                self._number += piece.count(b"\n\n")
                yield piece

    def silence(self) -> bytes:
        """A comment: events are in the log alone."""
        return KEEP_ALIVE

    def failure(self, error: ApiError) -> bytes:
        """An `error`: the response goes on, and its events can be asked for again."""
        return error_events(error, self._number)


class _AnswerBeforeTheEnd(Response):
    """An answer, after which the request goes on until its response has ended.

    So it has its place among those of its caller, its tokens are counted, and its line in the log is about all of it;
    and a shutdown waits for it as for any other.
    """

    def __init__(self, answer: Response, run: BackgroundRun) -> None:
        self.status_code, self.background, self.raw_headers = answer.status_code, None, []
        self._answer = answer
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure = None
        try:
            try:
                await self._answer(scope, receive, send)
            except Exception as error:  # noqa: BLE001  raised when the response has ended
                failure = error
            await asyncio.shield(self._run.task)
        except asyncio.CancelledError:  # the server's time is up
            current().outcome = "shutdown"
            await self._run.stop()
            raise
        if failure is not None:
            raise failure


async def _streamed(asked: BackgroundCall, run: BackgroundRun) -> AsyncGenerator[bytes, None]:
    """The events of the answer."""
    stream = ResponseStream(asked.events, run.note_end)
    current().on_finish(stream.summary)
    if asked.translation is None:
        pieces: EventBatches = StreamAfterMedia(asked.call, asked.models, stream.pieces).stream()
    else:
        current().uses(asked.translation.model, asked.translation.notes)
        pieces = Generation(asked.call, asked.translation, asked.models, stream.pieces).stream()
    try:
        async for piece in pieces:
            yield piece
    finally:
        await pieces.aclose()


async def _whole(asked: BackgroundCall, run: BackgroundRun) -> AsyncGenerator[bytes, None]:
    """The answer, without events."""
    stream = ResponseStream(asked.events, run.note_end)
    current().on_finish(stream.summary)
    translation = asked.translation
    if translation is None:
        translation = await asked.call.resolve_and_translate()
        current().uses(translation.model, translation.notes)
    generation = Generation(asked.call, translation, asked.models, stream.pieces)
    translation, answers = await generation.answer()
    body = whole_response(asked.events, translation, answers)
    await run.note_end(body, asked.events.machine.kept if asked.events.machine else {})
    yield b""


def _background(services: Services) -> BackgroundResponses:
    """The responses in the background of this process.

    Raises:
        ApiError: 400, the gateway keeps none.
    """
    if services.responses.background is None:
        raise ApiError(400, "'background' needs a response that is kept.", param="background", code="invalid_value")
    return services.responses.background
