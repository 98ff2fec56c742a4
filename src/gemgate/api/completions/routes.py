"""`POST /completions`."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.body_for_model import body_for_model
from gemgate.api.completions.answer import text_completion
from gemgate.api.completions.request import TextCompletionTranslation, in_prompt_words, to_gemini
from gemgate.api.completions.stream import TextStream
from gemgate.api.completions.wire import TextCompletionRequest
from gemgate.api.generation import Generation, ModelCall, new_id, with_errors
from gemgate.api.request_source import FixedSource
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.media.references import Resolved
from gemgate.observability.record import current
from gemgate.translation.google_errors import error_from_gemini
from gemgate.translation.options import Options
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_response import json_response
from gemgate.web.sse import DONE, frame, respond

router = APIRouter(tags=["completions"])


@dataclass(frozen=True, slots=True)
class TextCompletionSource(FixedSource):
    """A request for texts, and how it is translated."""

    asked: TextCompletionRequest
    options: Options

    def translate(self, model: str, media: Resolved) -> TextCompletionTranslation:  # noqa: ARG002  as the protocol has it
        """The native requests to `model`."""
        return to_gemini(self.asked, self.options, model=model)


@router.post("/completions", summary="Create text completions (legacy)")
async def create_completion(request: Request) -> Response:
    """Answer with a `text_completion`: `n` texts for each prompt, in the order of the prompts, or a stream of them.

    With `x-gemgate-dry-run: true`, answer with the first native request instead, and call nobody.
    """
    asked = await body_for_model(request, TextCompletionRequest, "text_completion", _model_of)
    call = asked.call(TextCompletionSource(asked.body, asked.services.chat))
    translation = await call.ready()
    current().uses(translation.model, translation.notes, is_asked=not asked.is_dry_run)
    if asked.is_dry_run:
        method = "streamGenerateContent?alt=sse" if asked.body.stream else "generateContent"
        path = f"/v1beta/{translation.model}:{method}"
        client = asked.services.gemini.client
        return dry_run(client, path, translation.bodies()[0], translation.calls, translation.notes)
    generation = Generation(call, translation, asked.models, text_pieces)
    if asked.body.stream:
        pieces = with_errors(generation.stream(), _explained)
        return respond(request, pieces, asked.services.settings, generation.response_headers)
    async with cancelled_on_disconnect(request):
        body = await _whole(generation)
    return json_response(body, generation.response_headers())


async def text_pieces(
    call: ModelCall[TextCompletionTranslation], translation: TextCompletionTranslation
) -> AsyncGenerator[bytes, None]:
    """The answer as ready bytes. It ends, and the calls with it, as soon as all texts are as long as they may be."""
    translation, events = await call.begin(translation)
    stream = TextStream(translation, fallback_id=new_id(), created=int(time.time()))
    current().on_finish(stream.summary)
    async with aclosing(events) as batches:
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
        raise _explained(error) from error
    for answer in answers:
        record.answered(answer.get("modelVersion"), answer.get("usageMetadata"))
    body = text_completion(answers, translation, fallback_id=new_id(), created=int(time.time()))
    record.response_id = body["id"]
    record.finish_reasons = [choice["finish_reason"] for choice in body["choices"]]
    return body


def _explained(error: GeminiError) -> ApiError:
    return in_prompt_words(error_from_gemini(error))


def _model_of(asked: TextCompletionRequest) -> str:
    return asked.model
