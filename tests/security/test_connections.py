"""Attacks that hold on to things: silent connections, slow bodies, places that one caller takes."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from tests.support.command import command
from tests.support.raw_http import PATIENCE, address_of, ask, connected, request, statuses, until, until_closed
from tests.support.stack import stack

from gemgate.server.connections import connection_bound

CHAT = orjson.dumps({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]})
DESCRIPTORS = 1024
HARD = DESCRIPTORS + 64
SHORT = 0.3
KEY = "authorization: Bearer demo"

_LIMITED = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {HARD}))
from gemgate.cli.main import app
app()
"""


def chat(url: str, key: str = "demo") -> int:
    """The status of a small request on a connection of its own."""
    return ask(url, request("POST", "/v1/chat/completions", f"authorization: Bearer {key}", body=CHAT))[0]


@contextmanager
def opened(url: str, number: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connections that have sent `sent`, and nothing after it."""
    with ExitStack() as held:
        clients = []
        for _ in range(number):
            client = held.enter_context(socket.create_connection(address_of(url), timeout=PATIENCE))
            client.sendall(sent)
            clients.append(client)
        yield clients


@dataclass(frozen=True)
class Narrow:
    """A gateway in a process of its own that may open few files."""

    url: str
    pid: int


@pytest.fixture(scope="module")
def narrow() -> Iterator[Narrow]:
    with command("serve", "--emulator", "--port", "0", program=("-c", _LIMITED), GEMGATE_LOG_LEVEL="error") as (
        process,
        url,
    ):
        assert chat(url) == 200
        yield Narrow(url, process.pid)


@pytest.mark.parametrize(
    "sent", [b"", b"G", b"POST / HTTP/1.1\r\nhost: a\r\nx-slow: "], ids=["nothing", "a byte", "half a head"]
)
def test_two_thousand_silent_connections_keep_nobody_out(narrow: Narrow, sent: bytes) -> None:
    with httpx.Client(base_url=narrow.url, timeout=PATIENCE) as busy, opened(narrow.url, 2000, sent):
        for _ in range(20):
            answer = busy.post("/v1/chat/completions", content=CHAT, headers={"authorization": "Bearer demo"})
            assert answer.status_code == 200
            assert chat(narrow.url) == 200


def test_connections_that_have_asked_and_wait_keep_nobody_out(narrow: Narrow) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
    with opened(narrow.url, 1500, asked):
        assert [chat(narrow.url) for _ in range(10)] == [200] * 10


def test_connections_whose_bodies_never_come_keep_nobody_out(narrow: Narrow) -> None:
    head = request("POST", "/v1/chat/completions", "authorization: Bearer demo").replace(
        b"connection: close", b"content-length: 1000"
    )
    with opened(narrow.url, 1500, head + b"{"):
        assert [chat(narrow.url, "another") for _ in range(10)] == [200] * 10


def test_the_soft_limit_of_descriptors_is_raised_at_the_start(narrow: Narrow) -> None:
    assert resource.prlimit(narrow.pid, resource.RLIMIT_NOFILE) == (HARD, HARD)


def test_half_of_the_descriptors_is_left_for_google() -> None:
    assert connection_bound(None, DESCRIPTORS) < DESCRIPTORS // 2
    assert connection_bound(5000, DESCRIPTORS) < DESCRIPTORS // 2
    assert connection_bound(100, DESCRIPTORS) == 100
    assert connection_bound(None, 1_048_576) == 10_000


def is_open(client: socket.socket) -> bool:
    """Whether the gateway has closed a connection on which nothing was sent."""
    client.settimeout(0.01)
    try:
        return client.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False


def test_the_oldest_silent_connection_is_closed_first() -> None:
    with stack(max_client_connections=10) as servers, connected(servers.gateway) as asking:
        asking.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        until(asking, b"ok")
        with opened(servers.gateway, 20) as clients:
            deadline = time.monotonic() + PATIENCE
            while sum(map(is_open, clients)) > 9 and time.monotonic() < deadline:
                pass
            assert [is_open(client) for client in clients] == [False] * 11 + [True] * 9
        assert is_open(asking)


class Slow:
    """Clients that each send a byte of a body now and then."""

    def __init__(self, url: str, keys: list[str]) -> None:
        self.held = [socket.create_connection(address_of(url), timeout=PATIENCE) for _ in keys]
        for client, key in zip(self.held, keys, strict=True):
            lines = [
                "POST /v1/chat/completions HTTP/1.1",
                "host: a",
                f"authorization: Bearer {key}",
                "content-length: 99999",
            ]
            client.sendall("\r\n".join([*lines, "", "{"]).encode())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drip)
        self._thread.start()

    def _drip(self) -> None:
        while not self._stop.wait(0.02):
            for client in self.held:
                try:
                    client.sendall(b" " * 26)
                except OSError:
                    return

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        for client in self.held:
            client.close()


@contextmanager
def slow(url: str, keys: list[str]) -> Iterator[Slow]:
    clients = Slow(url, keys)
    try:
        yield clients
    finally:
        clients.close()


@pytest.mark.parametrize(
    "keys", [["mallory"] * 20, [f"mallory-{number}" for number in range(20)]], ids=["one key", "twenty"]
)
def test_slow_bodies_take_no_place_from_another_caller(keys: list[str]) -> None:
    with stack(max_concurrent_requests=20) as servers, slow(servers.gateway, keys):
        assert [chat(servers.gateway, "alice") for _ in range(20)] == [200] * 20


def test_the_slowest_body_makes_room_for_a_faster_one() -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer alice\r\ncontent-length: %d\r\n\r\n"
    with stack(max_concurrent_requests=4) as servers, slow(servers.gateway, [f"m-{n}" for n in range(4)]) as clients:
        with connected(servers.gateway) as client:
            client.sendall(head % len(CHAT) + CHAT[:20])
            seen = [each for each in clients.held if not is_open(each)] or clients.held
            client.sendall(CHAT[20:])
            assert statuses(until(client, b"}")) == [200]
        assert seen


def test_a_body_has_a_time_in_all_however_fast_it_comes() -> None:
    with stack(body_total_timeout=SHORT) as servers, connected(servers.gateway) as client:
        client.sendall(
            request("POST", "/v1/chat/completions", KEY).replace(b"connection: close", b"content-length: 99999999")
        )
        began = time.monotonic()
        try:
            while time.monotonic() - began < PATIENCE:
                client.sendall(b" " * 8192)
                time.sleep(0.02)  # 400 KiB a second
        except OSError:
            pass
        assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize(
    ("given", "maximum", "share"), [({}, 4, 3), ({"max_concurrent_requests_per_caller": 1}, 4, 1)], ids=["", "set"]
)
def test_one_caller_cannot_take_all_places(given: dict[str, Any], maximum: int, share: int) -> None:
    with stack(max_concurrent_requests=maximum, **given) as servers, slow(servers.gateway, ["mallory"] * share):
        deadline = time.monotonic() + PATIENCE
        while (status := chat(servers.gateway, "mallory")) == 200 and time.monotonic() < deadline:
            pass  # the others are not there yet
        assert status == 429
        assert chat(servers.gateway, "alice") == 200


def test_the_place_of_a_caller_is_free_again() -> None:
    with stack(max_concurrent_requests=4) as servers:
        with slow(servers.gateway, ["mallory"] * 3):
            deadline = time.monotonic() + PATIENCE
            while chat(servers.gateway, "mallory") == 200 and time.monotonic() < deadline:
                pass
        while (status := chat(servers.gateway, "mallory")) == 429 and time.monotonic() < deadline:
            pass
        assert status == 200


def test_a_gateway_that_asks_for_no_key_knows_no_callers_to_share() -> None:
    with stack(gemini_api_key="demo", max_concurrent_requests=4) as servers:
        host = address_of(servers.gateway)
        assert host[0] == "127.0.0.1"
        with slow(servers.gateway, ["any"] * 3):
            assert ask(servers.gateway, request("POST", "/v1/chat/completions", body=CHAT, host="127.0.0.1"))[0] == 200


def test_a_body_that_goes_on_after_its_answer_is_closed_when_room_is_needed() -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 99999\r\n\r\n{"
    asked = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
    with stack(max_client_connections=3) as servers, connected(servers.gateway) as client, ExitStack() as others:
        client.sendall(head)
        assert statuses(until(client, b"}")) == [401]
        for _ in range(3):
            other = others.enter_context(connected(servers.gateway))
            other.sendall(asked)
            until(other, b"ok")
        assert until_closed(client) == b""
