"""Idle connections of callers: kept for as long as the setting says, and no longer."""

import select
import socket
from urllib.parse import urlsplit

import pytest
from tests.support.gateway import gateway_app, settings_of
from tests.support.google import FakeGoogle
from tests.support.server import serve

pytestmark = pytest.mark.integration

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def asked(origin: str) -> socket.socket:
    """A connection on which one request was answered, and which is idle now."""
    where = urlsplit(origin)
    connection = socket.create_connection((where.hostname, where.port), timeout=60)
    connection.sendall(REQUEST)
    answer = b""
    while b'"}' not in answer:
        answer += connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200")
    return connection


def test_an_idle_connection_is_closed_after_the_time_of_the_setting_and_not_before_that_of_a_longer_one() -> None:
    short, long = settings_of(client_keepalive_timeout=1), settings_of(client_keepalive_timeout=600)
    google = FakeGoogle({})
    with serve(gateway_app(google), long) as patient, serve(gateway_app(google), short) as brief:
        kept, closed = asked(patient), asked(brief)
        with kept, closed:
            assert closed.recv(1) == b""  # the end of the connection, within the minute that the socket waits
            assert select.select([kept], [], [], 0) == ([], [], [])
            kept.sendall(REQUEST)
            assert kept.recv(15) == b"HTTP/1.1 200 OK"


def test_a_connection_that_is_used_again_is_not_idle() -> None:
    with serve(gateway_app(FakeGoogle({})), settings_of(client_keepalive_timeout=30)) as origin, asked(origin) as kept:
        for _ in range(3):
            kept.sendall(REQUEST)
            answer = b""
            while b'"}' not in answer:
                answer += kept.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
