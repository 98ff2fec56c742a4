"""`POST /chat/completions`."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.chat.completion import complete

router = APIRouter(tags=["chat"])


@router.post("/chat/completions", summary="Create a chat completion")
async def create_chat_completion(request: Request) -> Response:
    """Answer with a `chat.completion`, or with a stream of `chat.completion.chunk`s.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    return await complete(request)
