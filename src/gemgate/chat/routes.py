"""`POST /chat/completions`: the I/O around the translation."""

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.auth import authenticate
from gemgate.body import read_json_body
from gemgate.chat.content import RemoteRef, remote_media
from gemgate.chat.request import Translation, to_gemini
from gemgate.chat.response import from_gemini
from gemgate.chat.stream import ChatStream
from gemgate.chat.wire import ChatCompletionRequest
from gemgate.disconnect import cancelled_on_disconnect
from gemgate.errors import ApiError
from gemgate.gemini.client import GeminiClient
from gemgate.gemini.types import GenerateContentRequest, GenerateContentResponse
from gemgate.media.errors import MediaError
from gemgate.media.inline import Inline
from gemgate.services import Services, dialect_of, services_of
from gemgate.sse import DONE, frame, respond
from gemgate.tasks import all_of, merged
from gemgate.validation import parse

router = APIRouter(tags=["chat"])

_BODY = {"content": {"application/json": {"schema": ChatCompletionRequest.model_json_schema()}}, "required": True}


@router.post("/chat/completions", openapi_extra={"requestBody": _BODY}, summary="Create a chat completion")
async def create_chat_completion(request: Request) -> Response:
    """Answer with a `chat.completion`, or with a stream of `chat.completion.chunk`s.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    caller = authenticate(request.headers, services.settings)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    chat = parse(ChatCompletionRequest, raw)
    is_dry_run = request.headers.get("x-gemgate-dry-run", "").lower() in {"true", "1"}
    async with cancelled_on_disconnect(request):
        fetched = await _fetch(remote_media(chat), services, is_dry_run=is_dry_run)
    translation = to_gemini(chat, services.chat, dialect=dialect_of(request), caller_id=caller.id, fetched=fetched)
    headers = translation.notes.headers()
    if is_dry_run:
        return _json(_dry_run(chat, translation), headers)
    if chat.stream:
        return await respond(request, _stream(services.gemini, translation, caller.key), services.settings, headers)
    async with cancelled_on_disconnect(request):
        answers = await _generate(services.gemini, translation, caller.key)
    completion = from_gemini(answers, translation.context, fallback_id=uuid.uuid4().hex, created=int(time.time()))
    return _json(completion, headers)


def _json(value: object, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(value), headers=headers, media_type="application/json")


def _dry_run(chat: ChatCompletionRequest, translation: Translation) -> dict[str, object]:
    method = "streamGenerateContent?alt=sse" if chat.stream else "generateContent"
    return {
        "object": "gemgate.dry_run",
        "method": "POST",
        "path": f"/v1beta/{translation.model}:{method}",
        "body": translation.body,
        "calls": translation.calls,
        "dropped_params": translation.notes.dropped,
        "adjusted": translation.notes.adjusted,
    }


async def _fetch(wanted: list[RemoteRef], services: Services, *, is_dry_run: bool) -> dict[str, Inline]:
    """Fetch remote media, all at once; a dry run calls nobody and shows a stand-in.

    Raises:
        ApiError: 400 that names the parameter whose URL could not be fetched.
    """
    if not wanted or services.chat.remote_media != "fetch":
        return {}
    limit = services.settings.media_max_urls
    if len(wanted) > limit:
        msg = f"The messages name {len(wanted)} remote files, and this gateway fetches {limit} for one request."
        raise ApiError(400, msg, param=wanted[limit].param, code="too_many_urls")
    if is_dry_run:
        return {ref.url: Inline("application/octet-stream", "") for ref in wanted}

    async def fetch(ref: RemoteRef) -> Inline:
        try:
            return await services.media.fetch(ref.url)
        except MediaError as error:
            raise ApiError(400, f"'{ref.param}': {error}", param=ref.param, code=error.code) from error

    found = await all_of([fetch(ref) for ref in wanted])
    return {ref.url: media for ref, media in zip(wanted, found, strict=True)}


async def _generate(gemini: GeminiClient, translation: Translation, key: str) -> list[GenerateContentResponse]:
    return await all_of([gemini.generate(translation.model, body, key) for body in translation.bodies()])


async def _stream(gemini: GeminiClient, translation: Translation, key: str) -> AsyncGenerator[bytes, None]:
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
    gemini: GeminiClient, model: str, body: GenerateContentRequest, key: str
) -> AsyncGenerator[Batch, None]:
    async with gemini.stream(model, body, key) as batches:
        async for batch in batches:
            yield batch


async def _numbered(source: AsyncGenerator[Batch, None]) -> AsyncGenerator[tuple[int, Batch], None]:
    async with aclosing(source):
        async for batch in source:
            yield 0, batch
