"""What the emulator remembers: the requests it saw, the clients that left early, the caches, files and jobs."""

import hashlib
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from gemgate.emulator.caches import Caches
from gemgate.emulator.content import RequestContent
from gemgate.emulator.files import FileShelf
from gemgate.emulator.jobs import Jobs
from gemgate.emulator.timing import QuotaLimits, Timing
from gemgate.emulator.vertex.tokens import IssuedTokens

if TYPE_CHECKING:
    from gemgate.emulator.vertex.batch_jobs import PredictionJob

SECRET_HEADERS = frozenset({"authorization", "x-goog-api-key", "cookie", "proxy-authorization"})
KEPT = 1000
KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it arrived.

    Attributes:
        method, path: As in the request line; the query without `key` is in `query`.
        headers: Lower-case names; the values of those that carry secrets are replaced by `***`.
        body: The parsed JSON, or None.
        size: Bytes of the body.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    size: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionDrop:
    """A client that left before the answer was complete, after so many bytes of the body."""

    path: str
    sent: int


@dataclass
class EmulatorState:
    """The memory of one emulator.

    `day` decides which models there are; see `lifecycle`.

    `requests` and `disconnects` keep the last thousand, and the requests at most 64 MiB of bodies. They may be read
    from any thread. `objects` are those of Cloud Storage, by bucket and name, with the times of their writing.
    """

    clock: Callable[[], float] = time.time
    timing: Timing = field(default_factory=Timing)
    limits: QuotaLimits = field(default_factory=QuotaLimits)
    requests: deque[SeenRequest] = field(default_factory=lambda: deque(maxlen=KEPT))
    disconnects: deque[ConnectionDrop] = field(default_factory=lambda: deque(maxlen=KEPT))
    day: str = ""
    attempts: Counter[str] = field(default_factory=Counter)
    uploads: dict[str, Any] = field(default_factory=dict)
    operations: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, tuple[RequestContent, float]] = field(default_factory=dict)
    predictions: "dict[str, PredictionJob]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.advanced = 0.0
        self.caches = Caches(self.now)
        self.files = FileShelf(self.now, self.timing, self.limits)
        self.jobs = Jobs(self.now, self.timing, self.files)
        self.tokens = IssuedTokens(self.now)
        self._changed = threading.Condition()

    def now(self) -> float:
        """Seconds since 1970 by the clock of the emulator: files, caches and jobs live by it."""
        return self.clock() + self.advanced

    def advance(self, seconds: float) -> float:
        """Put the clock forward, and return the new time.

        Raises:
            ValueError: The number is negative or not finite.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError("the clock goes forward only")
        self.advanced += seconds
        return self.now()

    def saw(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: object, size: int = 0
    ) -> None:
        """Remember a request of `size` bytes, without its secrets; the oldest ones go when it gets too much."""
        seen = SeenRequest(
            method=method,
            path=path,
            query={name: value for name, value in query.items() if name != "key"},
            headers={name: "***" if name in SECRET_HEADERS else value for name, value in headers.items()},
            body=body,
            size=size,
        )
        with self._changed:
            self.requests.append(seen)
            while len(self.requests) > 1 and sum(each.size for each in self.requests) > KEPT_BYTES:
                self.requests.popleft()
            self._changed.notify_all()

    def attempt(self, contents: object) -> int:
        """Which try of these contents this is, from 1: for the scenario that fails the first ones."""
        key = hashlib.sha256(orjson.dumps(contents)).hexdigest()
        self.attempts[key] += 1
        return self.attempts[key]

    def lost(self, path: str, sent: int) -> None:
        """Remember a client that left early."""
        with self._changed:
            self.disconnects.append(ConnectionDrop(path, sent))
            self._changed.notify_all()

    def wait_for_requests(self, count: int, timeout: float = 5.0) -> bool:
        """Wait in another thread until `count` requests were seen; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, timeout)

    def wait_for_disconnects(self, count: int, timeout: float = 5.0) -> bool:
        """Wait in another thread until `count` clients left early; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.disconnects) >= count, timeout)
