"""`POST /responses`."""

import secrets
import time
from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.generation import Generation, ModelCall
from gemgate.api.responses.background_routes import BackgroundCall, respond_in_background
from gemgate.api.responses.compaction import compaction_of, is_triggered
from gemgate.api.responses.completion import ResponseSource, ResponseStream, whole_response
from gemgate.api.responses.connection import CONNECTION, store_of
from gemgate.api.responses.context_compaction import CompactingCall, compact_threshold
from gemgate.api.responses.echo import ResponseHead, echo_of
from gemgate.api.responses.events import ResponseEvents
from gemgate.api.responses.history import unsigned_keys
from gemgate.api.responses.input_tokens import count_request, input_tokens
from gemgate.api.responses.items import named_as_sent
from gemgate.api.responses.request import ResponseTranslation
from gemgate.api.responses.state import ResolvedRequest, ResponseStore
from gemgate.api.responses.warm_up import without_generation
from gemgate.api.responses.wire import Json, ResponseRequest
from gemgate.api.services import Services, caller_of, services_of
from gemgate.api.stream_after_media import StreamAfterMedia
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.model_routing.model_name import model_name
from gemgate.observability.record import current
from gemgate.translation.request_size import is_heavy
from gemgate.translation.validation import parse
from gemgate.web.disconnect import cancelled_on_disconnect, disconnect_of
from gemgate.web.dry_run import dry_run
from gemgate.web.json_request import is_dry_run, read_json_body
from gemgate.web.json_response import json_response
from gemgate.web.sse import EventBatches, respond

router = APIRouter(tags=["responses"])

_ID_BYTES = 24


@router.post("/responses", summary="Create a response")
async def create_response(request: Request) -> Response:
    """Answer with a `response`, or with a stream of its events.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    store = store_of(request.scope, services.responses.store, services.responses.connections)
    source, call, models = await _read(request, services, caller, store)
    asked = source.resolved.request
    record = current()
    events = ResponseEvents(_head(source.resolved))
    if asked.background and not call.is_dry_run:
        await services.confirmed_keys.check(caller)  # it is kept before Google is asked
        ready = None if call.needs_media else await translated(request, call)
        return await respond_in_background(request, BackgroundCall(call, models, source.resolved, events, ready))
    keep = partial(store.keep, source.resolved, caller)
    if asked.generate is False and not call.is_dry_run:
        if source.resolved.is_stored:
            await services.confirmed_keys.check(caller)  # nobody asks Google, who would refuse a wrong one
        return await without_generation(request, events, keep, services.settings, stream=bool(asked.stream))
    stream = ResponseStream(events, keep)
    if asked.stream and call.needs_media and not call.is_dry_run:
        late = StreamAfterMedia(call, models, stream.pieces)
        batches = _kept(request, late.stream(), stream, source.resolved)
        return respond(request, batches, services.settings, late.response_headers, events)
    translation = await translated(request, call)
    record.uses(translation.model, translation.notes, is_asked=not call.is_dry_run)
    if call.is_dry_run:
        method = "streamGenerateContent?alt=sse" if asked.stream else "generateContent"
        path = f"/v1beta/{translation.model}:{method}"
        return dry_run(services.gemini.client, path, translation.body, 1, translation.notes)
    generation = Generation(call, translation, models, stream.pieces)
    if asked.stream:
        batches = _kept(request, generation.stream(), stream, source.resolved)
        return respond(request, batches, services.settings, generation.response_headers, events)
    is_stored = source.resolved.is_stored
    del asked, source  # what was asked may be long, and the answer long in coming
    record.on_finish(stream.summary)
    async with cancelled_on_disconnect(request):
        translation, answers = await generation.answer()
        body = whole_response(events, translation, answers)
        await keep(body, events.machine.kept if events.machine else {})
    if is_stored and not body["store"]:
        translation.notes.adjust("store->false")
    headers = generation.response_headers()
    return json_response(body, headers)


@router.get("/responses", include_in_schema=False)
async def open_websocket(request: Request) -> Response:
    """Accept a WebSocket with 101; where there are none with 426, at which clients go on with HTTP at once.

    They try other refusals again for seconds.

    Raises:
        ApiError: 429, the caller has too many; 426 for a WebSocket that cannot be; 405 for anything else: responses
            cannot be listed.
    """
    if (connection := request.scope.get(CONNECTION)) is not None:
        services_of(request).responses.connections.opened(connection, caller_of(request))
        return Response(status_code=101)
    if "sec-websocket-key" in request.headers:
        msg = "This gateway serves responses over HTTP: send POST, with 'stream': true for events."
        raise ApiError(426, msg, code="websocket_not_supported", headers={"upgrade": "HTTP/1.1"})
    headers = {"allow": "POST"}
    raise ApiError(405, "Not allowed to GET on /responses. Use POST.", code="method_not_supported", headers=headers)


@router.post("/responses/input_tokens", summary="Count the tokens of an input")
async def count_input_tokens(request: Request) -> Response:
    """Answer with the number of tokens that Gemini would read, and generate nothing.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    _, call, _ = await _read(request, services, caller, stores=False)
    translation = await translated(request, call)
    current().uses(translation.model, translation.notes, is_asked=not call.is_dry_run)
    if call.is_dry_run:
        path = f"/v1beta/{translation.model}:countTokens"
        return dry_run(services.gemini.client, path, count_request(translation), 1, translation.notes)
    async with cancelled_on_disconnect(request):
        counted = await input_tokens(services.gemini, caller, translation)
    return json_response(counted, translation.notes.headers())


@router.post("/responses/compact", summary="Compact a conversation")
async def compact_conversation(request: Request) -> Response:
    """Answer with the messages of the user and one item that holds a summary of everything, to go on with.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    source, call, models = await _read(request, services, caller, stores=False)
    source.compacts = True
    translation = await translated(request, call)
    current().uses(translation.model, translation.notes, is_asked=not call.is_dry_run)
    if call.is_dry_run:
        path = f"/v1beta/{translation.model}:generateContent"
        return dry_run(services.gemini.client, path, translation.body, 1, translation.notes)
    events = ResponseEvents(_head(source.resolved))
    stream = ResponseStream(events, _keep_nothing)
    generation = Generation(call, translation, models, stream.pieces)
    current().on_finish(stream.summary)
    async with cancelled_on_disconnect(request):
        translation, answers = await generation.answer()
    response = whole_response(events, translation, answers)
    body = compaction_of(response, source.resolved.items)
    return json_response(body, generation.response_headers())


_Call = ModelCall[ResponseTranslation]


async def _read(
    request: Request, services: Services, caller: Caller, store: ResponseStore | None = None, *, stores: bool = True
) -> tuple[ResponseSource, _Call, tuple[str, ...]]:
    """What the caller asks for, with everything that it refers to; the call to the first of its models, and all.

    `stores` is whether anything may be kept of it.

    Raises:
        ApiError: the request is wrong, or names what its caller may not use.
    """
    raw = await read_json_body(request, services.settings.max_body_bytes)
    aside = services.heavy.aside(caller.id, is_heavy=is_heavy(raw))
    asked = await aside.run(partial(parse, ResponseRequest, raw))
    if not stores:
        asked = asked.model_copy(update={"background": None, "store": False})
    current().asks("responses", asked.model, asked)
    caller.check_model(asked.model)
    if services.access.is_shared:
        await services.access.check_request(caller, asked, raw)
    from_store = store or services.responses.store
    resolved = await from_store.resolve(asked, caller, aside, is_kept=not is_dry_run(request))
    if resolved.kept_bytes:  # an item of a conversation may name anything; and what was its caller's may not be so now
        await services.access.check_values(caller, [item.fields for item in resolved.items], resolved.kept_bytes)
    await _recall(services, resolved, caller)
    compacts = is_triggered(resolved.items)
    source = ResponseSource(resolved, services.chat, services.responses.encryptor, caller.id, compacts)
    models = services.aliases.resolve(asked.model)
    aside = aside.with_kept(resolved.kept_bytes)
    size, is_dry = len(raw) + resolved.kept_bytes, is_dry_run(request)
    if stores and asked.context_management is not None:
        limit = services.chat.catalog.facts(model_name(models[0])).input_limit
        threshold = compact_threshold(asked.context_management, limit)
        source.threshold = None if compacts or is_dry or asked.generate is False else threshold
    kind = ModelCall if source.threshold is None else CompactingCall
    refs = await aside.run(source.media)
    call = kind(services, caller, source, asked.model, size, is_dry, models[0], aside.is_heavy, refs=refs)
    if isinstance(call, CompactingCall):
        call.models = models
    return source, call, models


async def _keep_nothing(_response: Json, _kept: Mapping[str, Json]) -> None:
    """A compaction is not a response that could be referred to."""


async def translated(request: Request, call: ModelCall[ResponseTranslation]) -> ResponseTranslation:
    """The native request, once what it names is there.

    Raises:
        ApiError: 400 that names the item at fault.
    """
    if not call.needs_media:
        return await call.ready()
    async with cancelled_on_disconnect(request):
        try:
            return await call.resolve_and_translate()
        except ApiError as error:
            raise named_as_sent(error) from error.__cause__


async def _recall(services: Services, resolved: ResolvedRequest, caller: Caller) -> None:
    """Find out the signatures that another process keeps."""
    if services.chat.signatures.is_shared and (unsigned := unsigned_keys(resolved.items, caller.id)):
        await services.chat.signatures.recall(unsigned)


def _head(resolved: ResolvedRequest) -> ResponseHead:
    echo = echo_of(resolved.request, is_stored=resolved.is_stored)
    response_id = f"resp_{secrets.token_hex(_ID_BYTES)}"
    return ResponseHead(response_id, int(time.time()), echo, bool(resolved.request.background))


def _kept(request: Request, batches: EventBatches, stream: ResponseStream, resolved: ResolvedRequest) -> EventBatches:
    """The stream of a response that is kept also where it fails, if it is kept at all."""
    if resolved.turn is None:
        return batches
    streams = services_of(request).responses.streams
    return stream.with_failure_kept(batches, streams, disconnect_of(request.scope))
