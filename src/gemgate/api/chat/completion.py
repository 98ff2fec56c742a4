"""One chat completion on its way: what the caller asks for, what is translated, and its answer."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.chat.input_items import chat_of_input
from gemgate.api.chat.messages import inline_media_of, media_of, unsigned_calls
from gemgate.api.chat.request import ChatTranslation, to_gemini
from gemgate.api.chat.response import completion_from_gemini
from gemgate.api.chat.stream import ChatStream
from gemgate.api.chat.tool_loop import at_home_first, settle_signatures
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.api.generation import Generation, ModelCall, new_id
from gemgate.api.services import Services, caller_of, dialect_of, services_of
from gemgate.api.stream_after_media import StreamAfterMedia
from gemgate.errors import ApiError
from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.named_resources import may_name
from gemgate.gemini.types import GenerateContentResponse
from gemgate.gemini.usage import searches_of
from gemgate.media.references import InlineRef, Resolved
from gemgate.observability.record import current
from gemgate.translation.options import Dialect, Options
from gemgate.translation.request_size import LIGHT_BYTES, is_heavy
from gemgate.translation.validation import parse
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_request import is_dry_run, read_json_body
from gemgate.web.json_response import json_response
from gemgate.web.sse import DONE, frames, respond


class ChatSource(NamedTuple):
    """A chat completion request, and how it is translated."""

    chat: ChatCompletionRequest
    options: Options
    dialect: Dialect
    caller_id: str
    is_revisable: bool = False

    def inline_media(self) -> list[InlineRef]:
        """The media that the messages hold themselves."""
        return inline_media_of(self.chat.messages)

    def translate(self, model: str, media: Resolved) -> ChatTranslation:
        """The native request to `model`, with the media that were found."""
        translation = to_gemini(
            self.chat, self.options, model=model, dialect=self.dialect, caller_id=self.caller_id, media=media
        )
        if self.options.origins is not None:
            settle_signatures(translation, self.options.origins)
        return translation

    def revise(self, error: GeminiError) -> bool:  # noqa: ARG002  as the protocol has it
        """Nothing is changed."""
        return False


async def create_chat_completion(request: Request) -> Response:
    """Answer with a `chat.completion`, or with a stream of `chat.completion.chunk`s.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    completion = await Completion.read(request, services)
    if completion.waits_for_media:
        late = completion.after_media()
        return respond(request, late.stream(), services.settings, late.response_headers)
    generation = await completion.translated(request)
    if completion.is_dry_run:
        return native_request(services.gemini.client, generation.translation, is_stream=completion.is_stream)
    if completion.is_stream:
        return respond(request, generation.stream(), services.settings, generation.response_headers)
    del completion  # what was asked may be long, and the answer long in coming
    async with cancelled_on_disconnect(request):
        body = await whole_completion(generation)
    return json_response(body, generation.response_headers())


@dataclass(frozen=True, slots=True)
class Completion:
    """A chat completion request that was read and may be answered.

    Attributes:
        call: The request on its way to Google.
        models: All that may answer, in their order.
        is_stream: Whether its answer is streamed.
        needs_media: Whether something must be fetched, looked up or uploaded before it is translated.
        is_dry_run: Whether nobody is called.
    """

    call: ModelCall[ChatTranslation]
    models: tuple[str, ...]
    is_stream: bool
    needs_media: bool
    is_dry_run: bool

    @classmethod
    async def read(cls, request: Request, services: Services) -> "Completion":
        """The request, once it is known that its caller may ask for it.

        Raises:
            ApiError: the request is wrong, or names what its caller may not use.
        """
        caller = caller_of(request)
        raw = await read_json_body(request, services.settings.max_body_bytes)
        is_large = len(raw) > LIGHT_BYTES and is_heavy(raw)  # beside the event loop, then
        chat = await services.heavy.run(caller.id, partial(parse_chat, raw)) if is_large else parse_chat(raw)
        current().asks("chat", chat.model, chat)
        caller.check_model(chat.model)
        if services.access.is_shared and may_name(raw):
            await services.access.check_request(caller, chat, raw)
        if services.chat.signatures.is_shared and (unsigned := unsigned_calls(chat.messages, caller.id)):
            await services.chat.signatures.recall(unsigned)
        models = services.aliases.resolve(chat.model)
        if services.chat.origins is not None:
            models = at_home_first(models, chat.messages, caller.id, services.chat)
        source = ChatSource(chat, services.chat, dialect_of(request), caller.id)
        is_dry = is_dry_run(request)
        named = partial(media_of, chat.messages)
        refs = await services.heavy.run(caller.id, named) if is_large else named()
        call = ModelCall(services, caller, source, chat.model, len(raw), is_dry, models[0], is_large, refs=refs)
        return cls(call, models, bool(chat.stream), call.needs_media, is_dry)

    @property
    def waits_for_media(self) -> bool:
        """Whether its answer may begin before its media are there: files may have to be uploaded."""
        return self.is_stream and self.needs_media and not self.is_dry_run

    async def translated(self, request: Request) -> Generation[ChatTranslation]:
        """The request as the first model gets it, with the media that it names."""
        call = self.call
        if self.needs_media:
            async with cancelled_on_disconnect(request):
                translation = await call.resolve_and_translate()
        else:
            translation = await call.ready()
        current().uses(translation.model, translation.notes, is_asked=not self.is_dry_run)
        return Generation(call, translation, self.models, chat_pieces)

    def after_media(self) -> StreamAfterMedia[ChatTranslation]:
        """The streamed answer, of which the response may begin before."""
        return StreamAfterMedia(self.call, self.models, chat_pieces)


def parse_chat(raw: bytes) -> ChatCompletionRequest:
    """The body of a request, whichever of the two APIs it is written for.

    Raises:
        ApiError: 400, naming the parameter at fault.
    """
    try:
        return parse(ChatCompletionRequest, raw)
    except ApiError as error:
        return chat_of_input(raw, error)


async def whole_completion(generation: Generation[ChatTranslation]) -> dict[str, Any]:
    """The answer in one piece, as a `chat.completion`."""
    record = current()
    translation, answers = await generation.answer()
    for answer in answers:
        record.answered(answer.get("modelVersion"), answer.get("usageMetadata"))
        record.searched(searches_of(answer))
    created, context = int(time.time()), translation.context
    translated = partial(
        completion_from_gemini, answers, context, fallback_id=new_id(), created=created, notes=translation.notes
    )
    body = translated() if context.audio_format is None else await to_thread.run_sync(translated)  # it may be encoded
    record.response_id = body["id"]
    record.finish_reasons = [choice["finish_reason"] for choice in body["choices"]]
    return body


def native_request(client: GeminiClient, translation: ChatTranslation, *, is_stream: bool) -> Response:
    """What would be sent to Google."""
    method = "streamGenerateContent?alt=sse" if is_stream else "generateContent"
    path = f"/v1beta/{translation.model}:{method}"
    return dry_run(client, path, translation.body, translation.calls, translation.notes)


async def chat_pieces(call: ModelCall[ChatTranslation], translation: ChatTranslation) -> AsyncGenerator[bytes, None]:
    """The answer as ready bytes: all chunks of one read from Google in one piece."""
    translation, events = await call.begin(translation)
    stream = ChatStream(translation.context, fallback_id=new_id(), created=int(time.time()), calls=translation.calls)
    current().on_finish(stream.summary)
    speaks = translation.context.audio_format is not None
    del call, translation  # as for a whole answer: what was asked is needed no more
    async with aclosing(events) as batches:
        async for number, batch in batches:
            if speaks:  # encoding holds the event loop up
                chunks = await to_thread.run_sync(_fed, stream, batch, number)
            else:
                chunks = [chunk for event in batch for chunk in stream.feed(event, number)]
            if chunks:
                yield frames(chunks)
    last = await to_thread.run_sync(stream.finish) if speaks else stream.finish()
    yield frames(last) + DONE


def _fed(stream: ChatStream, batch: list[GenerateContentResponse], number: int) -> list[dict[str, object]]:
    return [chunk for event in batch for chunk in stream.feed(event, number)]
