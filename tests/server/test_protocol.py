"""What a connection may cost: heads, unread answers, and bytes that are no HTTP, over real sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from tests.support.apps import app_with
from tests.support.server import serve

from gemgate.server import run as server
from gemgate.settings import Settings

SHORT = 0.2
PATIENCE = 30.0
MEGABYTE = 1_048_576
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def hello(_: Request) -> Response:
    return Response("hello")


@contextmanager
def served(
    endpoint: Any = hello, *, options: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[str, int]]:
    """The address of `endpoint` behind the gateway's own server."""
    with serve(app_with(endpoint), Settings(_env_file=None, **settings), **(options or {})) as url:
        host, port = url.removeprefix("http://").split(":")
        yield host, int(port)


@contextmanager
def connection(address: tuple[str, int], *, narrow: bool = False) -> Iterator[socket.socket]:
    """A client; a narrow one takes little at a time."""
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        if narrow:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(address)
        yield client


def until_closed(client: socket.socket) -> bytes:
    """Everything until the server closes, or resets, the connection."""
    seen = b""
    try:
        while piece := client.recv(65_536):
            seen += piece
    except ConnectionResetError:
        pass
    return seen


def refusal(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer that must be in OpenAI's shape, and the connection's last."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert b"content-type: application/json" in head
    error = orjson.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return int(head.split(b" ")[1]), error["code"]


def test_headers_that_come_byte_by_byte_are_served() -> None:
    with served() as address, connection(address) as client:
        for at in range(len(GET)):
            client.sendall(GET[at : at + 1])
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ", b"\r\n"])
def test_headers_that_never_end_are_a_408(sent: bytes) -> None:
    with served(header_timeout=SHORT) as address, connection(address) as client:
        client.sendall(sent)
        assert refusal(until_closed(client)) == (408, "request_timeout")


def test_a_slow_second_request_on_a_connection_is_a_408_too() -> None:
    with served(header_timeout=SHORT) as address, connection(address) as client:
        client.sendall(GET)
        assert b"hello" in client.recv(65_536)
        client.sendall(GET[:9])
        assert refusal(until_closed(client)) == (408, "request_timeout")


def test_a_connection_on_which_nothing_is_asked_is_closed() -> None:
    with served(options={"timeout_keep_alive": SHORT}) as address, connection(address) as client:
        assert until_closed(client) == b""


@pytest.mark.parametrize("piece", [1000, 1_000_000], ids=["little by little", "at once"])
def test_headers_without_end_are_a_431(piece: int) -> None:
    with served(max_header_bytes=4096) as address, connection(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
        head = b"x-more: " + b"a" * 90 + b"\r\n"
        try:
            for _ in range(2_000_000 // piece):
                client.sendall(head * (piece // len(head)))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer may be lost with the rest
        else:
            assert refusal(until_closed(client)) == (431, "headers_too_large")


@pytest.mark.parametrize("where", ["path", "header"])
def test_a_head_that_is_too_large_is_a_431_though_it_came_in_one_read(where: str) -> None:
    filler = b"a" * 4096
    request = (
        b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n" % filler if where == "path" else GET[:-2] + b"x: %b\r\n\r\n" % filler
    )
    with served(max_header_bytes=4096) as address, connection(address) as client:
        client.sendall(request)
        assert refusal(until_closed(client)) == (431, "headers_too_large")


def test_a_large_body_in_the_same_read_is_no_large_head() -> None:
    async def count(request: Request) -> Response:
        return Response(str(len(await request.body())))

    body = b"b" * 60_000
    request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    with served(count, max_header_bytes=4096) as address, connection(address) as client:
        client.sendall(request)
        assert client.recv(65_536).endswith(b"60000")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header: x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: nine\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nhost: elsewhere:443\r\n\r\n",
    ],
    ids=["TLS", "SSH", "header name", "version", "length", "two lengths", "chunk", "bytes in the path", "proxy"],
)
def test_what_is_no_http_is_a_400_in_openais_shape(sent: bytes) -> None:
    async def count(request: Request) -> Response:
        return Response(str(len(await request.body())))

    with served(count) as address, connection(address) as client:
        client.sendall(sent)
        assert refusal(until_closed(client)) == (400, "invalid_http")


def test_garbage_behind_a_request_that_is_being_answered_ends_the_connection() -> None:
    async def slow(_: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.Event().wait()

        return StreamingResponse(body())

    with served(slow) as address, connection(address) as client:
        client.sendall(GET)
        assert b"begun" in client.recv(65_536)
        client.sendall(b"garbage\r\n\r\n")
        assert b"HTTP" not in until_closed(client)


class Flood:
    """An application that has more to say than anybody reads, and counts what it got rid of."""

    def __init__(self) -> None:
        self.produced = 0
        self.ended = asyncio.Event()

    async def endpoint(self, _: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 65_536
                    self.produced += 65_536
                    await asyncio.sleep(0)
            finally:
                self.ended.set()

        return StreamingResponse(body())


def wait_until(reached: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_client_that_never_reads_holds_the_answer_back_and_is_cut_off() -> None:
    flood = Flood()
    with served(flood.endpoint, send_timeout=SHORT) as address, connection(address, narrow=True) as client:
        client.sendall(GET)
        wait_until(flood.ended.is_set)
        assert flood.produced < 16 * MEGABYTE  # what the kernel's buffers take
        assert len(until_closed(client)) <= flood.produced + MEGABYTE


def test_a_client_that_reads_on_is_not_cut_off() -> None:
    flood = Flood()
    with served(flood.endpoint, send_timeout=SHORT) as address, connection(address, narrow=True) as client:
        client.sendall(GET)
        began, seen = time.monotonic(), 0
        while time.monotonic() - began < 4 * SHORT:
            seen += len(client.recv(65_536))
        assert seen
        assert not flood.ended.is_set()


def test_a_client_that_leaves_a_whole_answer_unread_is_cut_off() -> None:
    async def large(_: Request) -> Response:
        return Response(b"x" * (32 * MEGABYTE))

    with served(large, send_timeout=SHORT) as address, connection(address, narrow=True) as client:
        client.sendall(GET)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        time.sleep(4 * SHORT)  # it is the absence of reading that is tested
        assert len(until_closed(client)) < 32 * MEGABYTE


def test_a_body_that_goes_on_after_the_answer_is_not_read_for_ever() -> None:
    with served(body_timeout=SHORT) as address, connection(address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nbegun")
        assert b"hello" in client.recv(65_536)
        assert until_closed(client) == b""


def test_a_body_that_ends_after_the_answer_leaves_the_connection_open() -> None:
    with served(body_timeout=SHORT) as address, connection(address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nbegun")
        assert b"hello" in client.recv(65_536)
        client.sendall(b"ended" + GET)
        assert b"hello" in client.recv(65_536)
        time.sleep(2 * SHORT)  # longer than the limit that must not count
        client.sendall(GET)
        assert b"hello" in client.recv(65_536)


def test_a_body_is_read_though_the_client_would_rather_speak_http2() -> None:
    async def count(request: Request) -> Response:
        return Response(str(len(await request.body())))

    upgrade = (
        b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"
    )
    with served(count) as address, connection(address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\n" + upgrade + b"content-length: 5\r\n\r\nhello")
        assert client.recv(65_536).endswith(b"\r\n\r\n5")


@pytest.mark.parametrize("ask", [b"websocket", b"h2c"])
def test_a_request_without_a_body_may_ask_for_another_protocol_in_vain(ask: bytes) -> None:
    with served() as address, connection(address) as client:
        for _ in range(2):
            client.sendall(GET[:-2] + b"connection: upgrade\r\nupgrade: %b\r\n\r\n" % ask)
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def echo(request: Request) -> Response:
        return Response("<" + request.url.query + ">")

    with served(echo) as address, connection(address) as client:
        client.sendall(b"".join(GET.replace(b"/ ", b"/?%d " % number) for number in range(20)))
        seen = b""
        while b"<19>" not in seen:
            seen += client.recv(65_536)
    assert [int(part.split(b">")[0]) for part in seen.split(b"<")[1:]] == list(range(20))


def test_without_httptools_uvicorns_own_protocol_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "httptools" else find_spec(name))
    assert server.server_config("gemgate.cli.serve:worker_app", Settings(_env_file=None), factory=True).http == "h11"


def test_head_and_body_of_a_small_answer_come_in_one_read() -> None:
    with served() as address, connection(address) as client:
        for _ in range(2):
            client.sendall(GET)
            assert client.recv(65_536).endswith(b"\r\n\r\nhello")


def test_a_head_does_not_wait_for_a_body_that_takes_its_time() -> None:
    read = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def late(_: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            loops.append(asyncio.get_running_loop())
            await read.wait()
            yield b"late"

        return StreamingResponse(body())

    with served(late) as address, connection(address) as client:
        client.sendall(GET)
        assert client.recv(65_536).endswith(b"\r\n\r\n")
        loops[0].call_soon_threadsafe(read.set)
        assert b"late" in client.recv(65_536)


def test_an_answer_without_a_body_is_whole() -> None:
    with served() as address, connection(address) as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = until_closed(client)
    assert answer.startswith(b"HTTP/1.1 ")
    assert answer.endswith(b"\r\n\r\n")
