"""Addresses and Unix domain sockets, alone and through the command."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from gemgate.server.sockets import ListenError, listening, url_of
from gemgate.settings import Settings

pytestmark = pytest.mark.integration

PATIENCE = 30


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("0.0.0.0", 80), "http://127.0.0.1:80"),
        (("::", 80, 0, 0), "http://[::1]:80"),
        (("::1", 80, 0, 0), "http://[::1]:80"),
        (("10.0.0.5", 80), "http://10.0.0.5:80"),
    ],
)
def test_the_address_told_is_one_that_can_be_called(address: tuple[Any, ...], url: str) -> None:
    class Listener:
        family = socket.AF_INET

        def getsockname(self) -> tuple[Any, ...]:
            return address

    listener: Any = Listener()
    assert url_of(listener) == url


def test_several_addresses_share_a_port(tmp_path: Path) -> None:
    path = tmp_path / "gemgate.sock"
    with listening(["127.0.0.1", "127.0.0.2", f"unix:{path}"], 0) as listeners:
        first, second, third = map(url_of, listeners)
        assert first.rpartition(":")[2] == second.rpartition(":")[2]
        assert third == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
    assert not path.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_is_written_to_a_connection_is_sent_at_once(host: str) -> None:
    with listening([host], 0) as (listener,), socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_socket_that_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "gemgate.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listening([f"unix:{path}"], 0) as listeners:
        assert url_of(listeners[0]) == f"unix:{path}"


def test_a_socket_in_use_and_a_file_are_left_alone(tmp_path: Path) -> None:
    used, file = tmp_path / "used.sock", tmp_path / "file"
    file.write_text("mine")
    with listening([f"unix:{used}"], 0):
        for path in (used, file):
            with pytest.raises(ListenError, match="Address already in use"), listening([f"unix:{path}"], 0):
                pass
        assert used.exists()
    assert file.read_text() == "mine"


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with listening(["127.0.0.1"], 0) as (first,):
        port = first.getsockname()[1]
        says = rf"Cannot listen on 127.0.0.1 port {port}: Address already in use. Choose others with --host and --port"
        with pytest.raises(ListenError, match=says), listening(["127.0.0.1"], port):
            pass


@pytest.mark.parametrize(
    ("host", "is_refused"),
    [("127.0.0.1,::1", False), ("unix:/run/gemgate.sock", False), ("127.0.0.1,0.0.0.0", True), (" , ", True)],
)
def test_a_gateway_that_holds_a_key_is_open_to_no_other_machine(host: str, is_refused: bool) -> None:
    settings: dict[str, Any] = {"gemini_api_key": "k", "client_keys": (), "host": host}
    if is_refused:
        with pytest.raises(ValueError, match=r"anyone who reaches it|names no address"):
            Settings(_env_file=None, **settings)
    else:
        assert Settings(_env_file=None, **settings).hosts == tuple(host.split(","))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_serves_on_all_of_them(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "gemgate.sock"
    command = [sys.executable, "-m", "gemgate", "serve", "--emulator", "--port", "0", "--workers", str(workers)]
    environment = os.environ | {"GEMGATE_DATA_DIR": str(tmp_path / "data"), "GEMGATE_HOST": f"unix:{path},127.0.0.1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.fullmatch(rf"gemgate listens on unix:{path} and (http://127\.0\.0\.1:\d+)/v1\n", said)
        assert found, said
        for transport, base in ((httpx.HTTPTransport(uds=str(path)), "http://gemgate"), (None, found[1])):
            with httpx.Client(transport=transport, base_url=base, timeout=PATIENCE) as client:
                assert client.get("/healthz").status_code == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert not path.exists()
