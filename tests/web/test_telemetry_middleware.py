import asyncio
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs
from tests.support.apps import app_with
from tests.support.server import serve

from gemgate.observability.logs import (
    PlainRenderer,
    add_request_id,
    add_timestamp,
    configure_logging,
)
from gemgate.observability.record import current, request_id
from gemgate.settings import Settings
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.web.telemetry_middleware import TelemetryMiddleware

KEY = "AIzaSyA-0123456789abcdefghijklmnopqrstu"


async def fine(_: Request) -> Response:
    return Response("fine")


async def broken(_: Request) -> Response:
    raise KeyError(f"internal detail {KEY}")


def client(endpoint: Any = fine) -> TestClient:
    return TestClient(app_with(endpoint), raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_every_answer_has_a_request_id(path: str) -> None:
    assert client().get(path).headers["x-request-id"].startswith("req_")


def test_request_ids_differ() -> None:
    assert client().get("/").headers["x-request-id"] != client().get("/").headers["x-request-id"]


def test_the_callers_request_id_is_kept_when_it_is_sane() -> None:
    assert client().get("/", headers={"x-request-id": "My.id-1_2"}).headers["x-request-id"] == "My.id-1_2"


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 129, b"<script>", b"\xe9"])
def test_another_request_id_is_replaced(given: bytes) -> None:
    answer = client().get("/", headers={b"x-request-id": given})
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_request_is_one_line_in_the_log() -> None:
    with capture_logs(processors=[add_request_id]) as logs:
        client().get("/?key=secret", headers={"x-request-id": "abc"})
    (line,) = logs
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/",
        "status": 200,
        "outcome": "completed",
        "request_id": "abc",
    }


def test_the_request_id_does_not_outlive_the_request() -> None:
    client().get("/")
    assert request_id() is None


def test_probes_are_logged_for_debugging_only() -> None:
    with capture_logs() as logs:
        client().get("/healthz")
    assert logs[0]["log_level"] == "debug"


def test_our_own_bug_is_a_500_without_internals_that_the_log_tells() -> None:
    with capture_logs() as logs:
        answer = client(broken).get("/")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"].startswith("req_")
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert "internal detail" not in answer.text
    assert "internal detail ***" in logs[0]["exception"]
    assert logs[1]["status"] == 500


def test_a_bug_after_the_headers_breaks_the_connection_off() -> None:
    async def endpoint(_: Request) -> Response:
        async def body() -> Any:
            yield b"begun"
            raise KeyError

        return StreamingResponse(body())

    with (
        serve(app_with(endpoint)) as url,
        httpx.stream("GET", url) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        answer.read()


def test_a_client_that_goes_is_499_in_the_log() -> None:
    async def endpoint(_: Request) -> Response:
        raise ClientDisconnect

    with capture_logs() as logs:
        client(endpoint).get("/")
    assert logs[0]["status"] == 499


HTTP: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}


async def run(app: Any, *, gone: bool = False) -> list[Message]:
    """What `app`, cancelled once it waits, sends."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect" if gone else "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    task = asyncio.ensure_future(TelemetryMiddleware(app)(HTTP, receive, send))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return sent


async def test_a_call_that_the_server_cuts_short_is_a_503() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    start, body = await run(app)
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert orjson.loads(body["body"])["error"]["code"] == "server_shutting_down"


async def test_a_stream_that_the_server_cuts_short_ends_with_an_error_event() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True})
        await asyncio.Event().wait()

    sent = await run(app)
    assert sent[-1]["body"].startswith(b'data: {"error":')
    assert not sent[-1].get("more_body")


async def test_another_answer_that_the_server_cuts_short_is_left_unfinished() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await asyncio.Event().wait()

    sent = await run(app)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_nobody_is_answered_when_the_client_has_gone() -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    with capture_logs() as logs:
        assert await run(app, gone=True) == []
    assert logs[-1]["status"] == 499


async def test_what_is_no_request_passes_through() -> None:
    seen = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any: ...

    await TelemetryMiddleware(app)({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def written(capsys: pytest.CaptureFixture[str], **settings: Any) -> str:
    configure_logging(Settings(_env_file=None, **settings))
    structlog.get_logger().info("ours", url=f"https://x/?key={KEY}", authorization="Bearer abc")
    logging.getLogger("gemgate.test").info("a library's: Bearer %s", "abcdef")
    logging.getLogger("uvicorn.error").info("not worth a line")
    structlog.get_logger().error("failed", exc_info=ValueError(KEY))
    sys.stderr.flush()
    return capsys.readouterr().err


@pytest.mark.usefixtures("logging_restored")
def test_json_logs_are_a_line_of_json_each_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    text = written(capsys, log_format="json")
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == ["ours", "a library's: Bearer ***", "failed"]
    assert lines[0]["url"] == "https://x/?key=***"
    assert lines[0]["authorization"] == "***"
    assert "ValueError" in lines[2]["exception"]
    assert KEY not in text


@pytest.mark.usefixtures("logging_restored")
def test_console_logs_hold_no_secrets_either(capsys: pytest.CaptureFixture[str]) -> None:
    text = written(capsys, log_format="console")
    assert "ours" in text
    assert "a library's" in text
    assert KEY not in text
    assert "abcdef" not in text


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": "gemini-2.5-flash", "ms": 1.5, "status": 200, "cost_usd": None, "dropped": ["a", "b c"]},
        {"path": "/a b", "note": "k=v", "quoted": "it's", "empty": "", "kind": CooldownReason.BROKEN},
        {"exception": "Traceback\nKeyError"},
        {"stack": "here"},
        {"logger": "alembic"},
    ],
)
def test_a_line_without_colours_is_what_structlog_would_write(fields: dict[str, Any]) -> None:
    event = {"timestamp": "2026-01-02T03:04:05.678901Z", "level": "info", "event": "something happened", **fields}
    expected = structlog.dev.ConsoleRenderer(colors=False)(None, "info", dict(event))
    assert PlainRenderer()(None, "info", dict(event)) == expected


def test_the_time_of_a_line_is_that_of_the_clock() -> None:
    before = datetime.now(UTC)
    stamp = add_timestamp(None, "info", {})["timestamp"]
    told = datetime.fromisoformat(stamp)
    assert before - timedelta(microseconds=1) <= told <= datetime.now(UTC)
    assert len(stamp) == len("2026-01-02T03:04:05.678901Z")


@pytest.mark.usefixtures("logging_restored")
def test_the_level_counts_for_all_logs(capsys: pytest.CaptureFixture[str]) -> None:
    text = written(capsys, log_level="error")
    assert "ours" not in text
    assert "library" not in text
    assert "failed" in text


@pytest.mark.usefixtures("logging_restored")
def test_a_cancellation_at_the_deadline_leaves_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(_env_file=None))
    logger = logging.getLogger("uvicorn.error")
    logger.error("cut", exc_info=asyncio.CancelledError())
    logger.error("broken", exc_info=KeyError())
    text = capsys.readouterr().err
    assert "cut" not in text
    assert "broken" in text


def test_a_key_that_is_sent_as_request_id_is_not_told_back() -> None:
    answer = client().get("/", headers={"x-request-id": KEY})
    assert answer.headers["x-request-id"].startswith("req_")


async def test_counts_that_make_no_sense_harm_no_answer() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        current().asks("chat", "gemini-2.5-flash")
        nonsense: Any = {"promptTokenCount": "many"}
        current().answered("gemini-2.5-flash", nonsense)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"fine"})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    with capture_logs() as logs:
        await TelemetryMiddleware(app)(HTTP, receive, send)
    assert sent[-1]["body"] == b"fine"
    assert [line["event"] for line in logs] == ["internal error", "request"]
    assert "prompt_tokens" not in logs[1]
