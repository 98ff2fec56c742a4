"""Lets somebody look at the input of a batch while it is uploaded."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gemgate.api.files.multipart_file import NewFile
from gemgate.store import Blobs
from gemgate.translation.options import Errors, Inspect


class Inspection:
    """One file under inspection.

    Attributes:
        errors: What is wrong with it, once its bytes have passed.
    """

    def __init__(self, inspect: Inspect | None) -> None:
        self.errors: Errors = []
        self._inspect = inspect
        self._is_done = inspect is None

    async def through(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """`chunks` as they are, inspected on their way."""
        inspected = self._inspect(chunks, self.errors.extend) if self._inspect else _handed_on(chunks)
        async with aclosing(inspected):
            async for chunk in inspected:
                yield chunk
        self._is_done = True

    async def through_form(self, form: NewFile, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """`chunks` as they are, inspected on their way if the form has said by then that they are for a batch."""
        first = await anext(chunks, None)
        if first is None:
            return
        rest = _handed_on(chunks, first)
        async with aclosing(self.through(rest) if form.fields.get("purpose") == "batch" else rest) as passing:
            async for chunk in passing:
                yield chunk

    async def make_up(self, blobs: Blobs, key: str) -> None:
        """Inspect what is stored by now, unless that was done on the way."""
        if not self._is_done:
            async with aclosing(blobs.get(key)) as stored, aclosing(self.through(stored)) as passing:
                async for _ in passing:
                    pass


async def _handed_on(rest: AsyncIterator[bytes], *first: bytes) -> AsyncGenerator[bytes]:
    for chunk in first:
        yield chunk
    async for chunk in rest:
        yield chunk
