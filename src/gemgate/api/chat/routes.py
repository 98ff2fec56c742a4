"""`POST /chat/completions`."""

from fastapi import APIRouter

from gemgate.api.chat.completion import create_chat_completion

router = APIRouter(tags=["chat"])
router.post("/chat/completions", summary="Create a chat completion")(create_chat_completion)
