import socket
import threading
import time

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from tests.emulator.support import said

from gemgate.emulator import server
from gemgate.emulator.scenarios import HEADER
from gemgate.emulator.server import run_emulator, serve_in_thread

URL = "/v1beta/models/gemini-2.5-flash:generateContent"
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"


def test_a_client_that_leaves_a_stream_is_noticed(served: httpx.Client, app: Starlette) -> None:
    with served.stream("POST", STREAM, json=said("Hi"), headers={HEADER: "slow-stream:60"}) as response:
        next(response.iter_raw())
    assert app.state.emulator.wait_for_disconnects(1)
    (left,) = app.state.emulator.disconnects
    assert left.path.endswith(":streamGenerateContent")
    assert left.sent > 0


def test_a_client_that_leaves_before_the_answer_is_noticed(served: httpx.Client, app: Starlette) -> None:
    state = app.state.emulator
    address = (served.base_url.host, served.base_url.port or 0)
    with socket.create_connection(address) as raw:
        body = b'{"contents":[{"parts":[{"text":"Hi"}]}]}'
        head = f"POST {URL} HTTP/1.1\r\nhost: x\r\nx-goog-api-key: k\r\n{HEADER}: slow-start:60\r\n"
        raw.sendall(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert state.wait_for_requests(1)
    assert state.wait_for_disconnects(1)
    assert state.disconnects[0].sent == 0


def test_an_answer_does_not_wait_until_its_head_is_acknowledged(served: httpx.Client) -> None:
    def seconds() -> float:
        begun = time.perf_counter()
        assert served.post(URL, json=said("Hi")).status_code == 200
        return time.perf_counter() - begun

    for _ in range(8):  # to the first answers of a connection Linux replies at once, and to others after 40 ms
        seconds()
    assert min(seconds() for _ in range(12)) < 0.03


def test_complete_answers_are_no_disconnects(served: httpx.Client, app: Starlette) -> None:
    for _ in range(3):
        assert served.post(STREAM, json=said("Hi")).status_code == 200
    assert len(app.state.emulator.requests) == 3
    assert not app.state.emulator.disconnects


def test_a_reset_is_no_disconnect_of_the_client(served: httpx.Client, app: Starlette) -> None:
    with pytest.raises(httpx.ReadError):
        served.post(STREAM, json=said("Hi"), headers={HEADER: "reset-mid-stream"})
    assert served.post(URL, json=said("Hi")).status_code == 200
    assert not app.state.emulator.disconnects


def test_a_taken_port_is_an_error() -> None:
    with (
        serve_in_thread() as url,
        pytest.raises(OSError, match="in use"),
        serve_in_thread(port=int(url[-5:].strip(":"))),
    ):
        pass


def test_a_server_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "START_SECONDS", 0.0)
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(threading.Thread, "join", lambda *_: None)
    with pytest.raises(RuntimeError, match="did not start"), serve_in_thread():
        pass


def test_the_command_serves_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self: asked.append(self.config))
    run_emulator("127.0.0.1", 8099)
    (config,) = asked
    assert (config.host, config.port, config.http) == ("127.0.0.1", 8099, server.ResettableProtocol)
