"""What the consoles of several replicas show each other, through Redis: each its last requests."""

import asyncio
import hashlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gemgate.api.console.activity import Activity
from gemgate.api.console.published_rows import Published, published, read
from gemgate.shared_state.connection import RedisDownError
from gemgate.shared_state.request_feed import ENTRIES_AT_ONCE, START, RequestFeed
from gemgate.tasks import in_background

IDLE_SECONDS = 1.0
"""Between two questions whether somebody watches."""

BUSY_SECONDS = 0.5
"""Between two looks at what has ended, while somebody watches."""

_QUIET_LOOKS = 4  # after which a process without requests says that it is there
_SEEN_SECONDS = 6.0
_RENEW_SECONDS = 1.0
_FORGET_SECONDS = 120.0
_MOST_PROCESSES = 500
_MOST_READS = 4


def replica_name(directory: Path | None) -> str:
    """The name of this replica: of its host, and letters that tell those of one host apart.

    Args:
        directory: What its workers have in common; None for a process on its own.
    """
    host = socket.gethostname()[:60] or "host"
    if directory is None:
        return f"{host}-{secrets.token_hex(3)}"
    place = directory.stat()
    own = hashlib.blake2b(f"{directory} {place.st_dev} {place.st_ino}".encode(), digest_size=3)
    return f"{host}-{own.hexdigest()}"


class ReplicaPublisher:
    """Publishes what ends in this process, while somebody watches.

    Args:
        feed: Where to.
        activity: What has ended here.
        replica: The name of this one.
        process: The id of this process.
    """

    def __init__(self, feed: RequestFeed, activity: Activity, replica: str, process: int) -> None:
        self._feed = feed
        self._activity = activity
        self._replica = replica
        self._process = process
        self._watcher: bytes | None = None
        self._number = 0
        self._quiet = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publishes until the block ends."""
        async with in_background(self._run()):
            yield

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(IDLE_SECONDS if self._watcher is None else BUSY_SECONDS)
            with suppress(RedisDownError):
                await self.step()

    async def step(self) -> None:
        """Publish what is new, if somebody watches; to a new watcher, the last requests.

        Raises:
            RedisDownError: Redis is down.
        """
        watcher = await self._feed.watcher()
        if watcher is None:
            self._watcher = None
            return
        number = self._number if watcher == self._watcher else 0
        entry, last = published(self._activity, self._replica, self._process, number)
        self._quiet += 1
        if watcher != self._watcher or last != number or self._quiet >= _QUIET_LOOKS:
            await self._feed.publish(entry)
            self._quiet = 0
        self._watcher, self._number = watcher, last


@dataclass(frozen=True, slots=True)
class ReplicaSight:
    """What is seen of other processes at one look.

    Attributes:
        redis: `none` without a Redis, otherwise how it is: `up`, `down` or `refusing`.
        replicas: The processes that have lately been heard of, by the names of their replicas.
        rows: What has ended since the last look, with `replica` and `process`.
    """

    redis: str = "none"
    replicas: Mapping[str, list[int]] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)


@dataclass(slots=True)
class _Heard:
    at: float
    number: int = 0


class ReplicaWatch:
    """The look of one open page at the other replicas.

    Args:
        feed: Where from; None without a Redis.
        clock: Seconds.
    """

    def __init__(self, feed: RequestFeed | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._feed = feed
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._renewed_at: float | None = None
        self._place = START
        self._heard: dict[tuple[str, int], _Heard] = {}

    async def look(self, replica: str, processes: Mapping[int, object]) -> ReplicaSight:
        """What is new of processes other than these of this replica, which are seen without Redis."""
        if self._feed is None:
            return ReplicaSight()
        rows: list[dict[str, object]] = []
        try:
            await self._watch(self._feed)
            for _ in range(_MOST_READS):
                self._place, entries = await self._feed.after(self._place)
                for entry in entries:
                    found = read(entry)
                    if found is not None and not (found.replica == replica and found.process in processes):
                        rows += self._new(found)
                if len(entries) < ENTRIES_AT_ONCE:
                    break
        except RedisDownError:
            self._renewed_at, self._place = None, START
            return ReplicaSight(self._feed.state, {}, rows)
        return ReplicaSight(self._feed.state, self._present(), rows)

    async def _watch(self, feed: RequestFeed) -> None:
        now = self._clock()
        if self._renewed_at is None:
            await feed.begin(self._name)
        elif now - self._renewed_at >= _RENEW_SECONDS:
            await feed.go_on(self._name)
        else:
            return
        self._renewed_at = now

    def _new(self, found: Published) -> list[dict[str, object]]:
        key = (found.replica, found.process)
        heard = self._heard.get(key)
        if heard is None:
            if len(self._heard) >= _MOST_PROCESSES:
                return []
            heard = self._heard[key] = _Heard(0.0)
        heard.at = self._clock()
        rows = [(number, row) for number, row in found.rows if number > heard.number]
        if rows:
            heard.number = rows[-1][0]
        return [{"replica": found.replica, "process": found.process, **row} for _, row in rows]

    def _present(self) -> dict[str, list[int]]:
        now = self._clock()
        present: dict[str, list[int]] = {}
        for (replica, process), heard in list(self._heard.items()):
            if now - heard.at > _FORGET_SECONDS:
                del self._heard[replica, process]
            elif now - heard.at <= _SEEN_SECONDS:
                present.setdefault(replica, []).append(process)
        return {replica: sorted(processes) for replica, processes in sorted(present.items())}
