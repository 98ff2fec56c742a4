"""`make guard`: fails when a hot piece of work costs over 15 % more than when `baseline.json` was written.

What is compared is a ratio: the work's instructions, as callgrind counts them, by those of `floor`, plain Python that
no change to gemgate touches, counted in the same run. Neither the machine nor its load matters then. Where valgrind is
missing, the least CPU times of many rounds take the place of instructions; those are less exact, and so is a ratio of
another build of Python than the baseline's: there, only a rise of 50 % fails. `served` is the whole gateway, with its
sockets.

    python -m benchmarks.guard           compare
    python -m benchmarks.guard --write   write the baseline, after a change that is worth its cost
"""

import gc
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import orjson
import uvloop
from benchmarks.micro import works

BASELINE = Path(__file__).parent / "baseline.json"
NAMES = ("floor", "feed", "translate", "request", "stream", "served", "served_stream")
RISE, ROUGH_RISE = 1.15, 1.50
_COUNTED = {"floor": 20, "feed": 20, "translate": 300, "request": 60, "stream": 20, "served": 10, "served_stream": 10}
_WARM = 20
_ROUNDS = 120


async def serve_counts() -> None:
    """The process under callgrind: each piece of work, when it is told to go."""
    async with works() as found:
        for name in NAMES:
            for _ in range(_WARM):
                await found[name]()
        gc.collect()
        gc.freeze()  # or the one full collection, of all modules, falls into the count of whichever work comes then
        for name in NAMES:
            print("ready", name, flush=True)
            sys.stdin.readline()
            for _ in range(_COUNTED[name]):
                await found[name]()
            print("done", name, flush=True)


def counted(valgrind: str, control: str) -> dict[str, float]:
    """Instructions for one unit of each piece of work."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        options = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        command = [valgrind, *options, sys.executable, "-m", "benchmarks.guard", "--serve"]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("there are pipes")

        def tell(*words: str) -> None:
            subprocess.run([control, *words, str(process.pid)], check=True, capture_output=True, timeout=60)

        found: dict[str, float] = {}
        try:
            for number, name in enumerate(NAMES, start=1):
                _expect(process.stdout.readline(), f"ready {name}")
                tell("-z")
                tell("-i", "on")
                process.stdin.write("go\n")
                process.stdin.flush()
                _expect(process.stdout.readline(), f"done {name}")
                tell("-i", "off")
                tell("-d")
                found[name] = _total(Path(f"{out}.{number}")) / _COUNTED[name]
        finally:
            process.kill()
            process.wait()
        return found


def _expect(line: str, wanted: str) -> None:
    if line.strip() != wanted:
        raise RuntimeError(f"{wanted!r} was to come from the process under callgrind, and {line.strip()!r} came")


def _total(dump: Path) -> int:
    for line in dump.read_text().splitlines():
        if line.startswith("totals:"):
            return int(line.split()[1])
    raise RuntimeError(f"{dump} has no total")


async def timed() -> dict[str, float]:
    """The least CPU microseconds of one unit of each piece of work, in turn."""
    least = dict.fromkeys(NAMES, float("inf"))
    async with works() as found:
        for _ in range(_ROUNDS):
            for name in NAMES:
                begun = time.process_time_ns()
                for _ in range(4):
                    await found[name]()
                least[name] = min(least[name], (time.process_time_ns() - begun) / 4000)
    return least


def measured() -> tuple[str, dict[str, float]]:
    """How it was measured, and the ratio of each piece of work to the floor."""
    valgrind, control = shutil.which("valgrind"), shutil.which("callgrind_control")
    if valgrind and control:
        kind, costs = "instructions", counted(valgrind, control)
    else:
        print("valgrind is not installed: CPU times are compared in place of instructions")
        kind, costs = "time", uvloop.run(timed())
    return kind, {name: costs[name] / costs["floor"] for name in NAMES if name != "floor"}


def build() -> str:
    """Names this build of Python."""
    return f"{platform.python_implementation()} {platform.python_version()} {platform.python_compiler()}"


def verdicts(
    kind: str, ratios: Mapping[str, float], baseline: Mapping[str, Mapping[str, float]], here: str
) -> list[tuple[str, bool]]:
    """A sentence for each piece of work, and whether it is good."""
    known = baseline.get(f"{kind}, {here}")
    elsewhere = next((values for name, values in baseline.items() if name.startswith(f"{kind}, ")), None)
    values = known or elsewhere
    maximum = RISE if known and kind == "instructions" else ROUGH_RISE
    if values is None:
        return [(f"there is no baseline for {kind}: write one with --write", False)]
    found = []
    for name, ratio in ratios.items():
        rise = ratio / values[name]
        sentence = f"{name}: {ratio:.4f} x the floor, {rise - 1:+.1%} against the baseline (at most {maximum - 1:+.0%})"
        found.append((sentence, rise <= maximum))
    return found


def main() -> int:
    """The command."""
    if "--serve" in sys.argv:
        uvloop.run(serve_counts())
        return 0
    kind, ratios = measured()
    baseline = orjson.loads(BASELINE.read_bytes()) if BASELINE.exists() else {}
    if "--write" in sys.argv:
        baseline[f"{kind}, {build()}"] = {name: round(ratio, 5) for name, ratio in ratios.items()}
        BASELINE.write_bytes(orjson.dumps(baseline, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    found = verdicts(kind, ratios, baseline, build())
    for sentence, is_good in found:
        print("ok  " if is_good else "FAIL", sentence)
    if not all(is_good for _, is_good in found):
        print("A hot path became slower. Profile it; if the cost is worth it: make guard WRITE=1")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
