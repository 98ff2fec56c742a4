"""`make soak`: ten minutes of mixed load with faults on, over real sockets. See `SOAK.md`, which a whole run writes.

Nothing may fail that no fault explains, and nothing may grow: the memory by no more than 5 % after the warm-up, tasks,
sockets and descriptors not at all between two quiet moments, after the warm-up and at the end.

`SOAK_SECONDS` is for how long (600); a shorter run writes no report.
"""

import asyncio
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
import uvloop
from benchmarks.machine import describe
from benchmarks.processes import CORES, Process, free_port
from benchmarks.soak_gateway import PATH
from benchmarks.soak_load import KEY, KINDS, Caller, Kind
from benchmarks.soak_report import REPORT, report

SECONDS = 600.0
RATE = 20.0
"""Requests that begin in a second."""
BURST = 8
"""Of each kind at once, at the beginning."""
WARM_UP = 0.25
"""Of the time."""
MAX_GROWTH = 1.05
EXPLAINED = frozenset({"a model fails and is left alone"})
"""Errors in the log that faults of the load's explain."""
QUIET_SECONDS = 8.0
"""For so long nothing changes in a quiet moment: the emulator closes idle connections after five."""
PATIENCE = 120.0
"""For quiet: the process that reads inputs of batches ends after a minute without work."""

ENVIRONMENT = {
    "GEMINI_API_KEY": "AIza-soak-one,AIza-soak-two,AIza-soak-three",
    "GEMGATE_CLIENT_KEYS": KEY,
    "GEMGATE_LOG_FORMAT": "json",
    "GEMGATE_RETRY_MAX_WAIT": "0.3",
    "GEMGATE_HEADER_TIMEOUT": "2",
    "GEMGATE_BODY_TIMEOUT": "2",
    "GEMGATE_SIGNATURE_STORE_SIZE": "200",  # full after the warm-up
}


@dataclass(frozen=True, slots=True)
class Sample:
    """The gateway at one moment. Memory is in MB.

    Attributes:
        at: Seconds since the beginning.
        rss: Resident, of the process.
        tree: Of it and its children, shared pages in shares.
        tasks, sockets, descriptors: How many.
        asked: Requests so far.
        under_way: Of them, now.
        opened: What the descriptors are, by kind of thing and name.
    """

    at: float
    rss: float
    tree: float
    tasks: int
    sockets: int
    descriptors: int
    asked: int
    under_way: int
    opened: Counter[str]

    @property
    def held(self) -> tuple[int, int, int]:
        """What may not grow."""
        return self.tasks, self.sockets, self.descriptors


@dataclass
class Run:
    """What was seen.

    Attributes:
        outcomes: How often, by kind and outcome.
        samples: While the load was on.
        quiet: Without load: after the warm-up, and at the end.
        faults: Sentences about what must not be.
    """

    seconds: float
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    quiet: list[Sample] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """Requests that have ended."""
        return self.outcomes.total()


class Soak:
    """The gateway, the emulator, and the load."""

    def __init__(self, stack: ExitStack, directory: Path, seconds: float) -> None:
        self.run = Run(seconds)
        self._chance = random.Random(20)
        port, google = free_port(), free_port()
        self._origin = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "gemgate", "emulate", "--port", str(google)]
        self._emulator = Process(command, directory / "emulator.log", set(CORES))
        stack.callback(self._emulator.stop)
        environment = ENVIRONMENT | {
            "GEMGATE_PORT": str(port),
            "GEMGATE_UPSTREAM": f"http://127.0.0.1:{google}",
            "GEMGATE_DATA_DIR": str(directory / "data"),
        }
        command = [sys.executable, "-m", "benchmarks.soak_gateway"]
        self._gateway = Process(command, directory / "gateway.log", set(CORES), environment)
        stack.callback(self._gateway.stop)
        self._begun = time.monotonic()
        self._jobs: set[asyncio.Task[None]] = set()

    async def ready(self) -> None:
        """Until both answer."""
        caller = Caller(self._origin, self._chance)
        try:
            async with asyncio.timeout(60):
                while True:
                    self._gateway.check()
                    self._emulator.check()
                    try:
                        async with caller.session.get("/v1/models") as answer:
                            if answer.status == 200:
                                return
                    except aiohttp.ClientConnectionError:
                        pass
                    await asyncio.sleep(0.1)
        finally:
            await caller.close()

    async def load(self, seconds: float, every: float) -> None:
        """Begin so many requests a second, sample now and then, and wait for the last answers."""
        caller = Caller(self._origin, self._chance)
        weights = [kind.weight for kind in KINDS]
        begun = time.monotonic()
        number, next_sample = 0, begun + every
        while (now := time.monotonic()) < begun + seconds:
            (kind,) = self._chance.choices(KINDS, weights)
            job = asyncio.create_task(self._one(kind, caller))
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)
            if now >= next_sample:
                self.run.samples.append(await self.sample())
                next_sample += every
            number += 1
            await asyncio.sleep(max(begun + number / RATE - time.monotonic(), 0))
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._jobs)
        await caller.close()

    async def burst(self) -> None:
        """Several of each kind at once: what is pooled, such as connections to the database, is full after it."""
        caller = Caller(self._origin, self._chance)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(self._one(kind, caller) for kind in KINDS * BURST))
        await caller.close()

    async def _one(self, kind: Kind, caller: Caller) -> None:
        try:
            seen = await kind.ask(caller)
        except Exception as error:  # noqa: BLE001  whatever it is, it is what this request has come to
            seen = f"{type(error).__name__}: {error}"[:120]
        self.run.outcomes[kind.name, seen] += 1

    async def sample(self) -> Sample:
        """Now."""
        self._gateway.check()
        async with aiohttp.request("GET", self._origin + PATH, headers={"connection": "close"}) as answer:
            tasks: dict[str, int] = orjson.loads(await answer.read())
        await asyncio.sleep(0.05)  # until the gateway, too, has closed this connection
        process = Path(f"/proc/{self._gateway.pid}")
        links = []
        for entry in (process / "fd").iterdir():
            try:
                links.append(str(entry.readlink()))
            except OSError:  # closed meanwhile
                continue
        return Sample(
            at=time.monotonic() - self._begun,
            rss=int((process / "status").read_text().partition("VmRSS:")[2].split()[0]) / 1024,
            tree=self._gateway.memory(),
            tasks=sum(tasks.values()),
            sockets=sum(link.startswith("socket:") for link in links),
            descriptors=len(links),
            asked=self.run.asked,
            under_way=len(self._jobs),
            opened=Counter(re.sub(r"\d+", "", Path(link).name) for link in links),
        )

    def _helps(self) -> bool:
        """Whether the process that reads inputs of batches lives; multiprocessing's own, which tracks, stays."""
        return any("spawn_main" in command for command in self._gateway.helpers())

    async def quiet(self) -> None:
        """Wait without load until nothing changes any more, and take a sample."""
        deadline = time.monotonic() + PATIENCE
        last, since = await self.sample(), time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            if time.monotonic() > deadline:
                self.run.faults.append(f"no quiet {PATIENCE:g} s after the load")
                break
            await asyncio.sleep(0.5)
            now = await self.sample()
            if now.held != last.held or self._helps():
                since = time.monotonic()
            last = now
        self.run.quiet.append(last)

    async def counts(self) -> None:
        """What the gateway itself says about requests that are under way: none."""
        async with aiohttp.request("GET", f"{self._origin}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        for name in ("gemgate_requests_in_progress", "gemgate_open_streams"):
            if f"{name} 0.0" not in lines:
                self.run.faults.append(f"{name} is not 0 at the end")

    def log(self) -> None:
        """What the gateway has logged as an error."""
        for line in self._gateway.log.read_text().splitlines():
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                self.run.faults.append(f"a line of the log is none: {line[:200]}")
                continue
            if entry.get("level") in ("error", "critical") and entry["event"] not in EXPLAINED:
                self.run.faults.append(f"logged: {line[:300]}")


def judge(run: Run) -> tuple[float, float]:
    """Add to `run.faults` what grew and what failed; the growth of the memory, of the process and of the tree."""
    for (name, seen), count in sorted(run.outcomes.items()):
        kind = next(kind for kind in KINDS if kind.name == name)
        if seen not in kind.right:
            run.faults.append(f"{name}: {count} times {seen}")
    warm = [sample for sample in run.samples if sample.at > run.quiet[0].at]
    part = max(len(warm) // 4, 1)
    growth = []
    for name in ("rss", "tree"):
        first, last = (
            statistics.median(getattr(sample, name) for sample in some) for some in (warm[:part], warm[-part:])
        )
        growth.append(last / first)
        if last / first > MAX_GROWTH:
            run.faults.append(f"memory ({name}) grew from {first:.1f} to {last:.1f} MB")
    before, after = run.quiet
    for name in ("tasks", "sockets", "descriptors"):
        if getattr(after, name) > getattr(before, name):
            what = ", ".join((after.opened - before.opened).elements())
            run.faults.append(f"{name} grew from {getattr(before, name)} to {getattr(after, name)}: {what}")
    return growth[0], growth[1]


async def soak(seconds: float) -> tuple[Run, tuple[float, float]]:
    """The whole of it."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gemgate-soak-")))
        soaking = Soak(stack, directory, seconds)
        await soaking.ready()
        every = max(seconds / 60, 1)
        await soaking.burst()
        await soaking.load(seconds * WARM_UP, every)
        await soaking.quiet()
        await soaking.load(seconds * (1 - WARM_UP), every)
        await soaking.quiet()
        await soaking.counts()
        soaking.log()
        return soaking.run, judge(soaking.run)


def main() -> None:
    """Run, tell, and fail if something must not be."""
    seconds = float(os.environ.get("SOAK_SECONDS") or SECONDS)
    machine = describe()
    run, growth = uvloop.run(soak(seconds))
    text = report(run, growth, machine, RATE)
    if seconds >= SECONDS and not run.faults:
        REPORT.write_text(text)
    print(text)
    for fault in run.faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    sys.exit(bool(run.faults))


if __name__ == "__main__":
    main()
