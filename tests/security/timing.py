"""A gateway in a process of its own before a scripted Google, and how much CPU time it takes for what it is sent."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from tests.faults.hostile import HEALTHY
from tests.support.command import command
from tests.support.raw_upstream import BackgroundUpstream

CHAT = "/v1/chat/completions"
MODEL = "gemini-2.5-flash"
DRY = {"x-gemgate-dry-run": "true"}
KEY = "AIza-any-key-will-do"
PATIENCE = 120.0
_TICKS = 100  # a second, of /proc on Linux


@dataclass
class Gateway:
    """One that runs; `upstream` is what it calls Google."""

    url: str
    pid: int
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

    def is_well(self) -> bool:
        """Whether it answers at once."""
        return self.client.get("/healthz", timeout=5).status_code == 200


@contextmanager
def running(**environment: str) -> Iterator[Gateway]:
    """A gateway, warm."""
    with BackgroundUpstream(HEALTHY) as upstream:
        settings = {
            "GEMGATE_UPSTREAM": upstream.url,
            "GEMGATE_LOG_LEVEL": "error",
            "GEMGATE_WORKERS": "1",
            "GEMGATE_RETRY_MAX_WAIT": "0",
        }
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        with (
            command("serve", "--port", "0", **settings, **environment) as (process, url),
            httpx.Client(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False) as client,
        ):
            gateway = Gateway(url, process.pid, upstream, client)
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
