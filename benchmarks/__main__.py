"""`make bench`: gemgate beside its peers and two floors, over real sockets, in one run. See `REPORT.md`.

The gateway runs on one core and everything else on another, where there are two. Each figure is the median of runs in
turn. CPU time is that of the gateway's whole tree of processes, for a unit of work; wall time on a shared machine says
less. `--quick` takes two minutes instead of ten.
"""

import argparse
import asyncio
import compileall
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import uvloop
from benchmarks.contestants import ROOT, Contestant, contestants, versions
from benchmarks.machine import describe
from benchmarks.micro import timed
from benchmarks.processes import GATEWAY_CORE, LOAD_CORE, Process, allow_many_connections, free_port
from benchmarks.responses import compared
from benchmarks.rows import ROWS, Row
from benchmarks.standing import standing, two_workers
from benchmarks.table import Figure, targets, whole_table

from benchmarks import batches, by_name, load, nginx


class Bench:
    """Everything that runs, and what was measured."""

    def __init__(self, stack: ExitStack, directory: Path, names: set[str], *, quick: bool) -> None:
        self.quick = quick
        self.runs = 3 if quick else 5
        self._stack, self._directory = stack, directory
        self.upstream = free_port()
        self.nginx = nginx.find()
        self.running: dict[str, tuple[Contestant, int, Process]] = {}
        found, self.missing = contestants(self.nginx, names)
        self._tls: tuple[str, Path] | None = None
        try:
            if named := by_name.contestants(directory / "tls", names):
                self._tls = by_name.ADDRESS, directory / "tls"
                found += named
        except (OSError, subprocess.CalledProcessError) as error:
            self.missing.append(f"TensorZero: {error}")
        self.contestants = [one for one in found if not names or one.name.lower() in names]
        self.figures: dict[tuple[str, str], list[Figure]] = {}

    def start_google(self) -> None:
        """The upstream, on the load's core."""
        paced = free_port() if self.nginx else self.upstream
        self._start("paced", [sys.executable, "-m", "benchmarks.paced", str(paced)], LOAD_CORE)
        if self.nginx:
            command = nginx.google(self.nginx, self._directory / "google", self.upstream, paced, self._tls)
            self._start("google", command, LOAD_CORE)

    def _start(self, name: str, command: list[str], core: int, environment: dict[str, str] | None = None) -> Process:
        process = Process(command, self._directory / f"{name.replace(' ', '-')}.log", {core}, environment)
        self._stack.callback(process.stop)
        return process

    async def start(self, contestant: Contestant) -> None:
        """Start a contestant, and wait for its first right answer."""
        port, directory = free_port(), self._directory / contestant.name.replace(",", "").replace(" ", "-").lower()
        directory.mkdir()
        command = contestant.command(port, self.upstream, directory)
        environment = contestant.environment(port, self.upstream, directory)
        process = self._start(contestant.name, command, GATEWAY_CORE, environment)
        if contestant.port_pattern:
            port = await chosen_port(process, contestant.port_pattern)
        await first_answer(process, ROWS[0].target(contestant, port, self.upstream))
        await settled(process)
        self.running[contestant.name] = contestant, port, process

    async def measure(self, row: Row, name: str) -> None:
        """One run of one row."""
        contestant, port, process = self.running[name]
        target = row.target(contestant, port, self.upstream)
        try:
            if row.has_memory:
                process.forget_peak()
            before = process.memory() if row.has_memory else 0.0
            cpu = process.cpu()
            seconds = row.seconds / 2 if self.quick else row.seconds
            result = await load.run(target, row.connections, seconds=seconds, each=1 if not row.seconds else 10**9)
            spent = process.cpu() - cpu
            peak = process.peak() - before if row.has_memory else None
        except (OSError, RuntimeError) as error:
            self.missing.append(f"{name}, row {row.number}: {str(error)[:160]}")
            del self.running[name]
            return
        self.figures.setdefault((row.number, name), []).append(Figure.of(row, result, spent, peak))


async def first_answer(process: Process, target: load.Target, patience: float = 120) -> float:
    """Seconds until the process answers a request as it must."""
    begun = time.perf_counter()
    while True:
        process.check()
        try:
            await load.run(target, 1, each=1)
        except (OSError, RuntimeError):
            if time.perf_counter() - begun > patience:
                raise
            await asyncio.sleep(0.005)
        else:
            return time.perf_counter() - begun


async def chosen_port(process: Process, pattern: str, patience: float = 120) -> int:
    """The port that a process prints."""
    until = time.perf_counter() + patience
    while (found := re.search(pattern, process.log.read_text())) is None:
        process.check()
        if time.perf_counter() > until:
            raise RuntimeError("it does not print its port")
        await asyncio.sleep(0.05)
    return int(found[1])


async def settled(process: Process, patience: float = 10) -> None:
    """Wait until what a process goes on doing after its first answer, such as loading tables, is done."""
    until = time.perf_counter() + patience
    busy = True
    while busy and time.perf_counter() < until:
        cpu = process.cpu()
        await asyncio.sleep(0.5)
        busy = process.cpu() - cpu > 0.05


async def main() -> None:
    """Run everything, and print the tables."""
    options = _options()
    allow_many_connections()
    # As where a package is installed, whatever PYTHONDONTWRITEBYTECODE says.
    compileall.compile_dir(ROOT / "src", quiet=2)
    print(describe(), versions(), sep="\n", flush=True)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gemgate-bench-")))
        bench = Bench(stack, directory, set(options.only), quick=options.quick)
        bench.start_google()
        for contestant in bench.contestants:
            try:
                await bench.start(contestant)
            except (OSError, RuntimeError) as error:
                bench.missing.append(f"{contestant.name}: {error}")
        for row in [row for row in ROWS if not options.rows or row.number in options.rows]:
            print(f"row {row.number}: {row.name}", file=sys.stderr, flush=True)
            alive = dict(bench.running)
            for _ in range(bench.runs):
                for name, (contestant, _, _) in alive.items():
                    if name in bench.running and contestant.takes(row.number):
                        await bench.measure(row, name)
            bench.running = alive
        print(whole_table(bench.figures), flush=True)
        stands = await standing(bench) if not options.rows or "6" in options.rows else None
        if stands:
            print(stands.table(), flush=True)
        print(targets(bench.figures, stands), flush=True)
        if not options.rows:
            print(await two_workers(bench), flush=True)
        for sentence in bench.missing:
            print(f"- {sentence}")
    print(await timed(), flush=True)
    print(await compared(10 if options.quick else 40), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="three short runs each")
    parser.add_argument("--rows", nargs="*", default=[], help="only these, such as 1 2 4c")
    parser.add_argument("--only", nargs="*", default=[], help="only these contestants, such as gemgate portkey")
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main())
    # Not within the loop: it measures loops of its own.
    if not _options().rows:
        print(batches.table(quick=_options().quick), flush=True)
