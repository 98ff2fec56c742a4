"""A gateway in a process of its own, as `gemgate serve` runs it, that kills itself with SIGKILL where it is told to.

Its leases and pauses are shorter than the product's. It counts its touches of the outer world: each change of a row of
a batch, each write and deletion of a blob. `KILL_AT` has the texts of touches, a line each, at the first of which
it dies; the file `TOUCHES` gets a line for each touch.
"""

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.replica import serve_replica

LEASE = float(os.environ.get("LEASE", "2"))


class KillSwitch:
    """Counts touches, and kills."""

    def __init__(self) -> None:
        self.at = set(os.environ.get("KILL_AT", "").splitlines())
        self.log = Path(os.environ["TOUCHES"])

    def touch(self, what: str) -> None:
        """One touch."""
        with self.log.open("a") as log:
            log.write(f"{what}\n")
        if what in self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(switch: KillSwitch) -> None:
    """Let every touch of the store be counted."""
    from gemgate.store.batches import BatchRows
    from gemgate.store.blobs import Blobs
    from gemgate.store.files import Files

    def touched(owner: Any, name: str, describe: Any) -> None:
        real = getattr(owner, name)

        async def method(self: Any, *args: Any, **more: Any) -> Any:
            what = describe(*args, **more)
            switch.touch(f"before {what}")
            answer = await real(self, *args, **more)
            switch.touch(f"after {what}")
            return answer

        setattr(owner, name, method)

    put, claim = Blobs.put, BatchRows.claim

    async def watched_put(self: Blobs, key: str, chunks: AsyncIterator[bytes]) -> tuple[int, str]:
        place = f"put {_place(key)}"

        async def during() -> AsyncIterator[bytes]:
            is_first = True
            async for chunk in chunks:
                yield chunk
                if is_first:
                    switch.touch(f"during {place}")
                is_first = False

        switch.touch(f"before {place}")
        written = await put(self, key, during())
        switch.touch(f"after {place}")
        return written

    async def watched_claim(self: BatchRows, *args: Any) -> Any:
        row = await claim(self, *args)
        if row:
            switch.touch("after claim")
        return row

    Blobs.put = watched_put  # type: ignore[method-assign, assignment]
    BatchRows.claim = watched_claim  # type: ignore[method-assign, assignment]
    touched(BatchRows, "create", lambda _row: "create a batch")
    touched(BatchRows, "update", lambda _id, _version, **changes: f"update {','.join(sorted(changes))}")
    touched(BatchRows, "release", lambda *_: "release")
    touched(Blobs, "delete", lambda *keys: f"delete {_place(keys[0])}")
    touched(Files, "create", lambda row: f"create a file for {row.purpose}")


def _place(key: str) -> str:
    return key.rpartition("/")[2] if key.startswith("batches/") else key.partition("/")[0]


def hurry() -> None:
    """Shorten what a test would wait for."""
    from gemgate.api.batches.startup import BatchOptions
    from gemgate.api.batches.state_machine import Pace
    from gemgate.api.batches.worker import WorkOptions
    from gemgate.startup import lifespan as startup
    from gemgate.startup.options import batch_options

    def quick(*args: Any) -> BatchOptions:
        pace = Pace(first=0.05, maximum=0.2, settle=LEASE / 2)
        return replace(batch_options(*args), pace=pace, work=WorkOptions(lease=LEASE, idle=0.1))

    vars(startup)["batch_options"] = quick


def main() -> None:
    """Serve; the address is written to the standard output."""
    switch = KillSwitch()
    watch(switch)
    hurry()
    serve_replica()


if __name__ == "__main__":
    main()
