"""Watches everything that leaves a gateway, in every test, for the secrets that went into one.

A secret is what a setting holds as `SecretStr`, and what a caller presents. Answers, `/metrics` among them, are watched
where they leave the application; lines of the log where they are written; spans where they end. One that holds a secret
fails the test that made it leave. `tests/faults/test_secrets.py` does the same for a gateway in a process of its own.
"""

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
import structlog
from opentelemetry.sdk.trace import Span
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope, Send

from gemgate.settings import Settings
from gemgate.web.telemetry_middleware import TelemetryMiddleware

LEAST = 12
"""Characters: the many short made-up keys of tests are words that a text may hold."""

_SAID_ON_PURPOSE = frozenset({"AIza-any-key-will-do"})
"""What the emulator and its documentation tell everybody to send."""

_LIKE_A_KEY = re.compile(r"\d|://|-.*-")
"""A fuzzer may put any word of a request into a credential's place."""

_secrets: dict[bytes, str] = {}
_leaks: list[str] = []


def plant(value: str | None) -> None:
    """From here on, `value` must not leave."""
    if (
        value
        and len(value) >= LEAST
        and (value not in _SAID_ON_PURPOSE and not value.startswith("emulator-"))
        and _LIKE_A_KEY.search(value)
    ):
        _secrets.setdefault(value.encode("utf-8", "surrogateescape"), value)


def watch(text: bytes, where: str) -> None:
    """Note which secrets `text` holds."""
    _leaks.extend(f"{shown[:6]}… in {where}" for secret, shown in _secrets.items() if secret in text)


@pytest.fixture(autouse=True)
def no_secret_leaves() -> Iterator[None]:
    """Fails a test in which a secret left."""
    _leaks.clear()
    yield
    assert not _leaks, _leaks


def install() -> None:
    """Puts the watchers into their places, for the rest of the process."""
    _watch_settings()
    _watch_answers()
    _watch_logs()
    _watch_spans()


def _watch_settings() -> None:
    made = Settings.__init__

    def init(self: Settings, *arguments: Any, **values: Any) -> None:
        made(self, *arguments, **values)
        for name in type(self).model_fields:
            value = getattr(self, name)
            for secret in value if isinstance(value, tuple) else (value,):
                if isinstance(secret, SecretStr):
                    plant(secret.get_secret_value())

    Settings.__init__ = init  # type: ignore[method-assign, assignment]


def _watch_answers() -> None:
    call = TelemetryMiddleware.__call__

    async def watched(self: TelemetryMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await call(self, scope, receive, send)
            return
        _plant_credentials(scope)

        async def sending(message: Message) -> None:
            for name, value in message.get("headers", ()):
                watch(value, f"the header {name.decode()} of {scope['path']}")
            if body := message.get("body"):
                watch(body, f"the answer of {scope['path']}")
            await send(message)

        await call(self, scope, receive, sending)

    TelemetryMiddleware.__call__ = watched  # type: ignore[method-assign]


def _plant_credentials(scope: Scope) -> None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            plant(value.decode("latin-1").partition(" ")[2].strip())
        elif name in (b"x-goog-api-key", b"api-key", b"x-api-key"):
            plant(value.decode("latin-1").strip())
    for name, value in parse_qsl(scope.get("query_string", b"").decode("latin-1")):
        if name == "key":
            plant(value)


def _watch_logs() -> None:
    form = structlog.stdlib.ProcessorFormatter.format

    def formatted(self: structlog.stdlib.ProcessorFormatter, record: logging.LogRecord) -> str:
        text = form(self, record)
        watch(text.encode("utf-8", "replace"), "a line of a library's log")
        return text

    for logger in (structlog.PrintLogger, structlog.WriteLogger):
        _watch_logger(logger)
    structlog.stdlib.ProcessorFormatter.format = formatted  # type: ignore[method-assign]


def _watch_logger(logger: Any) -> None:
    write = logger.msg

    def written(self: Any, message: str) -> None:
        watch(str(message).encode("utf-8", "replace"), "a line of the log")
        write(self, message)

    for name in ("msg", "log", "debug", "info", "warn", "warning", "err", "error", "critical", "exception", "fatal"):
        setattr(logger, name, written)


def _watch_spans() -> None:
    end: Callable[..., None] = Span.end

    def ended(self: Span, *arguments: Any, **options: Any) -> None:
        told = (
            self.name,
            dict(self.attributes or {}),
            self.status,
            [dict(each.attributes or {}) for each in self.events],
        )
        watch(str(told).encode("utf-8", "replace"), f"the span {self.name}")
        end(self, *arguments, **options)

    Span.end = ended  # type: ignore[method-assign]
