"""`make bench`: what a request costs the gateway in CPU, over real sockets, on one core.

Each figure is the median of five runs in turn. CPU time is the gateway process's own, user and system, for a unit of
work; wall time on a shared machine says less.
"""

import asyncio
import os
import socket
import statistics
import struct
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

from gemgate.embeddings.translate import from_gemini

HERE = Path(__file__).parent
RUNS = 5
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """One kind of load: `requests` of `body` over `connections`, each worth `units` units of work."""

    name: str
    unit: str
    path: str
    body: dict[str, Any]
    connections: int
    requests: int
    units: int = 1


def _chat(**extra: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "s" * 300}, {"role": "user", "content": "u" * 300}]
    return {"model": "gemini-2.5-flash", "messages": messages, "temperature": 0.5, **extra}


def _embeddings(encoding: str) -> dict[str, Any]:
    texts = [f"text number {n}" for n in range(100)]
    return {"model": "gemini-embedding-001", "input": texts, "encoding_format": encoding}


ROWS = (
    Row("buffered chat", "request", "/v1/chat/completions", _chat(), 32, 3200),
    Row("burst stream, 100 events", "stream", "/v1/chat/completions", _chat(stream=True), 32, 640),
    Row("paced stream", "event", "/v1/chat/completions", _chat(model="gemini-paced", stream=True), 60, 60, 100),
    Row("embeddings 100 x 3072, base64", "call", "/v1/embeddings", _embeddings("base64"), 4, 80),
    Row("embeddings 100 x 3072, float", "call", "/v1/embeddings", _embeddings("float"), 4, 80),
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def start(stack: ExitStack, *command: str, core: int, **environment: str) -> int:
    """Start a process on one core (where there are two), ended with the stack; its process id."""
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(process.pid, {cores[core % len(cores)]})
    return process.pid


async def until_ready(port: int) -> None:
    """Wait for the gateway's first healthy answer."""
    async with aiohttp.ClientSession() as session:
        for _ in range(400):
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    raise TimeoutError("the gateway did not start")


async def measure(row: Row, port: int, pid: int) -> tuple[float, float]:
    """CPU microseconds of the gateway a unit, and units a second."""
    url = f"http://127.0.0.1:{port}{row.path}"
    body = orjson.dumps(row.body)
    headers = {"authorization": "Bearer benchmark", "content-type": "application/json"}

    async def send(session: aiohttp.ClientSession, count: int) -> None:
        for _ in range(count):
            async with session.post(url, data=body, headers=headers) as response:
                answer = await response.read()
                if response.status != 200 or (row.body.get("stream") and not answer.endswith(b"[DONE]\n\n")):
                    raise RuntimeError(answer[:500])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(send(session, 1) for _ in range(row.connections)))
        cpu, wall = cpu_seconds(pid), time.perf_counter()
        each = row.requests // row.connections
        await asyncio.gather(*(send(session, each) for _ in range(row.connections)))
        units = each * row.connections * row.units
        return (cpu_seconds(pid) - cpu) / units * 1e6, units / (time.perf_counter() - wall)


def encoders() -> list[tuple[str, float]]:
    """Milliseconds to translate 100 vectors of 3072, by a loop over numbers and as built."""
    values = [((number * 7919) % 2003 - 1001) / 29000 for number in range(3072)]
    response: Any = {"embeddings": [{"values": values}] * 100}

    def loop(*, is_base64: bool) -> None:
        for embedding in response["embeddings"]:
            length = sum(value * value for value in embedding["values"]) ** 0.5
            unit = [value / length for value in embedding["values"]]
            if is_base64:
                b"".join(struct.pack("<f", value) for value in unit)
            else:
                orjson.dumps(unit)

    kinds: list[tuple[str, Any]] = [
        ("base64, a loop over the numbers", lambda: loop(is_base64=True)),
        ("base64, as built", lambda: from_gemini(response, 100, is_base64=True)),
        ("float, a loop over the numbers", lambda: loop(is_base64=False)),
        ("float, as built", lambda: from_gemini(response, 100, is_base64=False)),
    ]
    found = []
    for name, work in kinds:
        times = []
        for _ in range(RUNS):
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
        found.append((name, statistics.median(times) * 1e3))
    return found


async def main() -> None:
    """Run everything and print the tables."""
    google, gateway = free_port(), free_port()
    with ExitStack() as stack:
        start(stack, str(HERE / "upstream.py"), str(google), core=1)
        pid = start(
            stack,
            *("-m", "gemgate", "serve", "--port", str(gateway)),
            core=0,
            GEMGATE_UPSTREAM=f"http://127.0.0.1:{google}",
            GEMINI_API_KEY="",
        )
        await until_ready(gateway)
        figures: dict[str, list[tuple[float, float]]] = {row.name: [] for row in ROWS}
        for _ in range(RUNS):
            for row in ROWS:
                figures[row.name].append(await measure(row, gateway, pid))
    print("| load | CPU of the gateway | throughput |\n|---|---|---|")
    for row in ROWS:
        cpu, rate = (statistics.median(column) for column in zip(*figures[row.name], strict=True))
        print(f"| {row.name} | {cpu:,.0f} µs a {row.unit} | {rate:,.0f} a second |")
    print("\n| translating 100 vectors of 3072 | CPU |\n|---|---|")
    for name, milliseconds in encoders():
        print(f"| {name} | {milliseconds:.1f} ms |")


if __name__ == "__main__":
    uvloop.run(main())
