"""Looks at the input of a batch while it is uploaded, in a process beside the gateway's."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager

import structlog

from gemgate.api.batches.input_sessions import CheckSession
from gemgate.api.batches.worker_process import SessionLostError, SessionProxy, WorkerProcess

PIECE = 65_536
"""Bytes that the process is given at once: work of a millisecond or so."""

_log = structlog.get_logger()


class Inspector:
    """Validates inputs as they pass."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    async def __call__(
        self, chunks: AsyncIterator[bytes], report: Callable[[list[dict[str, object]]], object]
    ) -> AsyncGenerator[bytes]:
        """`chunks` as they are; after the last one, `report` gets what is wrong, as in `errors.data` of a batch.

        When the process dies on the way, the bytes go on and nothing is reported: the batch is validated in any case.
        """
        async with AsyncExitStack() as stack:
            call: SessionProxy[CheckSession] | None = None
            with _told():
                call = await stack.enter_async_context(self._process.check())
            async for chunk in chunks:
                call = await _fed(call, chunk)
                yield chunk
            if call:
                with _told():
                    report(await call(CheckSession.finish))


async def _fed(call: SessionProxy[CheckSession] | None, chunk: bytes) -> SessionProxy[CheckSession] | None:
    """`call`, or None when its process has died."""
    if call:
        with _told():
            for piece in cut(chunk):
                await call(CheckSession.feed, piece)
            return call
    return None


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SessionLostError:
        _log.warning("an upload was not validated: the process for batches has ended")


def cut(chunk: bytes) -> Iterable[bytes]:
    """`chunk` in pieces for the process."""
    return (chunk[start : start + PIECE] for start in range(0, len(chunk), PIECE))
