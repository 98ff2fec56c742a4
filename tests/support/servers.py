"""A real PostgreSQL and a real S3 server, started once in a session where their programs are installed.

PostgreSQL is Debian's package `postgresql` (or any that has `initdb` on the PATH); S3 is moto's server.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import IO
from urllib.parse import quote

import httpx
import pytest

_INSTALLED_AT = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt")
_FAST = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "listen_addresses=")


@dataclass(frozen=True)
class Postgres:
    """A running server. What `new_database` gives is a schema of its own: a hundred times cheaper than a database."""

    directory: Path
    names: Iterator[int]
    pid: int

    @contextmanager
    def held(self) -> Iterator[None]:
        """Until the block ends, all its processes are stopped: connections stay, and nothing is answered."""
        self._send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        listing = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True, check=False
        )
        for pid in (self.pid, *map(int, listing.stdout.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def new_database(self) -> str:
        """The URL of a fresh database."""
        import psycopg

        name = f"gemgate_{next(self.names)}"
        server = f"postgresql://postgres@/postgres?host={quote(str(self.directory), safe='')}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{server}&options={quote(f'-csearch_path={name}')}"


@dataclass(frozen=True)
class S3:
    """A running server; `options` are those of `Blobs.at`."""

    endpoint: str
    names: Iterator[int]

    @property
    def options(self) -> dict[str, str]:
        return {
            "aws_endpoint": self.endpoint,
            "aws_access_key_id": "made-up",
            "aws_secret_access_key": "made-up-secret",
            "aws_region": "us-east-1",
        }

    def new_bucket(self) -> str:
        """The name of a fresh bucket."""
        name = f"bucket-{next(self.names)}"
        httpx.put(f"{self.endpoint}/{name}").raise_for_status()
        return name

    def unfinished(self, bucket: str) -> int:
        """How many multipart uploads were begun and neither completed nor aborted."""
        return httpx.get(f"{self.endpoint}/{bucket}?uploads").raise_for_status().text.count("<Upload>")


def _programs() -> Path | None:
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    candidates = [path.parent for root in _INSTALLED_AT for path in Path(root).glob("postgresql*/bin/initdb")]
    candidates += [path.parent for path in Path(_INSTALLED_AT[0]).glob("*/bin/initdb")]
    return max(candidates, default=None)


def _user() -> str | None:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return None
    import pwd

    return "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"


def _wait_until_ready(log: IO[str]) -> None:
    seen = []
    for line in log:
        seen.append(line)
        if "ready to accept connections" in line:
            threading.Thread(target=log.read, daemon=True).start()
            return
    pytest.fail(f"PostgreSQL did not start: {''.join(seen)}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    user = _user()
    with tempfile.TemporaryDirectory(prefix="gg-pg-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        if user is not None:
            shutil.chown(directory, user)
        data = str(directory / "data")
        initialise = [str(programs / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initialise, user=user, cwd=name, check=True, stdout=subprocess.DEVNULL)
        command = [str(programs / "postgres"), "-D", data, "-k", name, *_FAST]
        environment = {**os.environ, "LC_ALL": "C"}
        with subprocess.Popen(
            command, user=user, cwd=name, env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            try:
                _wait_until_ready(process.stderr)
                yield Postgres(directory, count(), process.pid)
            finally:
                process.send_signal(signal.SIGQUIT)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    if find_spec("moto") is None or find_spec("flask") is None:
        pytest.skip("moto's server is not installed")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}", count())
    finally:
        server.stop()
