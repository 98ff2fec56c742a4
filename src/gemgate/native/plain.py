"""Methods whose bytes the gateway does not look at, and downloads, which Google answers by way of a redirect."""

from gemgate.body import read_body
from gemgate.disconnect import cancelled_on_disconnect
from gemgate.gemini.answer import Answer
from gemgate.native.exchange import Exchange
from gemgate.native.incoming import passed_headers
from gemgate.native.relay import relay


async def plain(exchange: Exchange) -> None:
    """Send the body on once it is here, so that the call can be tried again, and the answer as it comes."""
    request = exchange.request
    body = await read_body(request, exchange.services.settings.max_body_bytes)
    headers = passed_headers(request.headers)
    async with cancelled_on_disconnect(request):
        answer = await exchange.gemini.open(
            exchange.verb, exchange.url, key=exchange.caller.key, headers=headers, body=body or None
        )
        await _hand_on(exchange, answer)


async def download(exchange: Exchange) -> None:
    """The bytes of a file that Google made. The redirect is followed here: it leads past the gateway."""
    async with cancelled_on_disconnect(exchange.request):
        await _hand_on(exchange, await _open_download(exchange))


async def _open_download(exchange: Exchange) -> Answer:
    gemini, key, headers = exchange.gemini, exchange.caller.key, passed_headers(exchange.request.headers)
    answer = await gemini.open("GET", exchange.url, key=key, headers=headers, redirect=True)
    if answer.status != 302:
        return answer
    await answer.skip()
    return await gemini.open("GET", gemini.named_url(answer.headers["location"]), key=key, headers=headers)


async def _hand_on(exchange: Exchange, answer: Answer) -> None:
    try:
        await relay(answer, exchange.send)
    finally:
        await answer.aclose()
