"""`POST /chat/completions`: the I/O around the translation."""

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass, field

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.auth import Caller
from gemgate.body import read_json_body
from gemgate.chat.context import Dialect
from gemgate.chat.messages import inline_media_of, media_of
from gemgate.chat.request import Translation, to_gemini
from gemgate.chat.response import from_gemini
from gemgate.chat.stream import ChatStream
from gemgate.chat.wire import ChatCompletionRequest
from gemgate.disconnect import cancelled_on_disconnect
from gemgate.dry_run import dry_run, is_dry_run
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.types import GenerateContentRequest, GenerateContentResponse
from gemgate.naming import model_name
from gemgate.record import current
from gemgate.references import Ref, Resolved
from gemgate.services import Services, caller_of, dialect_of, services_of
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
    record = current()
    record.asks("chat", chat.model)
    caller.check_model(chat.model)
    call = _Call(services, caller, chat, len(raw), dialect_of(request), is_dry_run(request))
    async with call.needs_media(request):
        translation = await call.translate()
    record.notes = translation.notes
    if call.is_dry_run:
        method = "streamGenerateContent?alt=sse" if chat.stream else "generateContent"
        path = f"/v1beta/{translation.model}:{method}"
        return dry_run(path, translation.body, translation.calls, translation.notes)
    headers = translation.notes.headers()
    if chat.stream:
        return await respond(request, _stream(call, translation), services.settings, headers)
    async with cancelled_on_disconnect(request):
        answers = await call.generate(translation)
    for answer in answers:
        record.answered(answer.get("modelVersion"), answer.get("usageMetadata"))
    completion = from_gemini(answers, translation.context, fallback_id=uuid.uuid4().hex, created=int(time.time()))
    return Response(orjson.dumps(completion), headers=headers, media_type="application/json")


Batch = list[GenerateContentResponse]


@dataclass(slots=True)
class _Call:
    """One request: what it needs before it is translated, and its calls to Google."""

    services: Services
    caller: Caller
    chat: ChatCompletionRequest
    size: int
    dialect: Dialect
    is_dry_run: bool
    refs: list[Ref] = field(init=False)
    media: Resolved = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refs = media_of(self.chat.messages)

    def needs_media(self, request: Request) -> AbstractAsyncContextManager[None]:
        """Ends the work for a client that has gone; a request that only has to be translated costs nothing."""
        needs = self.services.media.concerns(self.refs, self.size)
        return cancelled_on_disconnect(request) if needs else nullcontext()

    async def translate(self) -> Translation:
        """The native request, once what it names is there."""
        if self.services.media.concerns(self.refs, self.size):
            self.media = await self.services.media.resolve(
                self.refs,
                self.caller,
                model=model_name(self.chat.model),
                size=self.size,
                inline=lambda: inline_media_of(self.chat.messages),
                is_dry_run=self.is_dry_run,
            )
        return to_gemini(
            self.chat, self.services.chat, dialect=self.dialect, caller_id=self.caller.id, media=self.media
        )

    async def generate(self, translation: Translation) -> list[GenerateContentResponse]:
        """Google's whole answers. Files that Google has lost are uploaded again, once."""
        try:
            return await self._generate(translation)
        except GeminiError as error:
            if not await self.services.media.has_lost(error, self.media, self.caller):
                raise
        return await self._generate(await self.translate())

    async def _generate(self, translation: Translation) -> list[GenerateContentResponse]:
        calls = [
            self.services.gemini.generate(translation.model, body, self.caller.key) for body in translation.bodies()
        ]
        return await all_of(calls)

    def stream(self, translation: Translation) -> AsyncGenerator[tuple[int, Batch], None]:
        """The events of Google's answers, each with the number of its call."""
        return self._again_if_lost(translation) if self.media else self._events(translation)

    def _events(self, translation: Translation) -> AsyncGenerator[tuple[int, Batch], None]:
        sources = [
            _events(self.services.gemini, translation.model, body, self.caller.key) for body in translation.bodies()
        ]
        return _numbered(sources[0]) if len(sources) == 1 else merged(sources)

    async def _again_if_lost(self, translation: Translation) -> AsyncGenerator[tuple[int, Batch], None]:
        try:
            async with aclosing(self._events(translation)) as batches:
                async for batch in batches:
                    yield batch
        except GeminiError as error:
            if not await self.services.media.has_lost(error, self.media, self.caller):
                raise
        else:
            return
        async with aclosing(self._events(await self.translate())) as batches:
            async for batch in batches:
                yield batch


async def _stream(call: _Call, translation: Translation) -> AsyncGenerator[bytes, None]:
    """The answer as ready bytes: all chunks of one read from Google in one piece."""
    stream = ChatStream(
        translation.context, fallback_id=uuid.uuid4().hex, created=int(time.time()), calls=translation.calls
    )
    current().told_at_end(stream.told)
    async with aclosing(call.stream(translation)) as batches:
        async for number, batch in batches:
            if chunks := [frame(chunk) for event in batch for chunk in stream.feed(event, number)]:
                yield b"".join(chunks)
    yield b"".join(frame(chunk) for chunk in stream.finish()) + DONE


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
