"""Requests at once, bodies that come slowly, and who is let in at all, over real sockets."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send
from tests.support.stack import KEY, OPENAI, Stack, stack

from gemgate.errors import ApiError
from gemgate.web.json_request import read_json_body
from gemgate.web.limits_middleware import LEAST_RATE, LimitsMiddleware

pytestmark = pytest.mark.slow

SHORT = 0.2
PATIENCE = 30.0
HEADERS = {"authorization": f"Bearer {KEY}"}
PATH = f"{OPENAI}/chat/completions"


def body(said: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": said}], **more}


@contextmanager
def sender(servers: Stack, sent: bytes, *, length: int = 100_000) -> Iterator[socket.socket]:
    """A client that announces `length` bytes of a body, and has sent `sent` of them."""
    host, port = servers.gateway.removeprefix("http://").split(":")
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
        client.sendall(head.encode() + sent)
        yield client


def told(client: socket.socket) -> tuple[bytes, dict[str, Any]]:
    """The head of an answer that closes the connection, and its error."""
    seen = b""
    while piece := client.recv(65_536):
        seen += piece
    head, _, content = seen.partition(b"\r\n\r\n")
    return head, orjson.loads(content)["error"]


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_the_request_too_many_is_a_503_at_once_and_probes_still_answer(stream: bool) -> None:
    with (
        stack(max_concurrent_requests=1) as servers,
        httpx.Client(base_url=servers.gateway, timeout=PATIENCE) as client,
    ):
        sent = orjson.dumps(body("[[emulator: slow-start 30]]"))
        with sender(servers, sent, length=len(sent)):
            while (answer := client.post(PATH, json=body(stream=stream), headers=HEADERS)).status_code == 200:
                pass  # the other one is not there yet
            assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["x-request-id"]
        assert answer.json()["error"]["code"] == "server_overloaded"
        while client.post(PATH, json=body(stream=stream), headers=HEADERS).status_code == 503:
            pass  # the place is free once the server has seen the other one go


@pytest.mark.parametrize("sent", [b"", b'{"model": '], ids=["nothing", "a beginning"])
def test_a_body_that_stops_is_a_408(sent: bytes) -> None:
    with stack(body_timeout=SHORT) as servers, sender(servers, sent) as client:
        head, error = told(client)
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head
    assert error["code"] == "request_timeout"
    assert f"{len(sent)} bytes so far" in error["message"]


def test_a_body_in_time_is_served() -> None:
    content = orjson.dumps(body())
    with stack(body_timeout=PATIENCE) as servers, sender(servers, content[:20], length=len(content)) as client:
        for at in range(20, len(content)):
            client.sendall(content[at : at + 1])
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


class Trickle:
    """An ASGI client that sends a piece each `pause` seconds of the loop's clock, which the test moves."""

    def __init__(self, piece: bytes, pause: float) -> None:
        self.piece, self.pause, self.pieces = piece, pause, 0

    async def receive(self) -> Message:
        await asyncio.sleep(self.pause)
        self.pieces += 1
        return {"type": "http.request", "body": self.piece, "more_body": True}


class MovedLoop(asyncio.SelectorEventLoop):
    """Its clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._skipped = 0.0

    def time(self) -> float:
        return super().time() + self._skipped

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._skipped += max(0.0, self._scheduled[0].when() - self.time())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


async def _read(scope: Scope, receive: Receive, send: Send) -> None:
    await read_json_body(Request(scope, receive, send), 100_000_000)


def _sent_by(client: Trickle, timeout: float) -> ApiError:
    async def run() -> None:
        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await LimitsMiddleware(_read, maximum=1, body_timeout=timeout)(scope, client.receive, _nobody)

    with asyncio.Runner(loop_factory=MovedLoop) as runner, pytest.raises(ApiError) as refused:
        runner.run(run())
    return refused.value


async def _nobody(_: Message) -> None:
    pytest.fail("nothing is to be sent")


def test_a_byte_a_second_is_too_slow_though_there_is_no_pause() -> None:
    client = Trickle(b"x", 1.0)
    assert _sent_by(client, 30.0).status == 408
    assert client.pieces in (29, 30)


def test_a_little_more_than_the_least_rate_is_never_too_slow() -> None:
    client = Trickle(b"x" * (LEAST_RATE + 1), 1.0)
    assert _sent_by(client, 30.0).status == 413
    assert client.pieces > 90_000


@pytest.mark.parametrize("name", ["tools", "functions"])
def test_more_tools_than_allowed_are_a_400(name: str) -> None:
    function = {"name": "look_up", "parameters": {"type": "object", "properties": {}}}
    tools = [{"type": "function", "function": {**function, "name": f"look_up_{at}"}} for at in range(3)]
    functions = [tool["function"] for tool in tools]
    asked = body() | {name: tools if name == "tools" else functions}
    with stack(max_tools=2) as servers:
        answer = httpx.post(servers.gateway + PATH, json=asked, headers=HEADERS, timeout=PATIENCE)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (name, "array_above_max_length")
    assert "GEMGATE_MAX_TOOLS" in error["message"]
