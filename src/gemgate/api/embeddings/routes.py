"""`POST /embeddings`: the I/O around the translation."""

import asyncio
from functools import partial
from typing import cast

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.embeddings.inputs import inline_media_of, media_of
from gemgate.api.embeddings.translation import (
    EmbeddingsAnswer,
    EmbeddingsTranslation,
    count_request,
    embedding_list,
    embeddings_from_gemini,
    to_gemini,
)
from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.api.services import caller_of, services_of
from gemgate.gemini.client.event_stream import check_response
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.proto_json import whole_number
from gemgate.gemini.types import BatchEmbedContentsRequest, BatchEmbedContentsResponse, CountTokensResponse
from gemgate.media.references import Resolved
from gemgate.model_routing.model_name import model_name
from gemgate.observability.record import current
from gemgate.tasks import all_of
from gemgate.translation.options import Usage
from gemgate.translation.request_size import is_heavy
from gemgate.translation.validation import parse
from gemgate.upstream.client import SIDE_CALL_SECONDS, Upstream
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_request import is_dry_run, read_json_body
from gemgate.web.json_response import WrittenJson

router = APIRouter(tags=["embeddings"])


@router.post("/embeddings", summary="Create embeddings")
async def create_embeddings(request: Request) -> Response:
    """Answer with a list of vectors of length 1, one for each item of `input`, in its order.

    With `x-gemgate-dry-run: true`, answer with the first native request instead, and call nobody.
    """
    services = services_of(request)
    options = services.embeddings
    caller = caller_of(request)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    aside = services.heavy.aside(caller.id, is_heavy=is_heavy(raw))
    wanted = await aside.run(partial(parse, EmbeddingRequest, raw))
    record = current()
    record.asks("embeddings", wanted.model, wanted)
    caller.check_model(wanted.model)
    await services.access.check_request(caller, wanted, raw)
    is_dry = is_dry_run(request)
    # Vectors of two models have nothing in common, so that no other model may stand in for the first.
    model = services.aliases.first(wanted.model)
    refs = await aside.run(partial(media_of, wanted))

    async def resolved() -> Resolved:
        if not refs and len(raw) <= services.media.untouched_bytes:
            return {}
        return await services.media.resolve(
            refs,
            caller,
            model=model_name(model),
            size=len(raw),
            inline=partial(inline_media_of, wanted),
            is_dry_run=is_dry,
            method="batchEmbedContents",
        )

    async def answered(translation: EmbeddingsTranslation) -> list[EmbeddingsAnswer]:
        calls = _EmbeddingCalls(services.gemini, translation, caller.key, options.usage, options.concurrency)
        return await calls.answers()

    async with cancelled_on_disconnect(request):
        media = await resolved()
        translation = await aside.run(partial(to_gemini, wanted, options, media, model=model))
        record.uses(translation.model, translation.notes, is_asked=not is_dry)
        if is_dry:
            path = f"/v1beta/{translation.model}:batchEmbedContents"
            client, bodies = services.gemini.client, translation.bodies
            calls = 1 + sum(client.shown(path, body).calls for body in bodies[1:])
            return dry_run(client, path, bodies[0], calls, translation.notes)
        try:
            answers = await answered(translation)
        except GeminiError as error:
            if not await services.media.can_renew(error, media, caller):
                raise
            translation = to_gemini(wanted, options, await resolved(), model=model)
            record.notes = translation.notes
            answers = await answered(translation)
    record.answered(None, {"promptTokenCount": sum(answer.tokens or 0 for answer in answers)})
    headers = translation.notes.headers(served_by=translation.model)
    return WrittenJson(embedding_list(translation, answers), headers)


class _EmbeddingCalls:
    """The calls to Google that one request makes, of which only some run at once."""

    def __init__(
        self,
        gemini: Upstream,
        translation: EmbeddingsTranslation,
        key: str | None,
        usage: Usage,
        concurrency: int,
    ) -> None:
        self._gemini = gemini
        self._translation = translation
        self._key = key
        self._usage = usage
        self._limit = asyncio.Semaphore(concurrency)

    async def answers(self) -> list[EmbeddingsAnswer]:
        """The vectors for each chunk of the input, and its tokens: Google's word, else counted, else 0.

        Counting begins beside the first call where Google is known to give no count. It has little time beyond the
        vectors, and how it ends concerns nothing else.

        Raises:
            GeminiError: Google gave no vectors.
        """
        bodies = self._translation.bodies
        counts: dict[int, asyncio.Task[int | None]] = {}
        try:
            if self._usage != "off" and not self._translation.facts.embedding_usage:
                counts = {index: asyncio.create_task(self._count(body)) for index, body in enumerate(bodies)}
            answers = await all_of([self._embed(body) for body in bodies])
            if self._usage == "off":
                return answers
            unknown = [index for index, answer in enumerate(answers) if answer.tokens is None]
            for index in unknown:
                if index not in counts:
                    counts[index] = asyncio.create_task(self._count(bodies[index]))
            if unknown:
                await asyncio.wait([counts[index] for index in unknown], timeout=SIDE_CALL_SECONDS)
            return [self._counted(answer, counts.get(index)) for index, answer in enumerate(answers)]
        finally:
            for task in counts.values():
                task.cancel()
            await asyncio.gather(*counts.values(), return_exceptions=True)

    async def _embed(self, body: BatchEmbedContentsRequest) -> EmbeddingsAnswer:
        path = f"/v1beta/{self._translation.model}:batchEmbedContents"
        async with self._limit:
            embedded = await self._gemini.request("POST", path, key=self._key, json=body)
        response = cast("BatchEmbedContentsResponse", embedded)
        check_response(response, BatchEmbedContentsResponse)
        return embeddings_from_gemini(response, len(body["requests"]), is_base64=self._translation.is_base64)

    def _counted(self, answer: EmbeddingsAnswer, task: asyncio.Task[int | None] | None) -> EmbeddingsAnswer:
        """With the tokens that were counted; a header says where they are not known."""
        if answer.tokens is not None or task is None:
            return answer
        tokens = task.result() if task.done() and not task.cancelled() else None
        if tokens is None:
            self._translation.notes.adjust("usage=unknown->0")
        return EmbeddingsAnswer(answer.vectors, tokens)

    async def _count(self, body: BatchEmbedContentsRequest) -> int | None:
        """The tokens of `body`; None if they cannot be counted, which is not worth losing the vectors."""
        path = f"/v1beta/{self._translation.model}:countTokens"
        await asyncio.sleep(0)  # the vectors are first in the queue
        try:
            async with self._limit:
                response = await self._gemini.request_aside("POST", path, key=self._key, json=count_request(body))
            check_response(response, CountTokensResponse)
        except GeminiError:
            return None
        return whole_number(response.get("totalTokens"))
