"""Two tenants of one gateway, the second half of `make soak`: one behaves, first alone and then beside a hostile one.

The one that behaves may see no failure, and wait for no answer of a model more than twice as long as it did alone.

`SOAK_SECONDS` is for how long (600), a fifth of it alone.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import uvloop
from benchmarks.processes import CORES, Process, free_port
from benchmarks.soak_attacks import ATTACKS, Attacker
from benchmarks.soak_load import OK, TOOLS, Caller, Kind, chat, embeddings, native

SECONDS = 600.0
ALONE = 0.2
"""Of the time."""
EVERY = 0.1
"""Seconds between two requests of the tenant that behaves."""
LANES = 4
"""Attacks at once."""
MAX_RATIO = 2.0

GOOD_KEY = "sk-soak-behaves-0123456789abcdef0123456789"
HOSTILE_KEY = "sk-soak-hostile-0123456789abcdef0123456789"
ENVIRONMENT = {
    "GEMINI_API_KEY": "AIza-soak-one,AIza-soak-two,AIza-soak-three",
    "GEMGATE_CLIENT_KEYS": f"{GOOD_KEY},{HOSTILE_KEY}",
    "GEMGATE_LOG_LEVEL": "error",
    "GEMGATE_MAX_CONCURRENT_REQUESTS_PER_CALLER": "100",
}
MODEL = "gemini-2.5-flash"

KINDS = [
    Kind("chat", chat(), 6),
    Kind("chat, streamed", chat(stream=True), 6),
    Kind("chat with tools", chat(tools=TOOLS), 3),
    Kind("embeddings", embeddings("base64"), 2),
    Kind("native", native("generateContent", lambda body: body["candidates"]), 2),
]


@dataclass
class Seen:
    """What the tenant that behaves saw in one phase: seconds of each kind's answers, and what was not right."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)

    def worst(self, kind: str) -> float:
        """The longest answer of this kind."""
        return max(self.seconds.get(kind) or [0.0])


async def behave(caller: Caller, seconds: float) -> Seen:
    """So many seconds of requests, and their answers."""
    seen = Seen()
    weights = [kind.weight for kind in KINDS]

    async def one(kind: Kind) -> None:
        began = time.perf_counter()
        try:
            outcome = await kind.ask(caller)
        except Exception as error:  # noqa: BLE001  whatever it is, it is what this request has come to
            outcome = f"{type(error).__name__}: {error}"[:120]
        seen.seconds.setdefault(kind.name, []).append(time.perf_counter() - began)
        if outcome not in OK:
            seen.faults[f"{kind.name}: {outcome}"] += 1

    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        while time.monotonic() < until:
            group.create_task(one(caller.chance.choices(KINDS, weights)[0]))
            await asyncio.sleep(EVERY)
    return seen


async def attack(attacker: Attacker, outcomes: Counter[tuple[str, str]]) -> None:
    """One attack after the other, each as soon as the last one is over, until it is cancelled."""
    names = list(ATTACKS)
    while True:
        name = attacker.chance.choice(names)
        try:
            outcome = await ATTACKS[name](attacker)
        except Exception as error:  # noqa: BLE001  it is the attacker's
            outcome = type(error).__name__
        outcomes[name, outcome] += 1


async def both(caller: Caller, attacker: Attacker, seconds: float) -> tuple[Seen, Counter[tuple[str, str]]]:
    """The tenant that behaves, while the other one attacks."""
    outcomes: Counter[tuple[str, str]] = Counter()
    lanes = [asyncio.create_task(attack(attacker, outcomes)) for _ in range(LANES)]
    try:
        seen = await behave(caller, seconds)
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    return seen, outcomes


def judge(alone: Seen, beside: Seen) -> list[str]:
    """What must not be."""
    faults = [f"alone, {count} times {name}" for name, count in alone.faults.items()]
    faults += [f"beside the hostile tenant, {count} times {name}" for name, count in beside.faults.items()]
    return faults + [
        f"{name}: {1000 * beside.worst(name):.0f} ms beside the hostile tenant, {1000 * alone.worst(name):.0f} ms alone"
        for name in alone.seconds
        if beside.worst(name) > MAX_RATIO * alone.worst(name)
    ]


async def ready(origin: str, *processes: Process) -> None:
    """Until the gateway answers."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            for process in processes:
                process.check()
            try:
                async with session.get(f"{origin}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


async def soak(seconds: float, seed: int) -> tuple[Seen, Seen, Counter[tuple[str, str]], list[str]]:
    """Both phases, and what must not be."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gemgate-soak-")))
        google, port = free_port(), free_port()
        upstream = Process(
            [sys.executable, "-m", "benchmarks.soak_google", str(google)], directory / "google.log", set(CORES)
        )
        stack.callback(upstream.stop)
        environment = ENVIRONMENT | {
            "GEMGATE_PORT": str(port),
            "GEMGATE_UPSTREAM": f"http://127.0.0.1:{google}",
            "GEMGATE_DATA_DIR": str(directory / "data"),
        }
        gateway = Process(
            [sys.executable, "-m", "gemgate", "serve"], directory / "gateway.log", set(CORES), environment
        )
        stack.callback(gateway.stop)
        origin = f"http://127.0.0.1:{port}"
        await ready(origin, upstream, gateway)
        caller = Caller(origin, random.Random(seed), GOOD_KEY)
        attacker = Attacker(origin, HOSTILE_KEY, random.Random(seed))
        try:
            await behave(caller, min(seconds / 20, 5))
            alone = await behave(caller, seconds * ALONE)
            beside, outcomes = await both(caller, attacker, seconds * (1 - ALONE))
            gateway.check()
        finally:
            await caller.close()
            await attacker.session.close()
        return alone, beside, outcomes, judge(alone, beside)


def main() -> None:
    """Run, report, and fail if something must not be."""
    seconds = float(os.environ.get("SOAK_SECONDS") or SECONDS)
    seed = int(os.environ.get("SOAK_SEED") or time.time())
    alone, beside, outcomes, faults = uvloop.run(soak(seconds, seed))
    print(f"seed {seed}; the longest answer to the tenant that behaves, ms: alone, beside a hostile one")
    for name, taken in alone.seconds.items():
        worst = f"{1000 * alone.worst(name):.0f}, {1000 * beside.worst(name):.0f}"
        print(f"  {name}: {worst} ({len(taken)} and {len(beside.seconds.get(name, []))} answers)")
    print(f"{outcomes.total()} attacks of {len({name for name, _ in outcomes})} kinds")
    for (name, outcome), count in sorted(outcomes.items()):
        print(f"  {name}: {count} x {outcome}")
    for fault in faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
