"""A client that sends exactly the bytes it is told to, and reads what comes."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 10.0


def address_of(url: str) -> tuple[str, int]:
    """Host and port of `http://127.0.0.1:8080`."""
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A connection to a gateway."""
    with socket.create_connection(address_of(url), timeout=PATIENCE) as client:
        yield client


def until_closed(client: socket.socket) -> bytes:
    """Everything until the server closes, or resets, the connection."""
    seen = bytearray()
    try:
        while piece := client.recv(65_536):
            seen += piece
    except ConnectionResetError:
        pass
    return bytes(seen)


def until(client: socket.socket, wanted: bytes) -> bytes:
    """Everything until `wanted` has come."""
    seen = bytearray()
    while wanted not in seen:
        piece = client.recv(65_536)
        assert piece, f"closed before {wanted!r} came: {bytes(seen)!r}"
        seen += piece
    return bytes(seen)


def flood(client: socket.socket, piece: bytes, times: int) -> int:
    """Send `piece` again and again; gives the bytes that went before the server closed."""
    for number in range(times):
        try:
            client.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return number * len(piece)
    return times * len(piece)


def statuses(seen: bytes) -> list[int]:
    """The statuses of all answers in `seen`."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", seen)]


def ask(url: str, sent: bytes) -> tuple[int, bytes]:
    """The status of the only answer to `sent`, and all of the answer; `sent` must make the server close."""
    with connected(url) as client:
        client.sendall(sent)
        seen = until_closed(client)
    (status,) = statuses(seen)
    return status, seen


def request(method: str, path: str, *headers: str, body: bytes = b"", host: str | None = "127.0.0.1") -> bytes:
    """A request after which the server closes; a `body` has its length."""
    lines = [
        f"{method} {path} HTTP/1.1",
        *([f"host: {host}"] if host is not None else []),
        *headers,
        "connection: close",
    ]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
