"""`POST /chat/completions`: the I/O around the translation."""

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.body import read_json_body
from gemgate.chat.messages import remote_media
from gemgate.chat.request import Translation, to_gemini
from gemgate.chat.response import from_gemini
from gemgate.chat.stream import ChatStream
from gemgate.chat.wire import ChatCompletionRequest
from gemgate.disconnect import cancelled_on_disconnect
from gemgate.dry_run import dry_run, is_dry_run
from gemgate.gemini.types import GenerateContentRequest, GenerateContentResponse
from gemgate.remote import fetch_media
from gemgate.services import caller_of, dialect_of, services_of
from gemgate.sse import DONE, frame, respond
from gemgate.tasks import all_of, merged
from gemgate.upstream.calls import Upstream
from gemgate.validation import parse

router = APIRouter(tags=["chat"])

_BODY = {"content": {"application/json": {"schema": ChatCompletionRequest.model_json_schema()}}, "required": True}


@router.post("/chat/completions", openapi_extra={"requestBody": _BODY}, summary="Create a chat completion")
async def create_chat_completion(request: Request) -> Response:
    """Answer with a `chat.completion`, or with a stream of `chat.completion.chunk`s.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    chat = parse(ChatCompletionRequest, raw)
    caller.check_model(chat.model)
    is_dry = is_dry_run(request)
    async with cancelled_on_disconnect(request):
        fetched = await fetch_media(remote_media(chat.messages), services.media, services.settings, is_dry_run=is_dry)
    translation = to_gemini(chat, services.chat, dialect=dialect_of(request), caller_id=caller.id, fetched=fetched)
    if is_dry:
        method = "streamGenerateContent?alt=sse" if chat.stream else "generateContent"
        path = f"/v1beta/{translation.model}:{method}"
        return dry_run(path, translation.body, translation.calls, translation.notes)
    headers = translation.notes.headers()
    if chat.stream:
        return await respond(request, _stream(services.gemini, translation, caller.key), services.settings, headers)
    async with cancelled_on_disconnect(request):
        answers = await _generate(services.gemini, translation, caller.key)
    completion = from_gemini(answers, translation.context, fallback_id=uuid.uuid4().hex, created=int(time.time()))
    return Response(orjson.dumps(completion), headers=headers, media_type="application/json")


async def _generate(gemini: Upstream, translation: Translation, key: str | None) -> list[GenerateContentResponse]:
    return await all_of([gemini.generate(translation.model, body, key) for body in translation.bodies()])


async def _stream(gemini: Upstream, translation: Translation, key: str | None) -> AsyncGenerator[bytes, None]:
    """The answer as ready bytes: all chunks of one read from Google in one piece."""
    stream = ChatStream(
        translation.context, fallback_id=uuid.uuid4().hex, created=int(time.time()), calls=translation.calls
    )
    sources = [_events(gemini, translation.model, body, key) for body in translation.bodies()]
    async with aclosing(_numbered(sources[0]) if len(sources) == 1 else merged(sources)) as batches:
        async for call, batch in batches:
            if chunks := [frame(chunk) for event in batch for chunk in stream.feed(event, call)]:
                yield b"".join(chunks)
    yield b"".join(frame(chunk) for chunk in stream.finish()) + DONE


Batch = list[GenerateContentResponse]


async def _events(
    gemini: Upstream, model: str, body: GenerateContentRequest, key: str | None
) -> AsyncGenerator[Batch, None]:
    async with gemini.stream(model, body, key) as batches:
        async for batch in batches:
            yield batch


async def _numbered(source: AsyncGenerator[Batch, None]) -> AsyncGenerator[tuple[int, Batch], None]:
    async with aclosing(source):
        async for batch in source:
            yield 0, batch
