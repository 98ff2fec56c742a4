"""Runs the emulator with uvicorn, on a server that can reset connections."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from gemgate.emulator.app import create_emulator
from gemgate.emulator.delivery import ABORT

START_SECONDS = 10.0
_TURNS = 5


class ResettableProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type] # uvicorn picks the class on import
    """uvicorn's HTTP protocol that hands applications a way to reset the connection, in `scope["state"]`."""

    app_state: dict[str, object]

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Offer `abort` to the requests of this connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, ABORT: lambda: _abort(transport)}


def _abort(transport: asyncio.Transport) -> None:
    """Close with RST: without lingering, what the kernel still holds is thrown away."""
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _config(app: ASGIApp, **settings: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app, http=ResettableProtocol, server_header=False, ws="none", lifespan="off", access_log=False, **settings
    )


def run_emulator(
    host: str = "127.0.0.1", port: int = 8081, *, app: ASGIApp | None = None, log_level: str = "info"
) -> None:
    """Serve the emulator until it is interrupted."""
    uvicorn.Server(_config(app or create_emulator(), host=host, port=port, log_level=log_level)).run()


async def abort_connections(server: uvicorn.Server) -> None:
    """Abort what clients have left open, when no more connections are accepted.

    The end of the loop would leave it to the garbage collector, which warns of it in some other test.
    """
    for _ in range(_TURNS):  # connections that were just accepted are made in the next turns of the loop
        await asyncio.sleep(0)
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class _ThreadedServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        await abort_connections(self)


@contextmanager
def serve_in_thread(port: int = 0, *, app: ASGIApp | None = None, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve `app` (a new emulator by default) in a thread and yield its base URL, such as `http://127.0.0.1:40123`.

    The loop is asyncio's own: handles of uvloop's crash the interpreter when another thread frees them.
    Port 0 takes a free one. Pass `app=create_emulator()` to keep hold of `app.state.emulator`.

    Raises:
        OSError: The port is taken.
        RuntimeError: The server did not come up.
    """
    listener = socket.create_server((host, port))
    # asyncio does so only for listeners of its own: a body would wait for 40 ms until its head is acknowledged.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _ThreadedServer(_config(app or create_emulator(), log_level="warning", loop="asyncio"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not server.ready.wait(START_SECONDS):
            raise RuntimeError("the emulator did not start")
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(START_SECONDS)
        listener.close()
