"""Looks at the input of a batch while it is uploaded, in the process that translates it later."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any

import structlog

from gemgate.batches.process import Call, SessionLostError, Workshop

PIECE = 65_536
"""Bytes that the process is given at once: work of a millisecond or so."""

_log = structlog.get_logger()


class Inspector:
    """Validates inputs as they pass."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def __call__(
        self, chunks: AsyncIterator[bytes], report: Callable[[list[dict[str, Any]]], object]
    ) -> AsyncGenerator[bytes]:
        """`chunks` as they are; after the last one, `report` is told what is wrong, as in `errors.data` of a batch.

        When the process dies on the way, the bytes go on and nothing is reported: the batch is validated in any case.
        """
        async with self._workshop.check() as call:
            is_alive = True
            async for chunk in chunks:
                is_alive = is_alive and await _fed(call, chunk)
                yield chunk
            if is_alive:
                report(await call("finish"))


async def _fed(call: Call, chunk: bytes) -> bool:
    try:
        for piece in cut(chunk):
            await call("feed", piece)
    except SessionLostError:
        _log.warning("an upload was not validated: the process for batches has ended")
        return False
    return True


def cut(chunk: bytes) -> Iterable[bytes]:
    """`chunk` in pieces for the process."""
    return (chunk[start : start + PIECE] for start in range(0, len(chunk), PIECE))
