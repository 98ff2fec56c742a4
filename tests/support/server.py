"""A real server on a loopback socket, for tests of streams and of connections that break."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from gemgate.emulator.server import abort_connections
from gemgate.server.run import server_config
from gemgate.settings import Settings

_PATIENCE = 30.0


class _Server(uvicorn.Server):
    """Says when it listens, and stops at once when told to: uvicorn itself looks only ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    async def main_loop(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self.on_tick(0)
        self.settled.set()
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        await abort_connections(self)

    def stop(self) -> None:
        self.should_exit = True
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def run_captured(self, listener: socket.socket) -> None:
        try:
            self.run(sockets=[listener])
        except BaseException as error:  # noqa: BLE001  SystemExit too is told to the test's own thread
            self.failure = error
        finally:
            self.settled.set()


@contextmanager
def serve(app: ASGIApp, settings: Settings | None = None, **options: Any) -> Iterator[str]:
    """Serves `app`, as `gemgate serve` would, in a thread with a loop of its own; gives the base URL.

    The application has started when the block begins. At its end running answers get `timeout_graceful_shutdown` (5 s
    unless `options`, which are uvicorn's, say otherwise), and the application has shut down when the block is left.

    The loop is asyncio's own: the collector of another thread may free handles of uvloop's, which are not made for that
    and take the interpreter down. Gateways that run as processes are served by uvloop.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as `gemgate serve` does
    chosen = settings or Settings(_env_file=None)
    server = _Server(server_config(app, chosen, **({"timeout_graceful_shutdown": 5, "loop": "asyncio"} | options)))
    thread = threading.Thread(target=server.run_captured, args=(listener,), name="test-server", daemon=True)
    thread.start()
    try:
        assert server.settled.wait(_PATIENCE), "the server did not start"
        if server.failure is not None:
            raise RuntimeError("the server failed to start") from server.failure
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        if not server.failure:
            server.stop()
        thread.join(_PATIENCE)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"
    if server.failure is not None:
        raise RuntimeError("the server failed") from server.failure
