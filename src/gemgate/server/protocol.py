"""HTTP/1.1 towards callers: uvicorn's protocol, and the limits that it does not have.

A caller may send no head without end (431), none that never ends (408), and must take what it is sent: a slow
reader is cut off, so that neither its connection nor its call to Google is held for ever. Trailers are counted and
dropped (RFC 9110, 6.5.1), one valid Host is asked for (RFC 9112, 3.2), and no transfer coding but `chunked` is read
(RFC 9112, 6.1). None of this costs a request that behaves more than a fraction of a microsecond: timers run only while
something is overdue.
"""

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import httptools
import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gemgate.errors import ApiError
from gemgate.server.connections import DEFAULT_MAX, OpenConnections
from gemgate.server.draining import STATE, Drain
from gemgate.server.head_rules import (
    coding_error,
    head_too_large,
    host_error,
    not_http,
    too_many_connections,
    trailers_too_large,
)
from gemgate.web.disconnect import DISCONNECT, ENDLESS, Disconnect
from gemgate.web.limits_middleware import CREDENTIAL, LEAST_RATE, WHOLE_BODY, ConnectionLimits

if TYPE_CHECKING:
    from uvicorn import Config
    from uvicorn.server import ServerState

_log = structlog.get_logger()

_NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS have it
_MAX_UNSENT = 65_536
_CREDENTIALS = frozenset({b"authorization", b"x-goog-api-key", b"api-key"})
_WATCHED = _CREDENTIALS | {b"host", b"transfer-encoding", b"expect"}
_OF_BODIES = frozenset({b"content-length", b"transfer-encoding"})

WEBSOCKET_PATH = b"/responses"
"""What the paths end with on which WebSockets are opened."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. The limits are `config.limits`, and `config.connections` are all of the process."""

    # Slots beside uvicorn's attributes: with over 30 in all, Python would give each connection a dict of 1 KB.
    __slots__ = (
        "_connections",
        "_disconnect",
        "_drain",
        "_good_host",
        "_head_size",
        "_head_timer",
        "_host",
        "_in_body",
        "_limits",
        "_parsed",
        "_read_size",
        "_refusal",
        "_rest_timer",
        "_send_timer",
        "_trailer_size",
        "_unsent",
    )

    scope: dict[str, object]  # type: ignore[assignment]  # there are keys of ours in it, beside those of uvicorn's type

    def __init__(
        self,
        config: "Config",
        server_state: "ServerState",
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        limits: ConnectionLimits = getattr(config, "limits", None) or ConnectionLimits()
        self._limits = limits
        self._connections: OpenConnections = getattr(config, "connections", None) or OpenConnections(DEFAULT_MAX)
        self._drain: Drain | None = app_state.get(STATE)
        self._disconnect = Disconnect()
        self._in_body = False
        self._parsed = False  # whether the read in hand held the end of a head, or anything of a body
        self._host: bytes | None = None
        self._good_host: tuple[str, bytes | None] | None = None
        self._head_size = 0
        self._trailer_size = 0
        self._read_size = 0
        self._unsent = 0
        self._refusal: ApiError | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection on which nothing is asked is closed like one on which nothing more is asked."""
        super().connection_made(transport)
        _keep_little_unsent(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if not self._connections.opened(self):
            _log.warning("a connection was refused: all others are at work", client=self.client)
            self._refuse(too_many_connections())

    def give_way(self) -> None:
        """Close: another caller needs the place."""
        if self._is_answering():
            self._refuse(too_many_connections())
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """No timer outlives the connection."""
        super().connection_lost(exc)
        self._connections.closed(self)
        self._disconnect.set()
        self._unset_keepalive_if_required()
        _cancel(self._head_timer, self._rest_timer, self._send_timer)
        self._head_timer = self._rest_timer = self._send_timer = None

    def shutdown(self) -> None:
        """An answer that has begun is finished, unless it has no end."""
        super().shutdown()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and ENDLESS in cycle.scope:
            self.transport.close()

    # What the caller sends.

    def data_received(self, data: bytes) -> None:
        """One read."""
        self._parsed = False
        self._read_size = len(data)
        self._unset_keepalive_if_required()
        rest: bytes | memoryview = data
        try:
            while rest := self._feed(rest):
                pass
        except httptools.HttpParserError:
            self._refuse(self._refusal or not_http("These bytes are not an HTTP/1.1 request."))
        if not self._parsed:
            self._await_head()
        elif self._in_body:
            self._connections.receiving(self)

    def _feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """Parse `data`; what is left of it is behind a request that asks to go on in another protocol."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = memoryview(data)[upgrade.args[0] :]
            if self._opens_websocket():
                self._become_websocket(bytes(rest))
                return b""
            self._decline_upgrade()
            return rest
        return b""

    def _opens_websocket(self) -> bool:
        """Whether the head asks for a WebSocket where there is one, and breaks no rule of heads."""
        if self.ws_protocol_class is None or self.pipeline or self._is_answering():
            return False
        headers = dict(self.headers)
        return (
            self.parser.get_method() == b"GET"
            and headers.get(b"upgrade", b"").lower() == b"websocket"
            and headers.get(b"sec-websocket-version") == b"13"
            and b"sec-websocket-key" in headers
            and not headers.keys() & _OF_BODIES
            and self.url.partition(b"?")[0].rstrip(b"/").endswith(WEBSOCKET_PATH)
            and self._head() <= self._limits.max_head_bytes
            and host_error(self.parser.get_http_version(), self._host) is None
        )

    def _become_websocket(self, rest: bytes) -> None:
        """Hands the connection on to the protocol of WebSockets, with what came behind the head."""
        self._parsed = True
        self._connections.closed(self)
        self.connections.discard(self)
        _cancel(self._head_timer, self._rest_timer, self._send_timer)
        self._head_timer = self._rest_timer = self._send_timer = None
        make: Any = self.ws_protocol_class
        protocol: asyncio.Protocol = make(self.config, self.server_state, self.app_state)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        lines = b"".join([b"%b: %b\r\n" % header for header in self.headers])
        protocol.data_received(b"GET %b HTTP/1.1\r\n%b\r\n%b" % (self.url, lines, rest))

    def _decline_upgrade(self) -> None:
        """Reads a request as if it had not asked to go on in another protocol, as Java's client does (`h2c`).

        httptools stops behind the head of such a request: its body would be lost.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._refusal = not_http("CONNECT is for proxies, and this is not a proxy.")
            raise httptools.HttpParserError(self._refusal.message)
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(lines))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._host = None
        self.parser.feed_data(head)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of a head; or a trailer, which is dropped: a proxy has not checked it as a header."""
        if self._in_body:
            self._trailer_size += len(name) + len(value) + 4
            if self._trailer_size > self._limits.max_head_bytes:
                self._stop_parsing(trailers_too_large(self._limits.max_head_bytes))
            return
        name = name.lower()
        if name in _WATCHED:
            self._note(name, value)
        self.headers.append((name, value))

    def _note(self, name: bytes, value: bytes) -> None:
        """Keep what a header says about its connection, its caller, or the body that follows."""
        if name in _CREDENTIALS:
            self.scope[CREDENTIAL] = value
        elif name == b"host":
            if self._host is not None:
                self._stop_parsing(not_http("There are several Host headers: send one."))
            self._host = value
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif (error := coding_error(value)) is not None:
            self._stop_parsing(error)

    def _stop_parsing(self, error: ApiError) -> None:
        self._refusal = error
        raise ValueError(error.message)  # which httptools hands on as its own error

    def _await_head(self) -> None:
        """A read held no end of a head: or nothing but the framing of a body, of which there may be as much."""
        self._head_size += self._read_size
        maximum = self._limits.max_head_bytes
        if self._head_size > maximum:
            self._refuse(trailers_too_large(maximum) if self._in_body else head_too_large(maximum))
        elif self._head_timer is None and not self._in_body:
            self._head_timer = self.loop.call_later(self._limits.head_timeout, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        msg = f"The request's headers did not come within {self._limits.head_timeout:g} s."
        self._refuse(ApiError(408, msg, code="request_timeout"))

    def on_headers_complete(self) -> None:
        """The end of a head."""
        if self.parser.should_upgrade():
            return
        self._parsed = True
        maximum = self._limits.max_head_bytes
        if self._head_size + self._read_size > maximum and self._head() > maximum:
            self._stop_parsing(head_too_large(maximum))
        host = (self.parser.get_http_version(), self._host)
        if host != self._good_host:  # a caller that asks again names the same one
            if (error := host_error(*host)) is not None:
                self._stop_parsing(error)
            self._good_host = host
        self._host = None
        self._in_body = True
        self._head_size = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self._send_timer is not None and not self.flow.write_paused:
            self._send_timer.cancel()  # a caller that asks again has read
            self._send_timer = None
        self._connections.asked(self)
        self.scope[DISCONNECT] = self._disconnect
        super().on_headers_complete()
        self.cycle.transport = _HeadFirst(self.cycle, self.loop)  # type: ignore[assignment]  # all that uvicorn calls
        if self._drain is not None and self._drain.begun:
            self.cycle.keep_alive = False  # the caller's next request goes to another replica

    def _head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        self._parsed = True
        self._head_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a body."""
        if self.parser.should_upgrade():
            return
        self._in_body = False
        self._parsed = True
        self._head_size = self._trailer_size = 0
        if self in self._connections.arriving:
            self._connections.received(self)
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
        self.scope[WHOLE_BODY] = True
        super().on_message_complete()

    def _refuse(self, error: ApiError) -> None:
        """Answers in OpenAI's shape what never becomes a request, and closes."""
        if self.transport.is_closing():
            return
        if self.pipeline or (self._is_answering() and self.cycle.response_started):
            self.transport.abort()  # another answer is being sent: this one would land in its middle
            return
        if self._in_body and not self._is_answering():
            self.transport.close()  # what is in hand has its answer already
            return
        content = orjson.dumps(error.body())
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(content)
        self.transport.write(STATUS_LINE[error.status] + head + content)
        self.transport.close()
        self._watch_sending()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # which uvicorn declares as never None
        return cycle is not None and not cycle.response_complete

    # What the caller takes.

    def pause_writing(self) -> None:
        """More waits to be taken than the transport likes to keep: the sender waits too."""
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        """The caller has taken most of it."""
        super().resume_writing()
        if self._send_timer is not None and self._is_answering():
            self._send_timer.cancel()
            self._send_timer = None

    def on_response_complete(self) -> None:
        """The answer is in the transport's hands; what of it is unsent is watched to its end."""
        super().on_response_complete()
        if not self._is_answering():
            self._connections.answered(self)
        if self._in_body and self._rest_timer is None:
            self._rest_timer = self.loop.call_later(self._limits.body_timeout, self._rest_is_late)
        if self.transport.get_write_buffer_size():
            self._watch_sending()

    def _rest_is_late(self) -> None:
        self._rest_timer = None
        self.transport.abort()

    def _watch_sending(self) -> None:
        if self._send_timer is None:
            self._unsent = self.transport.get_write_buffer_size()
            self._send_timer = self.loop.call_later(self._limits.send_timeout, self._check_sending)

    def _check_sending(self) -> None:
        self._send_timer = None
        unsent = self.transport.get_write_buffer_size()
        if not unsent:
            return
        if self._unsent - unsent < LEAST_RATE * self._limits.send_timeout:
            _log.warning("a client that does not read was disconnected", unsent=unsent, client=self.client)
            self.transport.abort()
        else:
            self._watch_sending()


class _HeadFirst:
    """What uvicorn writes one answer to: the head waits for the body's first bytes, as long as nobody awaits anything.

    Two packets for a small answer cost the gateway a twentieth of a request, and the caller a second read.
    """

    __slots__ = ("_cycle", "_head", "_loop", "_transport")

    def __init__(self, cycle: RequestResponseCycle, loop: asyncio.AbstractEventLoop) -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        """The first one waits, until the second or until the loop's next turn. From then on all go past."""
        if not self._head:
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._go_past(data)

    def _flush(self) -> None:
        if self._cycle.transport is not self._transport and not self._transport.is_closing():
            self._go_past(b"")

    def _go_past(self, data: bytes) -> None:
        self._cycle.transport = self._transport
        self._transport.writelines((self._head, data))

    def close(self) -> None:
        """Close the connection, once all is sent."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is being closed."""
        return self._transport.is_closing()


def _keep_little_unsent(transport: asyncio.Transport) -> None:
    """Lets the kernel hold no more than a little for a slow reader, beyond what is on its way.

    Otherwise it takes megabytes, asks for more only once a third of them is gone, and a reader of a few kilobytes a
    second looks like one that reads nothing.
    """
    peer = transport.get_extra_info("socket")
    if _NOTSENT_LOWAT is not None and peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
        peer.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, _MAX_UNSENT)


def _cancel(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
