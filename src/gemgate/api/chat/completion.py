"""One chat completion: what is translated, and its answer as a stream."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from gemgate.api.chat.messages import inline_media_of, media_of
from gemgate.api.chat.request import ChatTranslation, to_gemini
from gemgate.api.chat.stream import ChatStream
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.api.generation import ModelCall, new_id
from gemgate.gemini.errors import GeminiError
from gemgate.media.references import InlineRef, Ref, Resolved
from gemgate.observability.record import current
from gemgate.translation.options import Dialect, Options
from gemgate.web.sse import DONE, frame


class ChatSource(NamedTuple):
    """A chat completion request, and how it is translated."""

    chat: ChatCompletionRequest
    options: Options
    dialect: Dialect
    caller_id: str

    @property
    def is_revisable(self) -> bool:
        """Nothing about it is changed because of a failure."""
        return False

    def media(self) -> list[Ref]:
        """The remote media and the files that the messages name."""
        return media_of(self.chat.messages)

    def inline_media(self) -> list[InlineRef]:
        """The media that the messages hold themselves."""
        return inline_media_of(self.chat.messages)

    def translate(self, model: str, media: Resolved) -> ChatTranslation:
        """The native request to `model`, with the media that were found."""
        return to_gemini(
            self.chat, self.options, model=model, dialect=self.dialect, caller_id=self.caller_id, media=media
        )

    def revise(self, error: GeminiError) -> bool:  # noqa: ARG002  as the protocol has it
        """Nothing is changed."""
        return False


async def chat_pieces(call: ModelCall[ChatTranslation], translation: ChatTranslation) -> AsyncGenerator[bytes, None]:
    """The answer as ready bytes: all chunks of one read from Google in one piece."""
    stream = ChatStream(translation.context, fallback_id=new_id(), created=int(time.time()), calls=translation.calls)
    current().on_finish(stream.summary)
    events = call.stream(translation)
    del call, translation  # as for a whole answer: what was asked is needed no more
    async with aclosing(events) as batches:
        async for number, batch in batches:
            if chunks := [frame(chunk) for event in batch for chunk in stream.feed(event, number)]:
                yield b"".join(chunks)
    yield b"".join(frame(chunk) for chunk in stream.finish()) + DONE
