"""Fetching media, from servers on the loopback interface."""

import asyncio
import base64
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate import __version__
from gemgate.media.errors import MediaError
from gemgate.media.fetch import MediaFetcher
from gemgate.media.inline import Inline
from gemgate.media.ssrf_guard import Guard, parse

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server of raw bytes. It notes the head of each request and lets `handle` write the answer."""

    def __init__(self, handle: Handler | None = None, port: int = 0) -> None:
        self.handle = handle or answer()
        self.requests: list[bytes] = []
        self.port = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            await self.handle(head, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def url(self, path: str = "/a.png") -> str:
        return f"http://media.example:{self.port}{path}"

    def fetcher(self, **options: Any) -> MediaFetcher:
        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"]

        guard = Guard(allow_http=True, permitted=frozenset({("127.0.0.1", self.port)}))
        standard: dict[str, Any] = {"max_bytes": 1000, "timeout": 20, "guard": guard, "resolve": resolve}
        return MediaFetcher(**standard | options)


@asynccontextmanager
async def serving(handle: Handler) -> AsyncIterator[Server]:
    server = Server(handle)
    async with listening(server.serve) as server.port:
        yield server


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


def answer(
    body: bytes = b"", status: str = "200 OK", *, length: int | None = None, **headers: str
) -> Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return handle


def by_path(answers: dict[str, Handler]) -> Handler:
    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        await answers[head.split()[1].decode().strip("/")](head, writer)

    return handle


async def refused(fetcher: MediaFetcher, url: str) -> MediaError:
    async with fetcher:
        with pytest.raises(MediaError) as caught:
            await fetcher.fetch(url)
    return caught.value


async def test_content_comes_as_base64_with_its_true_type() -> None:
    async with serving(answer(PNG, content_type="text/plain")) as server, server.fetcher() as fetcher:
        assert await fetcher.fetch(server.url()) == Inline("image/png", base64.b64encode(PNG).decode())


@pytest.mark.parametrize(
    ("path", "content_type", "mime"),
    [
        ("/table", "text/csv; charset=utf-8", "text/csv"),
        ("/table.csv?download=1", "application/octet-stream", "text/csv"),
        ("/t%61ble.md", "binary/octet-stream", "text/markdown"),
        ("/", "text/html", "text/html"),
    ],
)
async def test_text_has_the_servers_type_then_the_type_of_its_name(path: str, content_type: str, mime: str) -> None:
    async with serving(answer(b"a,b\n", content_type=content_type)) as server, server.fetcher() as fetcher:
        assert (await fetcher.fetch(server.url(path))).mime == mime


async def test_the_request_says_who_asks_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with serving(answer(PNG, set_cookie="session=1; Path=/")) as server, server.fetcher() as fetcher:
        await fetcher.fetch(server.url("/a.png?X-Sig=a%2Fb%3D%2B~%7e#part"))
        await fetcher.fetch(server.url("/b.png"))
        first, second = (request.decode().split("\r\n") for request in server.requests)
    assert first[0] == "GET /a.png?X-Sig=a%2Fb%3D%2B~%7e HTTP/1.1"
    assert second[0] == "GET /b.png HTTP/1.1"
    assert sorted(first[1:-2]) == sorted(second[1:-2])
    assert sorted(first[1:-2]) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        f"Host: media.example:{server.port}",
        f"User-Agent: gemgate/{__version__}",
    ]


async def test_odd_characters_in_a_url_are_encoded() -> None:
    async with serving(answer(PNG)) as server, server.fetcher() as fetcher:
        await fetcher.fetch(server.url("/grün 1.png"))
    assert server.requests[0].startswith(b"GET /gr%C3%BCn%201.png HTTP/1.1")


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_tls_names_the_host_of_the_url_at_the_checked_address(reply: bytes) -> None:
    greetings: list[bytes] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greetings.append(await reader.read(4096))
        writer.write(reply)
        writer.close()

    async with listening(greet) as port:
        error = await refused(Server(port=port).fetcher(), f"https://media.example:{port}/")
    assert error.code == "media_unreachable"
    assert ("no trusted TLS connection" in error.message) == bool(reply)
    assert b"media.example" in greetings[0]


async def test_redirects_are_followed() -> None:
    async with serving(answer()) as server, server.fetcher() as fetcher:
        hops = {
            "a": answer(status="302 Found", location="/b"),
            "b": answer(status="301 Moved", location="c?x=1"),
            "c?x=1": answer(status="308 Permanent Redirect", location=f"//other.example:{server.port}/d"),
            "d": answer(PNG),
        }
        server.handle = by_path(hops)
        assert (await fetcher.fetch(server.url("/a"))).mime == "image/png"
    assert f"Host: other.example:{server.port}".encode() in server.requests[-1]


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://127.0.0.1:1/", "forbidden_url"),
        ("http://169.254.169.254/latest/meta-data/", "forbidden_url"),
        ("http://[::ffff:169.254.169.254]/", "forbidden_url"),
        ("http://2130706433/", "forbidden_url"),
        ("//localhost/", "forbidden_url"),
        ("http://user:secret@media.example/", "forbidden_url"),
        ("ftp://media.example/a", "forbidden_url"),
        ("file:///etc/passwd", "invalid_image_url"),
        ("http://[::1/", "invalid_image_url"),
        ("http://[]@", "invalid_image_url"),
        ("http://media.example:99999/", "invalid_image_url"),
        ("data:image/png;base64,AAAA", "invalid_image_url"),
    ],
)
async def test_each_redirect_is_checked(location: str, code: str) -> None:
    async with serving(answer(status="302 Found", location=location)) as server:
        error = await refused(server.fetcher(), server.url())
    assert error.code == code
    assert "secret" not in error.message
    assert len(server.requests) == 1


async def test_a_redirect_to_a_name_of_a_private_address_is_refused() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"] if host == "media.example" else ["10.0.0.1"]

    async with serving(answer(status="302 Found", location="http://inside.example/")) as server:
        error = await refused(server.fetcher(resolve=resolve), server.url())
    assert error.code == "media_unreachable"
    assert "no address on the public internet" in error.message


async def test_https_does_not_lead_to_http_unless_http_is_allowed() -> None:
    async with serving(answer(status="302 Found", location="http://media.example/")) as server:
        target = parse(server.url()).join(parse("http://media.example/"))
        with pytest.raises(MediaError, match="its scheme must be https"):
            Guard(permitted=frozenset({("127.0.0.1", server.port)})).check_url(target)


async def test_a_redirect_to_nowhere_is_an_error() -> None:
    async with serving(answer(status="302 Found")) as server:
        error = await refused(server.fetcher(), server.url())
    assert (error.code, "redirects to nowhere" in error.message) == ("media_unreachable", True)


async def test_a_redirect_loop_ends() -> None:
    async with serving(answer(status="302 Found", location="/a.png")) as server:
        error = await refused(server.fetcher(), server.url())
    assert (error.code, "more than 3 times" in error.message) == ("media_unreachable", True)
    assert len(server.requests) == 4


async def test_the_number_of_redirects_is_a_choice() -> None:
    async with serving(answer(status="307 Temporary", location="/a.png")) as server:
        error = await refused(server.fetcher(max_redirects=0), server.url())
    assert "more than 0 times" in error.message
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "404 Not Found", "500 Broken", "206 Partial"])
async def test_another_status_is_an_error_that_names_it(status: str) -> None:
    async with serving(answer(status=status)) as server:
        error = await refused(server.fetcher(), server.url("/a.png?sig=secret"))
    assert error.code == "media_unreachable"
    assert f"{server.url()} could not be fetched: it answered {status[:3]}." in error.message


async def test_too_large_by_its_header_is_not_read() -> None:
    async with serving(answer(PNG, length=1001)) as server:
        error = await refused(server.fetcher(), server.url())
    assert error.code == "media_too_large"
    assert "more than 1000 bytes" in error.message


async def test_the_largest_size_is_read() -> None:
    async with serving(answer(PNG.ljust(1000))) as server, server.fetcher() as fetcher:
        assert len((await fetcher.fetch(server.url())).data) == 1336


async def test_one_byte_too_many_without_a_header_is_refused() -> None:
    async def until_eof(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + PNG.ljust(1001))

    async with serving(until_eof) as server:
        error = await refused(server.fetcher(), server.url())
        async with server.fetcher(max_bytes=1001) as fetcher:
            assert len((await fetcher.fetch(server.url())).data) == 1336
    assert error.code == "media_too_large"


async def test_too_large_without_a_header_is_broken_off() -> None:
    closed = asyncio.Event()

    async def pour(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"400\r\n" + bytes(0x400) + b"\r\n")
                await writer.drain()
        finally:
            closed.set()

    async with serving(pour) as server:
        error = await refused(server.fetcher(), server.url())
        await asyncio.wait_for(closed.wait(), 10)
    assert error.code == "media_too_large"


async def test_compressed_content_is_unpacked() -> None:
    async with serving(answer(gzip.compress(PNG), content_encoding="gzip")) as server, server.fetcher() as fetcher:
        assert base64.b64decode((await fetcher.fetch(server.url())).data) == PNG


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compression_bomb_is_broken_off(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(50_000_000))
    async with serving(answer(bomb, content_encoding=encoding)) as server:
        error = await refused(server.fetcher(max_bytes=len(bomb) + 1), server.url())
    assert error.code == "media_too_large"


@pytest.mark.parametrize(
    "handle",
    [
        answer(b"not gzip at all", content_encoding="gzip"),
        answer(PNG, length=500),
        answer(PNG, "200 OK\r\nTransfer-Encoding: chunked"),
        answer(PNG, "200 OK\r\nX-Long: " + "a" * 100_000),
        answer(PNG, "200 OK\r\nContent-Length: -1"),
    ],
)
async def test_a_broken_answer_is_an_error(handle: Handler) -> None:
    async with serving(handle) as server:
        error = await refused(server.fetcher(), server.url())
    assert error.code == "media_unreachable"
    assert "broke off the answer, or sent one that is not valid HTTP" in error.message


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0-OpenSSH_9.9\r\n", b"\xff\xfe\x00", b"HTTP/1.1 abc\r\n\r\n"])
async def test_what_is_not_http_is_an_error(raw: bytes) -> None:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    async with serving(handle) as server:
        error = await refused(server.fetcher(), server.url())
    assert error.code == "media_unreachable"


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x89PNG"])
async def test_a_server_that_stalls_is_given_up(start: bytes) -> None:
    finish = asyncio.Event()

    async def stall(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await writer.drain()
        await finish.wait()

    async with serving(stall) as server:
        error = await refused(server.fetcher(timeout=0.1), server.url())
        finish.set()
    assert error.code == "media_unreachable"
    assert "did not answer in full within 0.1 s" in error.message


async def test_a_name_that_takes_too_long_is_given_up() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    error = await refused(MediaFetcher(max_bytes=1, timeout=0.05, resolve=resolve), "https://media.example/")
    assert "within 0.05 s" in error.message


async def test_a_name_that_does_not_resolve_is_an_error() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError

    error = await refused(MediaFetcher(max_bytes=1, timeout=9, resolve=resolve), "https://media.example/a?sig=secret")
    assert error.code == "media_unreachable"
    reason = "its host name has no address on the public internet"
    assert error.message.startswith(f"https://media.example/a could not be fetched: {reason}.")


async def test_a_port_where_nobody_listens_is_an_error() -> None:
    async with serving(answer()) as server:
        pass
    error = await refused(server.fetcher(), server.url())
    assert "its host could not be connected to" in error.message


@pytest.mark.parametrize("body", [b"PK\x03\x04" + bytes(20), b"MZ\x90\0" + bytes(20), b""])
async def test_content_of_another_type_is_refused_by_name_of_the_url(body: bytes) -> None:
    async with serving(answer(body, content_type="application/zip")) as server:
        error = await refused(server.fetcher(), server.url("/a.zip?sig=secret"))
    assert error.code == "unsupported_media_type"
    assert error.message.startswith(f"{server.url('/a.zip')}: The content")


async def test_a_fetcher_works_inside_async_with_only() -> None:
    fetcher = MediaFetcher(max_bytes=1, timeout=1)
    with pytest.raises(RuntimeError, match="async with"):
        await fetcher.fetch("https://example.com/")
    async with fetcher:
        pass
    await fetcher.__aexit__(None, None, None)
    with pytest.raises(RuntimeError, match="async with"):
        await fetcher.fetch("https://example.com/")


async def test_a_cancelled_fetch_closes_its_connection() -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()
        left.set()
        writer.close()

    async with listening(hold) as port, Server(port=port).fetcher() as fetcher:
        task = asyncio.create_task(fetcher.fetch(f"http://media.example:{port}/"))
        await asyncio.wait_for(arrived.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(left.wait(), 10)


@settings(max_examples=50)
@given(st.text(alphabet="abxn-.é①%/?#[]:@0 ", max_size=30).map("https://".__add__) | st.text())
def test_no_url_crashes_it(url: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError

    error = asyncio.run(refused(MediaFetcher(max_bytes=1, timeout=9, resolve=resolve), url))
    assert error.code in {"forbidden_url", "invalid_image_url", "media_unreachable"}
