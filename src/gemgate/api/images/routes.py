"""`POST /images/generations`, `/images/edits` and `/images/variations`: the I/O around the translation."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Literal, cast

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.images.convert import converted
from gemgate.api.images.edit_body import from_form, from_json, image_part
from gemgate.api.images.pictures import (
    ImagesAnswer,
    Picture,
    completed_events,
    from_generate,
    from_predict,
    images_response,
)
from gemgate.api.images.refusals import image_error
from gemgate.api.images.request import (
    ImagesTranslation,
    Method,
    method_of,
    to_gemini,
)
from gemgate.api.images.wire import (
    VARIATION_MODELS,
    EditRequest,
    GenerationRequest,
    ImageRequest,
    VariationRequest,
)
from gemgate.api.services import Services, caller_of, origin_of, services_of
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.client.event_stream import check_response
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.types import Part, PredictResponse
from gemgate.gemini.usage import searches_of
from gemgate.media.references import FileRef
from gemgate.model_routing.fallback import Fallback, ModelAttempt
from gemgate.model_routing.model_name import model_name
from gemgate.model_routing.openai_names import gemini_name
from gemgate.observability.pricing import images_cost
from gemgate.observability.record import current
from gemgate.tasks import all_of, merged
from gemgate.translation.request_size import is_heavy
from gemgate.translation.retired_models import successor_hint
from gemgate.translation.validation import parse
from gemgate.upstream.client import Upstream
from gemgate.upstream.retry import CallLimits
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.heavy_work import Aside
from gemgate.web.json_request import is_dry_run, read_json_body
from gemgate.web.json_response import json_response
from gemgate.web.multipart import is_form, read_form
from gemgate.web.page_guard import LINKS
from gemgate.web.sse import frame, respond

router = APIRouter(tags=["images"])

Kind = Literal["image_generation", "image_edit"]
Outcome = ImagesAnswer | ApiError


@router.post("/images/generations", summary="Make images")
async def create_image(request: Request) -> Response:
    """Answer with images made from a text, or with a stream of one event an image.

    With `x-gemgate-dry-run: true`, answer with the first native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    aside = services.heavy.aside(caller.id, is_heavy=is_heavy(raw))
    asked = await aside.run(partial(parse, GenerationRequest, raw))
    await services.access.check_request(caller, asked, raw)
    return await _serve(request, services, caller, asked, (), aside)


@router.post("/images/edits", summary="Make images from images")
async def edit_image(request: Request) -> Response:
    """Answer with images made from a text and up to 16 images, of a form or of a JSON body.

    With `x-gemgate-dry-run: true`, answer with the first native request instead, and call nobody.
    """
    return await _edited(request, EditRequest)


@router.post("/images/variations", summary="Make variations of an image")
async def create_image_variation(request: Request) -> Response:
    """Answer with variations of an image, of a form or of a JSON body: an edit that asks for another composition.

    With `x-gemgate-dry-run: true`, answer with the first native request instead, and call nobody.
    """
    return await _edited(request, VariationRequest)


async def _edited(request: Request, shape: type[EditRequest]) -> Response:
    services = services_of(request)
    caller = caller_of(request)
    limit = services.settings.max_body_bytes
    if is_form(request.headers):
        form = await read_form(request, limit)
        heavy = any(is_heavy(bytes(part.content)) for part in form if part.filename is None)
        aside = services.heavy.aside(caller.id, is_heavy=heavy)
        edit, images = await aside.run(partial(from_form, form, shape))
    else:
        raw = await read_json_body(request, limit)
        aside = services.heavy.aside(caller.id, is_heavy=is_heavy(raw))
        edit, images = await aside.run(partial(from_json, raw, shape))
    await services.access.check_request(caller, edit)
    parts = [
        image_part(await services.media.read(image, caller), image.param) if isinstance(image, FileRef) else image
        for image in images
    ]
    return await _serve(request, services, caller, edit, parts, aside)


async def _serve(
    request: Request,
    services: Services,
    caller: Caller,
    asked: ImageRequest,
    images: Sequence[Part],
    aside: Aside,
) -> Response:
    record, kind = current(), _kind(asked)
    is_variation = isinstance(asked, VariationRequest)
    record.asks("image_variation" if is_variation else kind, asked.model, asked)
    name = gemini_name(asked.model, VARIATION_MODELS, services.aliases) if is_variation else asked.model
    caller.check_model(name)
    as_urls = await services.image_links.check(asked, caller.id)
    models = services.aliases.resolve(name)
    is_dry = is_dry_run(request)
    translate = partial(_translated, services, caller, asked, images, aside)
    async with cancelled_on_disconnect(request):
        translation = await translate(models[0], is_dry=is_dry)
    record.uses(translation.model, translation.notes, is_asked=not is_dry)
    if is_dry:
        path = f"/v1beta/{translation.model}:{translation.method}"
        client, bodies = services.gemini.client, translation.bodies
        return dry_run(client, path, bodies[0], len(bodies), translation.notes)
    work = _Work(services.gemini, services.chat.catalog, caller.key, kind, models, translation, translate)
    fallback = Fallback(services.gemini, asked.model, models)
    if asked.stream:
        return respond(request, fallback.stream(work.events), services.settings, lambda: work.headers)
    async with cancelled_on_disconnect(request):
        answers = await fallback.answer(work.answers)
        if as_urls:
            address = f"{origin_of(request)}{LINKS.rstrip('/')}"
            answers = await services.image_links.kept(answers, caller.id, address)
    response = images_response(answers, created=int(time.time()))
    return json_response(response, work.headers)


def _kind(asked: ImageRequest) -> Kind:
    return "image_edit" if isinstance(asked, EditRequest) else "image_generation"


async def _translated(
    services: Services,
    caller: Caller,
    asked: ImageRequest,
    images: Sequence[Part],
    aside: Aside,
    model: str,
    *,
    is_dry: bool = False,
) -> ImagesTranslation:
    """The request as `model` gets it."""
    method = await _method(services, caller, model, is_dry=is_dry)
    return await aside.run(partial(to_gemini, asked, services.chat, method, images, model=model))


class _Work:
    """A request on its way to the first of its models that can answer; each has a translation of its own.

    Attributes:
        headers: Of the response: what was dropped and adjusted, and the model that has answered, once it has begun.
    """

    def __init__(
        self,
        gemini: Upstream,
        catalog: Catalog,
        key: str | None,
        kind: Kind,
        models: Sequence[str],
        first: ImagesTranslation,
        translate: Callable[[str], Awaitable[ImagesTranslation]],
    ) -> None:
        self.headers = first.notes.headers(served_by=first.model if len(models) == 1 else "")
        self._kind = kind
        self._gemini = gemini
        self._catalog = catalog
        self._key = key
        self._first = first
        self._models = models
        self._translate = translate

    async def answers(self, attempt: ModelAttempt) -> list[ImagesAnswer]:
        """The answers to all calls.

        Raises:
            ApiError: no call has one.
        """
        calls = await self._calls(attempt)
        answers = calls.settle(await all_of([calls.outcome(body) for body in calls.bodies]))
        self._is_answered_by(calls.translation)
        return answers

    async def events(self, attempt: ModelAttempt) -> AsyncGenerator[bytes, None]:
        """The images as events.

        Raises:
            ApiError: no call has one.
        """
        calls = await self._calls(attempt)
        async with aclosing(_stream(calls, self._kind)) as events:
            async for event in events:
                self._is_answered_by(calls.translation)
                yield event

    async def _calls(self, attempt: ModelAttempt) -> "_ImageCalls":
        translation = self._first if attempt.model is self._models[0] else await self._translate(attempt.model)
        return _ImageCalls(self._gemini, self._catalog, translation, self._key, attempt.limits)

    def _is_answered_by(self, translation: ImagesTranslation) -> None:
        current().uses(translation.model, translation.notes)
        self.headers.clear()
        self.headers |= translation.notes.headers(served_by=translation.model)


async def _method(services: Services, caller: Caller, asked: str, *, is_dry: bool) -> Method:
    """How the model makes images: the catalog knows, or else the model's own resource says.

    Raises:
        GeminiError: Google does not say which models there are.
    """
    model = model_name(asked)
    known = services.chat.catalog.facts(model).image_method
    if known is not None or is_dry:
        return known or "generateContent"
    listing = await services.models.listing(caller.id, caller.key)
    return method_of(listing.models.get(model))


async def _stream(calls: "_ImageCalls", kind: Kind) -> AsyncGenerator[bytes, None]:
    """An event for each image as it comes; what only the end can say is in a comment, the headers being gone."""
    outcomes: list[Outcome] = []
    early = calls.translation.notes.headers()
    async with aclosing(merged([calls.events(body) for body in calls.bodies])) as arrivals:
        async for _, outcome in arrivals:
            outcomes.append(outcome)
            if isinstance(outcome, ImagesAnswer):
                events = completed_events(kind, outcome, created=int(time.time()))
                yield b"".join(f"event: {event['type']}\n".encode() + frame(event) for event in events)
    calls.settle(outcomes)
    headers = calls.translation.notes.headers()
    if headers != early:
        yield f": x-gemgate-adjusted: {headers['x-gemgate-adjusted']}\n\n".encode()


class _ImageCalls:
    """The calls to Google that one request makes, all at once.

    Attributes:
        translation: The request.
        bodies: What each call sends; written once where the calls are alike, because images are large.
    """

    def __init__(
        self, gemini: Upstream, catalog: Catalog, translation: ImagesTranslation, key: str | None, limits: CallLimits
    ) -> None:
        self.translation = translation
        self.bodies = _written(translation.bodies)
        self._gemini = gemini
        self._catalog = catalog
        self._key = key
        self._limits = limits

    async def outcome(self, body: bytes) -> Outcome:
        """The images of one call, in the format that was asked for; or why there are none."""
        is_imagen = self.translation.method == "predict"
        try:
            answer = await (self._predict(body) if is_imagen else self._generate(body))
        except GeminiError as error:
            failure = image_error(error, is_imagen=is_imagen)
            failure.message += successor_hint(error, self.translation.model, self._catalog)
            return failure
        except ApiError as error:
            return error
        current().answered(None, answer.usage)
        if is_imagen:
            current().pays(images_cost(self.translation.model, len(answer.pictures)))
        if self.translation.output_format is None:
            return answer
        return ImagesAnswer([await self._formatted(picture) for picture in answer.pictures], answer.usage)

    async def events(self, body: bytes) -> AsyncGenerator[Outcome, None]:
        """The same, for `merged`."""
        yield await self.outcome(body)

    def settle(self, outcomes: Sequence[Outcome]) -> list[ImagesAnswer]:
        """The answers; a note says when there are not as many images as were asked for.

        Raises:
            ApiError: every call failed; the first call's error.
        """
        answers = [outcome for outcome in outcomes if isinstance(outcome, ImagesAnswer)]
        if not answers:
            raise next(outcome for outcome in outcomes if isinstance(outcome, ApiError))
        came = sum(len(answer.pictures) for answer in answers)
        if came != self.translation.count:
            self.translation.notes.adjust(f"n={self.translation.count}->{came}")
        return answers

    async def _generate(self, body: bytes) -> ImagesAnswer:
        model, key = self.translation.model, self._key
        answer = await self._gemini.generate(model, body, key, limits=self._limits)
        current().searched(searches_of(answer))
        return from_generate(answer)

    async def _predict(self, body: bytes) -> ImagesAnswer:
        path = f"/v1beta/{self.translation.model}:predict"
        answer = await self._gemini.request("POST", path, key=self._key, json=body, limits=self._limits)
        check_response(answer, PredictResponse)
        return from_predict(cast("PredictResponse", answer))

    async def _formatted(self, picture: Picture) -> Picture:
        """`picture` in the format that was asked for, made in a thread; a note says when that was not possible."""
        wanted, compression = self.translation.output_format or picture.format, self.translation.compression
        made = await asyncio.to_thread(converted, picture, wanted, compression)
        if made.format != wanted:
            self.translation.notes.adjust(f"output_format={wanted}->{made.format}")
        elif compression is not None and made is picture:
            self.translation.notes.adjust(f"output_compression={compression}->none")
        return made


def _written(bodies: Sequence[dict[str, object]]) -> list[bytes]:
    try:
        first = orjson.dumps(bodies[0])
        return [first if body is bodies[0] else orjson.dumps(body) for body in bodies]
    except TypeError as error:
        raise ApiError(400, f"The request cannot be written as JSON: {error}", code="invalid_value") from error
