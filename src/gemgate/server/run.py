"""uvicorn as the gateway runs it: its limits, its garbage, and how it stops."""

import gc
import math
import os
import signal
from contextlib import suppress
from importlib.util import find_spec
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
from uvicorn.lifespan.on import LifespanOn
from uvicorn.supervisors import Multiprocess

from gemgate.server.connections import (
    DEFAULT_MAX,
    OpenConnections,
    connection_bound,
    descriptor_limit,
    raise_descriptor_limit,
)
from gemgate.server.sockets import BACKLOG
from gemgate.settings import Settings
from gemgate.web.limits_middleware import ConnectionLimits

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

_YOUNG_OBJECTS = (
    10_000  # that outlive each other before the garbage collector looks; Python's 700 are one large request
)
_MIB = 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_HUNG_SECONDS = 30  # a worker that gives no sign of life for so long is replaced
_LISTEN_SECONDS = 0.1  # between two looks for signals

_log = structlog.get_logger()


class ServerConfig(uvicorn.Config):
    """uvicorn's, and what `GuardedProtocol` reads.

    Attributes:
        limits: What one connection may cost.
        connections: Those that are open.
        owns_process: Whether the process is there for this server alone, which may then set the garbage collector
            and the allocator of memory.
    """

    def __init__(
        self,
        application: Any,
        limits: ConnectionLimits,
        *,
        max_connections: int | None = None,
        owns_process: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(application, **options)
        self.limits = limits
        self.connections = OpenConnections(connection_bound(max_connections, descriptor_limit()))
        self.owns_process = owns_process

    def load(self) -> None:
        """In the process that serves."""
        super().load()
        if self.owns_process:
            self.lifespan_class = _Lifespan


def server_config(application: "ASGIApp | str", settings: Settings, **options: Any) -> ServerConfig:
    """How to serve `application`, an ASGI application or the name of a factory; `options` are uvicorn's.

    Where httptools is not installed (PyPy, Windows), uvicorn's own protocol on h11 serves, without the limits of heads
    and of slow readers.
    """
    protocol: Any = "h11"
    if find_spec("httptools"):
        from gemgate.server.protocol import GuardedProtocol

        protocol = GuardedProtocol
    limits = ConnectionLimits(
        max_head_bytes=settings.max_header_bytes,
        head_timeout=settings.header_timeout,
        body_timeout=settings.body_timeout,
        send_timeout=settings.send_timeout,
    )
    defaults: dict[str, Any] = {
        "http": protocol,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "lifespan": "on",
        "ws": _websockets(settings),
        "ws_max_size": settings.max_body_bytes,
        "ws_per_message_deflate": False,  # its windows would be most of what a connection costs
        "backlog": BACKLOG,
        "timeout_keep_alive": math.ceil(settings.client_keepalive_timeout),
        "timeout_worker_healthcheck": _HUNG_SECONDS,
        "timeout_graceful_shutdown": math.ceil(settings.shutdown_timeout),
    }
    defaults["max_connections"] = settings.max_client_connections
    return ServerConfig(application, limits, **(defaults | options))


def _websockets(settings: Settings) -> object:
    """The protocol of WebSockets as uvicorn takes it; `none` where they are off."""
    if not settings.responses_websocket:
        return "none"
    from gemgate.server.websocket import GuardedWebSocket

    return GuardedWebSocket


class _Lifespan(LifespanOn):
    """Starts the application; from then on the collector of garbage passes over what is there, and memory is kept.

    Each full collection would look at half a million objects of modules otherwise, and large requests bring one about
    every few hundred. Requests leave no cycles behind, so that there is little to collect.
    """

    async def startup(self) -> None:
        """Start the application."""
        await super().startup()
        _keep_memory_at_hand()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)
        gc.enable()


def _keep_memory_at_hand() -> None:
    """Has glibc keep some of the memory that large requests have given back.

    It hands it to the kernel otherwise, which clears each page again: half of what a request with 5 MB inline costs.
    Other C libraries have no `mallopt`, and do without.
    """
    import ctypes

    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 32 * _MIB)  # the most that it takes
        mallopt(_M_TRIM_THRESHOLD, 64 * _MIB)


def serve_here(application: "ASGIApp", settings: Settings, listeners: "list[socket.socket]") -> None:
    """Serves until SIGTERM (returns) or Ctrl-C (`KeyboardInterrupt`)."""
    _prepare_descriptors(settings)
    uvicorn.Server(server_config(application, settings, owns_process=True)).run(sockets=listeners)


def serve_in_workers(factory: str, settings: Settings, listeners: "list[socket.socket]") -> None:
    """The same in `settings.workers` processes, which make their application with `factory` (`module:name`)."""
    _prepare_descriptors(settings)
    config = server_config(factory, settings, factory=True, workers=settings.workers, owns_process=True)
    gc.enable()
    Workers(config, sockets=listeners).run()


def _prepare_descriptors(settings: Settings) -> None:
    """For this process and its workers."""
    limit = raise_descriptor_limit()
    maximum = connection_bound(settings.max_client_connections, limit)
    if maximum < min(settings.max_client_connections or DEFAULT_MAX, settings.max_concurrent_requests):
        _log.warning(
            "the limit of open files allows fewer connections than GEMGATE_MAX_CONCURRENT_REQUESTS: raise it (ulimit "
            "-Hn, LimitNOFILE)",
            open_files=limit,
            connections=maximum,
        )


class Workers(Multiprocess):
    """uvicorn's supervisor. It holds the listening socket too: new callers are refused once it has let go as well."""

    def terminate_all(self) -> None:
        """Stop every worker."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait until all have ended. Signals that come meanwhile are theirs: a second SIGTERM ends the delay."""
        while living := [each.process for each in self.processes if each.process.is_alive()]:
            wait([each.sentinel for each in living], _LISTEN_SECONDS)
            while self.signal_queue:
                number = self.signal_queue.pop(0)
                for each in living:
                    if number in (signal.SIGTERM, signal.SIGINT) and each.pid is not None:
                        with suppress(ProcessLookupError):
                            os.kill(each.pid, number)
