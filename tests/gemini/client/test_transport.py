"""The one transport: httpx's requests and responses over aiohttp's connections."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from tests.support.raw_upstream import Peer, RawUpstream, always, answer, unused_port

import gemgate
from gemgate.gemini.client.transport import (
    AiohttpTransport,
    MalformedResponseError,
    ReadyStream,
    UnknownHostError,
)

pytestmark = pytest.mark.integration

BODY = b'{"contents": []}'
LARGE = b"x" * 3_000_000
Addresses = Sequence[tuple[socket.AddressFamily, str]]


class Loopback:
    """Every host is this one; `nowhere.example` has no address."""

    async def resolve(self, host: str, _port: int, _family: socket.AddressFamily) -> Addresses:
        if host == "nowhere.example":
            raise OSError("no address")
        return [(socket.AF_INET, "127.0.0.1")]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    async with AiohttpTransport(Loopback(), ssl_context=True, connect_timeout=5) as opened:
        yield opened


def post(url: str, body: bytes = BODY, **headers: str) -> httpx.Request:
    return httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(body))


def test_one_module_knows_aiohttp() -> None:
    root = Path(gemgate.__file__).parent
    modules = [
        path for path in root.rglob("*.py") if re.search(r"^\s*(import|from) aiohttp", path.read_text(), re.MULTILINE)
    ]
    assert [path.relative_to(root).as_posix() for path in modules if path.parts[-2] != "emulator"] == [
        "gemini/client/transport.py"
    ]


@pytest.mark.parametrize("body", [b"", BODY, LARGE], ids=["empty", "small", "large"])
async def test_a_posted_body_arrives_whole_with_its_length_and_host(transport: AiohttpTransport, body: bytes) -> None:
    async with RawUpstream(always(answer(200, {}))) as upstream:
        response = await transport.handle_async_request(post(f"{upstream.url}/a%2Fb?c=d%20e", body, accept="*/*"))
        assert (response.status_code, await response.aread()) == (200, b"{}")
    (request,) = upstream.requests
    assert (request.method, request.target, request.body) == ("POST", "/a%2Fb?c=d%20e", body)
    assert request.headers["content-length"] == str(len(body))
    assert request.headers["host"] == upstream.url.removeprefix("http://")


async def test_headers_that_the_transport_writes_itself_are_not_sent_twice(transport: AiohttpTransport) -> None:
    async with RawUpstream(always(answer(200, {}))) as upstream:
        request = httpx.Request("POST", upstream.url, content=BODY)
        assert request.headers["content-length"] == str(len(BODY))
        response = await transport.handle_async_request(request)
        await response.aread()
    assert upstream.requests[0].body == BODY


async def test_a_connection_is_used_again_once_its_answer_was_read(transport: AiohttpTransport) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer(200, {}))

    async with RawUpstream(script) as upstream:
        for _ in range(3):
            response = await transport.handle_async_request(post(upstream.url))
            await response.aread()
            await response.aclose()
        assert upstream.connections == 1


async def test_a_connection_whose_answer_was_left_in_the_middle_is_closed(transport: AiohttpTransport) -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await peer.gone()
        closed.set()

    async with RawUpstream(script) as upstream:
        response = await transport.handle_async_request(post(upstream.url))
        assert isinstance(response.stream, ReadyStream)
        assert await response.stream.read() == b"half"
        assert response.stream.read_nowait() is None
        await response.aclose()
        async with asyncio.timeout(30):
            await closed.wait()


async def test_interim_answers_are_passed_over(transport: AiohttpTransport) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    async with RawUpstream(always(interim + answer(201, {}))) as upstream:
        response = await transport.handle_async_request(post(upstream.url))
        assert (response.status_code, await response.aread()) == (201, b"{}")


async def test_a_header_with_a_line_break_is_never_sent(transport: AiohttpTransport) -> None:
    async with RawUpstream(always(answer(200, {}))) as upstream:
        request = post(upstream.url)
        request.headers = httpx.Headers([(b"x-one", b"1\r\nx-two: 2")])
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(request)
    assert upstream.requests == []


async def test_names_in_an_address_are_sent_as_basic_credentials(transport: AiohttpTransport) -> None:
    async with RawUpstream(always(answer(200, {}))) as upstream:
        url = upstream.url.replace("http://", "http://user:word@")
        response = await transport.handle_async_request(post(url))
        await response.aread()
    assert upstream.requests[0].headers["authorization"] == "Basic dXNlcjp3b3Jk"


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("url", "kind"),
    [("http://nowhere.example/", UnknownHostError), (f"http://127.0.0.1:{unused_port()}/", httpx.ConnectError)],
    ids=["no address", "nobody listens"],
)
async def test_a_host_that_cannot_be_reached_is_a_connect_error(
    transport: AiohttpTransport, method: str, url: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await transport.handle_async_request(httpx.Request(method, url, stream=httpx.ByteStream(b"")))


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_an_answer_that_is_not_http_is_malformed(transport: AiohttpTransport, method: str) -> None:
    async with RawUpstream(always(b"SSH-2.0-OpenSSH_9\r\n\r\n")) as upstream:
        with pytest.raises(MalformedResponseError):
            await transport.handle_async_request(httpx.Request(method, upstream.url, stream=httpx.ByteStream(BODY)))


async def test_a_connection_that_closes_without_an_answer_is_a_read_error(transport: AiohttpTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with RawUpstream(script) as upstream:
        with pytest.raises(httpx.ReadError):
            await transport.handle_async_request(post(upstream.url))


async def test_a_client_of_httpx_works_over_the_transport(transport: AiohttpTransport) -> None:
    sent = answer(200, {"a": 1}, {"x-one": "1"})
    async with RawUpstream(always(sent)) as upstream, httpx.AsyncClient(transport=transport) as client:
        response = await client.post(upstream.url, json={"b": 2})
    assert (response.json(), response.headers["x-one"]) == ({"a": 1}, "1")
