"""Sends an answer piece by piece, watches whether the client is still there, and breaks connections on demand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from gemgate.emulator.state import EmulatorState

# `server.py` puts a function under this name into `scope["state"]` that resets the connection.
ABORT = "gemgate.emulator.abort"


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds before going on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection (TCP RST) here."""


Piece = bytes | Pause | Reset


class ConnectionBroken(ConnectionError):  # noqa: N818 - it is no error here: it is what was asked for
    """Raised out of the application where the server offers no way to reset a connection."""


@dataclass
class Delivery:
    """An ASGI answer: status, headers and pieces. Headers go out with the first piece of bytes."""

    state: EmulatorState
    status: int
    headers: dict[str, str]
    pieces: Sequence[Piece]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces until the client leaves; a client that leaves is remembered."""
        progress = _Progress()
        writer = asyncio.ensure_future(self._write(scope, send, progress))
        watcher = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({writer, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if progress.reset:
                await watcher
            elif not writer.done():
                self.state.lost(scope["path"], progress.sent)
            else:
                writer.result()
        finally:
            for task in (writer, watcher):
                task.cancel()
            await asyncio.gather(writer, watcher, return_exceptions=True)

    async def _write(self, scope: Scope, send: Send, progress: "_Progress") -> None:
        for piece in self.pieces:
            if isinstance(piece, Pause):
                await asyncio.sleep(piece.seconds)
            elif isinstance(piece, Reset):
                _reset(scope)
                progress.reset = True
                return
            else:
                await self._start(send, progress)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                progress.sent += len(piece)
                await asyncio.sleep(0)
        await self._start(send, progress)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, send: Send, progress: "_Progress") -> None:
        if not progress.started:
            progress.started = True
            headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
            await send({"type": "http.response.start", "status": self.status, "headers": headers})


@dataclass
class _Progress:
    started: bool = False
    sent: int = 0
    reset: bool = False


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset(scope: Scope) -> None:
    abort: Callable[[], object] | None = (scope.get("state") or {}).get(ABORT)
    if abort is None:
        raise ConnectionBroken("the emulator was asked to break the connection, and this server offers no way to")
    abort()
