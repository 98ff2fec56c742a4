"""The last requests of this process, and what was used in the last hours, in memory.

A request that ends only leaves what its line of the log is made of; everything else is done once a second or two, and
when the console asks.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import time
from typing import TypedDict, cast

from gemgate.observability.logs import hide_secrets
from gemgate.observability.record import EndedRequest
from gemgate.redaction import redact_value
from gemgate.tasks import in_background

KEPT = 1000
"""Requests that are remembered."""

BUCKET_SECONDS = 300
HOURS = 6

_BUCKETS = HOURS * 3600 // BUCKET_SECONDS
_WITH_BODIES = 50
_PAIRS = 200
_FOLD_SECONDS = 1.0
_OTHER = "other"
_OWN = "/console"


class LogFields(TypedDict, total=False):
    """The fields of a request's line of the log that are read here; `path` and `status` are always there."""

    path: str
    status: int
    model: str
    served: str
    caller: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


@dataclass(slots=True)
class UsageSum:
    """What was used of one model by one caller, in one bucket."""

    requests: int = 0
    failed: int = 0
    prompt: int = 0
    completion: int = 0
    cost: float = 0.0

    def add(self, fields: LogFields) -> None:
        """Count a request."""
        self.requests += 1
        if fields["status"] >= 400:
            self.failed += 1
        if "prompt_tokens" in fields:
            self.prompt += fields["prompt_tokens"]
            self.completion += fields["completion_tokens"]
            self.cost += fields.get("cost_usd", 0.0)


class Activity:
    """Remembers the last requests, and adds up usage.

    Args:
        clock: Unix seconds.

    Attributes:
        keep: Takes an `EndedRequest`; as cheap as it can be, because every request ends with it.
    """

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._ended: deque[EndedRequest] = deque()
        self.keep: Callable[[EndedRequest], None] = self._ended.append
        self._rows: deque[tuple[int, EndedRequest]] = deque(maxlen=KEPT)
        self._buckets: dict[int, dict[tuple[str, str], UsageSum]] = {}
        self._number = 0

    @asynccontextmanager
    async def folded(self) -> AsyncIterator[None]:
        """Takes up what has ended, again and again until the block ends."""

        async def follow() -> None:
            while True:
                await asyncio.sleep(_FOLD_SECONDS)
                self.fold()

        async with in_background(follow()):
            yield

    def fold(self) -> None:
        """Take up what has ended. The console's own pages do not count."""
        pending, rows = self._ended, self._rows
        while pending:
            ended = pending.popleft()
            fields = cast("LogFields", ended.fields)
            if fields["path"].startswith(_OWN):
                continue
            self._number += 1
            rows.append((self._number, ended))
            if ended.bodies is not None and len(rows) > _WITH_BODIES:
                number, older = rows[-_WITH_BODIES - 1]
                rows[-_WITH_BODIES - 1] = (number, older._replace(bodies=None))
            if "model" in fields:
                self._count(ended.at, fields)

    def after(self, number: int, most: int = KEPT, *, bodies: bool = True) -> list[dict[str, object]]:
        """The requests that ended after that of this number, oldest first, without secrets; at most the last `most`.

        Args:
            number: Of a request; 0 for the last ones.
            most: How many at most.
            bodies: Whether those that are kept are wanted.
        """
        self.fold()
        found: list[dict[str, object]] = []
        for row in reversed(self._rows):
            if row[0] == number or len(found) == most:
                break
            found.append(_shown(*row, bodies=bodies))
        found.reverse()
        return found

    def usage(self) -> list[dict[str, object]]:
        """What was used, by the bucket (the Unix second at which it begins), the model and the caller."""
        self.fold()
        oldest = self._clock() - HOURS * 3600
        return [
            {"at": at, "model": model, "caller": caller} | {name: getattr(total, name) for name in UsageSum.__slots__}
            for at, totals in sorted(self._buckets.items())
            if at + BUCKET_SECONDS > oldest
            for (model, caller), total in totals.items()
        ]

    def _count(self, when: float, fields: LogFields) -> None:
        at = int(when) // BUCKET_SECONDS * BUCKET_SECONDS
        totals = self._buckets.get(at)
        if totals is None:
            totals = self._buckets[at] = {}
            while len(self._buckets) > _BUCKETS:
                del self._buckets[min(self._buckets)]
        # Callers may name as many models as they like: those that have answered are Google's.
        pair = (fields["served"] if "prompt_tokens" in fields else _OTHER, fields.get("caller", ""))
        total = totals.get(pair)
        if total is None:
            if len(totals) >= _PAIRS:
                pair = (_OTHER, _OTHER)
            total = totals.setdefault(pair, UsageSum())
        total.add(fields)


def _shown(number: int, ended: EndedRequest, *, bodies: bool) -> dict[str, object]:
    """A request with the fields of its line of the log, and hidden in them what is hidden there."""
    shown = {
        "number": number,
        "at": ended.at,
        "request_id": ended.request_id,
        "stream": ended.is_stream,
        **ended.fields,
    }
    hide_secrets(None, "", shown)
    if bodies and ended.bodies is not None:
        shown["bodies"] = redact_value(ended.bodies, "bodies")
    return shown
