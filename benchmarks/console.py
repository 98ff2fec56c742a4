"""The cost of the console: the CPU of a request without it, with it, while it is watched, and from another replica.

    python -m benchmarks.console

The gateways run in this process, each for a moment, again and again. Each round gives the shares of the others beside
the first; their median counts, which a busy machine hardly changes. The watcher is `curl`, a process of its own; for
the last gateway it is a key in a Redis, which is measured where `redis-server` is installed. The caller and the Google
of `served` are in the measured process too; they cost little.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from statistics import median

import structlog
import uvloop
from benchmarks.processes import free_port
from benchmarks.served import served

from gemgate.observability.logs import configure_logging
from gemgate.settings import Settings

_ROUNDS = 45
_UNITS = 10  # of ten requests

_KINDS = ("off", "on", "watched", "published")


async def measured() -> dict[str, list[float]]:
    """Microseconds of CPU for a request, by kind: a number for each round."""
    async with AsyncExitStack() as stack:
        works = {}
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        redis = stack.enter_context(_watched_redis(directory)) if shutil.which("redis-server") else None
        kinds = _KINDS if redis else _KINDS[:3]
        taken: dict[str, list[float]] = {kind: [] for kind in kinds}
        for kind in kinds:
            found = await stack.enter_async_context(
                served(
                    directory / kind,
                    port if kind == "watched" else 0,
                    console=kind != "off",
                    background=True,
                    redis=redis if kind == "published" else None,
                )
            )
            works[kind] = found["served"]
        url = f"http://127.0.0.1:{port}/console/api/requests"
        watcher = await asyncio.create_subprocess_exec("curl", "-sN", url, stdout=asyncio.subprocess.DEVNULL)
        stack.push_async_callback(_end, watcher)
        for number in range(_ROUNDS):
            first = number % len(kinds)
            for kind in kinds[first:] + kinds[:first]:
                began = time.process_time()
                for _ in range(_UNITS):
                    await works[kind]()
                took = (time.process_time() - began) / _UNITS / 10
                taken[kind].append(took * 1e6)
                await asyncio.sleep(0)
    return taken


@contextmanager
def _watched_redis(directory: Path) -> Iterator[str]:
    """The URL of a Redis in which somebody watches all the time."""
    address = str(directory / "redis.sock")
    options = ("--port", "0", "--unixsocket", address, "--save", "", "--dir", str(directory))
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        next(line for line in server.stdout if "ready to accept connections at" in line)
        subprocess.run(
            ["redis-cli", "-s", address, "SET", "gemgate:{console}:watched", "somebody"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield f"unix://{address}"
        finally:
            server.terminate()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()


def main() -> None:
    """Print the times, and the shares."""
    configure_logging(Settings(_env_file=None))
    with Path(os.devnull).open("w") as nowhere:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(nowhere))
        found = uvloop.run(measured())
    for kind, times in found.items():
        share = median(time / off for time, off in zip(times, found["off"], strict=True)) - 1
        print(f"{kind:8} {median(times):7.1f} µs  {share:+.1%}")


if __name__ == "__main__":
    main()
