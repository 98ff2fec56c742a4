"""`POST /chat/completions`."""

import time
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.chat.completion import ChatSource, chat_pieces
from gemgate.api.chat.input_items import parse_chat
from gemgate.api.chat.messages import unsigned_calls
from gemgate.api.chat.response import completion_from_gemini
from gemgate.api.generation import Generation, ModelCall, new_id, stream_after_media
from gemgate.api.services import (
    caller_of,
    dialect_of,
    services_of,
)
from gemgate.observability.record import current
from gemgate.translation.request_size import is_heavy
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run, is_dry_run
from gemgate.web.json_body import read_json_body
from gemgate.web.json_response import json_response
from gemgate.web.sse import respond

router = APIRouter(tags=["chat"])


@router.post("/chat/completions", summary="Create a chat completion")
async def create_chat_completion(request: Request) -> Response:
    """Answer with a `chat.completion`, or with a stream of `chat.completion.chunk`s.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    aside = services.heavy.aside(caller.id, is_heavy=is_heavy(raw))
    chat = await aside.run(partial(parse_chat, raw))
    record = current()
    record.asks("chat", chat.model, chat)
    caller.check_model(chat.model)
    if services.access.is_shared:
        await services.access.check_request(caller, chat, raw)
    if services.chat.signatures.is_shared and (unsigned := unsigned_calls(chat.messages, caller.id)):
        await services.chat.signatures.recall(unsigned)
    models = services.aliases.resolve(chat.model)
    source = ChatSource(chat, services.chat, dialect_of(request), caller.id)
    is_dry, heavy = is_dry_run(request), aside.is_heavy
    call = await aside.run(partial(ModelCall, services, caller, source, chat.model, len(raw), is_dry, models[0], heavy))
    if chat.stream and call.needs_media and not call.is_dry_run:
        late: dict[str, str] = {}
        return respond(request, stream_after_media(call, models, chat_pieces, late), services.settings, late)
    if call.needs_media:
        async with cancelled_on_disconnect(request):
            translation = await call.resolve_and_translate()
    else:
        translation = await call.ready()
    record.uses(translation.model, translation.notes, is_asked=not call.is_dry_run)
    if call.is_dry_run:
        method = "streamGenerateContent?alt=sse" if chat.stream else "generateContent"
        path = f"/v1beta/{translation.model}:{method}"
        return dry_run(path, translation.body, translation.calls, translation.notes)
    generation = Generation(call, translation, models, chat_pieces)
    if chat.stream:
        return respond(request, generation.stream(), services.settings, generation.headers)
    del raw, chat, source  # what was asked may be long, and the answer long in coming
    async with cancelled_on_disconnect(request):
        translation, answers = await generation.answer()
    for answer in answers:
        record.answered(answer.get("modelVersion"), answer.get("usageMetadata"))
    body = completion_from_gemini(
        answers, translation.context, fallback_id=new_id(), created=int(time.time()), notes=translation.notes
    )
    record.response_id = body["id"]
    record.finish_reasons = [choice["finish_reason"] for choice in body["choices"]]
    return json_response(body, generation.headers | translation.notes.headers())
