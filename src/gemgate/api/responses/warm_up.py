"""A response without an answer: `generate: false`, by which a client sends ahead what its next request goes on from."""

import time
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.responses.completion import Keep
from gemgate.api.responses.echo import usage_of
from gemgate.api.responses.events import ResponseEvents
from gemgate.settings import Settings
from gemgate.web.json_response import json_response
from gemgate.web.sse import respond


async def without_generation(
    request: Request, events: ResponseEvents, keep: Keep, settings: Settings, *, stream: bool
) -> Response:
    """The completed response to `request`, with no output; nobody is called."""
    response = events.head.response("completed", [], usage=usage_of({}), tier="default", completed_at=int(time.time()))
    await keep(response, {})
    if stream:
        return respond(request, _at_once(events.end(response)), settings, voice=events)
    return json_response(response)


async def _at_once(events: bytes) -> AsyncGenerator[bytes, None]:
    yield events
