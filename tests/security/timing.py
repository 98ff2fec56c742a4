"""A gateway in a process of its own before a scripted Google, and how much CPU time it takes for what it is sent."""

import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson
from tests.faults.hostile import HEALTHY
from tests.security.watched import VARIABLE, Loop
from tests.support.command import command
from tests.support.raw_upstream import BackgroundUpstream

CHAT = "/v1/chat/completions"
MODEL = "gemini-2.5-flash"
DRY = {"x-gemgate-dry-run": "true"}
KEY = "AIza-any-key-will-do"
PATIENCE = 120.0
ROOT = Path(__file__).parents[2]
PROGRAM = ("-m", "tests.security.watched")
_TICKS = 100  # a second, of /proc on Linux


@dataclass
class Gateway:
    """One that runs; `upstream` is what it calls Google, `loop` what its event loop has noted."""

    url: str
    pid: int
    loop: Loop
    upstream: BackgroundUpstream
    client: httpx.Client

    def cpu(self) -> float:
        """Seconds of CPU time that its process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def post(self, body: Any, path: str = CHAT, *, dry: bool = True, **headers: str) -> tuple[httpx.Response, float]:
        """The answer, and the CPU time that it took."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        before = self.cpu()
        answer = self.client.post(path, content=content, headers=(DRY if dry else {}) | headers)
        return answer, self.cpu() - before

    def settle(self) -> None:
        """Wait until the loop has turned a few times, and has noted what was before."""
        seen, until = self.loop.beats, time.monotonic() + PATIENCE
        while self.loop.beats < seen + 3:
            assert time.monotonic() < until
            time.sleep(0.001)

    def is_well(self) -> bool:
        """Whether it answers at once."""
        return self.client.get("/healthz", timeout=5).status_code == 200


@contextmanager
def running(**environment: str) -> Iterator[Gateway]:
    """A gateway, warm."""
    with TemporaryDirectory() as directory, BackgroundUpstream(HEALTHY) as upstream:
        notes = Path(directory) / "loop"
        loop = Loop(notes)
        settings = {
            "GEMGATE_UPSTREAM": upstream.url,
            "GEMGATE_LOG_LEVEL": "error",
            "GEMGATE_WORKERS": "1",
            "GEMGATE_RETRY_MAX_WAIT": "0",
            "PYTHONPATH": str(ROOT),
            VARIABLE: str(notes),
        }
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        with (
            command("serve", "--port", "0", program=PROGRAM, **settings, **environment) as (process, url),
            httpx.Client(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False) as client,
        ):
            gateway = Gateway(url, process.pid, loop, upstream, client)
            for dry in (True, False):
                gateway.post({"model": MODEL, "messages": [{"role": "user", "content": "x"}]}, dry=dry)
            yield gateway


def cpu_of(work: Callable[[], object], times: int = 2) -> float:
    """Seconds of CPU time of this process, the least of several times, without the collector of garbage."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(times):
            began = time.process_time()
            work()
            best = min(best, time.process_time() - began)
    finally:
        gc.enable()
    return best


READINGS = 20
"""How many megabytes of tiny objects Python's own `json` reads and writes at most while a second is said to pass."""

_SHARE = 4
_OBJECTS = "[" + ",".join(['{"type":"text","text":"a"}'] * (1_000_000 // 27 // _SHARE)) + "]"


def is_within(used: float, seconds: float) -> bool:
    """Whether so much CPU time is less than so many seconds, or than what they are on a machine that is slower, or busy
    with other things.

    The measure is taken here and now, if it is needed: `READINGS` megabytes of JSON take Python's `json` a second.
    """
    if used < seconds:
        return True
    megabyte = _SHARE * cpu_of(lambda: json.dumps(json.loads(_OBJECTS)), times=3)  # noqa: TID251  it is the measure
    return used < seconds * READINGS * megabyte
