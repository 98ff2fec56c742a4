"""`POST /chat/completions`."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.chat.completion import Completion, native_request, whole_completion
from gemgate.api.services import services_of
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.json_response import json_response
from gemgate.web.sse import respond

router = APIRouter(tags=["chat"])


@router.post("/chat/completions", summary="Create a chat completion")
async def create_chat_completion(request: Request) -> Response:
    """Answer with a `chat.completion`, or with a stream of `chat.completion.chunk`s.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    settings, completion = services_of(request).settings, await Completion.read(request)
    if completion.waits_for_media:
        late = completion.after_media()
        return respond(request, late.stream(), settings, late.response_headers)
    generation = await completion.translated(request)
    if completion.is_dry_run:
        return native_request(generation, is_stream=completion.is_stream)
    if completion.is_stream:
        return respond(request, generation.stream(), settings, generation.response_headers)
    del completion  # what was asked may be long, and the answer long in coming
    async with cancelled_on_disconnect(request):
        body = await whole_completion(generation)
    return json_response(body, generation.response_headers())
