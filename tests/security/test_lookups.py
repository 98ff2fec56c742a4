"""Attacks with names whose look-up takes long."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from tests.support.raw_http import PATIENCE, connected, request
from tests.support.stack import gateway, stack

MODEL = "gemini-2.5-flash"
CHAT = "/v1/chat/completions"


@dataclass
class Names:
    """The resolver: names of `slow.example` take until `may_answer`, others of `example` are on the loopback."""

    real: Any
    may_answer: threading.Event = field(default_factory=threading.Event)
    slow: list[str] = field(default_factory=list)

    def __call__(self, host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.endswith("slow.example"):
            self.slow.append(name)
            self.may_answer.wait(20)
        return self.real("127.0.0.1" if name.endswith(".example") else host, *arguments, **options)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    found = Names(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.may_answer.set()


def looking_at(*urls: str) -> bytes:
    parts: list[Any] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return orjson.dumps({"model": MODEL, "messages": [{"role": "user", "content": parts}]})


def slow(number: int, first: int = 0) -> bytes:
    return looking_at(*(f"https://{at}.slow.example/a.png" for at in range(first, first + number)))


def ask(origin: str, body: bytes, key: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return httpx.post(origin + CHAT, content=body, headers=headers, timeout=PATIENCE)


def until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


HELLO = orjson.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]})


def test_slow_names_keep_nobody_from_google_and_none_of_a_request_has_more_than_its_share(names: Names) -> None:
    with stack() as there, ThreadPoolExecutor(8) as threads:
        google = there.emulator.replace("127.0.0.1", "localhost")
        with gateway(google, media_timeout=15) as origin:
            attacks = [threads.submit(ask, origin, slow(16, 16 * at), "bob") for at in range(6)]
            until(lambda: len(names.slow) >= 4)
            answer = ask(origin, HELLO, "alice")
            assert answer.status_code == 200, answer.text
            assert not any(attack.done() for attack in attacks)  # it did not wait for one of them
            assert len(names.slow) <= 8  # the share of one caller
            names.may_answer.set()
            assert [attack.result().status_code for attack in attacks] == [400] * 6


@pytest.mark.parametrize("leaves", [False, True])
def test_whoever_gave_up_or_left_keeps_no_place_from_the_next(names: Names, *, leaves: bool) -> None:
    with stack(media_timeout=0.5 if not leaves else 20) as there:
        for number in range(4):
            if leaves:
                with connected(there.gateway) as client:
                    key = f"authorization: Bearer key-{number}"
                    client.sendall(request("POST", CHAT, key, "content-type: application/json", body=slow(16)))
                    seen = 4 * (number + 1)
                    until(lambda seen=seen: len(names.slow) >= seen)
            else:
                answer = ask(there.gateway, slow(16), "bob")
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, "media_unreachable")
        answer = ask(there.gateway, looking_at("https://good.example/a.png"), "bob")
        assert "no address on the public internet" in answer.json()["error"]["message"]  # it was looked up


@pytest.mark.parametrize("inner", ["inner.example", "127.0.0.1.example"])
def test_a_name_that_is_there_inside_is_answered_like_one_that_is_not(names: Names, inner: str) -> None:
    missing = f"nowhere-{'a' * 20}.invalid"
    told = []
    with stack() as there:
        for host in (inner, missing):
            answer = ask(there.gateway, looking_at(f"https://{host}/a.png"), "bob")
            error = answer.json()["error"]
            told.append((answer.status_code, error["code"], error["param"], error["message"].replace(host, "HOST")))
    assert told[0] == told[1]
    assert names.slow == []
