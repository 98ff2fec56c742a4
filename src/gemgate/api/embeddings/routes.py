"""`POST /embeddings`: the I/O around the translation."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

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
from gemgate.gemini.client.response_check import check_response
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.types import BatchEmbedContentsRequest, BatchEmbedContentsResponse, CountTokensResponse
from gemgate.media.references import Resolved
from gemgate.model_routing.model_name import model_name
from gemgate.observability.record import current
from gemgate.tasks import all_of
from gemgate.translation.notes import served_by
from gemgate.translation.options import Usage
from gemgate.translation.validation import parse
from gemgate.upstream.client import Upstream
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run, is_dry_run
from gemgate.web.json_body import read_json_body

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
    wanted = parse(EmbeddingRequest, raw)
    record = current()
    record.asks("embeddings", wanted.model, wanted)
    caller.check_model(wanted.model)
    await services.access.check_request(caller, wanted, raw)
    is_dry = is_dry_run(request)
    # Vectors of two models have nothing in common, so that no other model may stand in for the first.
    model = services.aliases.first(wanted.model)
    refs = media_of(wanted)

    async def resolved() -> Resolved:
        if not services.media.concerns(refs, len(raw)):
            return {}
        return await services.media.resolve(
            refs,
            caller,
            model=model_name(model),
            size=len(raw),
            inline=partial(inline_media_of, wanted),
            is_dry_run=is_dry,
        )

    async def answered(translation: EmbeddingsTranslation) -> list[EmbeddingsAnswer]:
        calls = _EmbeddingCalls(
            services.gemini, translation, caller.key, options.usage, asyncio.Semaphore(options.concurrency)
        )
        return await all_of([calls.answer(body) for body in translation.bodies])

    async with cancelled_on_disconnect(request):
        media = await resolved()
        translation = to_gemini(wanted, options, media, model=model)
        record.uses(translation.model, translation.notes, is_asked=not is_dry)
        if is_dry:
            path = f"/v1beta/{translation.model}:batchEmbedContents"
            return dry_run(path, translation.bodies[0], len(translation.bodies), translation.notes)
        try:
            answers = await answered(translation)
        except GeminiError as error:
            if not await services.media.can_renew(error, media, caller):
                raise
            translation = to_gemini(wanted, options, await resolved(), model=model)
            record.notes = translation.notes
            answers = await answered(translation)
    record.answered(None, {"promptTokenCount": sum(answer.tokens or 0 for answer in answers)})
    headers = translation.notes.headers() | served_by(translation.model)
    return Response(embedding_list(translation, answers), headers=headers, media_type="application/json")


class _EmbeddingCalls:
    """The calls to Google that one request makes, of which only some run at once."""

    def __init__(
        self,
        gemini: Upstream,
        translation: EmbeddingsTranslation,
        key: str | None,
        usage: Usage,
        limit: asyncio.Semaphore,
    ) -> None:
        self._gemini = gemini
        self._translation = translation
        self._key = key
        self._usage = usage
        self._limit = limit

    async def answer(self, body: BatchEmbedContentsRequest) -> EmbeddingsAnswer:
        """The vectors for one chunk of the input, and its tokens: Google's word, else counted, else 0.

        Raises:
            GeminiError: Google gave no vectors.
        """
        if self._usage == "off":
            return await self._embed(body)
        if self._translation.facts.embedding_usage:
            embedded = await self._embed(body)
            return (
                embedded if embedded.tokens is not None else EmbeddingsAnswer(embedded.vectors, await self._count(body))
            )
        embedded, counted = await all_of([self._embed(body), self._counted(body)])
        return EmbeddingsAnswer(embedded.vectors, counted.tokens if embedded.tokens is None else embedded.tokens)

    async def _embed(self, body: BatchEmbedContentsRequest) -> EmbeddingsAnswer:
        response = cast("BatchEmbedContentsResponse", await self._post("batchEmbedContents", body))
        check_response(response, BatchEmbedContentsResponse)
        return embeddings_from_gemini(response, len(body["requests"]), is_base64=self._translation.is_base64)

    async def _counted(self, body: BatchEmbedContentsRequest) -> EmbeddingsAnswer:
        return EmbeddingsAnswer(tokens=await self._count(body))

    async def _count(self, body: BatchEmbedContentsRequest) -> int | None:
        """Counting is not worth losing the vectors: when it fails, a header says that the number is not known."""
        try:
            response = await self._post("countTokens", count_request(body))
            check_response(response, CountTokensResponse)
        except GeminiError:
            self._translation.notes.adjust("usage=unknown->0")
            return None
        return int(response.get("totalTokens") or 0)

    async def _post(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._limit:
            return await self._gemini.request(
                "POST", f"/v1beta/{self._translation.model}:{method}", key=self._key, json=body
            )
