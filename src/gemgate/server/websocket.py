"""One WebSocket: uvicorn's protocol within the gateway's limits, for what `GuardedProtocol` has let through.

An idle one makes room for new connections as an idle connection does, a client that does not read is disconnected, and
an answer that has begun is finished at a shutdown.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

from gemgate.server.connections import DEFAULT_MAX, OpenConnections
from gemgate.web.disconnect import DISCONNECT, Disconnect
from gemgate.web.limits_middleware import LEAST_RATE, ConnectionLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uvicorn import Config
    from uvicorn._types import ASGIReceiveEvent
    from uvicorn.server import ServerState
    from websockets.http11 import Request

_MAX_FRAGMENTS = 100_000
"""Of one message: empty ones have no bytes that would count."""

_SHORT_MESSAGE = 65_536
"""Bytes of a message that may take their time."""

_log = structlog.get_logger()
_uvicorns_log = logging.getLogger("gemgate.websocket")
_uvicorns_log.setLevel(logging.WARNING)  # below are lines with whole paths, in which some clients have their keys


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket. The limits are `config.limits`, and `config.connections` are all connections of the process."""

    def __init__(
        self,
        config: "Config",
        server_state: "ServerState",
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = self.conn.logger = _uvicorns_log
        self._limits: ConnectionLimits = getattr(config, "limits", None) or ConnectionLimits()
        self._places: OpenConnections = getattr(config, "connections", None) or OpenConnections(DEFAULT_MAX)
        self._disconnect = Disconnect()
        self._is_answering = True  # the handshake
        self._ends_after_answer = False
        self._unsent = 0
        self._send_timer: asyncio.TimerHandle | None = None
        self._received = 0
        self._body_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection of a request that asked for a WebSocket becomes this one."""
        super().connection_made(transport)
        self._places.opened(self)
        self._places.asked(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """What is being done for the client ends, and no timer outlives the connection."""
        super().connection_lost(exc)
        self._places.closed(self)
        self._disconnect.set()
        for timer in (self._send_timer, self._body_timer):
            if timer is not None:
                timer.cancel()
        self._send_timer = self._body_timer = None

    def give_way(self) -> None:
        """Close: another caller needs the place."""
        self._close(CloseCode.TRY_AGAIN_LATER)

    def shutdown(self) -> None:
        """Close now, or after the answer that has begun."""
        if self._is_answering:
            self._ends_after_answer = True
        else:
            super().shutdown()

    def handle_connect(self, event: "Request") -> None:
        """The handshake; the application is called in the loop's next turn."""
        super().handle_connect(event)
        scope: Mapping[str, object] | None = getattr(self, "scope", None)
        if scope is not None:
            self.scope[DISCONNECT] = self._disconnect  # type: ignore[literal-required]  # a key of ours

    def handle_cont(self, event: Frame) -> None:
        """A message comes in fragments."""
        super().handle_cont(event)
        if len(self.frames) > _MAX_FRAGMENTS:
            self._close(CloseCode.POLICY_VIOLATION)

    def data_received(self, data: bytes) -> None:
        """Some of a message; of a long one at least `LEAST_RATE` bytes a second must come."""
        self._received += len(data)
        super().data_received(data)
        if self._received > _SHORT_MESSAGE and self._body_timer is None:
            self._body_timer = self.loop.call_later(self._limits.body_timeout, self._check_message, self._received)

    def send_receive_event_to_app(self) -> None:
        """The message is whole."""
        self._received = 0
        super().send_receive_event_to_app()

    def _check_message(self, received: int) -> None:
        self._body_timer = None
        if self.read_paused or self._received <= _SHORT_MESSAGE:
            return
        if 0 <= self._received - received < LEAST_RATE * self._limits.body_timeout:
            self._close(CloseCode.POLICY_VIOLATION)
        else:
            self._body_timer = self.loop.call_later(self._limits.body_timeout, self._check_message, self._received)

    def handle_ping(self) -> None:
        """Answered, unless the client takes nothing: the answers would pile up."""
        output = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(output))

    def send_keepalive_ping(self) -> None:
        """Not while a message waits for the end of an answer: nothing is read meanwhile, and so no pong."""
        if self.read_paused:
            self.schedule_ping()
        else:
            super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """The pong is late, or unread."""
        if self.read_paused:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        else:
            super().keepalive_timeout()

    async def receive(self) -> "ASGIReceiveEvent":
        """The next message; while none is there, nothing is being answered."""
        if self._ends_after_answer:
            super().shutdown()
        self._is_answering = False
        if self.handshake_complete:
            self._places.answered(self)
        message = await super().receive()
        self._is_answering = True
        self._places.asked(self)
        return message

    def pause_writing(self) -> None:
        """More waits to be taken than the transport likes to keep: the sender waits too."""
        super().pause_writing()
        if self._send_timer is None:
            self._watch_sending()

    def _watch_sending(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._send_timer = self.loop.call_later(self._limits.send_timeout, self._check_sending)

    def _check_sending(self) -> None:
        self._send_timer = None
        unsent = self.transport.get_write_buffer_size()
        if not unsent or self.writable.is_set():
            return
        if self._unsent - unsent < LEAST_RATE * self._limits.send_timeout:
            _log.warning("a client that does not read was disconnected", unsent=unsent, client=self.client)
            self.transport.abort()
        else:
            self._watch_sending()

    def _close(self, code: CloseCode) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": ""})
        if self.handshake_complete:
            self.conn.send_close(code)
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
