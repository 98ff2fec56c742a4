"""Memory, start-up, and what a second worker brings."""

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contestants import GEMGATE, Contestant
from benchmarks.processes import CORES, GATEWAY_CORE, Process, free_port
from benchmarks.rows import HELD_ROW, ROWS

from benchmarks import load

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench


@dataclass(frozen=True, slots=True)
class Standing:
    """What a gateway holds, by contestant. Memory is MB, of the whole tree, each page once; times are seconds.

    Attributes:
        idle: After the first answer.
        streams: KB for each of `count` open streams.
        start: From the start of the process to the first answered request.
        growth: gemgate's memory after all requests of the last part, by that before them.
        requests: How many those were.
        imports: CPU seconds to import the application.
    """

    count: int
    idle: dict[str, float]
    streams: dict[str, float]
    start: dict[str, float]
    growth: float
    requests: int
    imports: float

    def table(self) -> str:
        """By contestant."""
        lines = [
            f"| gateway | first answer | idle | each of {self.count:,} open streams |",
            "|---|---:|---:|---:|",
        ]
        for name, seconds in self.start.items():
            stream = f"{self.streams[name]:.1f} KB" if name in self.streams else "not measured"
            lines.append(f"| {name} | {seconds:.2f} s | {self.idle[name]:.0f} MB | {stream} |")
        return (
            "\n"
            + "\n".join(lines)
            + f"\n\ngemgate's memory after {self.requests:,} requests: {self.growth:.3f} x what it was after the first "
            f"{self.requests // 5:,}. Importing the application takes {self.imports:.2f} s of CPU."
        )

    def targets(self) -> list[tuple[str, float, float, str]]:
        """What is measured, the target, the figure, its unit."""
        return [
            ("idle memory", 80, self.idle["gemgate"], "MB"),
            ("an open stream", 30, self.streams["gemgate"], "KB"),
            (f"memory after {self.requests:,} requests", 1.03, self.growth, "x"),
            ("first answer", 1.5, self.start["gemgate"], "s"),
        ]


async def standing(bench: "Bench") -> Standing:
    """Start each contestant anew, and look at it."""
    count = 200 if bench.quick else 1000
    idle: dict[str, float] = {}
    streams: dict[str, float] = {}
    start: dict[str, float] = {}
    growth, requests = 1.0, 10_000 if bench.quick else 100_000
    for name, (contestant, _, _) in bench.running.items():
        if not contestant.takes(HELD_ROW.number):
            continue
        print(f"row 6: {name}", file=sys.stderr, flush=True)
        start[name] = statistics.median([await _start_time(bench, contestant) for _ in range(2)])
        with tempfile.TemporaryDirectory() as directory:
            process, port, seconds = await _started(bench, contestant, Path(directory))
            try:
                start[name] = statistics.median([start[name], seconds])
                await asyncio.sleep(1)
                idle[name] = process.memory()
                target = HELD_ROW.target(contestant, port, bench.upstream)
                try:
                    async with load.Held(target, count):
                        streams[name] = (process.memory() - idle[name]) * 1024 / count
                except (OSError, TimeoutError, RuntimeError) as error:
                    bench.missing.append(f"{name}, {count} open streams: {type(error).__name__}")
                if contestant is GEMGATE:
                    growth = await _growth(bench, process, port, requests)
            finally:
                process.stop()
    return Standing(count, idle, streams, start, growth, requests, _imports())


async def _started(
    bench: "Bench", contestant: Contestant, directory: Path, *options: str, cores: set[int] | None = None
) -> tuple[Process, int, float]:
    from benchmarks.__main__ import first_answer

    port = free_port()
    command = contestant.command(port, bench.upstream, directory) + list(options)
    environment = contestant.environment(port, bench.upstream, directory)
    process = Process(command, directory / "log", cores or {GATEWAY_CORE}, environment)
    seconds = await first_answer(process, ROWS[0].target(contestant, port, bench.upstream))
    return process, port, seconds


async def _start_time(bench: "Bench", contestant: Contestant) -> float:
    with tempfile.TemporaryDirectory() as directory:
        process, _, seconds = await _started(bench, contestant, Path(directory))
        process.stop()
        return seconds


async def _growth(bench: "Bench", process: Process, port: int, requests: int) -> float:
    target = ROWS[0].target(GEMGATE, port, bench.upstream)
    connections = 32
    await load.run(target, connections, each=requests // 5 // connections)
    before = process.memory()
    await load.run(target, connections, each=requests // connections)
    return process.memory() / before


def _imports() -> float:
    code = "import time; import gemgate.app; print(time.process_time())"
    with tempfile.TemporaryDirectory() as directory:
        process = Process([sys.executable, "-c", code], Path(directory) / "log", {GATEWAY_CORE})
        process.wait(60)
        return float(process.log.read_text())


async def two_workers(bench: "Bench") -> str:
    """What two workers on two cores do, by what one on one core does; the load shares the cores with them."""
    if len(CORES) < 2:
        return "\nTwo workers: this machine has one core."
    rates = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as directory:
            cores = set(CORES[:workers])
            options = ("--workers", str(workers))
            process, port, _ = await _started(bench, GEMGATE, Path(directory), *options, cores=cores)
            try:
                target = ROWS[0].target(GEMGATE, port, bench.upstream)
                await load.run(target, 64, seconds=1)
                spent, begun = process.cpu(), time.perf_counter()
                result = await load.run(target, 64, seconds=3)
                cpu = process.cpu() - spent
                rates.append((result.units / (time.perf_counter() - begun), cpu / result.units * 1e6))
            finally:
                process.stop()
    (one, cost_one), (two, cost_two) = rates
    return (
        f"\nTwo workers: {two:,.0f} requests a second, and one: {one:,.0f} ({two / one:.2f} x); CPU a request "
        f"{cost_two:.0f} and {cost_one:.0f} µs. With as many cores for the load as for the gateway, two workers would "
        f"serve {2 * cost_one / cost_two:.2f} x what one does."
    )
