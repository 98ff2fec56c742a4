"""A real Redis on a socket of its own, which can be stopped, held still and started again."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest


class RedisServer:
    """A server at `url`; what it knows is gone when it stops."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "redis.sock"
        self._directory = directory
        self._process: Popen[str] | None = None
        self.url = f"unix://{self._socket}"

    def start(self, *options: str) -> None:
        """Returns when it answers; `options` are redis-server's."""
        command = ["redis-server", "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir"]
        self._process = Popen([*command, str(self._directory), *options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "ready to accept connections at" in line:
                return
        pytest.fail("redis-server did not start")

    def stop(self) -> None:
        """It is killed; connections to it are refused."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._socket.unlink(missing_ok=True)
            self._process = None

    def hold(self) -> None:
        """Connections stay, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """What was held is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """What `redis-cli` says."""
        answer = subprocess.run(
            ["redis-cli", "-s", str(self._socket), *words], capture_output=True, text=True, check=True
        )
        return answer.stdout.strip()


@contextmanager
def redis_running() -> Iterator[RedisServer]:
    """A fresh one, until the block ends; skips the test without the server."""
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("Redis is not installed (Debian: apt-get install redis-server)")
    with tempfile.TemporaryDirectory(prefix="gg-redis-") as name:
        server = RedisServer(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A fresh one, running."""
    with redis_running() as server:
        yield server
