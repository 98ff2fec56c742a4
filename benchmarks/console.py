"""The cost of the console: the CPU of a request without it, with it, and while it is watched.

    python -m benchmarks.console

Three gateways run in this process, each for a moment, again and again. Each round gives the shares of the second and
the third; their median counts, which a busy machine hardly changes. The watcher is `curl`, a process of its own. The
caller and the Google of `served` are in the measured process too; they cost little.
"""

import asyncio
import os
import tempfile
import time
from contextlib import AsyncExitStack
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

_KINDS = ("off", "on", "watched")


async def measured() -> dict[str, list[float]]:
    """Microseconds of CPU for a request, by kind: a number for each round."""
    taken: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    async with AsyncExitStack() as stack:
        works = {}
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        for kind, given in (("off", 0), ("on", 0), ("watched", port)):
            found = await stack.enter_async_context(
                served(directory / kind, given, console=kind != "off", background=True)
            )
            works[kind] = found["served"]
        url = f"http://127.0.0.1:{port}/console/api/requests"
        watcher = await asyncio.create_subprocess_exec("curl", "-sN", url, stdout=asyncio.subprocess.DEVNULL)
        stack.push_async_callback(_end, watcher)
        for number in range(_ROUNDS):
            for kind in _KINDS[number % 3 :] + _KINDS[: number % 3]:
                began = time.process_time()
                for _ in range(_UNITS):
                    await works[kind]()
                took = (time.process_time() - began) / _UNITS / 10
                taken[kind].append(took * 1e6)
                await asyncio.sleep(0)
    return taken


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
