"""Where the gateway listens: any number of addresses and Unix domain sockets."""

import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gemgate.settings import UNIX

BACKLOG = 2048


class ListenError(Exception):
    """An address that cannot be listened on; the text is a sentence for the operator."""


@contextmanager
def listening(hosts: Sequence[str], port: int) -> Iterator[list[socket.socket]]:
    """Listening sockets, closed at the end; bound first, so that the printed addresses are those really bound (port 0).

    Args:
        hosts: Names and addresses, which share `port`; `unix:/path` is a Unix domain socket, made for everybody who can
            reach its directory, in place of one that nobody listens on any more.
        port: 0: a free one, the same for all.

    Raises:
        ListenError: one of them cannot be listened on.
    """
    with ExitStack() as stack:
        listeners = []
        for host in hosts:
            if host.startswith(UNIX):
                listeners.append(stack.enter_context(_unix(Path(host.removeprefix(UNIX)))))
            else:
                listener = stack.enter_context(_tcp(host, port))
                port = listener.getsockname()[1]
                listeners.append(listener)
        for listener in listeners:
            listener.set_inheritable(True)
        yield listeners


def url_of(listener: socket.socket) -> str:
    """Where a caller on this machine finds `listener`: `http://127.0.0.1:8080`, or `unix:/path`."""
    if listener.family == socket.AF_UNIX:
        return f"{UNIX}{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


@contextmanager
def _tcp(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno or 0) if error.errno else str(error)
        raise ListenError(
            f"Cannot listen on {host} port {port}: {reason}. Choose others with --host and --port."
        ) from error
    with listener:
        # What it accepts has this too. asyncio sets it itself, but not for a listener that it has not made: an event
        # would wait for 40 ms until the caller has acknowledged the one before it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


@contextmanager
def _unix(path: Path) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_UNIX)
    try:
        with listener:
            _drop_a_dead_one(path)
            listener.bind(str(path))
            path.chmod(0o666)
            listener.listen(BACKLOG)
            made = path.stat().st_ino
            try:
                yield listener
            finally:
                with suppress(OSError):
                    if path.stat().st_ino == made:
                        path.unlink()
    except OSError as error:
        raise ListenError(f"Cannot listen on {UNIX}{path}: {error.strerror or error}.") from error


def _drop_a_dead_one(path: Path) -> None:
    """A socket stays behind when its process was killed; any other file is not ours to remove."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
