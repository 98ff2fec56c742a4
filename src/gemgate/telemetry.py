"""Request ids, one log line a request, and an answer for whatever failed unforeseen."""

import asyncio
import logging
import re
import sys
import time
import uuid
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor

from gemgate.errors import internal_error, shutting_down
from gemgate.handlers import CLIENT_CLOSED_REQUEST, error_response
from gemgate.redact import redact_value, traceback_of
from gemgate.settings import Settings
from gemgate.sse import error_frame

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_CHATTY = ("uvicorn", "uvicorn.error", "httpx", "httpcore", "asyncio", "sse_starlette")
_QUIET_PATHS = frozenset({"/healthz", "/readyz"})


class TelemetryMiddleware:
    """Wraps the whole application (pure ASGI: it adds no task, and disconnects pass through).

    Puts `x-request-id` on every answer: the caller's when it is sane, else a new one. Logs a line when the answer has
    ended. An exception that nobody handled becomes a 500, a cancellation by the server a 503, or an error event when a
    stream has begun.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger().bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id.decode()):
            try:
                await self._app(scope, exchange.receive, exchange.send)
                await exchange.finish()
            except asyncio.CancelledError:
                await exchange.finish()
                raise
            except Exception as error:
                self._log.error("internal error", exception=traceback_of(error))
                if not await exchange.fail():
                    raise
            finally:
                self._write(scope, exchange)

    def _write(self, scope: Scope, exchange: "_Exchange") -> None:
        log = self._log.debug if scope["path"] in _QUIET_PATHS else self._log.info
        log(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=exchange.outcome,
            ms=round((time.perf_counter() - exchange.began) * 1000, 1),
        )


class _Exchange:
    """One request and how far its answer has come."""

    __slots__ = ("_receive", "_send", "_status", "_streams", "began", "complete", "gone", "request_id")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._status: int | None = None
        self._streams = False
        self.began = time.perf_counter()
        self.complete = False
        self.gone = False
        self.request_id = _request_id(scope)

    @property
    def outcome(self) -> int:
        """The status for the log: 499 when the client went before the end."""
        if self.complete and self._status is not None:
            return self._status
        return CLIENT_CLOSED_REQUEST if self.gone else 500

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.complete:
            self.gone = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            headers.append((b"x-request-id", self.request_id))
            self._streams = any(name == b"content-type" and b"event-stream" in value for name, value in headers)
        elif not message.get("more_body", False):
            self.complete = True
        await self._send(message)

    async def finish(self) -> None:
        """Ends an answer that the server's own shutdown cut short."""
        if self.complete or self.gone:
            return
        if self._status is None:
            await error_response(shutting_down())({"type": "http"}, self.receive, self.send)
        elif self._streams:
            await self.send({"type": "http.response.body", "body": error_frame(shutting_down())})

    async def fail(self) -> bool:
        """Answers with a 500, if the answer has not begun; says whether it could."""
        if self._status is not None:
            return False
        await error_response(internal_error())({"type": "http"}, self.receive, self.send)
        return True


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            given: bytes = value
            return given
    return b"req_" + uuid.uuid4().hex.encode()


def configure_logging(settings: Settings) -> None:
    """Sets the process's logging, ours and every library's: level, form, no secrets. Called once by the command."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor]
    if settings.log_format == "json":
        last = [structlog.processors.format_exc_info, hide_secrets, structlog.processors.JSONRenderer(_dumps)]
    else:
        last = [
            structlog.processors.format_exc_info,
            hide_secrets,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _CHATTY:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(level, logging.WARNING))
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """A call that the server itself cut short at its deadline was answered: its traceback tells nothing."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: no credential leaves in an event, by the name of its field or by its look."""
    return {key: redact_value(value, key) for key, value in event.items()}


def _dumps(event: MutableMapping[str, Any], **_options: Any) -> str:
    return orjson.dumps(event, default=repr).decode()
