"""A Redis that answers rubbish neither stops the start nor fails a request."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.api.native.support import running_gateway
from tests.auth.support import bearer, write_keys

from gemgate.shared_state import connection as connection_module
from gemgate.shared_state import cooldowns as cooldowns_module
from gemgate.upstream.key_pool import label_of

Command = list[bytes]
Answer = Callable[[Command], bytes]

MODEL = "models/gemini-3-flash-preview"
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "found"},
]
RUBBISH = {
    "deep arrays": b"*1\r\n" * 100_000,
    "a line of 3 MB": b"+" + b"a" * 3_000_000 + b"\r\n",
    "a line without end": b"+" + b"a" * 300_000,
    "OK to everything": b"+OK\r\n",
    "one text": b"$5\r\nhello\r\n",
    "no text": b"$-1\r\n",
    "a number": b":1\r\n",
    "an empty array": b"*0\r\n",
    "an array of one": b"*1\r\n$1\r\na\r\n",
    "four texts": b"*4\r\n" + b"$3\r\n\xff\xfe\xfd\r\n" * 4,
    "four numbers": b"*4\r\n" + b":1\r\n" * 4,
    "infinite limits": b"*4\r\n$8\r\nrequests\r\n$3\r\ninf\r\n$3\r\nnan\r\n$3\r\nnan\r\n",
    "a number that is none": b":one\r\n",
    "a length below zero": b"$-5\r\nabc\r\n",
    "a length without end": b"$99999999999999999999\r\nabc\r\n",
    "an array without end": b"*99999999999999999999\r\n",
    "an error": b"-ERR no such thing\r\n",
    "an error in a pipeline": b"*1\r\n-ERR no such thing\r\n",
    "bytes": b"\x00\xff\xfe\r\n" * 1000,
    "a web page": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
    "nothing": b"",
    "two answers at once": b"+OK\r\n+OK\r\n",
}


def commands(stream: Any) -> Iterator[Command]:
    """What a client of Redis sends."""
    while head := stream.readline():
        yield [stream.read(int(stream.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]


@contextmanager
def redis(answer: Answer) -> Iterator[str]:
    """A server that answers each command with `answer`; its URL."""

    def serve(peer: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), peer, peer.makefile("rb") as stream:
            for words in commands(stream):
                peer.sendall(answer(words))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def looking_well(rubbish: bytes) -> Answer:
    """Gives back what it is told when it is looked at, so that it counts as up, and else `rubbish`."""

    def answer(words: Command) -> bytes:
        if b"gemgate:probe" in words:
            return b"$%d\r\n%b\r\n" % (len(words[-1]), words[-1])
        return b"+OK\r\n" if words[0].upper() in (b"CLIENT", b"HELLO", b"SELECT") else rubbish

    return answer


def statuses(url: str, directory: Path) -> list[int]:
    """A gateway that shares limits, cool-downs and signatures by `url` starts, and answers in every way."""
    keys = write_keys(directory / "keys.yaml", web={"limits": {"requests_per_minute": 1000, "concurrent_requests": 9}})
    signed = {"functionCall": {"name": "look_up", "args": {}}, "thoughtSignature": "c2lnbmVk"}
    good = httpx.Response(
        200, json={"candidates": [{"content": {"role": "model", "parts": [signed]}, "finishReason": "STOP"}]}
    )
    settings: dict[str, Any] = {"gemini_api_key": ("key-one", "key-two"), "client_keys_file": keys, "redis_url": url}
    body = {"model": "gemini-3-flash-preview", "messages": MESSAGES, "tools": [TOOL]}
    with running_gateway(lambda _: good, data_dir=directory, **settings) as running:
        answers = [
            running.client.post("/v1/chat/completions", json=body, headers=bearer("web")),
            running.client.get("/readyz"),
            running.client.post("/v1/chat/completions", json=body, headers=bearer("web")),
            running.client.get("/v1/batches", headers=bearer("web")),
        ]
    return [answer.status_code for answer in answers]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(cooldowns_module, "POLL_SECONDS", 0.01)


@pytest.mark.parametrize(
    "what", ["deep arrays", "a line of 3 MB", "OK to everything", "an array of one", "a web page", "bytes", "nothing"]
)
def test_rubbish_neither_stops_the_start_nor_fails_a_request(what: str, tmp_path: Path) -> None:
    with redis(lambda _: RUBBISH[what]) as url:
        assert statuses(url, tmp_path) == [200] * 4


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_of_a_redis_that_looks_well_fails_no_request(rubbish: bytes, tmp_path: Path) -> None:
    with redis(looking_well(rubbish)) as url:
        assert statuses(url, tmp_path) == [200] * 4


SOUND: dict[str, Any] = {"at": 1, "key": "", "model": MODEL, "kind": "broken", "until": 4e9, "failures": 1}


WRONG: list[dict[str, Any]] = [
    {"until": "soon"},
    {"until": None},
    {"until": [1]},
    {"at": "now"},
    {"key": 1},
    {"model": {"a": 1}},
    {"failures": "many"},
    {"failure": [1]},
    {"failure": {"details": [1]}},
    {"failure": {"message": 1}},
    {"caller": ["a"]},
    {"kind": "of another version"},
    {"more": 1},
    {"until": 4e300, "at": 4e300},
]


@pytest.mark.parametrize("kind", ["broken", "rate_limit", "key_refused"])
def test_cool_downs_that_are_none_fail_no_request(kind: str, tmp_path: Path) -> None:
    key = "" if kind == "broken" else label_of("key-one")
    members = [orjson.dumps({**SOUND, "kind": kind, "key": key, **fields}) for fields in WRONG]
    members += [b"[1]", b"1", b'"a"', b"[" * 1000, b"\xff"]
    listed = b"*%d\r\n" % len(members) + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in members)

    def answer(words: Command) -> bytes:
        name = words[0].upper()
        return {b"GET": b"$1\r\n7\r\n", b"ZREMRANGEBYSCORE": b":0\r\n", b"ZRANGEBYSCORE": listed}.get(
            name, looking_well(b":1\r\n")(words)
        )

    with redis(answer) as url:
        assert statuses(url, tmp_path) == [200] * 4
