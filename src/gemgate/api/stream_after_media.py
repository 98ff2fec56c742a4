"""The streamed answer to a request whose files may first have to be uploaded."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Generic

from gemgate.api.generation import Generation, ModelCall, Pieces, T
from gemgate.observability.record import current


class StreamAfterMedia(Generic[T]):
    """The answer to a request whose files may first have to be uploaded, which can take minutes.

    The response may have begun by then: what its headers should have said is in comments.

    Args:
        call: The request.
        models: All that may be asked, in their order.
        pieces: The endpoint's own form of a stream.
    """

    def __init__(self, call: ModelCall[T], models: Sequence[str], pieces: Pieces[T]) -> None:
        self._call = call
        self._models = models
        self._pieces = pieces
        self._generation: Generation[T] | None = None

    def response_headers(self) -> dict[str, str]:
        """Those of the answer, as far as they are known; none while files are uploaded."""
        return self._generation.response_headers() if self._generation is not None else {}

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The answer as ready bytes."""
        call, began, is_first = self._call, time.monotonic(), True
        translation = await call.resolve_and_translate()
        current().uses(translation.model, translation.notes)
        generation = self._generation = Generation(call, translation, self._models, self._pieces)
        async with aclosing(generation.stream()) as answer:
            async for piece in answer:
                if is_first and time.monotonic() - began >= call.services.settings.stream_start_after:
                    headers = generation.response_headers()
                    yield "".join(f": {name}: {value}\n" for name, value in headers.items()).encode() + b"\n"
                is_first = False
                yield piece
