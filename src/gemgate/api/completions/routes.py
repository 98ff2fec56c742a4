"""`POST /completions`."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.completions.answer import text_completion
from gemgate.api.completions.request import TextCompletionTranslation, in_prompt_words, to_gemini
from gemgate.api.completions.stream import TextStream
from gemgate.api.completions.wire import TextCompletionRequest
from gemgate.api.generation import Generation, ModelCall, new_id
from gemgate.api.services import caller_of, services_of
from gemgate.gemini.errors import GeminiError
from gemgate.media.references import InlineRef, Resolved
from gemgate.observability.record import current
from gemgate.translation.google_errors import error_from_gemini
from gemgate.translation.options import Options
from gemgate.translation.request_size import is_heavy
from gemgate.translation.validation import parse
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_request import is_dry_run, read_json_body
from gemgate.web.json_response import json_response
from gemgate.web.sse import DONE, EventBatches, frame, respond

router = APIRouter(tags=["completions"])


class TextCompletionSource(NamedTuple):
    """A request for texts, and how it is translated."""

    asked: TextCompletionRequest
    options: Options

    @property
    def is_revisable(self) -> bool:
        """Nothing about it is changed because of a failure."""
        return False

    def inline_media(self) -> list[InlineRef]:
        """It holds none."""
        return []

    def translate(self, model: str, media: Resolved) -> TextCompletionTranslation:  # noqa: ARG002  as the protocol has it
        """The native requests to `model`."""
        return to_gemini(self.asked, self.options, model=model)

    def revise(self, error: GeminiError) -> bool:  # noqa: ARG002  as the protocol has it
        """Nothing is changed."""
        return False


@router.post("/completions", summary="Create text completions (legacy)")
async def create_completion(request: Request) -> Response:
    """Answer with a `text_completion`: `n` texts for each prompt, in the order of the prompts, or a stream of them.

    With `x-gemgate-dry-run: true`, answer with the first native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    heavy = is_heavy(raw)
    asked = await services.heavy.aside(caller.id, is_heavy=heavy).run(partial(parse, TextCompletionRequest, raw))
    record = current()
    record.asks("text_completion", asked.model, asked)
    caller.check_model(asked.model)
    await services.access.check_request(caller, asked, raw)
    models = services.aliases.resolve(asked.model)
    is_dry = is_dry_run(request)
    source = TextCompletionSource(asked, services.chat)
    call = ModelCall(services, caller, source, asked.model, len(raw), is_dry, models[0], heavy, refs=())
    translation = await call.ready()
    record.uses(translation.model, translation.notes, is_asked=not is_dry)
    if is_dry:
        method = "streamGenerateContent?alt=sse" if asked.stream else "generateContent"
        path = f"/v1beta/{translation.model}:{method}"
        return dry_run(path, translation.bodies()[0], translation.calls, translation.notes)
    generation = Generation(call, translation, models, text_pieces)
    if asked.stream:
        return respond(request, _explained(generation.stream()), services.settings, generation.response_headers)
    async with cancelled_on_disconnect(request):
        body = await _whole(generation)
    return json_response(body, generation.response_headers())


async def text_pieces(
    call: ModelCall[TextCompletionTranslation], translation: TextCompletionTranslation
) -> AsyncGenerator[bytes, None]:
    """The answer as ready bytes. It ends, and the calls with it, as soon as all texts are as long as they may be."""
    stream = TextStream(translation, fallback_id=new_id(), created=int(time.time()))
    current().on_finish(stream.summary)
    async with aclosing(call.stream(translation)) as batches:
        async for number, batch in batches:
            if chunks := [frame(chunk) for event in batch for chunk in stream.feed(event, number)]:
                yield b"".join(chunks)
            if stream.is_full:
                break
    yield b"".join(frame(chunk) for chunk in stream.finish()) + DONE


async def _whole(generation: Generation[TextCompletionTranslation]) -> dict[str, object]:
    record = current()
    try:
        translation, answers = await generation.answer()
    except GeminiError as error:
        raise in_prompt_words(error_from_gemini(error)) from error
    for answer in answers:
        record.answered(answer.get("modelVersion"), answer.get("usageMetadata"))
    body = text_completion(answers, translation, fallback_id=new_id(), created=int(time.time()))
    record.response_id = body["id"]
    record.finish_reasons = [choice["finish_reason"] for choice in body["choices"]]
    return body


async def _explained(pieces: EventBatches) -> AsyncGenerator[bytes, None]:
    """The pieces; Google's errors name the parameters of this endpoint."""
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
    except GeminiError as error:
        raise in_prompt_words(error_from_gemini(error)) from error
