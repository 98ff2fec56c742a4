"""Attacks on the framing of requests: trailers, hosts, transfer codings, other protocols."""

import tracemalloc
from collections.abc import Iterator

import orjson
import pytest
from tests.support.raw_http import ask, connected, flood, request, statuses, until, until_closed
from tests.support.raw_upstream import unused_port
from tests.support.stack import Stack, gateway, stack

CHAT = orjson.dumps({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]})
NATIVE = orjson.dumps({"contents": [{"parts": [{"text": "Hello"}]}]})
KEY = "authorization: Bearer demo"
ROUTES = {
    "chat": ("/v1/chat/completions", CHAT),
    "embeddings": ("/v1/embeddings", b'{"model": "gemini-embedding-001", "input": "a"}'),
    "files": ("/v1/files", b"x"),
    "native": ("/v1beta/models/gemini-2.5-flash:generateContent", NATIVE),
    "google's endpoint": ("/v1beta/openai/chat/completions", CHAT),
    "nowhere": ("/nowhere", b"{}"),
}
MEGABYTE = 1_048_576


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with stack() as servers:
        yield servers


@pytest.fixture(scope="module")
def guarded(running: Stack) -> Iterator[str]:
    """A gateway with client keys, of which `a-client-key` is one."""
    with gateway(running.emulator, gemini_api_key="demo", client_keys="a-client-key") as url:
        yield url


def chunked(path: str, body: bytes, *headers: str, trailers: bytes = b"", last: bytes = b"\r\n") -> bytes:
    """A request with a chunked body, its `trailers`, and the `last` line."""
    lines = [f"POST {path} HTTP/1.1", "host: gateway.test", *headers, "transfer-encoding: chunked"]
    head = "\r\n".join([*lines, "content-type: application/json", "connection: close", "", ""]).encode()
    return head + b"%x\r\n%b\r\n0\r\n" % (len(body), body) + trailers + last


@pytest.mark.parametrize("path_and_body", ROUTES.values(), ids=ROUTES)
@pytest.mark.parametrize("headers", [(KEY,), ()], ids=["with a key", "without one"])
def test_trailers_without_end_are_cut_off_on_every_route(
    running: Stack, path_and_body: tuple[str, bytes], headers: tuple[str, ...]
) -> None:
    with connected(running.gateway) as client:
        client.sendall(chunked(*path_and_body, *headers, last=b""))
        sent = flood(client, b"a: b\r\n" * 10_000, 512)
    assert sent < 16 * MEGABYTE  # what the kernel's buffers take of 30


@pytest.mark.parametrize(
    ("first", "rest"),
    [(b"a", b"a"), (b"a: ", b"b"), (b"a: b\r\n", b"a: b\r\n"), (b"", b"a:\r\n"), (b"", b"a: " + b"b" * 997 + b"\r\n")],
    ids=["a name", "a value", "small ones", "empty ones", "long ones"],
)
def test_trailers_without_end_take_no_memory(running: Stack, first: bytes, rest: bytes) -> None:
    with connected(running.gateway) as client:
        client.sendall(chunked("/v1/chat/completions", CHAT, last=first))
        tracemalloc.start()
        try:
            sent = flood(client, rest * (65_536 // len(rest)), 512)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert sent < 16 * MEGABYTE
    assert peak < 4 * MEGABYTE


@pytest.mark.parametrize(
    "name", ["authorization: Bearer a-client-key", "x-goog-api-key: a-client-key", "api-key: a-client-key"]
)
@pytest.mark.parametrize("path_and_body", list(ROUTES.values())[:5], ids=list(ROUTES)[:5])
def test_a_key_in_a_trailer_lets_nobody_in(guarded: str, name: str, path_and_body: tuple[str, bytes]) -> None:
    status, _ = ask(guarded, chunked(*path_and_body, trailers=name.encode() + b"\r\n"))
    assert status == 401


@pytest.mark.parametrize(
    "trailer", ["content-type: text/plain", "x-goog-fieldmask: candidates", "x-goog-upload-command: start"]
)
def test_a_trailer_becomes_no_header_on_the_way_to_google(running: Stack, trailer: str) -> None:
    path, body = ROUTES["native"]
    status, _ = ask(running.gateway, chunked(path, body, "x-goog-api-key: demo", trailers=trailer.encode() + b"\r\n"))
    name, _, value = trailer.partition(": ")
    assert status == 200
    assert running.seen.requests[-1].headers.get(name) != value


def test_a_few_trailers_are_dropped_and_the_connection_goes_on(running: Stack) -> None:
    sent = chunked("/v1/chat/completions", CHAT, KEY, trailers=b"x-checksum: 1\r\nx-request-id: of-a-trailer\r\n")
    sent = sent.replace(b"connection: close\r\n", b"")
    with connected(running.gateway) as client:
        for _ in range(2):
            client.sendall(sent)
            seen = until(client, b"}")
            assert statuses(seen) == [200]
            assert b"of-a-trailer" not in seen


@pytest.mark.parametrize("count", [1, 9])
def test_trailers_up_to_the_limit_are_read_and_more_are_a_431(running: Stack, count: int) -> None:
    trailers = (b"a: " + b"b" * 8000 + b"\r\n") * count
    status, _ = ask(running.gateway, chunked("/v1/chat/completions", CHAT, KEY, trailers=trailers))
    assert status == (200 if count == 1 else 431)


def test_an_extension_of_a_chunk_without_end_is_cut_off(running: Stack) -> None:
    head = chunked("/v1/chat/completions", b"", KEY).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with connected(running.gateway) as client:
        client.sendall(head + b"5;a=")
        sent = flood(client, b"b" * 65_536, 512)
        seen = until_closed(client)
    assert sent < 16 * MEGABYTE
    assert statuses(seen) in ([431], [])  # the answer may be lost with the rest


def test_small_chunks_with_extensions_are_read(running: Stack) -> None:
    head = chunked("/v1/chat/completions", b"", KEY).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    chunks = b"".join(b"1;%b\r\n%c\r\n" % (b"e" * 1000, byte) for byte in CHAT)
    status, _ = ask(running.gateway, head + chunks + b"0\r\n\r\n")
    assert status == 200


HOSTS = {
    "none": [],
    "two": ["host: a.test", "host: b.test"],
    "two that agree": ["host: a.test", "Host: a.test"],
    "a list": ["host: a.test, b.test, c d"],
    "a path": ["host: a.test/v1"],
    "a user": ["host: me@a.test"],
    "a letter for a port": ["host: a.test:x"],
    "two ports": ["host: a.test:1:2"],
    "an open bracket": ["host: [::1"],
    "a quote": ['host: a"b'],
    "a long one": [f"host: {'a' * 400}"],
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("lines", HOSTS.values(), ids=HOSTS)
def test_a_host_that_is_missing_or_wrong_is_a_400(running: Stack, method: str, lines: list[str]) -> None:
    body = CHAT if method == "POST" else b""
    status, seen = ask(running.gateway, request(method, "/v1/models", KEY, *lines, body=body, host=None))
    assert (status, b"invalid_http" in seen) == (400, True)


@pytest.mark.parametrize(
    "host", ["a.test", "a.test:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "xn--bcher-kva.test", "a_b", ""]
)
def test_a_host_that_can_be_one_is_served(running: Stack, host: str) -> None:
    assert ask(running.gateway, request("GET", "/healthz", host=host))[0] == 200


def test_http_1_0_needs_no_host_and_has_no_two(running: Stack) -> None:
    assert ask(running.gateway, b"GET /healthz HTTP/1.0\r\n\r\n")[0] == 200
    assert ask(running.gateway, b"GET /healthz HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n")[0] == 400


@pytest.mark.parametrize(
    "line", [b"GET /healthz", b"GET /healthz HTTP/0.9", b"GET /healthz HTTP/2.0", b"GET /healthz HTTP/3.0"]
)
def test_another_version_of_http_is_a_400(running: Stack, line: bytes) -> None:
    for rest in (b"\r\n\r\n", b"\r\nhost: a.test\r\n\r\n"):
        assert ask(running.gateway, line + rest)[0] == 400


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["gzip, chunked"], 501),
        (["gzip"], 501),
        (["identity"], 501),
        (["chunked, gzip"], 400),
        (["gzip", "chunked"], 501),
        (["chunked", "gzip"], 400),
        (["deflate,chunked"], 501),
        (["x-chunked"], 501),
        (["chunked;q=1"], 501),
        (["chunked, chunked"], 400),
        (["chunked", "chunked"], 400),
        (["Chunked"], 200),
    ],
    ids=str,
)
def test_no_transfer_coding_but_chunked_is_read(running: Stack, lines: list[str], status: int) -> None:
    headers = "".join(f"transfer-encoding: {line}\r\n" for line in lines).encode()
    sent = chunked("/v1/chat/completions", CHAT, KEY).replace(b"transfer-encoding: chunked\r\n", headers)
    assert ask(running.gateway, sent)[0] == status


@pytest.mark.parametrize(("offer", "times"), [("h2c", 1500), ("h2c", 3), ("websocket", 3)])
def test_many_offers_of_another_protocol_in_one_segment_are_answered(running: Stack, offer: str, times: int) -> None:
    one = f"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: {offer}\r\n\r\n".encode()
    with connected(running.gateway) as client:
        client.sendall(one * times + request("GET", "/healthz"))
        assert statuses(until_closed(client)) == [200] * (times + 1)


def test_an_offer_of_another_protocol_hides_no_second_host(running: Stack) -> None:
    offer = ["connection: upgrade", "upgrade: h2c"]
    assert ask(running.gateway, request("GET", "/healthz", "host: b.test", *offer))[0] == 400
    assert ask(running.gateway, request("GET", "/healthz", *offer, host=None))[0] == 400


def test_what_is_refused_before_a_gateway_calls_google_costs_no_call(running: Stack) -> None:
    with gateway(f"http://127.0.0.1:{unused_port()}") as url:  # whoever went on would be told of it with a 502
        assert ask(url, request("POST", "/v1/chat/completions", KEY, "host: b", body=CHAT))[0] == 400


DOUBLED = {
    "two bearers": ["authorization: Bearer first", "authorization: Bearer second"],
    "two of google's": ["x-goog-api-key: first", "x-goog-api-key: second"],
    "two kinds": ["authorization: Bearer first", "x-goog-api-key: second"],
    "the second is empty": ["authorization: Bearer first", "authorization: "],
}


@pytest.mark.parametrize("path", ["/v1/models", "/v1beta/models", "/v1beta/openai/models", "/v1/files"])
@pytest.mark.parametrize("lines", DOUBLED.values(), ids=DOUBLED)
def test_two_keys_that_differ_let_nobody_in(running: Stack, path: str, lines: list[str]) -> None:
    status, seen = ask(running.gateway, request("GET", path, *lines))
    assert status in (400, 401), seen
    assert b"first" not in seen
    assert b"second" not in seen


def test_the_same_key_twice_is_one_key(running: Stack) -> None:
    assert ask(running.gateway, request("GET", "/v1/models", KEY, KEY))[0] == 200


@pytest.mark.parametrize("path", ["/v1/files/", "/v1/batches/", "/v1/uploads/", "/v1/responses/", "/v1/conversations/"])
def test_an_id_with_a_nul_is_a_404(running: Stack, path: str) -> None:
    for name in ("%00", "file-%00", "a%00b", "%00/content"):
        method = "POST" if path == "/v1/uploads/" else "GET"
        target = path + name + ("/cancel" if path == "/v1/uploads/" else "")
        status, seen = ask(running.gateway, request(method, target, KEY, body=b""))
        assert status == 404, (target, seen)
