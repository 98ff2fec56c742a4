"""`POST /audio/speech`."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.body_for_model import body_for_model
from gemgate.api.generation import Generation, with_errors
from gemgate.api.speech.answer import speech_error
from gemgate.api.speech.pieces import SpeechSource, audio_pieces, event_pieces
from gemgate.api.speech.request import OPENAI_MODELS
from gemgate.api.speech.wire import SpeechRequest
from gemgate.observability.record import current
from gemgate.translation.speech.encoders import MEDIA_TYPES
from gemgate.web.byte_stream import ByteStream
from gemgate.web.dry_run import dry_run
from gemgate.web.sse import respond

router = APIRouter(tags=["audio"])


@router.post("/audio/speech", summary="Make speech")
async def create_speech(request: Request) -> Response:
    """Answer with the bytes of a sound file as they are made, or with a stream of events.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    asked = await body_for_model(request, SpeechRequest, "speech", _model_of, OPENAI_MODELS, is_light=False)
    call = asked.call(SpeechSource(asked.body, asked.services.chat))
    translation = await call.ready()
    current().uses(translation.model, translation.notes, is_asked=not asked.is_dry_run)
    if asked.is_dry_run:
        path = f"/v1beta/{translation.model}:streamGenerateContent?alt=sse"
        client = asked.services.gemini.client
        return dry_run(client, path, translation.body, translation.calls, translation.notes)
    is_events = asked.body.stream_format == "sse"
    wanted = translation.format
    generation = Generation(call, translation, asked.models, event_pieces if is_events else audio_pieces)
    pieces = with_errors(generation.stream(), speech_error)
    if is_events:
        return respond(request, pieces, asked.services.settings, generation.response_headers)
    return ByteStream(request, pieces, MEDIA_TYPES[wanted], generation.response_headers)


def _model_of(speech: SpeechRequest) -> str:
    return speech.model
