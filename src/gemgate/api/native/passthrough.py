"""Passes native methods through unchanged. JSON is parsed only where answers must be filtered by caller."""

from dataclasses import replace
from functools import partial

from anyio import to_thread

from gemgate.api.native.exchange import Exchange
from gemgate.api.native.filtered_lists import filtered
from gemgate.api.native.keep_alive import KeptAlive
from gemgate.api.native.ownership import (
    check_access,
    is_filtered,
    looks_inside,
    object_in,
    remember,
)
from gemgate.api.native.request_headers import OF_DOWNLOADS, forwarded_request_headers
from gemgate.api.native.responses import WholeAnswer, error_event, read_whole, relay, reply
from gemgate.api.native.usage_watch import OPERATIONS, DecisionUsageEnds, UsageTail
from gemgate.api.native.vertex_paths import VertexMethod
from gemgate.auth.resource_access import LARGE
from gemgate.gemini.client.response import GeminiResponse
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.files import open_download
from gemgate.observability.record import current
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.error_handlers import as_api_error
from gemgate.web.json_request import read_body

_MAX_READ = 67_108_864


async def plain(exchange: Exchange) -> None:
    """Send the body on once it is here, so that the call can be made again, and the answer as it comes."""
    request = exchange.request
    body = await read_body(request, exchange.services.settings.max_body_bytes)
    await check_access(exchange, body)
    if is_filtered(exchange):
        async with cancelled_on_disconnect(request):
            page = await filtered(exchange)
        await reply(exchange.send, *page)
        return
    is_read, watch = looks_inside(exchange), await _watch(exchange, body)
    if (interval := exchange.services.settings.native_keepalive_interval) and _is_event_stream(exchange):
        await _kept_alive(exchange, body, watch, interval)
        return
    async with cancelled_on_disconnect(request):
        answer = await _call(exchange, body, packed=not is_read and watch is None and exchange.caller.key is not None)
        if not is_read:
            await _hand_on(exchange, answer, watch)
            return
        found = await read_whole(answer, _MAX_READ)
    await remember(exchange, answer, found.content)
    await reply(exchange.send, *found)


def _is_event_stream(exchange: Exchange) -> bool:
    return exchange.call.method.call == "streamGenerateContent" and exchange.query.get("alt") == "sse"


async def _kept_alive(exchange: Exchange, body: bytes, watch: UsageTail | None, interval: float) -> None:
    """As `plain`, with comments while nothing comes."""
    async with cancelled_on_disconnect(exchange.request), KeptAlive(exchange.send, interval) as out:
        try:
            answer = await _call(exchange, body, packed=False)
        except GeminiError as error:
            if not out.has_begun:
                raise
            await out.send({"type": "http.response.body", "body": error_event(as_api_error(error))})
            return
        await _hand_on(replace(exchange, send=out.send), answer, watch)


async def read(exchange: Exchange) -> WholeAnswer:
    """A call without a body: the status, the headers and the body of its answer."""
    await check_access(exchange)
    async with cancelled_on_disconnect(exchange.request):
        if is_filtered(exchange):
            return await filtered(exchange)
        answer = await _call(exchange, b"", packed=False)
        found = await read_whole(answer, _MAX_READ)
    await remember(exchange, answer, found.content)
    return found


async def download(exchange: Exchange) -> None:
    """The bytes of a file that Google made. The redirect is followed here: it leads past the gateway."""
    await check_access(exchange)
    async with cancelled_on_disconnect(exchange.request):
        await _hand_on(exchange, await _open_download(exchange))


async def _call(exchange: Exchange, body: bytes, *, packed: bool) -> GeminiResponse:
    headers = forwarded_request_headers(exchange.request.headers, packed=packed)
    verb = exchange.call.method.verb
    return await exchange.gemini.open(verb, exchange.url, key=exchange.key, headers=headers, body=body or None)


async def _open_download(exchange: Exchange) -> GeminiResponse:
    gemini, key = exchange.gemini, exchange.caller.key
    headers = forwarded_request_headers(exchange.request.headers, more=OF_DOWNLOADS)
    get = partial(gemini.open, "GET", key=key, headers=headers)
    return await open_download(get, exchange.url, gemini.named_url)


async def _watch(exchange: Exchange, body: bytes) -> UsageTail | None:
    """Where a model answers: notes for metrics who is asked, and in the end what it cost."""
    call = exchange.call
    if call.method.decides:
        return await _watch_decision(body)
    operation = OPERATIONS.get(call.method.call)
    if isinstance(call, VertexMethod) and call.method.call == "predict" and "embedding" in call.names[0]:
        operation = "embeddings"
    if operation is None:
        return None
    watch, record = UsageTail(), current()
    top = "" if call.method.top == "models" else f"{call.method.top}/"
    record.asks(operation, top + call.names[0])
    record.on_finish(watch.summary)
    return watch


async def _watch_decision(body: bytes) -> UsageTail:
    asked = object_in(body) if len(body) < LARGE else await to_thread.run_sync(object_in, body)
    watch, record, model = DecisionUsageEnds(), current(), asked.get("model")
    record.asks("decision", model if isinstance(model, str) else "")
    record.on_finish(watch.summary)
    return watch


async def _hand_on(exchange: Exchange, answer: GeminiResponse, watch: UsageTail | None = None) -> None:
    try:
        await relay(answer, exchange.send, watch)
    finally:
        await answer.aclose()
