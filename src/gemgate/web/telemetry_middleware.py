"""Request ids, one log line and the metrics of each request, and an answer for whatever failed unforeseen."""

import asyncio
import logging
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemgate.errors import internal_error, shutting_down
from gemgate.gemini.usage import Counts
from gemgate.observability.logged_bodies import Bodies
from gemgate.observability.metrics import Metrics
from gemgate.observability.record import (
    UNMATCHED,
    EndedRequest,
    Record,
    current_record,
)
from gemgate.redaction import redact, traceback_of
from gemgate.web.disconnect import DISCONNECT, Disconnect
from gemgate.web.error_handlers import CLIENT_CLOSED_REQUEST, answer
from gemgate.web.sse import failure_of

if TYPE_CHECKING:
    from gemgate.observability.tracing import Tracing

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_NOT_KEPT = (b"cache-control", b"no-store")  # a shared cache knows nothing of keys in headers of Google's
_LONGEST_PATH = 256
_MAX_NOTES = 20
_QUIET_PATHS = frozenset(
    {"/healthz", "/readyz", "/metrics", "/console/api/keys", "/console/api/store", "/console/api/usage"}
)


class TelemetryMiddleware:
    """Wraps the whole application (pure ASGI: it adds no task, and disconnects pass through).

    Puts `x-request-id` on every answer: the caller's when it is sane, else a new one; and `cache-control: no-store`
    where nothing is said about caches. When the answer has ended, counts it and logs a line. An exception that nobody
    handled becomes a 500, a cancellation by the server a 503, or an error event when a stream has begun.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics | None = None,
        *,
        prefixes: Sequence[str] = (),
        tracing: "Tracing | None" = None,
        log_bodies: bool = False,
        has_prices: bool = True,
        identify: Callable[[str], str] | None = None,
        keep: Callable[[EndedRequest], None] | None = None,
    ) -> None:
        """`prefixes` are where routers are, longest first: a route does not know its own.

        `keep` takes each request that has ended, for the console; None without one.
        `identify` hashes addresses and end users for the log; None keeps them out of it.
        """
        self._app = app
        self._metrics = metrics or Metrics()
        self._log = structlog.get_logger().bind()
        self._prefixes = [f"{prefix}/" for prefix in prefixes]
        self._tracing = tracing
        self._log_bodies = log_bodies
        self._has_prices = has_prices
        self._identify = identify
        self._keep = keep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = Record(_request_id(scope), scope["method"], scope["path"])
        if self._identify is not None:
            record.identify = self._identify
            if client := scope.get("client"):
                record.address = self._identify(client[0])
        bodies = Bodies(scope) if self._log_bodies else None
        disconnect: Disconnect | None = scope.get(DISCONNECT)
        exchange = _MeasuredExchange(record, self._metrics, receive, send, bodies, disconnect)
        is_quiet = record.path in _QUIET_PATHS
        if not is_quiet:
            self._metrics.in_progress(1)
        if self._tracing is not None and not is_quiet:
            self._tracing.begin(scope, record)
        token = current_record.set(record)
        # Where the connection tells of a disconnect, no message has to be looked at.
        handle_sigterm = receive if disconnect is not None and bodies is None else exchange.receive
        try:
            await self._app(scope, handle_sigterm, exchange.send)
            await exchange.finish(scope)
        except asyncio.CancelledError:
            await exchange.finish(scope)
            raise
        except Exception as error:
            self._log.error("internal error", exception=traceback_of(error))
            if not await exchange.fail():
                raise
        finally:
            record.route = self._route(scope)
            exchange.settle()
            shown = bodies.shown() if bodies is not None else None
            self._tell(record, shown, is_quiet=is_quiet)
            if shown is not None:
                self._log.debug("bodies", **shown)
            current_record.reset(token)

    def _route(self, scope: Scope) -> str:
        """The template of the path: `/v1/files/{file_id:path}`."""
        template: str | None = getattr(scope.get("route"), "path", None)
        if template is None:
            return UNMATCHED
        if template == scope["path"]:
            return template
        for prefix in self._prefixes:
            if scope["path"].startswith(prefix):
                return template if template.startswith(prefix) else prefix + template[1:]
        return template

    def _tell(self, record: Record, bodies: Mapping[str, object] | None, *, is_quiet: bool) -> None:
        """Count the request, and log its line; what cannot be evaluated must not harm an answer that is sent."""
        try:
            record.settle(priced=self._has_prices)
        except Exception as error:  # noqa: BLE001  Google's counts may be anything
            self._log.error("internal error", exception=traceback_of(error))
        if record.trace is not None:
            record.trace.ended(record)
        if not is_quiet:
            self._metrics.ended(record)
            fields = _line(record)
            self._log.info("request", **fields)
            if self._keep is not None:
                self._keep(EndedRequest(time.time(), record.request_id, record.is_stream, fields, bodies))
        elif self._log.is_enabled_for(logging.DEBUG):
            self._log.debug("request", **_line(record))


class _MeasuredExchange:
    """One request and how far its answer has come."""

    __slots__ = ("_bodies", "_disconnect", "_gone", "_metrics", "_receive", "_record", "_send", "_status", "complete")

    def __init__(
        self,
        record: Record,
        metrics: Metrics,
        receive: Receive,
        send: Send,
        bodies: Bodies | None,
        disconnect: Disconnect | None,
    ) -> None:
        self._record = record
        self._metrics = metrics
        self._receive = receive
        self._send = send
        self._bodies = bodies
        self._status: int | None = None
        self._disconnect = disconnect
        self._gone = False
        self.complete = False

    @property
    def gone(self) -> bool:
        """Whether the client went before the end."""
        return self._gone or (self._disconnect is not None and self._disconnect.is_set and not self.complete)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            if not self.complete:
                self._gone = True
        elif self._bodies is not None:
            self._bodies.received(message)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin(message)
        else:
            if self._record.is_stream:
                self._time(message.get("body", b""))
            if not message.get("more_body", False):
                self.complete = True
        if self._bodies is not None:
            self._bodies.sent(message)
        await self._send(message)

    def _begin(self, message: Message) -> None:
        self._status, self._record.has_begun = message["status"], True
        headers = message["headers"] = list(message.get("headers", ()))
        is_unsaid = True
        for name, value in headers:
            if name == b"content-type":
                if b"event-stream" in value:
                    self._record.is_stream = True
                    self._metrics.open_streams(1)
            elif name == b"cache-control":
                is_unsaid = False
        headers.append((b"x-request-id", self._record.request_id.encode()))
        if is_unsaid:
            headers.append(_NOT_KEPT)

    def _time(self, body: bytes) -> None:
        """Note when an event is sent. Comments, which keep a stream alive, are none."""
        if not body or body.startswith(b":"):
            return
        record, now = self._record, time.perf_counter()
        if not record.first_event:
            record.first_event = now
        elif (gap := now - record.last_event) > record.longest_gap:
            record.longest_gap = gap
        record.last_event = now

    async def finish(self, scope: Scope) -> None:
        """Ends an answer that the server's own shutdown cut short."""
        if self.complete or self.gone:
            return
        self._record.outcome = "shutdown"
        if self._status is None:
            await answer(shutting_down())({"type": "http"}, self.receive, self.send)
        elif self._record.is_stream:
            error = shutting_down()
            self._record.error = error.code
            await self.send({"type": "http.response.body", "body": failure_of(scope, error)})

    async def fail(self) -> bool:
        """Answers with a 500, if the answer has not begun; says whether it could."""
        if self._status is not None:
            return False
        await answer(internal_error())({"type": "http"}, self.receive, self.send)
        return True

    def settle(self) -> None:
        """Note how it ended: 499 when the client went before the end, 500 when the answer broke off."""
        record = self._record
        if self.complete and self._status is not None:
            record.status = self._status
        else:
            record.status = CLIENT_CLOSED_REQUEST if self.gone else 500
        if not record.outcome:
            record.outcome = _outcome(record)


def _outcome(record: Record) -> str:
    if record.status == CLIENT_CLOSED_REQUEST:
        return "client_gone"
    if record.status >= 500 or (record.is_stream and record.error is not None):
        return "failed"
    return "refused" if record.status >= 400 else "completed"


def _request_id(scope: Scope) -> str:
    """The caller's id, if it is a sane one and no key; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            given: str = value.decode()
            if redact(given) == given:
                return given
    return f"req_{random.getrandbits(128):032x}"


def _line(record: Record) -> dict[str, object]:
    """The fields of the line about a request that has ended; what there is nothing to say about is left out."""
    hide = str if record.has_answer else record.hide_presented  # a name that Google has answered to is a model's
    is_fixed = record.path == record.route  # and holds nothing that a caller chose
    fields: dict[str, object] = {
        "method": record.method,
        "path": record.path if is_fixed else redact(hide(record.path))[:_LONGEST_PATH],
        "status": record.status,
        "outcome": record.outcome,
        "ms": _ms(record.ended - record.began),
    }
    if record.first_event:
        fields["first_token_ms"] = _ms(record.first_event - record.began)
    _add_caller(fields, record)
    if record.model is not None:
        fields["model"] = hide(record.asked or "")
        fields["served"] = record.served or hide(record.model)
    if record.counts is not None:
        fields |= _used(record.counts, record.cost)
    if record.gemini_key:
        fields["gemini_key"] = record.gemini_key
    if record.retries:
        fields["retries"] = record.retries
    if (notes := record.notes) is not None:
        if notes.dropped:
            fields["dropped"] = notes.dropped[:_MAX_NOTES]
        if notes.adjusted:
            fields["adjusted"] = notes.adjusted[:_MAX_NOTES]
    if record.trace is not None and (trace_id := record.trace.trace_id) is not None:
        fields["trace_id"] = trace_id
    if record.error is not None:
        fields["error"] = record.error
    return fields


def _add_caller(fields: dict[str, object], record: Record) -> None:
    if record.caller is not None:
        fields["caller"] = record.caller
    if record.identify is not None:
        fields |= {name: text for name, text in (("address", record.address), ("end_user", record.end_user)) if text}


def _used(counts: Counts, cost: float | None) -> dict[str, object]:
    used: dict[str, object] = {
        "prompt_tokens": counts.prompt + counts.tool_use,
        "completion_tokens": counts.candidates + counts.thoughts,
        "thoughts_tokens": counts.thoughts,
        "cached_tokens": counts.cached,
    }
    if cost is not None:
        used["cost_usd"] = round(cost, 9)
    return used


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
