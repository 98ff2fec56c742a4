"""`POST /audio/speech`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.generation import Generation, ModelCall
from gemgate.api.services import caller_of, services_of
from gemgate.api.speech.answer import speech_error
from gemgate.api.speech.pieces import SpeechSource, audio_pieces, event_pieces
from gemgate.api.speech.request import OPENAI_MODELS
from gemgate.api.speech.wire import SpeechRequest
from gemgate.gemini.errors import GeminiError
from gemgate.model_routing.openai_names import gemini_name
from gemgate.observability.record import current
from gemgate.translation.request_size import LIGHT_BYTES, is_heavy
from gemgate.translation.speech.encoders import MEDIA_TYPES
from gemgate.translation.validation import parse
from gemgate.web.byte_stream import ByteStream
from gemgate.web.dry_run import dry_run
from gemgate.web.json_request import is_dry_run, read_json_body
from gemgate.web.sse import EventBatches, respond

router = APIRouter(tags=["audio"])


@router.post("/audio/speech", summary="Make speech")
async def create_speech(request: Request) -> Response:
    """Answer with the bytes of a sound file as they are made, or with a stream of events.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    heavy = is_heavy(raw) or len(raw) > LIGHT_BYTES  # its text may be looked at line by line
    asked = await services.heavy.aside(caller.id, is_heavy=heavy).run(partial(parse, SpeechRequest, raw))
    record = current()
    record.asks("speech", asked.model, asked)
    name = gemini_name(asked.model, OPENAI_MODELS, services.aliases)
    caller.check_model(name)
    await services.access.check_request(caller, asked, raw)
    models = services.aliases.resolve(name)
    is_dry = is_dry_run(request)
    source = SpeechSource(asked, services.chat)
    call = ModelCall(services, caller, source, asked.model, len(raw), is_dry, models[0], heavy, refs=())
    translation = await call.ready()
    record.uses(translation.model, translation.notes, is_asked=not is_dry)
    if is_dry:
        path = f"/v1beta/{translation.model}:streamGenerateContent?alt=sse"
        return dry_run(path, translation.body, translation.calls, translation.notes)
    is_events = asked.stream_format == "sse"
    wanted = translation.format
    generation = Generation(call, translation, models, event_pieces if is_events else audio_pieces)
    pieces = _explained(generation.stream())
    if is_events:
        return respond(request, pieces, services.settings, generation.response_headers)
    return ByteStream(request, pieces, MEDIA_TYPES[wanted], generation.response_headers)


async def _explained(pieces: EventBatches) -> AsyncGenerator[bytes, None]:
    """The pieces; Google's errors name the parameters of this endpoint."""
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
    except GeminiError as error:
        raise speech_error(error) from error
